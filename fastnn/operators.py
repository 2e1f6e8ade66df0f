"""Operators: what an array can do with +, @, [], .sum() ..., said in rows of the table.

The class knows nothing of the graph.  A subclass that answers ``__fastnn_op__`` and
``__array_ufunc__`` gets the operators and methods of an array from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn import ops
from fastnn.ops import indexing, shapes
from fastnn.ops.op import Op, plain


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
    __floordiv__, __rfloordiv__ = _binary(ops.floor_divide), _reflected(ops.floor_divide)
    __mod__, __rmod__ = _binary(ops.remainder), _reflected(ops.remainder)
    __pow__, __rpow__ = _binary(ops.power), _reflected(ops.power)
    __matmul__, __rmatmul__ = _binary(ops.matmul), _reflected(ops.matmul)

    # `t += v` makes a new object, and the name t moves on to it.
    __iadd__ = _in_place("+=", ops.add)
    __isub__ = _in_place("-=", ops.subtract)
    __imul__ = _in_place("*=", ops.multiply)
    __itruediv__ = _in_place("/=", ops.divide)
    __ifloordiv__ = _in_place("//=", ops.floor_divide)
    __imod__ = _in_place("%=", ops.remainder)
    __ipow__ = _in_place("**=", ops.power)
    __imatmul__ = _in_place("@=", ops.matmul)

    # Comparisons give plain arrays: truth has no derivative.
    __eq__ = _comparison(np.equal)
    __ne__ = _comparison(np.not_equal)
    __lt__ = _comparison(np.less)
    __le__ = _comparison(np.less_equal)
    __gt__ = _comparison(np.greater)
    __ge__ = _comparison(np.greater_equal)
    __hash__ = object.__hash__

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __neg__(self) -> Any:
        return self.__fastnn_op__(ops.negative, (self,))

    def __pos__(self) -> Any:
        return self.__fastnn_op__(ops.positive, (self,))

    def __abs__(self) -> Any:
        return self.__fastnn_op__(ops.absolute, (self,))

    def __getitem__(self, index: Any) -> Any:
        return self.__fastnn_op__(ops.getitem, (self, ops.plain_index(index)))

    # --- methods of an array: as NumPy's, without out=, dtype= and where= -----------------

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As ``numpy.sum``."""
        return self.__fastnn_op__(ops.sum, (self, axis, keepdims))

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As ``numpy.mean``."""
        return self.__fastnn_op__(ops.mean, (self, axis, keepdims))

    def var(self, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Any:
        """As ``numpy.var``."""
        return self.__fastnn_op__(ops.var, (self, axis, ddof, keepdims))

    def std(self, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Any:
        """As ``numpy.std``."""
        return self.__fastnn_op__(ops.std, (self, axis, ddof, keepdims))

    def prod(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As ``numpy.prod``."""
        return self.__fastnn_op__(ops.prod, (self, axis, keepdims))

    def max(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As ``numpy.max``; tied maxima share the gradient equally."""
        return self.__fastnn_op__(ops.max, (self, axis, keepdims))

    def min(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As ``numpy.min``; tied minima share the gradient equally."""
        return self.__fastnn_op__(ops.min, (self, axis, keepdims))

    def cumsum(self, axis: Any = None) -> Any:
        """As ``numpy.cumsum``."""
        return self.__fastnn_op__(ops.cumsum, (self, axis))

    def cumprod(self, axis: Any = None) -> Any:
        """As ``numpy.cumprod``."""
        return self.__fastnn_op__(ops.cumprod, (self, axis))

    def dot(self, other: Any) -> Any:
        """As ``numpy.dot``."""
        tensor: Any = self
        return np.dot(tensor, other)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """As ``numpy.trace``."""
        return indexing.trace(self, offset, axis1, axis2)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """As ``numpy.diagonal``, but a copy."""
        return indexing.diagonal(self, offset, axis1, axis2)

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """As ``numpy.clip``."""
        return self.__fastnn_op__(ops.clip, (self, min, max))

    def round(self, decimals: int = 0) -> Any:
        """As ``numpy.round``: flat."""
        return self.__fastnn_op__(ops.round, (self, decimals))

    def reshape(self, *shape: Any) -> Any:
        """As ``numpy.ndarray.reshape``, in C order."""
        wanted = shape[0] if len(shape) == 1 else shape
        return self.__fastnn_op__(ops.reshape, (self, wanted))

    def ravel(self) -> Any:
        """As ``numpy.ravel``, in C order."""
        return self.__fastnn_op__(ops.reshape, (self, -1))

    def flatten(self) -> Any:
        """As ``numpy.ndarray.flatten``, in C order: a copy."""
        return self.ravel().copy()

    def transpose(self, *axes: Any) -> Any:
        """As ``numpy.ndarray.transpose``."""
        if len(axes) == 1 and not isinstance(axes[0], int):
            axes = axes[0]
        return self.__fastnn_op__(ops.transpose, (self, axes or None))

    @property
    def T(self) -> Any:
        """The axes reversed."""
        return self.__fastnn_op__(ops.transpose, (self, None))

    @property
    def mT(self) -> Any:
        """The last two axes exchanged."""
        return shapes.matrix_transpose(self)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """As ``numpy.swapaxes``."""
        return shapes.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Any = None) -> Any:
        """As ``numpy.squeeze``."""
        return shapes.squeeze(self, axis)

    def repeat(self, repeats: Any, axis: int | None = None) -> Any:
        """As ``numpy.repeat``."""
        tensor: Any = self
        return np.repeat(tensor, repeats, axis)

    def take(self, indices: Any, axis: int | None = None) -> Any:
        """As ``numpy.take``."""
        return indexing.take(self, indices, axis)

    def copy(self) -> Any:
        """A tensor with values of its own, through which gradients flow back to this one."""
        return self.__fastnn_op__(ops.copy, (self,))

    def astype(self, dtype: Any) -> Any:
        """The values in another floating dtype; in another kind of dtype a plain array."""
        dtype = np.dtype(dtype)
        if dtype.kind != "f":
            return plain(self).astype(dtype)
        return self.__fastnn_op__(ops.astype, (self, dtype))

    # --- what has no gradient: plain values ---------------------------------------------

    def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> Any:
        """As ``numpy.argmax``: plain indices."""
        return plain(self).argmax(axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> Any:
        """As ``numpy.argmin``: plain indices."""
        return plain(self).argmin(axis, keepdims=keepdims)

    def argsort(self, axis: int | None = -1, kind: Any = None) -> Any:
        """As ``numpy.argsort``: plain indices."""
        return plain(self).argsort(axis, kind)

    def all(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """As ``numpy.all``: plain truth."""
        return plain(self).all(axis, keepdims=keepdims)

    def any(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        """As ``numpy.any``: plain truth."""
        return plain(self).any(axis, keepdims=keepdims)

    def nonzero(self) -> Any:
        """As ``numpy.nonzero``: plain indices."""
        return plain(self).nonzero()


_OPERANDS = (Operators, np.ndarray, int, float, np.number, np.bool_)
