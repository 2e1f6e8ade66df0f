"""``python -m benchmarks.lenet`` trains LeNet on Fashion-MNIST from the command line.

It runs ``fastnn train --data idx:/usr/share/datasets/fashion-mnist --model lenet --epochs 10``, and
writes what that prints, and the history, to ``benchmarks/results/lenet.json``.  It takes a minute.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import fastnn
from benchmarks.peers.fit import FOLDER, require_data
from benchmarks.trained import RESULTS, described, history, save, train

COMMAND = "python -m benchmarks.lenet"
TRAIN = ("fastnn", "train", "--data", f"idx:{FOLDER}", "--model", "lenet", "--epochs", "10")


def main() -> None:
    """Train, and write what came of it."""
    require_data()
    filters = [p.shape[0] for p in fastnn.models.lenet().parameters() if p.ndim == 4]
    with tempfile.TemporaryDirectory() as folder:
        printed, seconds = train(TRAIN, Path(folder))
        (run,) = Path(folder, "runs").iterdir()
        result = {
            **described(COMMAND, TRAIN, run, filters, printed, seconds),
            "epochs": history(run / "history.csv"),
        }
    save(result, RESULTS / "lenet.json")


if __name__ == "__main__":
    main()
