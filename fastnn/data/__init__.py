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


def load(spec: str) -> Dataset:
    """The data set that ``spec`` names: ``"digits"``, ``"idx:FOLDER"``,
    ``"cifar10:FOLDER"`` or ``"npz:FILE"``.

    Raises ValueError for any other text, and what the reader raises.
    """
    kind, path = parse_spec(spec)
    return digits() if kind == "digits" else _READERS[kind](path)


def parse_spec(spec: str) -> tuple[str, str]:
    """``(kind, path)`` of a data spec; the path is empty for the digits.

    Raises ValueError for text that is no data spec.
    """
    kind, _, path = spec.partition(":")
    if spec == "digits" or (kind in _READERS and path):
        return kind, path
    raise ValueError(f"{spec!r} is not digits, idx:FOLDER, cifar10:FOLDER or npz:FILE")
