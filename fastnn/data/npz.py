"""A user's own arrays in a NumPy .npz file."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fastnn.data.dataset import (
    DAMAGE,
    DataError,
    Dataset,
    PathLike,
    class_names,
    encode_labels,
    flat_rows,
    same_length,
)
from fastnn.data.digits import SPLIT_SEED, TEST_SHARE
from fastnn.data.idx import image_shape
from fastnn.data.split import stratified_split

_SPLIT = ("x_train", "y_train", "x_test", "y_test")
_WHOLE = ("x", "y")


def read_npz(path: PathLike) -> dict[str, NDArray[np.generic]]:
    """All arrays of an .npz file by name; nothing pickled is ever loaded.

    Raises OSError when it cannot be opened and DataError when it is no npz file or is
    damaged.
    """
    with open(path, "rb") as stream:
        if stream.read(2) != b"PK":
            raise DataError(path, "not an npz file")
        stream.seek(0)
        try:
            with np.load(stream, allow_pickle=False) as stored:
                arrays = dict(stored)
        except DAMAGE as error:
            raise DataError(path, f"damaged npz file ({error})") from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise DataError(path, f"{name!r} is not an array")
    return arrays


def npz(path: PathLike) -> Dataset:
    """A data set from the arrays ``x_train, y_train, x_test, y_test`` of an .npz file.

    A file with only ``x`` and ``y`` gets the same stratified split as the digits
    (a fifth for the test part, seed 0). A capital X is fine. Samples are rows of any
    shape: uint8 stays, float32 and float64 stay, other numbers become float32. Labels
    are integers or strings; the distinct ones of the training part are the classes.

    Raises FileNotFoundError for a missing file and DataError for one that is damaged,
    lacks an array, or holds arrays that do not fit together; each names the file.
    """
    found = {name.lower(): array for name, array in read_npz(path).items()}
    if not any(name in found for name in _SPLIT):
        found = _split_whole(found, path)
    missing = [name for name in _SPLIT if name not in found]
    if missing:
        raise DataError(path, f"lacks {', '.join(missing)}")
    x_train = flat_rows(found["x_train"], path, "x_train")
    x_test = flat_rows(found["x_test"], path, "x_test")
    y_train, y_test = found["y_train"], found["y_test"]
    classes = class_names(y_train, path, "y_train")
    if len(classes) < 2:
        raise DataError(path, f"y_train holds one class only ({classes[0]})")
    train_shape, test_shape = found["x_train"].shape[1:], found["x_test"].shape[1:]
    if train_shape != test_shape:
        raise DataError(path, f"x_train has samples of shape {train_shape}, x_test of {test_shape}")
    dtype = np.result_type(x_train, x_test)
    dataset = Dataset(
        name=f"npz:{os.fspath(path)}",
        x_train=x_train.astype(dtype, copy=False),
        y_train=encode_labels(y_train, classes, path, "y_train"),
        x_test=x_test.astype(dtype, copy=False),
        y_test=encode_labels(y_test, classes, path, "y_test"),
        classes=classes,
        shape=image_shape(train_shape),
    )
    same_length(dataset.x_train, dataset.y_train, path)
    same_length(dataset.x_test, dataset.y_test, path)
    return dataset


def _split_whole(
    found: Mapping[str, NDArray[np.generic]], path: PathLike
) -> dict[str, NDArray[np.generic]]:
    if any(name not in found for name in _WHOLE):
        names = ", ".join(found) or "nothing"
        raise DataError(path, f"holds {names}; expected {', '.join(_SPLIT)}, or x and y")
    x, y = found["x"], found["y"]
    if x.ndim == 0 or y.ndim != 1:
        raise DataError(
            path,
            f"x has shape {x.shape} and y {y.shape}, expected (samples, ...) and (samples,)",
        )
    same_length(x, y, path)
    try:
        train, test = stratified_split(y, TEST_SHARE, SPLIT_SEED)
    except ValueError as error:
        raise DataError(path, str(error)) from None
    return {
        "x_train": x[train],
        "y_train": y[train],
        "x_test": x[test],
        "y_test": y[test],
    }
