"""``fastnn gradcheck``: the gradients of a model, and of each op in it, against differences."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from fastnn import data, runtime
from fastnn.cli.evaluate import trained_on
from fastnn.cli.named import named_model
from fastnn.cli.saved import SavedModel
from fastnn.cli.settings import IMAGE_MODELS, Settings
from fastnn.cli.usage import UsageError
from fastnn.gradcheck import check_gradients


def run(args: argparse.Namespace) -> int:
    """Check as ``args`` say; the status is 0 if all is right, and 1 if not."""
    if args.threads is not None:
        runtime.set_num_threads(args.threads)
    if args.path is not None and args.model is not None:
        raise UsageError("--model names a new model: it cannot be given with a saved one")
    model, loss, x, y, what = _named(args) if args.path is None else _saved(args)
    print(f"{what}, {loss} of {len(x)} samples")
    report = check_gradients(model, loss, x, y, seed=args.seed)
    print(report)
    return 0 if report.ok else 1


def _named(args: argparse.Namespace) -> tuple[Any, ...]:
    given = {"data": args.data, "model": args.model, "loss": args.loss, "seed": args.seed}
    settings = Settings.complete(given)
    whole = data.load(settings.data)
    model = named_model(settings, whole)
    samples = whole.as_images() if settings.model in IMAGE_MODELS else whole
    x = samples.x_train[: args.samples]
    rows = x.astype(model.dtype) / (float(np.abs(x).max()) or 1.0)
    what = f"{settings.model} with new weights, on {settings.data}"
    return model, settings.loss, rows, whole.y_train[: args.samples], what


def _saved(args: argparse.Namespace) -> tuple[Any, ...]:
    saved = SavedModel.load(args.path)
    spec = args.data or trained_on(saved)
    whole = data.load(spec)
    y = whole.y_train[: args.samples]
    if saved.classes is not None:
        y = data.encode_labels(np.array(whole.classes)[y], saved.classes, spec, "labels")
    rows = saved.rows(whole.x_train[: args.samples], spec)
    x = (rows * saved.scale + saved.shift).astype(saved.model.dtype)
    return saved.model, args.loss or saved.loss, x, y, f"{saved.path}, on {spec}"
