"""A net trained by ``fastnn train``: what the command prints, and what it leaves, as a result."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import fastnn
from benchmarks.machine import machine, today

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parent.parent
KEPT = ("data_loss", "accuracy", "val_loss", "val_accuracy", "seconds")


def train(command: tuple[str, ...], folder: Path) -> tuple[list[str], float]:
    """What the command prints, and the seconds that it takes."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *command, "--no-progress"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.splitlines(), time.perf_counter() - began


def described(
    program: str,
    command: tuple[str, ...],
    run: Path,
    filters: list[int],
    printed: list[str],
    seconds: float,
) -> dict[str, Any]:
    """How and on what a run was made."""
    return {
        "command": program,
        "trains_by": " ".join(command),
        "date": today(),
        "machine": machine(),
        "threads": fastnn.info()["threads"],
        "fastnn": fastnn.__version__,
        "filters": filters,
        "settings": json.loads((run / "run.json").read_text()),
        "printed": printed,
        "process_seconds": round(seconds, 1),
    }


def history(path: Path) -> list[dict[str, float]]:
    """An epoch a row."""
    with open(path, newline="") as file:
        return [
            {name: float(f"{float(row[name]):.5g}") for name in KEPT}
            for row in csv.DictReader(file)
        ]


def save(result: dict[str, Any], path: Path) -> None:
    """As JSON, each entry on a line, and each epoch; and print it."""
    entries = []
    for name, value in result.items():
        text = json.dumps(value)
        if name == "epochs":
            text = "[\n    " + ",\n    ".join(map(json.dumps, value)) + "\n  ]"
        entries.append(f"  {json.dumps(name)}: {text}")
    path.write_text("{\n" + ",\n".join(entries) + "\n}\n")
    print(path.read_text())
