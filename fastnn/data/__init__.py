"""Real data, ready to train on: readers that give a `Dataset` or one clear error.

>>> from fastnn import data
>>> digits = data.digits()
>>> digits.x_train.shape, digits.x_test.shape
((1438, 64), (359, 64))
"""

from __future__ import annotations

from fastnn.data.cifar10 import cifar10, read_cifar10
from fastnn.data.dataset import DataError, Dataset, encode_labels, standardization
from fastnn.data.digits import CITATION, digits
from fastnn.data.idx import idx, read_idx
from fastnn.data.images224 import images224
from fastnn.data.npz import npz, read_npz
from fastnn.data.samples import read_samples
from fastnn.data.split import stratified_split

__all__ = [
    "CITATION",
    "DataError",
    "Dataset",
    "cifar10",
    "digits",
    "encode_labels",
    "idx",
    "images224",
    "load",
    "npz",
    "read_cifar10",
    "read_idx",
    "read_npz",
    "read_samples",
    "standardization",
    "stratified_split",
]

_READERS = {"idx": idx, "cifar10": cifar10, "npz": npz}
# What needs no path.
AT_HAND = {"digits": digits, "images224": images224}


def load(spec: str) -> Dataset:
    """The data set that ``spec`` names: ``"digits"``, ``"images224"``, ``"idx:FOLDER"``,
    ``"cifar10:FOLDER"`` or ``"npz:FILE"``.

    Raises ValueError for any other text, and what the reader raises.
    """
    kind, path = parse_spec(spec)
    return _READERS[kind](path) if path else AT_HAND[kind]()


def parse_spec(spec: str) -> tuple[str, str]:
    """``(kind, path)`` of a data spec; the path is empty for what is at hand, as the digits are.

    Raises ValueError for text that is no data spec.
    """
    kind, _, path = spec.partition(":")
    if spec in AT_HAND or (kind in _READERS and path):
        return kind, path
    raise ValueError(f"{spec!r} is not digits, images224, idx:FOLDER, cifar10:FOLDER or npz:FILE")
