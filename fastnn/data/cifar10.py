"""The binary version of CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar.html).

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009. A
file is a row of 3073-byte records: a label 0..9, then the red, the green and the blue
plane of a 32x32 image.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastnn.data.dataset import DataError, Dataset, PathLike

SHAPE = (3, 32, 32)
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_PIXELS = 3 * 32 * 32
_SUBFOLDER = "cifar-10-batches-bin"


def read_cifar10(path: PathLike) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (N, 3072) uint8 and labels (N,) int64 of one binary CIFAR-10 file.

    Raises OSError when it cannot be opened and DataError when it is empty, cut short,
    or holds a label above 9.
    """
    content = np.fromfile(path, np.uint8)
    if content.size == 0 or content.size % (_PIXELS + 1):
        raise DataError(
            path,
            f"{content.size} bytes, expected a multiple of {_PIXELS + 1}: "
            "cut short, or not the binary version of CIFAR-10",
        )
    records = content.reshape(-1, _PIXELS + 1)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= len(CLASSES):
        where = int(np.argmax(labels >= len(CLASSES)))
        raise DataError(path, f"label {labels[where]} in record {where}, expected 0..9")
    return np.ascontiguousarray(records[:, 1:]), labels


def cifar10(folder: PathLike) -> Dataset:
    """CIFAR-10 from ``data_batch_1.bin`` ... ``data_batch_5.bin``, ``test_batch.bin``.

    ``folder`` holds these files, or the ``cifar-10-batches-bin`` that the archive
    unpacks to. Images are uint8, shape (3, 32, 32). The pickled version of the data is
    refused: reading a pickle runs whatever code it holds.

    Raises FileNotFoundError for a missing folder or file and DataError for one that is
    damaged, each naming it.
    """
    base = Path(folder)
    if (base / _SUBFOLDER).is_dir():
        base = base / _SUBFOLDER
    if not base.is_dir():
        code = errno.ENOTDIR if base.exists() else errno.ENOENT
        raise OSError(code, os.strerror(code), str(base))
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    for name in names:
        if not (base / f"{name}.bin").exists() and (base / name).exists():
            raise DataError(
                base / name,
                "this is the pickled version of CIFAR-10; "
                "fastnn reads the binary version (cifar-10-binary.tar.gz)",
            )
    *train, (x_test, y_test) = [read_cifar10(base / f"{name}.bin") for name in names]
    return Dataset(
        name=f"cifar10:{os.fspath(folder)}",
        x_train=np.concatenate([x for x, _ in train]),
        y_train=np.concatenate([y for _, y in train]),
        x_test=x_test,
        y_test=y_test,
        classes=CLASSES,
        shape=SHAPE,
    )
