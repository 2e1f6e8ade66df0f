"""Cases of what changes the shape of an array and not its values."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.harness import Case, case, since_numpy

X = np.random.default_rng(5).uniform(-2, 2, (2, 3, 4))
ONES = X[:, :1, None, :1]  # (2, 1, 1, 1)

ROWS: dict[Any, list[Case]] = {
    np.reshape: [
        case(np.reshape, X, (6, 4)),
        case(np.reshape, X, (4, -1)),
        case(np.reshape, X, -1),
        case(np.reshape, X, 24),
        case(np.reshape, X, [3, 8]),
        *since_numpy("2.1.0", case(lambda x: np.reshape(x, shape=(12, 2)), X)),
        case(np.reshape, X[:0], (0, 5)),
        case(np.reshape, X[0, 0, 0], (1, 1)),
        case(np.reshape, X[:1, 0, 0], ()),
    ],
    np.ravel: [case(np.ravel, X), case(np.ravel, X[0, 0, 0]), case(np.ravel, X[:0])],
    np.transpose: [
        case(np.transpose, X),
        case(np.transpose, X, (2, 0, 1)),
        case(np.transpose, X, [-1, 0, 1]),
        case(np.transpose, X, axes=(1, 2, 0)),
        case(np.transpose, X[0, 0]),
        case(np.transpose, X[0, 0, 0]),
    ],
    np.permute_dims: [case(np.permute_dims, X, (1, 2, 0))],
    np.matrix_transpose: [case(np.matrix_transpose, X), case(np.matrix_transpose, X[0])],
    np.linalg.matrix_transpose: [case(np.linalg.matrix_transpose, X)],
    np.swapaxes: [case(np.swapaxes, X, 0, 2), case(np.swapaxes, X, -1, 1)],
    np.moveaxis: [
        case(np.moveaxis, X, 0, -1),
        case(np.moveaxis, X, (0, 1), (-1, 0)),
        case(np.moveaxis, X, [2, 0], [0, 1]),
    ],
    np.rollaxis: [case(np.rollaxis, X, 2), case(np.rollaxis, X, 0, 3), case(np.rollaxis, X, -1, 1)],
    np.squeeze: [
        case(np.squeeze, ONES),
        case(np.squeeze, ONES, 1),
        case(np.squeeze, ONES, axis=(1, -1)),
        case(np.squeeze, X),
        case(np.squeeze, X[:1, :1, :1]),
    ],
    np.expand_dims: [
        case(np.expand_dims, X, 0),
        case(np.expand_dims, X, (1, -1)),
        case(np.expand_dims, X[0, 0, 0], 0),
    ],
    np.broadcast_to: [
        case(np.broadcast_to, X, (5, 2, 3, 4)),
        case(np.broadcast_to, X[:, :1], (2, 3, 4)),
        case(np.broadcast_to, X[0, 0, 0], (2, 2)),
        case(np.broadcast_to, X[0, 0, :1], 3),
        case(np.broadcast_to, X[0, :1], (0, 4)),
    ],
    np.broadcast_arrays: [
        case(np.broadcast_arrays, X, X[0, 0]),
        case(np.broadcast_arrays, X[:, :1], X[0], 2.0),
        case(np.broadcast_arrays, X),
    ],
    np.atleast_1d: [
        case(np.atleast_1d, X[0, 0, 0]),
        case(np.atleast_1d, X),
        case(np.atleast_1d, X[0, 0, 0], X[0, 0]),
    ],
    np.atleast_2d: [
        case(np.atleast_2d, X[0, 0, 0]),
        case(np.atleast_2d, X[0, 0]),
        case(np.atleast_2d, X, X[0, 0], 3.0),
    ],
    np.atleast_3d: [
        case(np.atleast_3d, X[0, 0, 0]),
        case(np.atleast_3d, X[0, 0]),
        case(np.atleast_3d, X[0]),
        case(np.atleast_3d, X, X[0]),
    ],
    np.full_like: [
        case(np.full_like, X, X[0, 0]),
        case(np.full_like, X, X[0, 0, 0]),
        case(lambda x, v: (x, np.full_like(x, 3), np.full_like(x, v, dtype=float)), X, X[0]),
    ],
    np.copy: [case(np.copy, X), case(np.copy, X[0, 0, 0])],
}
