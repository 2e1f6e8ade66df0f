"""What every reader returns, and the one error that every reader raises."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

PathLike = str | os.PathLike[str]

_ROWS_AT_ONCE, _NUMBERS_AT_ONCE = 8192, 2**23
# What zipfile, zlib and NumPy's header parser raise on bytes that make no sense.
DAMAGE = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


class DataError(ValueError):
    """A data file that exists but cannot be used; the message names the file."""

    def __init__(self, path: PathLike, problem: str) -> None:
        super().__init__(f"{os.fspath(path)}: {problem}")
        self.path = os.fspath(path)


@dataclass(frozen=True)
class Dataset:
    """A classification problem, cut into a training and a test part.

    ``x_train`` (N, D) and ``x_test`` (M, D) hold one flat sample a row, uint8,
    float32 or float64; ``y_train`` (N,) and ``y_test`` (M,) are int64 indices into
    ``classes``, the names of the classes. ``shape`` is the shape of one sample before
    it was flattened: (channels, height, width) for images. D is its product.

    ``as_images()`` gives the samples that shape back, for models of images.
    """

    name: str
    x_train: NDArray[np.generic]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.generic]
    y_test: NDArray[np.int64]
    classes: tuple[str, ...]
    shape: tuple[int, ...]

    def as_images(self) -> Dataset:
        """The same data with samples (N, channels, height, width); nothing is copied.

        Raises ValueError when the samples are no images: ``shape`` has another length.
        """
        if len(self.shape) != 3:
            raise ValueError(
                f"{self.name}: samples of shape {self.shape} are no images "
                "(channels, height, width)"
            )
        return replace(
            self,
            x_train=self.x_train.reshape(-1, *self.shape),
            x_test=self.x_test.reshape(-1, *self.shape),
        )

    def standardization(self) -> tuple[float, float]:
        """``(scale, shift)`` such that ``x * scale + shift`` of the training part has
        mean 0 and standard deviation 1, all pixels taken together.

        The test part is not looked at. Constant data is only centred (scale 1).
        """
        return standardization(self.x_train)


def standardization(x: NDArray[Any]) -> tuple[float, float]:
    """``(scale, shift)`` that bring all of ``x`` (N, ...) to mean 0 and deviation 1."""
    mean = float(x.mean(dtype=np.float64))
    squares = 0.0
    # By blocks: a float64 copy of uint8 images would take eight times their memory.
    rows = max(1, min(_ROWS_AT_ONCE, _NUMBERS_AT_ONCE * len(x) // x.size))
    for start in range(0, len(x), rows):
        block = x[start : start + rows].astype(np.float64)
        block -= mean
        # Not a dot product: its last bits depend on the threads that BLAS has.
        squares += float(np.square(block, out=block).sum())
    deviation = (squares / x.size) ** 0.5
    scale = 1.0 / deviation if deviation > 0 else 1.0
    return scale, -mean * scale


def flat_rows(x: NDArray[np.generic], path: PathLike, name: str) -> NDArray[np.generic]:
    """``x`` (N, ...) as contiguous rows (N, D) of uint8, float32 or float64.

    Other integers, booleans and half floats become float32. Raises DataError, naming
    ``path`` and ``name``, for no samples, empty samples, other dtypes and values that
    are not finite.
    """
    if x.ndim < 2 or x.size == 0:
        raise DataError(path, f"{name} has shape {x.shape}, expected (samples, ...) and not empty")
    if x.dtype.kind not in "buif":
        raise DataError(path, f"{name} has dtype {x.dtype}, expected numbers")
    if x.dtype != np.uint8:
        x = x.astype(np.float64 if x.dtype.kind == "f" and x.itemsize > 4 else "f4")
    rows = np.ascontiguousarray(x.reshape(len(x), -1))
    if rows.dtype != np.uint8:
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            where = int(np.argmin(finite))
            raise DataError(path, f"{name}[{where}] holds a value that is not finite")
    return rows


def class_names(y: NDArray[np.generic], path: PathLike, name: str) -> tuple[str, ...]:
    """Names of the classes in labels ``y`` (N,): its distinct values, in order."""
    check_labels(y, path, name)
    return tuple(str(value) for value in np.unique(y))


def check_labels(y: NDArray[np.generic], path: PathLike, name: str) -> None:
    """Raise DataError unless ``y`` is one integer or string label a sample."""
    if y.ndim != 1 or y.dtype.kind not in "uiU":
        hint = "; one-hot rows need .argmax(axis=1)" if y.ndim == 2 else ""
        raise DataError(
            path,
            f"{name} has shape {y.shape} and dtype {y.dtype}, "
            f"expected (samples,) integers or strings{hint}",
        )


def encode_labels(
    y: NDArray[np.generic], classes: Sequence[str], path: PathLike, name: str
) -> NDArray[np.int64]:
    """Labels ``y`` (N,), integers or strings, as int64 indices into ``classes``.

    Raises DataError, naming the label and its position, for one not in ``classes``.
    """
    check_labels(y, path, name)
    index = {label: i for i, label in enumerate(classes)}
    values, inverse = np.unique(y, return_inverse=True)
    codes = np.array([index.get(str(value), -1) for value in values], np.int64)
    encoded = codes[inverse]
    if encoded.size and encoded.min() < 0:
        where = int(np.argmin(encoded))
        known = ", ".join(list(classes)[:12]) + (", ..." if len(classes) > 12 else "")
        raise DataError(
            path, f"{name}[{where}] is {y[where]}, which is not a known class ({known})"
        )
    return encoded


def same_length(x: NDArray[np.generic], y: NDArray[np.generic], path: PathLike) -> None:
    """Raise DataError unless there is one label a sample."""
    if len(x) != len(y):
        raise DataError(path, f"{len(y)} labels for {len(x)} samples")
