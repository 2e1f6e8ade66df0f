"""Cases of the elementwise rows: every ufunc over shapes and broadcasts, and the choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ops.harness import Case, Plain, case, since_numpy

from fastnn.ops import elementwise

ANY = np.array([[0.71, -1.32, 2.13], [-0.44, 1.87, 0.26]])
OTHER = np.array([[1.19, 0.62, -0.83], [-2.28, 0.37, 1.73]])
POSITIVE = np.abs(ANY) + 0.1
INSIDE = ANY / 3  # within (-1, 1)
ABOVE_ONE = np.abs(ANY) + 1.1
EXPONENTS = np.array([[2, -1, 0], [3, 1, -2]], np.int8)

UNARY: dict[np.ufunc, np.ndarray] = {
    **dict.fromkeys(
        (
            np.absolute, np.fabs, np.negative, np.positive, np.conjugate, np.reciprocal,
            np.square, np.cbrt, np.exp, np.exp2, np.expm1, np.sin, np.cos, np.tan, np.arctan,
            np.sinh, np.cosh, np.tanh, np.arcsinh, np.deg2rad, np.radians, np.rad2deg, np.degrees,
            np.sign, np.spacing, np.floor, np.ceil, np.trunc, np.rint,
        ),
        ANY,
    ),
    **dict.fromkeys((np.sqrt, np.log, np.log2, np.log10, np.log1p), POSITIVE),
    **dict.fromkeys((np.arcsin, np.arccos, np.arctanh), INSIDE),
    np.arccosh: ABOVE_ONE,
}  # fmt: skip

BINARY: dict[np.ufunc, tuple[np.ndarray, np.ndarray]] = {
    **dict.fromkeys(
        (
            np.add, np.subtract, np.multiply, np.divide, np.remainder, np.fmod, np.floor_divide,
            np.hypot, np.logaddexp, np.logaddexp2, np.arctan2, np.copysign,
        ),
        (ANY, OTHER),
    ),
    **dict.fromkeys((np.power, np.float_power), (POSITIVE, OTHER)),
}  # fmt: skip


def over_shapes(f: Callable[..., Any], x: np.ndarray, **options: Any) -> list[Case]:
    """Matrices, a row, a single number and nothing at all."""
    return [case(f, each, **options) for each in (x, x[1], x[0, 2], x[:0], x[:, :1])]


def over_broadcasts(f: Callable[..., Any], a: np.ndarray, b: np.ndarray) -> list[Case]:
    """Equal shapes, every kind of stretching, numbers, lists and other dtypes."""
    return [
        case(f, a, b),
        case(f, a, b[0]),
        case(f, a[1], b),
        case(f, a[:, :1], b),
        case(f, a[:, :1], b[:1]),
        case(f, a[0, 0], b[0, 2]),
        case(f, a[0, 2], b[1]),
        case(f, a[:0], b[:1]),
        case(f, a[:0], b[0, 0]),
        case(f, a[None, :, None], b[:, None]),
        case(f, a, 2),
        case(f, a, 1.5),
        case(f, 2, b),
        case(f, a, np.float32(1.5)),
        case(f, np.array([1, 2, 3]), b),
        case(f, a, np.array([1, 2, 3], np.int16)),
        case(f, a, np.array([True, True, True])),
    ]


def _outer(ufunc: np.ufunc) -> list[Case]:
    a, b = BINARY.get(ufunc, (ANY, OTHER))
    return [
        case(ufunc.outer, a, b[0]),
        case(ufunc.outer, a[0], b),
        case(ufunc.outer, a[0, 0], b[0]),
        case(ufunc.outer, a[0], 2.5),
        case(ufunc.outer, [1, 2], b[0]),
    ]


BOUNDS = (-0.5, np.array([0.9, 1.5, 1.0]))

ROWS: dict[Any, list[Case]] = {
    **{ufunc: over_shapes(ufunc, x) for ufunc, x in UNARY.items()},
    **{ufunc: over_broadcasts(ufunc, a, b) for ufunc, (a, b) in BINARY.items()},
    **{
        (ufunc, "outer"): _outer(ufunc)
        for ufunc in elementwise.ELEMENTWISE
        if ufunc.nin == 2 and ufunc is not np.ldexp
    },
    np.ldexp: [
        case(np.ldexp, ANY, EXPONENTS),
        case(np.ldexp, ANY, 3),
        case(np.ldexp, ANY[:, :1], EXPONENTS),
        case(np.ldexp, ANY[0, 0], EXPONENTS[0]),
    ],
    (np.ldexp, "outer"): [case(np.ldexp.outer, ANY[0], EXPONENTS)],
    np.nextafter: [case(np.nextafter, ANY, OTHER), case(np.nextafter, ANY[:, :1], OTHER[0])],
    np.heaviside: [
        *over_broadcasts(np.heaviside, ANY, OTHER),
        case(np.heaviside, Plain(np.array([0.0, 1.0, -1.0])), OTHER),
    ],
    **{
        ufunc: [
            *over_broadcasts(ufunc, ANY, OTHER),
            case(ufunc, ANY, np.where(OTHER > 0, ANY, OTHER), twice=False),  # tied in places
        ]
        for ufunc in (np.maximum, np.minimum, np.fmax, np.fmin)
    },
    (np.divmod, "__call__"): [
        case(np.divmod, ANY, OTHER),
        case(np.divmod, ANY, OTHER[0]),
        case(np.divmod, 3.6, OTHER),
        case(np.divmod, ANY, 2),
    ],
    (np.frexp, "__call__"): over_shapes(np.frexp, ANY),
    (np.modf, "__call__"): over_shapes(np.modf, ANY),
    np.where: [
        case(np.where, OTHER > 0, ANY, OTHER),
        case(np.where, OTHER > 0, ANY[0], OTHER[:, :1]),
        case(np.where, OTHER[0] > 0, ANY, 1),
        case(np.where, OTHER > 0, 0.0, ANY),
        case(np.where, True, ANY[0, 0], OTHER),
        case(np.where, [[True], [False]], ANY, [1, 2, 3]),
        case(np.where, np.array([0, 1, 2]), ANY, OTHER),
        case(np.where, OTHER, ANY, 0.5),
        case(np.where, Plain(np.array([0.0, 1.0, 0.0])), ANY, OTHER),
    ],
    np.select: [
        case(np.select, [ANY > 1, OTHER > 0], [ANY, OTHER]),
        case(np.select, [ANY > 1, OTHER[0] > 0], [ANY[:, :1], 2.0], default=-1.0),
        case(lambda x, y: np.select([ANY > 1], [x], default=y), ANY, OTHER),
    ],
    np.choose: [
        case(np.choose, np.array([[0, 1, 2], [2, 1, 0]]), [ANY, OTHER, 0.5]),
        case(np.choose, [1, 0, 1], [ANY[0], OTHER]),
        case(np.choose, np.array([0, 0, 0]), [ANY]),
        case(np.choose, 1, (ANY, OTHER)),
    ],
    np.piecewise: [
        case(lambda x: np.piecewise(x, [x < 0, x > 1], [np.square, np.exp, 3.0]), ANY),
        case(lambda x: np.piecewise(x, [x < 0, x >= 0], [lambda v: -v, lambda v: v * v]), ANY),
        case(lambda x: np.piecewise(x, x > 0, [lambda v, k: k * v, 0], 2.5), ANY[0]),
        case(lambda x: np.piecewise(x, x > 0, [lambda v, k: k * v, 0], k=2.5), ANY[0]),
    ],
    np.clip: [
        case(np.clip, ANY, *BOUNDS),
        case(np.clip, ANY, -1, 1),
        case(np.clip, ANY, None, 1.0),
        case(np.clip, ANY, OTHER, None),
        case(np.clip, ANY[:, :1], OTHER, 1.25),
        case(np.clip, ANY, OTHER, np.float64(0.9)),  # crossed in places: the upper bound wins
        case(np.clip, ANY[0, 0], OTHER[0], 2),
        case(np.clip, ANY[:0], -1, 1),
        *since_numpy("2.1.0", case(lambda x, low: np.clip(x, min=low, max=1.5), ANY, OTHER[0])),
        case(lambda x, low: np.clip(x, a_min=low, a_max=None), ANY, OTHER[0]),
    ],
    np.nan_to_num: [
        case(np.nan_to_num, ANY),
        case(np.nan_to_num, ANY[0, 0]),
        case(lambda x: np.nan_to_num(x, nan=1, posinf=2, neginf=-2), ANY),
    ],
    np.round: [case(np.round, ANY), case(np.round, ANY, 1), case(np.round, 100 * ANY, -1)],
    np.around: [case(np.around, ANY), case(np.around, ANY, decimals=1)],
    np.fix: over_shapes(np.fix, ANY),
    np.real: over_shapes(np.real, ANY),
    np.real_if_close: [case(np.real_if_close, ANY), case(np.real_if_close, ANY, 50)],
    elementwise.astype: [
        case(lambda x: x.astype(np.float32), ANY.astype(np.float32).astype(np.float64)[:0]),
    ],
}
if hasattr(np, "astype"):
    ROWS[np.astype] = [case(lambda x: (x, np.astype(x, "float32"), np.astype(x, int)), ANY[:0])]
