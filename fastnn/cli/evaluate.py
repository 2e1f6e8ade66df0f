"""``fastnn evaluate``: loss and accuracy of a saved model."""

from __future__ import annotations

import argparse

import numpy as np

from fastnn import data, optim, runtime
from fastnn.cli.report import accuracy_and_loss
from fastnn.cli.saved import SavedModel
from fastnn.cli.settings import Settings
from fastnn.cli.usage import UsageError
from fastnn.train import Trainer


def run(args: argparse.Namespace) -> int:
    """Evaluate as ``args`` say and return the exit status."""
    if args.threads is not None:
        runtime.set_num_threads(args.threads)
    saved = SavedModel.load(args.model)
    spec = args.data or trained_on(saved)
    whole = data.load(spec)
    x, y = {
        "test": (whole.x_test, whole.y_test),
        "train": (whole.x_train, whole.y_train),
        "all": (
            np.concatenate([whole.x_train, whole.x_test]),
            np.concatenate([whole.y_train, whole.y_test]),
        ),
    }[args.part]
    if saved.classes is not None:
        names = np.array(whole.classes)
        y = data.encode_labels(names[y], saved.classes, spec, "labels")
    trainer = Trainer(
        saved.model,
        saved.loss,
        optim.SGD(saved.model.parameters(), lr=0.0),
        scale=saved.scale,
        shift=saved.shift,
    )
    rows = saved.rows(x, spec)
    with saved.applied_to(rows, spec):
        result = trainer.evaluate(rows, y)
    print(f"{spec}, {args.part} part: {accuracy_and_loss(result, len(x))}")
    return 0


def trained_on(saved: SavedModel) -> str:
    """The data that the run beside a saved model was trained on."""
    settings = saved.path.with_name("run.json")
    if settings.exists():
        return Settings.from_json(settings).data
    if saved.data in data.AT_HAND:
        return saved.data
    raise UsageError(f"on which --data? {saved.path} has no run.json beside it that tells")
