"""Fashion-MNIST, the whole fit from uint8 images: Adam, batches of 128, ten epochs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import perf_counter, sleep
from types import ModuleType

import numpy as np

from benchmarks.measure import PEERS_PAUSE

from .rounds import TOLERANCE, Row, check_losses, compared, rounded
from .task import Task
from .works import initial_layers

NAME = "fashion"
TITLE = "Fashion-MNIST, 784-256-128-10, Adam, batch 128, 10 epochs, whole fit"
FOLDER = "/usr/share/datasets/fashion-mnist"
WIDTHS = (784, 256, 128, 10)
BARS = {"torch": 3.2, "sklearn": 5.0, "jax_compiled": 1.85}
ACCURACY_BAR = 0.5  # points that fastnn may be below a peer
ROUNDS = 5  # the last epoch's accuracy alone varies by half a point


def require_data() -> None:
    """Stop before anything is measured if the data set is not there."""
    if not Path(FOLDER).is_dir():
        raise SystemExit(
            f"{NAME} wants {FOLDER}, which Debian's dataset-fashion-mnist brings; "
            "--only measures the other works"
        )


def images_task(epochs: int = 1) -> Task:
    """A fit of the training images."""
    from fastnn.data import idx

    data = idx(FOLDER)
    return Task(data.x_train, data.y_train.astype(np.int64), initial_layers(WIDTHS), epochs)


def measured(sides: dict[str, ModuleType], quick: bool) -> Row:
    """Losses of a few steps compared, then seconds and test accuracy, by side."""
    from fastnn.data import idx

    data = idx(FOLDER)
    X, y = data.x_train, data.y_train.astype(np.int64)
    able = {name: side for name, side in sides.items() if hasattr(side, "fit")}
    few = 300 if quick else 1000  # so that the last batch is a smaller one
    small = Task(X[:few], y[:few], initial_layers(WIDTHS), epochs=2, shuffle=False)
    losses = {name: side.fit(small).losses for name, side in able.items()}
    row: Row = {
        "name": NAME,
        "title": TITLE,
        "unit": "fit",
        "loss_differences": check_losses(
            NAME,
            losses,
            {name: getattr(side, "FIT_TOLERANCE", TOLERANCE) for name, side in able.items()},
        ),
    }
    task = Task(X, y, small.layers, epochs=10)
    if quick:
        task = replace(small, shuffle=True)
    x_test, y_test = (data.x_test[:few], data.y_test[:few]) if quick else (data.x_test, data.y_test)
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in able}
    for seed in range(1 if quick else ROUNDS):
        layers = initial_layers(WIDTHS, seed)
        for name, side in able.items():
            sleep(0.0 if quick else PEERS_PAUSE)
            began = perf_counter()
            fitted = side.fit(replace(task, layers=layers, seed=seed))
            seconds = perf_counter() - began
            accuracy = 100 * float((fitted.predict(x_test) == y_test).mean())
            runs[name].append((seconds, fitted.compiling, accuracy))
    best = {name: min(each[0] for each in many) for name, many in runs.items()}
    if "jax" in best:
        best["jax_compiled"] = min(total - compiling for total, compiling, _ in runs["jax"])
    row["microseconds"] = {name: rounded(1e6 * each) for name, each in best.items()}
    row["accuracy"] = {
        name: round(float(np.mean([each[2] for each in many])), 2) for name, many in runs.items()
    }
    row["accuracy_bar"] = ACCURACY_BAR
    row["accuracy_met"] = all(
        row["accuracy"]["fastnn"] >= each - ACCURACY_BAR for each in row["accuracy"].values()
    )
    row["against"] = compared(best, BARS)
    return row
