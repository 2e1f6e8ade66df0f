"""Cases of the rows that reduce, accumulate and spread, over every way to name axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ops.harness import Case, case

X = np.random.default_rng(3).uniform(-2, 2, (2, 3, 4))
ONE_ZERO = X[0].copy()
ONE_ZERO[1, 2] = 0.0
TWO_ZEROS = ONE_ZERO.copy()
TWO_ZEROS[1, 0] = 0.0
WEIGHTS = np.random.default_rng(4).uniform(0.5, 2, (2, 3, 4))

AXES: list[dict[str, Any]] = [
    {},
    {"axis": 0},
    {"axis": -1},
    {"axis": 1, "keepdims": True},
    {"axis": (0, 2)},
    {"axis": (-1, 0), "keepdims": True},
    {"axis": (2, 1, 0)},
    {"axis": ()},
    {"keepdims": True},
]


def over_axes(f: Callable[..., Any], **options: Any) -> list[Case]:
    return [
        *(case(f, X, **axes, **options) for axes in AXES),
        case(f, X[0, 0], **options),
        case(f, X[:1, :1, :1], **options),
    ]


def of_nothing(f: Callable[..., Any]) -> list[Case]:
    """Reductions that have a value of an empty array."""
    return [case(f, X[:, :0]), case(f, X[:, :0], axis=1), case(f, X[:, :0], axis=0)]


def of_a_number(f: Callable[..., Any]) -> list[Case]:
    return [case(f, X[0, 0, 0]), case(f, X[0, 0, 0], axis=()), case(f, X[0, 0, 0], keepdims=True)]


def along_axes(f: Callable[..., Any], x: np.ndarray = X) -> list[Case]:
    """Accumulations, which take one axis or None."""
    return [
        case(f, x),
        *(case(f, x, axis=axis) for axis in (0, 1, -1)),
        case(f, x[0, 0]),
        case(f, x[:0], axis=0),
        case(f, x[0, 0, 0]),
    ]


_PRODUCTS = [
    case(np.prod, ONE_ZERO),
    case(np.prod, TWO_ZEROS),
    case(np.prod, ONE_ZERO, axis=1),
    case(np.prod, TWO_ZEROS, axis=1, keepdims=True),
    case(np.prod, TWO_ZEROS, axis=(0, 1)),
]
_CUMULATIVE_PRODUCTS = [
    case(np.cumprod, ONE_ZERO),
    case(np.cumprod, TWO_ZEROS, axis=1),
    case(np.cumprod, TWO_ZEROS, axis=0),
]

ROWS: dict[Any, list[Case]] = {
    np.sum: [*over_axes(np.sum), *of_nothing(np.sum), *of_a_number(np.sum)],
    np.mean: [*over_axes(np.mean), *of_a_number(np.mean)],
    np.max: [*over_axes(np.max), *of_a_number(np.max), case(np.max, X[:, :0], axis=2)],
    np.amax: over_axes(np.amax),
    np.min: [*over_axes(np.min), *of_a_number(np.min), case(np.min, X[:, :0], axis=0)],
    np.amin: over_axes(np.amin),
    np.prod: [*over_axes(np.prod), *of_nothing(np.prod), *of_a_number(np.prod), *_PRODUCTS],
    np.ptp: over_axes(np.ptp),
    np.var: [
        *over_axes(np.var)[:-1],
        *over_axes(np.var, ddof=1)[:-4],
        case(np.var, X, axis=0, ddof=0.5),
    ],
    np.std: [*over_axes(np.std)[:-4], *over_axes(np.std, ddof=1)[:-4], case(np.std, X[0, 0])],
    np.average: [
        *over_axes(np.average),
        case(np.average, X, weights=WEIGHTS),
        case(lambda x, w: np.average(x, weights=w), X, WEIGHTS),
        case(lambda x, w: np.average(x, 1, w), X, WEIGHTS),
        case(lambda x, w: np.average(x, -1, w, keepdims=True), X, WEIGHTS),
        case(lambda x, w: np.average(x, (0, 2), w), X, WEIGHTS),
        case(lambda x, w: np.average(x, 1, weights=w), X, WEIGHTS[0, :, 0]),
        case(lambda x, w: np.average(x, (0, 2), weights=w), X, WEIGHTS[:, 0]),
        case(lambda x, w: np.average(x, (2, 0), weights=w), X, WEIGHTS[:, 0].T),
        case(lambda x, w: np.average(x, (-1, 1), weights=w, keepdims=True), X, WEIGHTS[0].T),
        case(np.average, X, axis=1, weights=[1, 2, 3]),
    ],
    np.cumsum: along_axes(np.cumsum),
    np.cumprod: [*along_axes(np.cumprod), *_CUMULATIVE_PRODUCTS],
    (np.add, "reduce"): [
        case(np.add.reduce, X),
        case(np.add.reduce, X, None),
        case(np.add.reduce, X, axis=(0, 1), keepdims=True),
    ],
    (np.multiply, "reduce"): [case(np.multiply.reduce, X), case(np.multiply.reduce, X, axis=-1)],
    (np.maximum, "reduce"): [case(np.maximum.reduce, X), case(np.maximum.reduce, X, axis=None)],
    (np.minimum, "reduce"): [case(np.minimum.reduce, X), case(np.minimum.reduce, X, axis=(0, 2))],
    (np.add, "accumulate"): [case(np.add.accumulate, X), case(np.add.accumulate, X, -1)],
    (np.multiply, "accumulate"): [
        case(np.multiply.accumulate, X),
        case(np.multiply.accumulate, X, axis=1),
    ],
}
if hasattr(np, "cumulative_sum"):
    for _f in (np.cumulative_sum, np.cumulative_prod):
        ROWS[_f] = [
            case(_f, X, axis=1),
            case(_f, X, axis=-1, include_initial=True),
            case(_f, X[0, 0]),
            case(_f, X[0, 0], include_initial=True),
        ]
