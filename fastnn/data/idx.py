"""The idx format of MNIST and Fashion-MNIST (http://yann.lecun.com/exdb/mnist/).

Two zero bytes, a byte for the type, a byte for the number of axes, the length of each
axis as a big-endian 32-bit integer, then the values, big-endian, in C order.
"""

from __future__ import annotations

import errno
import gzip
import math
import os
import zlib
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fastnn.data.dataset import (
    DataError,
    Dataset,
    PathLike,
    class_names,
    encode_labels,
    flat_rows,
    same_length,
)

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_BLOCK = 1 << 22


class _Readable(Protocol):
    """A plain or a gzipped file."""

    def read(self, size: int, /) -> bytes: ...


def read_idx(path: PathLike) -> NDArray[np.generic]:
    """The array in one idx file, gzipped or not, in native byte order.

    Raises OSError (FileNotFoundError, ...) when it cannot be opened and DataError when
    it is not an idx file, is cut short, is damaged or holds more than its header says.
    """
    with open(path, "rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not zipped:
            return _parse(raw, path)
        try:
            with gzip.GzipFile(fileobj=raw) as unzipped:
                return _parse(unzipped, path)
        except EOFError:
            raise DataError(path, "the gzip file is cut short") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DataError(path, f"damaged gzip file ({error})") from None


def _parse(stream: _Readable, path: PathLike) -> NDArray[np.generic]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or not magic[3]:
        raise DataError(path, f"not an idx file (it starts with {magic!r})")
    lengths = stream.read(4 * magic[3])
    if len(lengths) < 4 * magic[3]:
        raise DataError(path, "cut short inside the idx header")
    shape = tuple(np.frombuffer(lengths, ">u4").tolist())
    dtype = np.dtype(_DTYPES[magic[2]])
    expected = math.prod(shape) * dtype.itemsize
    content = _read_up_to(stream, expected + 1)
    if len(content) != expected:
        found = "more" if len(content) > expected else str(len(content))
        raise DataError(path, f"its header says {shape}, {expected} bytes, but it holds {found}")
    values = np.frombuffer(content, dtype).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)


def _read_up_to(stream: _Readable, size: int) -> bytearray:
    """At most ``size`` bytes, by blocks: a damaged header must not claim the memory."""
    content = bytearray()
    while len(content) < size:
        block = stream.read(min(_BLOCK, size - len(content)))
        if not block:
            break
        content += block
    return content


def idx(folder: PathLike) -> Dataset:
    """MNIST, Fashion-MNIST or any data set stored under their four file names.

    ``folder`` holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the
    same with ``t10k``, each gzipped (``.gz``) or not; ``train-images.idx3-ubyte`` is
    understood too. Images stay in the dtype of the file, uint8 for the two named.

    Raises FileNotFoundError for a missing folder or file and DataError for one that is
    damaged, each naming it.
    """
    x_train, y_train, shape = _images_and_labels(folder, "train")
    x_test, y_test, test_shape = _images_and_labels(folder, "t10k")
    if test_shape != shape:
        raise DataError(
            _find(folder, "t10k", "images", 3),
            f"images of shape {test_shape}, the training images have {shape}",
        )
    train_labels = _find(folder, "train", "labels", 1)
    test_labels = _find(folder, "t10k", "labels", 1)
    classes = class_names(y_train, train_labels, "labels")
    return Dataset(
        name=f"idx:{os.fspath(folder)}",
        x_train=x_train,
        y_train=encode_labels(y_train, classes, train_labels, "labels"),
        x_test=x_test,
        y_test=encode_labels(y_test, classes, test_labels, "labels"),
        classes=classes,
        shape=shape,
    )


def _images_and_labels(
    folder: PathLike, part: str
) -> tuple[NDArray[np.generic], NDArray[np.generic], tuple[int, ...]]:
    images_file = _find(folder, part, "images", 3)
    labels_file = _find(folder, part, "labels", 1)
    images = read_idx(images_file)
    rows = flat_rows(images, images_file, "images")
    labels = read_idx(labels_file)
    same_length(rows, np.atleast_1d(labels), labels_file)
    return rows, labels, image_shape(images.shape[1:])


def image_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(height, width) with the one channel that it leaves unsaid put in front."""
    return (1, *shape) if len(shape) == 2 else shape


def _find(folder: PathLike, part: str, kind: str, axes: int) -> Path:
    base = Path(folder)
    if not base.is_dir():
        code = errno.ENOTDIR if base.exists() else errno.ENOENT
        raise OSError(code, os.strerror(code), str(base))
    names = [f"{part}-{kind}{dot}idx{axes}-ubyte" for dot in "-."]
    for name in names:
        for candidate in (base / name, base / f"{name}.gz"):
            if candidate.exists():
                return candidate
    raise FileNotFoundError(
        errno.ENOENT, "No such file, nor one ending in .gz", str(base / names[0])
    )
