"""``fastnn gradcheck``: the gradients of a model against differences of its loss."""

from __future__ import annotations

import argparse
from contextlib import nullcontext

import numpy as np

from fastnn import data, models, runtime
from fastnn.cli.saved import SavedModel
from fastnn.cli.settings import MODEL, hidden_widths
from fastnn.cli.usage import UsageError
from fastnn.gradcheck import check_gradients
from fastnn.layers.module import Module


def run(args: argparse.Namespace) -> int:
    """Check as ``args`` say, print the report and return the exit status."""
    if args.saved is not None and args.model is not None:
        raise UsageError(f"--model makes a new model, and {args.saved} is a saved one: give one")
    if args.threads is not None:
        runtime.set_num_threads(args.threads)
    saved = None if args.saved is None else SavedModel.load(args.saved)
    spec = args.data or ("digits" if saved is None else saved.trained_on())
    whole = data.load(spec)
    n = len(whole.x_train)
    if args.samples > n:
        raise UsageError(f"--samples: {args.samples} are more than the {n} of {spec} to train with")
    chosen = np.random.default_rng(args.seed).choice(n, args.samples, replace=False)
    x, y = whole.x_train[chosen], whole.y_train[chosen]
    model: Module
    if saved is None:
        name, loss = args.model or MODEL, "cross_entropy"
        scale, shift = data.standardization(whole.x_train)
        widths = hidden_widths(name)
        model = models.mlp(x.shape[1], widths, len(whole.classes), seed=args.seed)
    else:
        name, loss, model = str(saved.path), saved.loss, saved.model.eval()
        scale, shift = saved.scale, saved.shift
        x, y = saved.rows(x, spec), saved.labels(y, whole.classes, spec)
    model.astype(args.dtype)
    loss = args.loss or loss
    numbers = sum(parameter.size for parameter in model.parameters())
    print(f"{'model':<12}{name}, {numbers:,} parameters, {args.dtype}")
    print(f"{'loss':<12}{loss} of {args.samples} of {n:,} training samples of {spec}\n", flush=True)
    inputs = x.astype(args.dtype) * scale + shift
    with nullcontext() if saved is None else saved.applied_to(x, spec):
        report = check_gradients(model, loss, inputs, y, seed=args.seed)
    print(report)
    return 0 if report.ok else 1
