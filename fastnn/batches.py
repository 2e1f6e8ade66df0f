"""Training data, checked once and gathered batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from fastnn import _kernels as k
from fastnn.augment import Augment, AugmentedRows
from fastnn.checks import all_right, finite, real_array
from fastnn.modes import tracked

# Of scores (n, ...) and targets (n, ...): how many are right.
Counter: TypeAlias = Callable[[np.ndarray, np.ndarray], int]

__all__ = [
    "Batches",
    "binary_hits",
    "input_rows",
    "label_hits",
    "label_rows",
    "sample_weights",
    "target_rows",
    "whole_number_rows",
]


def label_hits(scores: np.ndarray, y: np.ndarray) -> int:
    """How many labels the largest score of their row hits."""
    return int(np.count_nonzero(scores.argmax(axis=1) == y))


def binary_hits(logits: np.ndarray, y: np.ndarray) -> int:
    """How many binary targets a logit of the right sign hits."""
    return int(np.count_nonzero((logits > 0) == (y > 0.5)))


class Batches:
    """Checked rows of X and y, and the buffers that a batch of them is gathered into.

    The arrays that ``gather`` returns are views of the buffers: the next call
    overwrites them.

    Attributes:
        size: the most rows of a batch.
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray | None,
        *,
        size: int,
        dtype: np.dtype[Any],
        scale: float,
        shift: float,
        count: Counter | None,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        self.size = size = min(size, len(X))
        self.y = y
        self.weight = weight
        self.count = count
        # Rows of weight zero take no part, so no batch can consist of them alone.
        self.rows = np.arange(len(X)) if weight is None else np.flatnonzero(weight)
        self._scale, self._shift = scale, shift
        self._augmented, self._row_shape = None, X.shape[1:]
        if augment is not None:
            X = np.ascontiguousarray(X)  # so that the two below share it
            self._augmented = AugmentedRows(augment, X, seed)
            self._row_shape = self._augmented.row_shape
        self._X = X.reshape(len(X), -1)
        self._x_buffer = np.empty((size, *self._row_shape), dtype)
        self._y_buffer = np.empty((size, *y.shape[1:]), y.dtype)

    def __len__(self) -> int:
        """How many rows take part."""
        return len(self.rows)

    def begin_epoch(self, epoch: int) -> None:
        """What is drawn from now on is drawn for this epoch."""
        if self._augmented is not None:
            self._augmented.begin_epoch(epoch)

    def hits(self, scores: np.ndarray, y: np.ndarray) -> tuple[int, int]:
        """How many of a batch's targets the scores hit, and how many they could."""
        return (self.count(scores, y), y.size) if self.count else (0, 0)

    def count_in_program(self, recorder: Any, scores: Any, y: Any, hits: Any) -> None:
        """Record the count of a batch's hits into an array (1,) of int64."""
        if self.count is binary_hits:
            hits[...] = np.sum((scores > 0) == (y > 0.5), dtype=np.int64).reshape(1)
        else:
            recorder.label_hits(scores, y, hits)

    def inputs(self, indices: np.ndarray) -> np.ndarray:
        """Rows of X (n, ...), augmented, scaled and shifted, in the model's dtype."""
        x: np.ndarray = tracked(self._x_buffer[: len(indices)])
        if self._augmented is not None:
            self._augmented.gather(indices, self._scale, self._shift, x)
        else:
            k.gather_rows(self._X, indices, self._scale, self._shift, x.reshape(len(x), -1))
        return x

    def gather(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """x (n, ...), y (n, ...) and weights (n,) of the rows at ``indices`` (n,)."""
        y = tracked(self._y_buffer[: len(indices)])
        if self.y.dtype != np.int64:
            n = len(self.y)
            k.gather_rows(self.y.reshape(n, -1), indices, 1.0, 0.0, y.reshape(len(y), -1))
        elif self.y.ndim == 1:
            k.gather_labels(self.y, indices, y)
        else:
            y[...] = tracked(self.y)[indices]
        weight = None if self.weight is None else tracked(self.weight)[indices]
        return self.inputs(indices), y, weight


def input_rows(X: Any, name: str, dtype: np.dtype[Any]) -> np.ndarray:
    """X as an array of at least two axes: uint8 if it was that, else of ``dtype``.

    Raises:
        TypeError: if X does not hold real numbers, or hides some under a mask.
        ValueError: if X is empty, has no rows, or is not finite in ``dtype``.
    """
    rows = real_array(X, name)
    if rows.ndim < 2:
        raise ValueError(
            f"{name}: shape {rows.shape} has no rows; samples come as (N, features), "
            "one of them as (1, features)"
        )
    _refuse_empty(rows, name)
    return rows if rows.dtype == np.uint8 else _finite(rows, name, dtype)


def label_rows(y: Any, name: str, n: int, classes: int) -> np.ndarray:
    """Class indices y (n,) as int64.

    Raises:
        TypeError: if y does not hold integers.
        ValueError: if y is not of shape (n,), or for an index outside [0, classes).
    """
    rows = real_array(y, name)
    if rows.dtype.kind not in "biu":
        raise TypeError(
            f"{name}: class labels must be integers, got {rows.dtype} "
            f"(y.astype(int) if they are whole numbers)"
        )
    if rows.ndim != 1:
        raise ValueError(
            f"{name}: class labels must have shape ({n},), got {rows.shape} "
            "(y.argmax(axis=1) if they are one-hot)"
        )
    _same_length(rows, name, n)
    wrong = (rows < 0) | (rows >= classes)
    if wrong.any():
        at = int(wrong.argmax())
        raise ValueError(
            f"{name}: label {rows[at]} at position {at} is outside [0, {classes - 1}], "
            f"the classes of a model with {classes} outputs"
        )
    return rows.astype(np.int64)


def whole_number_rows(y: Any, name: str, n: int) -> np.ndarray:
    """Whole numbers y (n, ...) of any meaning, as int64."""
    rows = real_array(y, name)
    _same_length(rows, name, n)
    return rows.astype(np.int64, order="C")


def target_rows(
    y: Any,
    name: str,
    n: int,
    row_shape: tuple[int, ...] | None,
    dtype: np.dtype[Any],
    bounds: tuple[float, float] | None = None,
) -> np.ndarray:
    """Real targets y (n, *row_shape) in ``dtype``; (n,) stands for (n, 1).

    ``row_shape`` is the shape of the model's output for one sample, or None to allow
    any; ``bounds`` the closed interval of allowed values.

    Raises:
        TypeError: if y does not hold real numbers.
        ValueError: for another shape, a value out of bounds, NaN or infinity.
    """
    rows = real_array(y, name)
    _same_length(rows, name, n)
    if row_shape is not None:
        if row_shape == (1,) and rows.ndim == 1:
            rows = rows[:, np.newaxis]
        if rows.shape[1:] != row_shape:
            raise ValueError(
                f"{name}: shape {rows.shape} does not match the model's output, "
                f"which is {(n, *row_shape)}"
            )
    rows = _finite(rows, name, dtype)
    if bounds is not None:
        low, high = bounds
        all_right(rows, (rows >= low) & (rows <= high), name, f"outside [{low:g}, {high:g}]")
    return rows


def sample_weights(weight: Any, n: int) -> np.ndarray:
    """Weights (n,) as float64.

    Raises:
        TypeError: if they are not real numbers.
        ValueError: for another shape, one that is negative or not finite, or all zero.
    """
    rows = real_array(weight, "sample_weight")
    if rows.shape != (n,):
        raise ValueError(
            f"sample_weight: wanted shape ({n},), one weight a row of X, got {rows.shape}"
        )
    rows = rows.astype(np.float64)
    all_right(
        rows,
        (rows >= 0) & np.isfinite(rows),
        "sample_weight",
        "negative or not finite",
    )
    if not rows.any():
        raise ValueError("sample_weight: all weights are zero")
    return rows


def _refuse_empty(array: np.ndarray, name: str) -> None:
    if array.size == 0:
        raise ValueError(f"{name} is empty: shape {array.shape}")


def _same_length(y: np.ndarray, name: str, n: int) -> None:
    if y.ndim == 0:
        raise ValueError(f"{name}: wanted one value a row of X, got a single value")
    if len(y) != n:
        raise ValueError(f"{name}: {len(y)} rows do not match the {n} rows of X")


def _finite(array: np.ndarray, name: str, dtype: np.dtype[Any]) -> np.ndarray:
    """``array`` in ``dtype``, which must be able to hold each value."""
    _refuse_empty(array, name)
    finite(array, name, dtype)
    return np.ascontiguousarray(array, dtype)
