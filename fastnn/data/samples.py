"""Samples without labels, to predict: from whatever file they are in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.data.cifar10 import read_cifar10
from fastnn.data.dataset import DAMAGE, DataError, PathLike
from fastnn.data.idx import read_idx
from fastnn.data.npz import read_npz

_NAMES = ("x", "x_test")


def read_samples(path: PathLike) -> NDArray[Any]:
    """The samples in a ``.npy``, ``.npz``, idx or binary CIFAR-10 file.

    The content tells which it is, but for CIFAR-10, whose files end in ``.bin``. An
    .npz gives its only array, or the one called ``x``, ``X``, ``x_test`` or ``X_test``.

    Raises OSError when the file cannot be opened and DataError when it is none of
    these or damaged.
    """
    with open(path, "rb") as file:
        start = file.read(6)
    if str(path).endswith(".bin"):
        return read_cifar10(path)[0]
    if start == b"\x93NUMPY":
        return _read_npy(path)
    if start[:2] == b"PK":
        return _only_array(path)
    if start[:2] in (b"\0\0", b"\x1f\x8b"):
        return read_idx(path)
    raise DataError(path, "not an npy, npz, idx or binary CIFAR-10 (.bin) file")


def _read_npy(path: PathLike) -> NDArray[Any]:
    with open(path, "rb") as file:
        try:
            array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        except DAMAGE as error:
            raise DataError(path, f"damaged npy file ({error})") from None
    return array


def _only_array(path: PathLike) -> NDArray[Any]:
    arrays = read_npz(path)
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    by_name = {name.lower(): array for name, array in arrays.items()}
    for name in _NAMES:
        if name in by_name:
            return by_name[name]
    found = ", ".join(arrays) or "nothing"
    raise DataError(path, f"holds {found}; expected one array, or one called x")
