"""What training recorded, epoch by epoch."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

import numpy as np

from fastnn.serialize import StrPath, atomic_write

__all__ = ["History"]


class History:
    """A table of numbers with one row an epoch and fixed columns.

    ``history["loss"]`` is a column, ``history.rows[-1]`` the last epoch,
    ``len(history)`` the number of epochs, ``"val_loss" in history`` whether there is
    such a column.  What ``Trainer.fit`` records is told there.
    """

    def __init__(self, columns: Iterable[str]) -> None:
        self.columns = tuple(columns)
        self.rows: list[dict[str, float]] = []

    def append(self, row: Mapping[str, float]) -> None:
        """Add an epoch; ``row`` must hold exactly the columns."""
        if row.keys() != set(self.columns):
            raise ValueError(f"row: columns {sorted(row)} do not match {sorted(self.columns)}")
        self.rows.append({name: float(row[name]) for name in self.columns})

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __contains__(self, column: object) -> bool:
        return column in self.columns

    def __getitem__(self, column: str) -> np.ndarray:
        """A column as a new float64 array of shape (epochs,)."""
        if column not in self.columns:
            raise KeyError(f"no column {column!r}; this history has {', '.join(self.columns)}")
        return np.array([row[column] for row in self.rows], dtype=np.float64)

    def to_csv(self, path: StrPath) -> None:
        """Write a CSV file atomically: a header, then one line an epoch, from 1.

        Numbers are written so that reading them back gives the same float64.
        """
        text = io.StringIO()
        text.write(",".join(("epoch", *self.columns)) + "\n")
        for epoch, row in enumerate(self.rows, 1):
            cells = (repr(row[name]) for name in self.columns)
            text.write(",".join((str(epoch), *cells)) + "\n")

        def write(file: BinaryIO) -> None:
            file.write(text.getvalue().encode("ascii"))

        atomic_write(path, write)

    def __repr__(self) -> str:
        if not self.rows:
            return f"History(no epochs; columns {', '.join(self.columns)})"
        last = ", ".join(f"{k}={v:.4g}" for k, v in self.rows[-1].items())
        return f"History({len(self)} epochs; last: {last})"
