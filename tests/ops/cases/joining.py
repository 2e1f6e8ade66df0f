"""Cases of what puts arrays together, and takes them apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.harness import Case, Plain, case, since_numpy

_RNG = np.random.default_rng(7)
X = _RNG.uniform(-2, 2, (3, 4))
Y = _RNG.uniform(-2, 2, (2, 4))
Z = _RNG.uniform(-2, 2, (3, 2))
CUBE = _RNG.uniform(-2, 2, (2, 3, 4))
ROW, NUMBER = X[0], np.asarray(X[0, 0])

_TOGETHER: dict[Any, list[Case]] = {
    np.concatenate: [
        case(np.concatenate, [X, Y]),
        case(np.concatenate, (X, Y, X[:0])),
        case(np.concatenate, [X, Z], 1),
        case(np.concatenate, [X, Z], axis=-1),
        case(np.concatenate, [X, Z, NUMBER[None]], axis=None),
        case(np.concatenate, [X, [[1, 2, 3, 4]]]),
        case(np.concatenate, [Plain(X), Y]),
        case(np.concatenate, [X, np.arange(4, dtype=np.int8)[None]]),
        case(np.concatenate, CUBE),
    ],
    np.stack: [
        case(np.stack, [X, X + 1]),
        case(np.stack, [X, X + 1], 1),
        case(np.stack, (X, X + 1, Plain(X)), axis=-1),
        case(np.stack, [NUMBER, ROW[1], 2.0]),
        case(np.stack, [ROW, [1, 2, 3, 4]]),
    ],
    np.vstack: [case(np.vstack, [X, Y]), case(np.vstack, (ROW, X)), case(np.vstack, [NUMBER, 1.0])],
    np.hstack: [
        case(np.hstack, [X, Z]),
        case(np.hstack, (ROW, NUMBER)),
        case(np.hstack, [CUBE, CUBE[:, :1]]),
    ],
    np.dstack: [
        case(np.dstack, [X, X + 1]),
        case(np.dstack, (ROW, ROW + 1)),
        case(np.dstack, [CUBE, CUBE[..., :1]]),
    ],
    np.column_stack: [case(np.column_stack, [X, Z]), case(np.column_stack, (X[:, 0], Z))],
    np.append: [
        case(np.append, X, Y, axis=0),
        case(np.append, X, Y),
        case(np.append, X, 1.0),
        case(np.append, ROW, [1, 2]),
    ],
}

_APART: dict[Any, list[Case]] = {
    np.split: [
        case(np.split, X, 3),
        case(np.split, X, [1, 3], axis=1),
        case(np.split, X, (2, 1, 7), 1),
        case(np.split, X, np.array([1]), -1),
        case(np.split, ROW, 2),
        case(np.split, X, []),
    ],
    np.array_split: [
        case(np.array_split, X, 2),
        case(np.array_split, X, 3, axis=1),
        case(np.array_split, ROW, 6),
    ],
    np.vsplit: [case(np.vsplit, X, 3), case(np.vsplit, X, [1])],
    np.hsplit: [case(np.hsplit, X, 2), case(np.hsplit, ROW, [1, 3])],
    np.dsplit: [case(np.dsplit, CUBE, 2)],
}

_LAYERED: dict[Any, list[Case]] = {
    np.block: [
        case(np.block, [X, Z]),
        case(np.block, [[X, Z], [Y, Y[:, :2]]]),
        case(np.block, [[[X]], [[Plain(X)]]]),
        case(np.block, X),
        case(np.block, [ROW, 2.0]),
        case(np.block, [[NUMBER, 1], [2, NUMBER]]),
        case(np.block, [[CUBE, CUBE[..., :1]], [CUBE[:, :1], CUBE[:, :1, :1]]]),
    ],
    np.meshgrid: [
        case(np.meshgrid, ROW, X[1, :2]),
        case(np.meshgrid, ROW, X[1, :2], X[2, :3]),
        case(np.meshgrid, ROW, [1, 2], indexing="ij"),
        case(np.meshgrid, ROW, X[1, :2], sparse=True),
        case(np.meshgrid, ROW, NUMBER, copy=False),
        case(np.meshgrid, ROW),
    ],
    np.insert: [
        case(np.insert, X, 1, Y[0], axis=0),
        case(np.insert, X, 1, 0.5),
        case(np.insert, X, 1, X[0, 0], axis=1),
        case(np.insert, X, -1, Z[:, 0], axis=1),
        case(np.insert, X, 1, Z.T, axis=1),
        case(np.insert, X, [1], Z, axis=1),
        case(np.insert, X, [3, 1], Z, axis=1),
        case(np.insert, X, [1, 1, 0], [1.0, 2.0, 3.0]),
        case(np.insert, X, slice(0, 2), Y, axis=0),
        *since_numpy("2.2.0", case(np.insert, X, np.array([True, False, True]), Y, axis=0)),
        case(np.insert, ROW, 4, NUMBER),
        case(np.insert, ROW, [], []),
    ],
}
if hasattr(np, "unstack"):
    _APART[np.unstack] = [case(np.unstack, X), case(np.unstack, CUBE, axis=-1)]

ROWS: dict[Any, list[Case]] = {**_TOGETHER, **_APART, **_LAYERED}
