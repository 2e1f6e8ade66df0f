"""``python -m benchmarks.alexnet`` trains AlexNet on 224x224 images from the command line.

It runs ``fastnn train --data images224 --model alexnet --epochs 6``, then counts the held-out
images of each class that the saved model tells right, and writes both and the history to
``benchmarks/results/alexnet.json``.  It needs scikit-learn and Pillow, and takes some minutes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import fastnn
from benchmarks.trained import RESULTS, described, history, save, train
from fastnn.data import images224

COMMAND = "python -m benchmarks.alexnet"
TRAIN = ("fastnn", "train", "--data", "images224", "--model", "alexnet", "--epochs", "6")


def held_out(path: Path) -> dict[str, list[int]]:
    """Of each class, how many held-out images the model tells right, and how many there are."""
    model, saved = fastnn.load(path), fastnn.load_metadata(path)
    data = images224().as_images()
    right = np.zeros(len(data.classes), int)
    for start in range(0, len(data.y_test), 32):
        x, y = data.x_test[start : start + 32], data.y_test[start : start + 32]
        found = model.predict(x.astype("f4") * saved["scale"] + saved["shift"])
        right += np.bincount(y[found == y], minlength=len(right))
    of = np.bincount(data.y_test, minlength=len(right))
    return {name: [int(a), int(b)] for name, a, b in zip(data.classes, right, of, strict=True)}


def share(counts: list[list[int]]) -> float:
    """What part is right."""
    return round(sum(a for a, _ in counts) / sum(b for _, b in counts), 4)


def main() -> None:
    """Train, look at the held-out images, and write what came of it."""
    filters = [p.shape[0] for p in fastnn.models.alexnet(12).parameters() if p.ndim == 4]
    with tempfile.TemporaryDirectory() as folder:
        printed, seconds = train(TRAIN, Path(folder))
        run = Path(folder, "runs", "images224-1")
        by_class = held_out(run / "model.safetensors")
        result = {
            **described(COMMAND, TRAIN, run, filters, printed, seconds),
            "accuracy_on_digits": share([c for name, c in by_class.items() if name.isdigit()]),
            "accuracy_on_photographs": share(
                [c for name, c in by_class.items() if not name.isdigit()]
            ),
            "right_of_held_out": by_class,
            "epochs": history(run / "history.csv"),
        }
    save(result, RESULTS / "alexnet.json")


if __name__ == "__main__":
    main()
