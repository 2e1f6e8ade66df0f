"""The same values in memory that is laid out differently."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np


def fortran(x: np.ndarray) -> np.ndarray:
    return np.array(x, order="F")


def negative(x: np.ndarray) -> np.ndarray:
    backwards = (slice(None, None, -1),) * x.ndim
    view = np.empty_like(x, order="C")[(*backwards, ...)]
    view[...] = x
    return view


def strided(x: np.ndarray) -> np.ndarray:
    """Every second (first axes) or third (last axis) element of a larger array."""
    if x.ndim == 0:
        return x.copy()
    steps = (2,) * (x.ndim - 1) + (3,)
    larger = np.full([s * n for s, n in zip(steps, x.shape, strict=True)], 99, x.dtype)
    view = larger[tuple(slice(None, None, step) for step in steps)]
    view[...] = x
    return view


def unaligned(x: np.ndarray) -> np.ndarray:
    memory = bytearray(x.nbytes + 1)
    view = np.ndarray(x.shape, x.dtype, memory, offset=1)
    view[...] = x
    return view


def swapped(x: np.ndarray) -> np.ndarray:
    return x.astype(x.dtype.newbyteorder())


def read_only(x: np.ndarray) -> np.ndarray:
    frozen = x.copy()
    frozen.flags.writeable = False
    return frozen


def swapped_and_strided(x: np.ndarray) -> np.ndarray:
    return strided(swapped(x))


def memory_map(folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A maker of arrays that live, read-only, in files of ``folder``."""

    def mapped(x: np.ndarray) -> np.ndarray:
        path = folder / f"{len(list(folder.iterdir()))}.npy"
        np.save(path, x)
        return np.load(path, mmap_mode="r")

    return mapped


WRITABLE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "fortran": fortran,
    "negative": negative,
    "strided": strided,
    "unaligned": unaligned,
    "swapped": swapped,
    "swapped and strided": swapped_and_strided,
}
READABLE = {**WRITABLE, "read only": read_only}


def views(matrix: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """What a matrix looks like to a product: its name, and where the elements lie."""
    yield "C", matrix
    yield "transposed", np.asfortranarray(matrix)
    yield "columns of a wider one", np.repeat(matrix, 2, axis=1)[:, ::2]
    yield "rows of a wider one", np.hstack([matrix, matrix[:, :7]])[:, : matrix.shape[1]]
