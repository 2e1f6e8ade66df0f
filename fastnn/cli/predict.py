"""``fastnn predict``: the classes of new samples."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from fastnn import _kernels as k
from fastnn import data, runtime, serialize
from fastnn.cli.saved import SavedModel
from fastnn.cli.usage import UsageError

_SUFFIXES = (".csv", ".txt", ".npy")


def run(args: argparse.Namespace) -> int:
    """Predict as ``args`` say and return the exit status."""
    if args.out is not None and not args.out.endswith(_SUFFIXES):
        raise UsageError(f"--out {args.out} does not end in {', '.join(_SUFFIXES)}")
    if args.threads is not None:
        runtime.set_num_threads(args.threads)
    saved = SavedModel.load(args.model)
    rows = saved.rows(data.read_samples(args.input), args.input)
    _warn_of_another_range(saved, rows, args.input)
    with saved.applied_to(rows, args.input):
        scores = saved.scores(rows)
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ValueError(f"{saved.path}: no classifier, its output is {scores.shape}")
    if saved.classes is not None and len(saved.classes) != scores.shape[1]:
        raise ValueError(f"{saved.path}: {scores.shape[1]} scores for {len(saved.classes)} classes")
    classes = saved.classes or tuple(str(i) for i in range(scores.shape[1]))
    labels = [classes[i] for i in scores.argmax(axis=1)]
    proba = k.softmax(scores) if args.proba else None
    if args.out is None:
        _write_text(sys.stdout, labels, classes, proba)
    elif args.out.endswith(".npy"):
        array = _label_array(labels, classes) if proba is None else proba
        serialize.atomic_write(args.out, lambda file: np.save(file, array))
    else:
        text = io.StringIO(newline="")
        _write_text(text, labels, classes, proba)
        content = text.getvalue().encode()
        serialize.atomic_write(args.out, lambda file: file.write(content))
    return 0


def _write_text(
    file: TextIO,
    labels: Sequence[str],
    classes: Sequence[str],
    proba: NDArray[Any] | None,
) -> None:
    if proba is None:
        file.writelines(f"{label}\n" for label in labels)
        return
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["label", *classes])
    for label, row in zip(labels, proba.tolist(), strict=True):
        table.writerow([label, *(f"{p:.6f}" for p in row)])


def _label_array(labels: Sequence[str], classes: Sequence[str]) -> NDArray[Any]:
    """Labels (N,) as int64 where all classes are integers, else as strings."""
    try:
        integers = all(str(int(name)) == name for name in classes)
    except ValueError:
        integers = False
    return np.array(labels).astype(np.int64) if integers else np.array(labels)


def _warn_of_another_range(saved: SavedModel, rows: NDArray[Any], source: str) -> None:
    """Pixels in 0..1 for a model trained on 0..255 give nonsense without an error."""
    largest = float(np.abs(rows).max())
    if saved.largest and not 0.1 <= largest / saved.largest <= 10:
        print(
            f"fastnn predict: warning: {source} holds values up to {largest:g}, "
            f"{saved.path.name} was trained on values up to {saved.largest:g}",
            file=sys.stderr,
        )
