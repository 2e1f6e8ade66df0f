"""Operators: what an array can do with +, @, [], .sum() ..., said in rows of the table.

The class knows nothing of the graph.  A subclass that answers ``__fastnn_op__`` and
``__array_ufunc__`` gets the operators and methods of an array from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn import ops
from fastnn.ops.functions import dot
from fastnn.ops.op import Op


def _binary(op: Op) -> Callable[[Any, Any], Any]:
    def method(self: Operators, other: Any) -> Any:
        if isinstance(other, _OPERANDS):
            return self.__fastnn_op__(op, (self, other))
        return _with_foreign(op, self, other)

    return method


def _reflected(op: Op) -> Callable[[Any, Any], Any]:
    def method(self: Operators, other: Any) -> Any:
        if isinstance(other, _OPERANDS):
            return self.__fastnn_op__(op, (other, self))
        return _with_foreign(op, other, self)

    return method


def _with_foreign(op: Op, a: Any, b: Any) -> Any:
    if isinstance(a, (list, tuple)):
        return op(np.asarray(a), b)
    if isinstance(b, (list, tuple)):
        return op(a, np.asarray(b))
    return NotImplemented  # the other operand may know what to do


def _in_place(symbol: str, op: Op) -> Callable[[Any, Any], Any]:
    def method(self: Operators, other: Any) -> Any:
        self._refuse_replacement(symbol)
        return _binary(op)(self, other)

    return method


def _comparison(ufunc: np.ufunc) -> Callable[[Any, Any], Any]:
    def method(self: Operators, other: Any) -> Any:
        return ufunc(self, other)

    return method


class Operators:
    """The operators and methods of an array, by way of ops."""

    __slots__ = ()

    def __fastnn_op__(self, op: Op, args: tuple[Any, ...]) -> Any:
        raise NotImplementedError

    def _refuse_replacement(self, symbol: str) -> None:
        """Raise where ``t += v`` may not replace the object that t names."""

    __add__, __radd__ = _binary(ops.add), _reflected(ops.add)
    __sub__, __rsub__ = _binary(ops.subtract), _reflected(ops.subtract)
    __mul__, __rmul__ = _binary(ops.multiply), _reflected(ops.multiply)
    __truediv__, __rtruediv__ = _binary(ops.divide), _reflected(ops.divide)
    __pow__, __rpow__ = _binary(ops.power), _reflected(ops.power)
    __matmul__, __rmatmul__ = _binary(ops.matmul), _reflected(ops.matmul)

    # `t += v` makes a new object, and the name t moves on to it.
    __iadd__ = _in_place("+=", ops.add)
    __isub__ = _in_place("-=", ops.subtract)
    __imul__ = _in_place("*=", ops.multiply)
    __itruediv__ = _in_place("/=", ops.divide)

    # Comparisons give plain arrays: truth has no derivative.
    __eq__ = _comparison(np.equal)
    __ne__ = _comparison(np.not_equal)
    __lt__ = _comparison(np.less)
    __le__ = _comparison(np.less_equal)
    __gt__ = _comparison(np.greater)
    __ge__ = _comparison(np.greater_equal)
    __hash__ = object.__hash__

    def __neg__(self) -> Any:
        return self.__fastnn_op__(ops.negative, (self,))

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return self.__fastnn_op__(ops.absolute, (self,))

    def __getitem__(self, index: Any) -> Any:
        return self.__fastnn_op__(ops.getitem, (self, index))

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As ``numpy.sum``."""
        return self.__fastnn_op__(ops.sum, (self, axis, keepdims))

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As ``numpy.mean``."""
        return self.__fastnn_op__(ops.mean, (self, axis, keepdims))

    def max(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As ``numpy.max``; tied maxima share the gradient equally."""
        return self.__fastnn_op__(ops.max, (self, axis, keepdims))

    def dot(self, other: Any) -> Any:
        """As ``numpy.dot``, of scalars, vectors and matrices."""
        return dot(self, other)

    def reshape(self, *shape: Any) -> Any:
        """As ``numpy.ndarray.reshape``, in C order."""
        wanted = shape[0] if len(shape) == 1 else shape
        return self.__fastnn_op__(ops.reshape, (self, wanted))

    def transpose(self, *axes: Any) -> Any:
        """As ``numpy.ndarray.transpose``."""
        if len(axes) == 1 and not isinstance(axes[0], int):
            axes = axes[0]
        return self.__fastnn_op__(ops.transpose, (self, axes or None))

    @property
    def T(self) -> Any:
        """The axes reversed."""
        return self.__fastnn_op__(ops.transpose, (self, None))


_OPERANDS = (Operators, np.ndarray, int, float, np.number, np.bool_)
