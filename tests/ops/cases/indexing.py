"""Cases of reading and writing at an index, of every kind that NumPy knows."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.harness import Case, case

from fastnn.ops import indexing

X = np.random.default_rng(6).uniform(-2, 2, (3, 4))
CUBE = np.random.default_rng(6).uniform(-2, 2, (2, 3, 4))
MASK = np.array([[True, False, True, False], [False] * 4, [True, True, False, False]])

INDICES: list[Any] = [
    1,
    -2,
    np.int64(1),
    (),
    ...,
    None,
    (1, 2),
    (1, -1),
    slice(None, None, 2),
    slice(5, 1),
    (slice(None), slice(None, None, -1)),
    (slice(2, 0, -2), 3),
    (..., 1),
    (1, ...),
    (None, 0, ..., None),
    (slice(1, None), None),
    True,
    False,
    np.array([0, 2, 0]),
    np.array(1),
    np.array([], int),
    [2, 2],
    [],
    [[0, 1], [1, 0]],
    [True, False, True],
    np.array([-1, -3], np.int8),
    np.array([1, 0], np.uint8),
    (np.array([0, 1, 0]), np.array([2, 2, 2])),
    (np.array([[0], [2]]), np.array([1, 1, 3])),
    ([0, 2], slice(1, 3)),
    (slice(1, None), np.array([0, 0, 3])),
    (slice(None), [3, 0]),
    (np.array([1, 1]), None, np.array([0, 3])),
    (np.array([True, False, True]),),
    (np.array([True, False, True]), 1),
    (np.array([True, False, True]), np.array([1, 1])),
    (slice(None), np.array([True, False, True, True])),
    MASK,
    np.zeros((3, 4), bool),
    (True, 1),
    np.ix_([0, 2, 0], [1, 3]),
    (0, np.array([1, 1, 2])),
    (np.array([1, 1, 2]), 0),
]


def _assigned(x: Any, index: Any, value: Any) -> Any:
    y = x.copy()
    y[index] = value
    return y


def _added(x: Any, index: Any, value: Any) -> Any:
    y = x.copy()
    np.add.at(y, index, value)
    return y


def _subtracted(x: Any, index: Any, value: Any) -> Any:
    y = x.copy()
    np.subtract.at(y, index, value)
    return y


def _scattered(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    x = np.zeros(shape, g.dtype)
    np.add.at(x, index, g)
    return x


def _is_mask(index: Any) -> bool:
    return isinstance(index, np.ndarray) and index.dtype == bool and index.shape == X.shape


def _values(index: Any) -> list[Any]:
    """Values to assign: as many as there are places, a row of them, a number."""
    whole = np.random.default_rng(9).uniform(1, 2, np.shape(X[index]))
    values = [whole, np.asarray(0.25), 2]
    if whole.ndim and whole.size:
        values.append(whole[(0,) * (whole.ndim - 1)])
    if whole.ndim and not _is_mask(index):
        values.append(whole[None])  # NumPy forgives leading axes of length 1
    return values


_BASIC = (slice(1, None), slice(None, None, 2))
_PAIRS = (np.array([0, 1, 0]), np.array([2, 2, 2]))

ROWS: dict[Any, list[Case]] = {
    indexing.getitem: [
        *(case(lambda x, i=index: x[i], X) for index in INDICES),
        case(lambda x: x[0], X[0]),
        case(lambda x: x[()], X[0, 0]),
        case(lambda x: x[None], X[0, 0]),
        case(lambda x: x[..., [0, 1], :, [0, 2]], CUBE),
        case(lambda x: x[:, [0, 1], [0, 2]], CUBE),
        case(lambda x: x[[0, 1], :, [0, 2]], CUBE),
        case(lambda x: x[MASK[None][[0, 0]]], CUBE),
        case(lambda x: x[1, MASK], CUBE),
    ],
    indexing.scatter: [
        case(indexing.scatter, X[0, :3], _PAIRS, (3, 4), oracle=_scattered),
        case(indexing.scatter, X[1:, ::2], _BASIC, (3, 4), oracle=_scattered),
        case(indexing.scatter, X[[0, 2, 0]], [0, 2, 0], (3, 4), oracle=_scattered),
        case(indexing.scatter, X[MASK], MASK, (3, 4), oracle=_scattered),
    ],
    indexing.setitem: [
        case(lambda x, v, i=index: _assigned(x, i, v), X, value)
        for index in INDICES
        for value in _values(index)
    ],
    (np.add, "at"): [
        case(lambda x, v, i=index: _added(x, i, v), X, value)
        for index in INDICES
        for value in _values(index)[:3]
    ],
    (np.subtract, "at"): [
        case(lambda x, v: _subtracted(x, _PAIRS, v), X, X[0, :3]),
        case(lambda x, v: _subtracted(x, MASK, v), X, X[0, 0]),
        case(lambda x: _subtracted(x, 1, [1, 2, 3, 4]), X),
        case(lambda x: _subtracted(x, 1, np.float32(2)), X),
    ],
    np.take: [
        case(np.take, X, [1, 5, -1, 5]),
        case(np.take, X, 3),
        case(np.take, X, [[0, 1], [2, 2]], axis=0),
        case(np.take, X, [[0, 1], [2, 2]], -1),
        case(np.take, X, 1, axis=1),
        case(np.take, X[0], [3, 3]),
    ],
    np.take_along_axis: [
        case(np.take_along_axis, X, np.argsort(X, axis=1), 1),
        case(np.take_along_axis, X, np.argsort(X, axis=0), 0),
        case(np.take_along_axis, X, np.array([[0, 0, -1]]).T, axis=-1),
        case(np.take_along_axis, X, np.array([[1, 0, 2, 2]]), axis=0),
        case(np.take_along_axis, X, np.array([1, 7, 7]), axis=None),
        case(np.take_along_axis, CUBE, np.array([[[0, 2]]]), axis=-1),
    ],
    np.bincount: [
        case(np.bincount, np.array([0, 2, 2, 5]), X[0]),
        case(lambda w: np.bincount([0, 2, 2, 1], weights=w, minlength=8), X[0]),
    ],
    np.compress: [
        case(np.compress, [True, False, True], X, axis=0),
        case(np.compress, [0, 1], X, axis=1),
        case(np.compress, [True, False, True, True, True], X),
    ],
    np.extract: [case(np.extract, MASK, X), case(np.extract, [0, 1, 1], X[0, :3])],
    np.delete: [
        case(np.delete, X, 1),
        case(np.delete, X, 1, axis=0),
        case(np.delete, X, [0, -1], axis=1),
        case(np.delete, X, slice(None, None, 2), axis=1),
        case(np.delete, X, np.array([True, False, True]), axis=0),
    ],
    np.diagonal: [
        case(np.diagonal, X),
        case(np.diagonal, X, 1),
        case(np.diagonal, X, -2),
        case(np.diagonal, X, 7),
        case(np.diagonal, CUBE, 1, 1, 2),
        case(np.diagonal, CUBE, axis1=-1, axis2=0),
    ],
    np.linalg.diagonal: [
        case(np.linalg.diagonal, CUBE),
        case(np.linalg.diagonal, CUBE, offset=-1),
    ],
    np.diag: [
        case(np.diag, X),
        case(np.diag, X, -1),
        case(np.diag, X[0]),
        case(np.diag, X[0], 2),
        case(np.diag, X[0], -1),
    ],
    np.diagflat: [case(np.diagflat, X), case(np.diagflat, X[0], -2), case(np.diagflat, X[0, 0])],
    np.trace: [
        case(np.trace, X),
        case(np.trace, X, 1),
        case(np.trace, CUBE, -1, 1, 2),
        case(np.trace, CUBE, axis1=-1, axis2=0),
    ],
    np.linalg.trace: [case(np.linalg.trace, CUBE), case(np.linalg.trace, CUBE, offset=1)],
}
