"""The methods of ufuncs on Tensors: reduce, accumulate, outer, at."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.ops import elementwise, indexing, reductions
from fastnn.ops.op import METHODS, Function, Op, as_array


def _reduce(op: Op) -> Function:
    def reduce(a: Any, axis: Any = 0, *, keepdims: bool = False) -> Any:
        return op(a, axis, keepdims)

    return reduce


def _accumulate(op: Op) -> Function:
    def accumulate(a: Any, axis: int = 0) -> Any:
        return op(a, axis)

    return accumulate


def _outer(op: Op) -> Function:
    def outer(a: Any, b: Any) -> Any:
        a, b = as_array(a), as_array(b)
        return op(np.reshape(a, a.shape + (1,) * b.ndim), b)

    return outer


def _add_at(sign: int) -> Function:
    def at(a: Any, index: Any, value: Any) -> None:
        a._refuse_assignment("np.add.at(t, i, v)", "np.add.at(t.data, i, v)")
        value = np.asarray(value) if isinstance(value, (list, tuple)) else value
        a._become(indexing.add_at(a, indexing.plain_index(index), value if sign > 0 else -value))

    return at


METHODS |= {
    (np.add, "reduce"): _reduce(reductions.sum),
    (np.multiply, "reduce"): _reduce(reductions.prod),
    (np.maximum, "reduce"): _reduce(reductions.max),
    (np.minimum, "reduce"): _reduce(reductions.min),
    (np.add, "accumulate"): _accumulate(reductions.cumsum),
    (np.multiply, "accumulate"): _accumulate(reductions.cumprod),
    (np.add, "at"): _add_at(1),
    (np.subtract, "at"): _add_at(-1),
    **{
        (ufunc, "outer"): _outer(op)
        for ufunc, op in elementwise.ELEMENTWISE.items()
        if ufunc.nin == 2
    },
    **{(ufunc, "__call__"): function for ufunc, function in elementwise.PAIRS.items()},
}
