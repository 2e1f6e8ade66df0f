"""``python -m benchmarks.alexnet`` trains AlexNet on 224x224 images from the command line.

It runs ``fastnn train --data images224 --model alexnet --epochs 6``, then counts the held-out
images of each class that the saved model tells right, and writes both and the history to
``benchmarks/results/alexnet.json``.  It needs scikit-learn and Pillow, and takes some minutes.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import fastnn
from benchmarks.machine import machine, today
from fastnn.data import images224

COMMAND = "python -m benchmarks.alexnet"
TRAIN = ("fastnn", "train", "--data", "images224", "--model", "alexnet", "--epochs", "6")
RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parent.parent
KEPT = ("data_loss", "accuracy", "val_loss", "val_accuracy", "seconds")


def train(folder: Path) -> tuple[list[str], float]:
    """What the command prints, and the seconds that it takes."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *TRAIN, "--no-progress"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.splitlines(), time.perf_counter() - began


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


def history(path: Path) -> list[dict[str, float]]:
    """An epoch a row."""
    with open(path, newline="") as file:
        return [
            {name: float(f"{float(row[name]):.5g}") for name in KEPT}
            for row in csv.DictReader(file)
        ]


def lines(result: dict[str, Any]) -> str:
    """As JSON, each entry on a line, and each epoch."""
    entries = []
    for name, value in result.items():
        text = json.dumps(value)
        if name == "epochs":
            text = "[\n    " + ",\n    ".join(map(json.dumps, value)) + "\n  ]"
        entries.append(f"  {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(entries) + "\n}\n"


def share(counts: list[list[int]]) -> float:
    """What part is right."""
    return round(sum(a for a, _ in counts) / sum(b for _, b in counts), 4)


def main() -> None:
    """Train, look at the held-out images, and write what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        printed, seconds = train(Path(folder))
        run = Path(folder, "runs", "images224-1")
        by_class = held_out(run / "model.safetensors")
        settings = json.loads((run / "run.json").read_text())
        epochs = history(run / "history.csv")
    result: dict[str, Any] = {
        "command": COMMAND,
        "trains_by": " ".join(TRAIN),
        "date": today(),
        "machine": machine(),
        "threads": fastnn.info()["threads"],
        "fastnn": fastnn.__version__,
        "filters": [p.shape[0] for p in fastnn.models.alexnet(12).parameters() if p.ndim == 4],
        "settings": settings,
        "printed": printed,
        "process_seconds": round(seconds, 1),
        "accuracy_on_digits": share([c for name, c in by_class.items() if name.isdigit()]),
        "accuracy_on_photographs": share([c for name, c in by_class.items() if not name.isdigit()]),
        "right_of_held_out": by_class,
        "epochs": epochs,
    }
    path = RESULTS / "alexnet.json"
    path.write_text(lines(result))
    print(path.read_text())


if __name__ == "__main__":
    main()
