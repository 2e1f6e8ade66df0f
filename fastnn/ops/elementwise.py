"""The elementwise rows, keyed by the NumPy ufunc that they differentiate."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fastnn.ops.indexing import setitem
from fastnn.ops.op import Function, Op, as_array, implements, newer, plain

LOG_2, LOG_10 = float(np.log(2)), float(np.log(10))


def _flat(g: Any, *_: Any) -> Any:
    """The derivative of what is constant between its jumps."""
    return np.zeros_like(g)


def _power_by_base(g: Any, _y: Any, a: Any, b: Any) -> Any:
    # A zero exponent would ask for 0 * a**-1, which is NaN at a = 0 instead of 0.
    if isinstance(b, (int, float)):
        return g * (b * a ** (b - 1)) if b else np.zeros_like(g)
    return g * (b * a ** np.where(b == 0, 1, b - 1))


def _power_by_exponent(g: Any, y: Any, a: Any, _b: Any) -> Any:
    # 0**b stays 0 around every b > 0: its slope is 0, not the NaN of 0 * log(0).
    if isinstance(a, (int, float)):
        return g * (y * float(np.log(a))) if a else np.zeros_like(g)
    return g * (y * np.log(np.where(a == 0, 1, a)))


def _to_larger(g: Any, a: Any, b: Any) -> Any:
    """What a gets of g: all of it where a > b, half where they tie, else nothing."""
    # Bytes of 0, 1 or 2 halves: twice as fast as selecting with np.where.
    halves = ((a > b).view(np.int8) + (a >= b).view(np.int8)).astype(g.dtype)
    halves *= 0.5
    return g * halves


def _to_number(g: Any, y: Any, a: Any, b: Any) -> Any:
    """What a gets of g where y is the one of a and b that is not NaN, or was chosen."""
    is_a, is_b = ((y == each) | (np.isnan(y) & np.isnan(each)) for each in (a, b))
    return np.where(is_a, np.where(is_b, 0.5 * g, g), 0)


def _hypotenuse(g: Any, y: Any, a: Any) -> Any:
    # At the origin, where the slope is undefined, 0 as for abs.
    return g * (a / np.where(y == 0, 1, y))


def _arctan2(g: Any, a: Any, b: Any) -> Any:
    return g * (b / (a * a + b * b))


# One line an op: the ufunc, then its derivative by each argument.
_DERIVATIVES: dict[np.ufunc, tuple[Function | None, ...]] = {
    # arithmetic
    np.add: (lambda g, _y, _a, _b: g, lambda g, _y, _a, _b: g),
    np.subtract: (lambda g, _y, _a, _b: g, lambda g, _y, _a, _b: -g),
    np.multiply: (lambda g, _y, _a, b: g * b, lambda g, _y, a, _b: g * a),
    np.divide: (lambda g, _y, _a, b: g / b, lambda g, y, _a, b: -g * (y / b)),
    np.negative: (lambda g, _y, _a: -g,),
    np.positive: (lambda g, _y, _a: g,),
    np.conjugate: (lambda g, _y, _a: g,),
    np.ldexp: (lambda g, _y, _a, b: np.ldexp(g, b), None),
    np.nextafter: (lambda g, _y, _a, _b: g, _flat),
    np.reciprocal: (lambda g, y, _a: -g * (y * y),),
    np.remainder: (lambda g, _y, _a, _b: g, lambda g, _y, a, b: -g * np.floor(a / b)),
    np.fmod: (lambda g, _y, _a, _b: g, lambda g, _y, a, b: -g * np.trunc(a / b)),
    # powers
    np.power: (_power_by_base, _power_by_exponent),
    np.float_power: (_power_by_base, _power_by_exponent),
    np.square: (lambda g, _y, a: g * (2 * a),),
    np.sqrt: (lambda g, y, _a: g / (2 * y),),
    np.cbrt: (lambda g, y, _a: g / (3 * (y * y)),),
    np.hypot: (
        lambda g, y, a, _b: _hypotenuse(g, y, a),
        lambda g, y, _a, b: _hypotenuse(g, y, b),
    ),
    # exponentials and logarithms
    np.exp: (lambda g, y, _a: g * y,),
    np.exp2: (lambda g, y, _a: g * (y * LOG_2),),
    np.expm1: (lambda g, y, _a: g * (y + 1),),
    np.log: (lambda g, _y, a: g / a,),
    np.log2: (lambda g, _y, a: g / (a * LOG_2),),
    np.log10: (lambda g, _y, a: g / (a * LOG_10),),
    np.log1p: (lambda g, _y, a: g / (a + 1),),
    np.logaddexp: (
        lambda g, y, a, _b: g * np.exp(a - y),
        lambda g, y, _a, b: g * np.exp(b - y),
    ),
    np.logaddexp2: (
        lambda g, y, a, _b: g * np.exp2(a - y),
        lambda g, y, _a, b: g * np.exp2(b - y),
    ),
    # trigonometric and hyperbolic
    np.sin: (lambda g, _y, a: g * np.cos(a),),
    np.cos: (lambda g, _y, a: -g * np.sin(a),),
    np.tan: (lambda g, y, _a: g * (1 + y * y),),
    np.arcsin: (lambda g, _y, a: g / np.sqrt(1 - a * a),),
    np.arccos: (lambda g, _y, a: -g / np.sqrt(1 - a * a),),
    np.arctan: (lambda g, _y, a: g / (1 + a * a),),
    np.arctan2: (lambda g, _y, a, b: _arctan2(g, a, b), lambda g, _y, a, b: -_arctan2(g, b, a)),
    np.sinh: (lambda g, _y, a: g * np.cosh(a),),
    np.cosh: (lambda g, _y, a: g * np.sinh(a),),
    np.tanh: (lambda g, y, _a: g * (1 - y * y),),
    np.arcsinh: (lambda g, _y, a: g / np.sqrt(a * a + 1),),
    np.arccosh: (lambda g, _y, a: g / (np.sqrt(a - 1) * np.sqrt(a + 1)),),
    np.arctanh: (lambda g, _y, a: g / (1 - a * a),),
    np.deg2rad: (lambda g, _y, _a: g * (np.pi / 180),),
    np.radians: (lambda g, _y, _a: g * (np.pi / 180),),
    np.rad2deg: (lambda g, _y, _a: g * (180 / np.pi),),
    np.degrees: (lambda g, _y, _a: g * (180 / np.pi),),
    # absolute values and extremes
    np.absolute: (lambda g, _y, a: g * np.sign(a),),
    np.fabs: (lambda g, _y, a: g * np.sign(a),),
    np.copysign: (
        lambda g, _y, a, b: np.where(np.signbit(a) == np.signbit(b), g, -g),
        _flat,
    ),
    np.maximum: (
        lambda g, _y, a, b: _to_larger(g, a, b),
        lambda g, _y, a, b: _to_larger(g, b, a),
    ),
    np.minimum: (
        lambda g, _y, a, b: _to_larger(g, b, a),
        lambda g, _y, a, b: _to_larger(g, a, b),
    ),
    np.fmax: (
        lambda g, y, a, b: _to_number(g, y, a, b),
        lambda g, y, a, b: _to_number(g, y, b, a),
    ),
    np.fmin: (
        lambda g, y, a, b: _to_number(g, y, a, b),
        lambda g, y, a, b: _to_number(g, y, b, a),
    ),
    # flat between jumps
    np.sign: (_flat,),
    np.spacing: (_flat,),
    np.floor: (_flat,),
    np.ceil: (_flat,),
    np.trunc: (_flat,),
    np.rint: (_flat,),
    np.floor_divide: (_flat, _flat),
    np.heaviside: (_flat, lambda g, _y, a, _b: g * (a == 0)),
}

ELEMENTWISE: dict[np.ufunc, Op] = {
    ufunc: Op(ufunc.__name__, ufunc, *rules, broadcasts=True)
    for ufunc, rules in _DERIVATIVES.items()
}

add, subtract, multiply, divide, negative, positive, absolute, floor_divide, remainder = (
    ELEMENTWISE[ufunc]
    for ufunc in (
        np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.absolute,
        np.floor_divide, np.remainder,
    )
)  # fmt: skip

# The operator is not np.power: on arrays, NumPy turns x**2 into a square and x**0.5
# into a square root, whose bits differ.
power = Op("power", operator.pow, _power_by_base, _power_by_exponent, broadcasts=True)


# --- choosing between values ----------------------------------------------------------

where = Op(
    "where",
    np.where,
    _flat,
    lambda g, _y, condition, _a, _b: np.where(condition, g, 0),
    lambda g, _y, condition, _a, _b: np.where(condition, 0, g),
    broadcasts=True,
)


@implements(np.where)
def numpy_where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """As ``numpy.where``; it is flat in the condition."""
    if x is None and y is None:
        return np.where(plain(condition))
    if x is None or y is None:
        raise ValueError("where wants both x and y, or neither")
    return where(condition, x, y)


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """As ``numpy.select``."""
    if len(condlist) != len(choicelist) or len(condlist) == 0:
        raise ValueError(
            f"select wants as many conditions as choices, got {len(condlist)} and {len(choicelist)}"
        )
    choices = [each if isinstance(each, (int, float)) else as_array(each) for each in choicelist]
    dtype = np.result_type(*map(plain, choices), plain(default))
    chosen = default
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        if plain(condition).dtype != bool:
            raise TypeError("select wants conditions of booleans")
        chosen = where(condition, choice, chosen)
    return chosen.astype(dtype)


@implements(np.choose)
def choose(a: Any, choices: Any) -> Any:
    """As ``numpy.choose``, of indices in range."""
    a = np.asarray(plain(a))
    if np.any((a < 0) | (a >= len(choices))):
        raise ValueError(f"choose wants indices from 0 to {len(choices) - 1}")
    chosen: Any = 0
    for number, choice in enumerate(choices):
        chosen = where(a == number, choice, chosen)
    return chosen


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """As ``numpy.piecewise``."""
    conditions = np.asarray(plain(condlist), bool)
    if conditions.ndim == x.ndim:
        conditions = conditions[None]
    if len(funclist) == len(conditions) + 1:
        conditions = np.concatenate([conditions, ~np.any(conditions, axis=0, keepdims=True)])
    if len(funclist) != len(conditions):
        raise ValueError(
            f"piecewise wants {len(conditions)} or {len(conditions) + 1} functions, got "
            f"{len(funclist)}"
        )
    y = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        value = function(x[condition], *args, **kw) if callable(function) else function
        y = setitem(y, condition, value)
    return y


def _outside(x: Any, low: Any, high: Any) -> tuple[Any, Any]:
    """Where x is replaced by low, and where by high; high wins where they are crossed."""
    below = False if low is None else plain(x < low)
    above = False if high is None else plain(x > high)
    if low is not None and high is not None:
        crossed = plain(low > high)
        below, above = below & ~crossed, above | crossed
    return below, above


def _clip_by_x(g: Any, _y: Any, x: Any, low: Any, high: Any) -> Any:
    below, above = _outside(x, low, high)
    return np.where(below | above, 0, g)


# Arguments: x, and the bounds, of which None is none; x at a bound keeps its gradient.
clip = Op(
    "clip",
    np.clip,
    _clip_by_x,
    lambda g, _y, x, low, high: np.where(_outside(x, low, high)[0], g, 0),
    lambda g, _y, x, low, high: np.where(_outside(x, low, high)[1], g, 0),
    broadcasts=True,
)


@implements(np.clip)
def numpy_clip(
    a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
) -> Any:
    """As ``numpy.clip``."""
    return clip(a, a_min if min is None else min, a_max if max is None else max)


nan_to_num = Op(
    "nan_to_num",
    lambda x, *replacements: np.nan_to_num(x, True, *replacements),
    lambda g, _y, x, *_: np.where(np.isfinite(x), g, 0),
)


@implements(np.nan_to_num)
def numpy_nan_to_num(
    x: Any, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Any:
    """As ``numpy.nan_to_num``, of a copy."""
    return nan_to_num(x, nan, posinf, neginf)


round = Op("round", np.round, _flat)


@implements(np.round, np.around)
def numpy_round(a: Any, decimals: int = 0) -> Any:
    """As ``numpy.round``."""
    return round(a, decimals)


@implements(np.fix)
def fix(x: Any) -> Any:
    """As ``numpy.fix``."""
    return np.trunc(x)


@implements(np.real)
def real(val: Any) -> Any:
    """As ``numpy.real``: every Tensor is real."""
    return val


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """As ``numpy.real_if_close``: every Tensor is real."""
    return a


# --- ufuncs with two results ----------------------------------------------------------

fraction = Op("modf", lambda x: np.modf(x)[0], lambda g, _y, _x: g)


def _modf(x: Any) -> tuple[Any, Any]:
    return fraction(x), np.trunc(x)


def _divmod(a: Any, b: Any) -> tuple[Any, Any]:
    return floor_divide(a, b), remainder(a, b)


def _frexp(x: Any) -> tuple[Any, Any]:
    _, exponent = np.frexp(plain(x))
    return np.ldexp(x, -exponent), exponent


PAIRS: dict[np.ufunc, Function] = {np.modf: _modf, np.divmod: _divmod, np.frexp: _frexp}


# --- the dtype ------------------------------------------------------------------------

astype = Op(
    "astype", lambda x, dtype: x.astype(dtype), lambda g, _y, _x, _dtype: g.astype(_x.dtype)
)


@implements(*newer("astype"))
def numpy_astype(x: Any, dtype: Any, /) -> Any:
    """As ``numpy.astype``."""
    return x.astype(dtype)
