"""Tensor: an array that remembers how it was computed, so that gradients can flow back.

A Tensor answers NumPy's own functions (``__array_ufunc__``, ``__array_function__``), so
plain NumPy code builds the computational graph: ``np.maximum(0, X @ W1) @ W2``.  Each
node keeps the op that made it and the op's arguments, nothing keeps a node's consumers:
the graph has no reference cycles and is freed as soon as its result is.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from typing import Any, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn import ops
from fastnn.ops.op import Op, sum_to

Array: TypeAlias = npt.NDArray[Any]


class _Mode(threading.local):
    """Whether ops are recorded; every thread starts with True."""

    recording = True


_mode = _Mode()
# Numbers the nodes as they are made, which is a topological order of every graph.
_serial = itertools.count(1)


@contextmanager
def no_grad() -> Iterator[None]:
    """Record nothing in this thread: a context manager, and a decorator ``@no_grad()``.

    Tensors computed inside need no gradient, and their inputs are freed at once.
    """
    before = _mode.recording
    _mode.recording = False
    try:
        yield
    finally:
        _mode.recording = before


class Tensor:
    """An array in the computational graph.

    Args:
        data: anything ``numpy.array`` turns into real numbers.  It is copied, so that
            training never writes to the caller's array.
        requires_grad: whether ``backward()`` shall leave a gradient in ``.grad``.

    Raises:
        TypeError: data is not real numbers, is a masked array, or needs a gradient
            without being of a floating dtype.

    Attributes:
        grad: gradient of the last ``backward()``, an array of the shape and dtype of
            the data; further calls add to it.  None before the first.
        requires_grad: whether gradients flow to or through this tensor.
    """

    __slots__ = (
        "__weakref__",
        "_args",
        "_data",
        "_op",
        "_saved",
        "_serial",
        "grad",
        "requires_grad",
    )

    _data: Array
    grad: Array | None
    requires_grad: bool
    _op: Op | None  # None for a leaf
    _args: tuple[Any, ...] | None  # of the op; None once backward() has freed them
    _saved: Any
    _serial: int

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        array = _own_copy(data)
        if requires_grad and array.dtype.kind != "f":
            raise TypeError(
                f"requires_grad=True wants floating-point data, got {array.dtype}: "
                "a derivative by an integer is undefined"
            )
        _fill(self, array, requires_grad)

    # --- the array ------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The values, as the very array of this node.  Assigning copies into it."""
        return self._data

    @data.setter
    def data(self, values: npt.ArrayLike) -> None:
        if values is self._data:  # what is left to do of `t.data -= step`
            return
        values = np.asarray(values)
        if values.shape != self._data.shape:
            raise ValueError(
                f"data wants an array of shape {self._data.shape}, got {values.shape}"
            )
        np.copyto(self._data, values, casting="same_kind")

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the values."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._data.size

    def detach(self) -> Tensor:
        """A leaf that shares this tensor's array and needs no gradient."""
        return wrap(self._data)

    def numpy(self) -> Array:
        """The values as a plain array.

        Raises:
            TypeError: the tensor needs a gradient, which a plain array would lose.
        """
        self._refuse_to_lose_gradient("numpy()", ".detach().numpy()")
        return self._data

    def item(self) -> Any:
        """The value of a one-element tensor as a Python number."""
        return self._data.item()

    def _refuse_to_lose_gradient(self, what: str, remedy: str) -> None:
        if self.requires_grad:
            raise TypeError(
                f"{what} of a tensor that needs a gradient would silently lose the "
                f"gradient: use {remedy}"
            )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        self._refuse_to_lose_gradient("conversion to an array", ".detach().numpy()")
        return np.array(self._data, dtype=dtype, copy=copy)

    def __float__(self) -> float:
        self._refuse_to_lose_gradient("float()", ".item()")
        return float(self._data)

    def __int__(self) -> int:
        self._refuse_to_lose_gradient("int()", ".item()")
        return int(self._data)

    def __bool__(self) -> bool:
        self._refuse_to_lose_gradient("bool()", ".item()")
        return bool(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[row] for row in range(len(self._data)))

    def __repr__(self) -> str:
        values = np.array2string(self._data, separator=", ", prefix="Tensor(")
        needs = ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({values}, dtype={self._data.dtype}{needs})"

    # --- the graph ------------------------------------------------------------------

    def __fastnn_op__(self, op: Op, args: tuple[Any, ...]) -> Tensor:
        return record(op, args)

    def backward(
        self, grad: npt.ArrayLike | None = None, *, retain_graph: bool = False
    ) -> None:
        """Add the gradient of this tensor to ``.grad`` of every leaf that needs one.

        Args:
            grad: gradient of the final result by this tensor, of this tensor's shape;
                None stands for 1 and wants a scalar tensor.
            retain_graph: keep the graph for another ``backward()``.

        Raises:
            RuntimeError: nothing here needs a gradient, or the graph was freed by an
                earlier ``backward()``.
            ValueError: grad is missing or has the wrong shape.
            TypeError: an argument that needs a gradient has no derivative.
        """
        if not self.requires_grad:
            raise RuntimeError(
                "backward() of a tensor that needs no gradient: no Tensor with "
                "requires_grad=True led to it, or it was made under no_grad()"
            )
        seed = self._seed(grad)
        if self._op is None:
            _add_to_leaf(self, seed, seed)
        else:
            _walk(self, seed, retain_graph)

    def _seed(self, grad: npt.ArrayLike | None) -> Array:
        data = self._data
        if grad is None:
            if data.size != 1:
                raise ValueError(
                    f"backward() of a tensor of shape {data.shape} wants grad, an array "
                    "of that shape: only a single value has an obvious gradient, 1"
                )
            return np.ones(data.shape, data.dtype)
        if isinstance(grad, Tensor):
            grad = grad.numpy()
        seed = np.asarray(grad, data.dtype)
        if seed.shape != data.shape:
            raise ValueError(
                f"grad wants the tensor's shape {data.shape}, got {seed.shape}"
            )
        return seed

    # --- NumPy's protocols ----------------------------------------------------------

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any
    ) -> Any:
        if method == "__call__" and not kwargs:
            op = ops.UFUNCS.get(ufunc)
            if op is not None:
                return record(op, inputs)
            if ufunc in ops.UNDIFFERENTIATED:
                return ufunc(*_arrays(inputs))
        if "out" in kwargs:
            raise TypeError(
                f"np.{ufunc.__name__} cannot write a Tensor's values into out=, an "
                "array without a graph: instead of `z += t` write `z = z + t`"
            )
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        options = f" with {', '.join(kwargs)}=" if kwargs else ""
        _unsupported(f"np.{name}{options}")

    def __array_function__(
        self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any
    ) -> Any:
        answer = _FUNCTIONS.get(func)
        if answer is not None:
            return answer(*args, **kwargs)
        if func in _UNDIFFERENTIATED_FUNCTIONS:
            kwargs = dict(zip(kwargs, _arrays(tuple(kwargs.values())), strict=True))
            return func(*_arrays(args), **kwargs)
        _unsupported(f"{func.__module__.replace('numpy', 'np', 1)}.{func.__name__}")

    # --- operators ------------------------------------------------------------------

    def __add__(self, other: Any) -> Any:
        return _operate(ops.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return _operate(ops.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return _operate(ops.subtract, self, other)

    def __rsub__(self, other: Any) -> Any:
        return _operate(ops.subtract, other, self)

    def __mul__(self, other: Any) -> Any:
        return _operate(ops.multiply, self, other)

    def __rmul__(self, other: Any) -> Any:
        return _operate(ops.multiply, other, self)

    def __truediv__(self, other: Any) -> Any:
        return _operate(ops.divide, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _operate(ops.divide, other, self)

    def __pow__(self, other: Any) -> Any:
        return _operate(ops.power, self, other)

    def __rpow__(self, other: Any) -> Any:
        return _operate(ops.power, other, self)

    def __matmul__(self, other: Any) -> Any:
        return _operate(ops.matmul, self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return _operate(ops.matmul, other, self)

    def __neg__(self) -> Tensor:
        return record(ops.negative, (self,))

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return record(ops.absolute, (self,))

    # `t += v` makes a new node, as Python does by itself.  Only for a leaf that needs a
    # gradient that is never meant: the name would leave the leaf, and its gradient.
    def __iadd__(self, other: Any) -> Any:
        self._refuse_to_leave_leaf("+=")
        return self + other

    def __isub__(self, other: Any) -> Any:
        self._refuse_to_leave_leaf("-=")
        return self - other

    def __imul__(self, other: Any) -> Any:
        self._refuse_to_leave_leaf("*=")
        return self * other

    def __itruediv__(self, other: Any) -> Any:
        self._refuse_to_leave_leaf("/=")
        return self / other

    def _refuse_to_leave_leaf(self, operator: str) -> None:
        if self.requires_grad and self._op is None:
            raise TypeError(
                f"`t {operator} v` would replace a tensor that needs a gradient by a "
                f"new one: to change its values, write `t.data {operator} v`"
            )

    # Comparisons give plain arrays: truth has no derivative.
    def __eq__(self, other: object) -> Any:
        return self._data == _array(other)

    def __ne__(self, other: object) -> Any:
        return self._data != _array(other)

    def __lt__(self, other: Any) -> Any:
        return self._data < _array(other)

    def __le__(self, other: Any) -> Any:
        return self._data <= _array(other)

    def __gt__(self, other: Any) -> Any:
        return self._data > _array(other)

    def __ge__(self, other: Any) -> Any:
        return self._data >= _array(other)

    __hash__ = object.__hash__

    # --- methods of arrays ----------------------------------------------------------

    def __getitem__(self, index: Any) -> Tensor:
        return record(ops.getitem, (self, index))

    def sum(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """As ``numpy.sum``."""
        return record(ops.sum, (self, axis, keepdims))

    def mean(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """As ``numpy.mean``."""
        return record(ops.mean, (self, axis, keepdims))

    def max(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """As ``numpy.max``; tied maxima share the gradient equally."""
        return record(ops.max, (self, axis, keepdims))

    def argmax(self, axis: int | None = None) -> Any:
        """As ``numpy.argmax``: plain indices."""
        return self._data.argmax(axis)

    def dot(self, other: Any) -> Any:
        """As ``numpy.dot``, of scalars, vectors and matrices."""
        return _dot(self, other)

    def reshape(self, *shape: Any) -> Tensor:
        """As ``numpy.ndarray.reshape``, in C order."""
        return record(ops.reshape, (self, shape[0] if len(shape) == 1 else shape))

    def transpose(self, *axes: Any) -> Tensor:
        """As ``numpy.ndarray.transpose``."""
        if len(axes) == 1 and not isinstance(axes[0], int):
            axes = axes[0]
        return record(ops.transpose, (self, axes or None))

    @property
    def T(self) -> Tensor:
        """The tensor with its axes reversed."""
        return record(ops.transpose, (self, None))


# --- making nodes ---------------------------------------------------------------------


def _own_copy(data: Any) -> Array:
    """A native, contiguous copy of data that holds real numbers."""
    if isinstance(data, Tensor):
        data = data.numpy()
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError("data wants a plain array, got a masked array: fill it first")
    array = np.array(data)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"data wants real numbers, got dtype {array.dtype}")
    return np.array(array, array.dtype.newbyteorder("="), order="C", copy=None)


def _fill(tensor: Tensor, array: Array, requires_grad: bool) -> None:
    tensor._data = array
    tensor.grad = None
    tensor.requires_grad = requires_grad
    tensor._op = None
    tensor._args = None
    tensor._saved = None
    tensor._serial = 0


def wrap(array: Array) -> Tensor:
    """A leaf that shares the array, and needs no gradient."""
    tensor = Tensor.__new__(Tensor)
    _fill(tensor, array, False)
    return tensor


def record(op: Op, args: tuple[Any, ...]) -> Tensor:
    """Run an op on Tensors, arrays and plain values, and put the result in the graph.

    The result needs a gradient when one of the Tensors does and ``no_grad`` is off.
    """
    values = []
    needs = False
    for argument in args:
        if isinstance(argument, Tensor):
            values.append(argument._data)
            if argument.requires_grad:
                needs = True
        else:
            values.append(argument)
    node = Tensor.__new__(Tensor)
    node.grad = None
    if needs and _mode.recording:
        if op.saving is None:
            y = op.forward(*values)
            node._saved = None
        else:
            y, node._saved = op.saving(*values)
        node.requires_grad = True
        node._op = op
        node._args = args
        node._serial = next(_serial)
    else:
        y = op.forward(*values)
        node.requires_grad = False
        node._op = node._args = node._saved = None
        node._serial = 0
    # Most NumPy functions return a scalar, not an array, for a result without axes.
    node._data = y if type(y) is np.ndarray else np.asarray(y)
    return node


_OPERANDS = (Tensor, np.ndarray, int, float, np.number, np.bool_, list)


def _operate(op: Op, a: Any, b: Any) -> Any:
    """A binary operator; NotImplemented lets a foreign operand try its own."""
    if isinstance(b, _OPERANDS) and isinstance(a, _OPERANDS):
        return record(op, (a, b))
    return NotImplemented


# --- the way back ---------------------------------------------------------------------


def _walk(root: Tensor, seed: Array, retain_graph: bool) -> None:
    """Propagate the seed from root to the leaves, later nodes first.

    A node is younger than its arguments, so when the youngest pending node is taken,
    every consumer of it has already added its part.  Nothing here recurses: a node is
    freed as soon as it is done, one at a time.
    """
    pending = {root._serial: seed}
    heap = [(-root._serial, root)]
    while heap:
        node = heappop(heap)[1]
        g = pending.pop(node._serial)
        op, args = node._op, node._args
        assert op is not None
        if args is None:
            raise RuntimeError(
                f"backward() for the second time through {op!r}, whose graph the first "
                "one freed: pass retain_graph=True to the first"
            )
        for argument, part in _parts(op, args, node, g):
            if part.shape != argument._data.shape:
                part = _fit(op, part, argument._data.shape)
            if part.dtype != argument._data.dtype:
                part = part.astype(argument._data.dtype)
            serial = argument._serial
            if not serial:
                _add_to_leaf(argument, part, g)
            elif serial in pending:
                pending[serial] = pending[serial] + part
            else:
                pending[serial] = part
                heappush(heap, (-serial, argument))
        if not retain_graph:
            node._args = node._saved = None


def _parts(
    op: Op, args: tuple[Any, ...], node: Tensor, g: Array
) -> list[tuple[Tensor, Any]]:
    """The arguments that need a gradient, each with its own."""
    values = [a._data if isinstance(a, Tensor) else a for a in args]
    y = node._data if op.saving is None else node._saved
    if op.joint is not None:
        needs = [isinstance(a, Tensor) and a.requires_grad for a in args]
        parts = op.joint(g, y, needs, *values)
        return [(args[i], parts[i]) for i, need in enumerate(needs) if need]
    found = []
    for position, argument in enumerate(args):
        if isinstance(argument, Tensor) and argument.requires_grad:
            rule = op.rules[position] if position < len(op.rules) else None
            if rule is None:
                raise TypeError(
                    f"{op.name} has no derivative by its argument {position}, which "
                    "is a tensor that needs a gradient: pass .detach() of it"
                )
            found.append((argument, rule(g, y, *values)))
    return found


def _fit(op: Op, part: Any, shape: tuple[int, ...]) -> Any:
    if op.broadcasts:
        return sum_to(part, shape)
    raise ValueError(
        f"the backward of {op.name} wants a gradient of shape {shape}, got {part.shape}"
    )


def _add_to_leaf(leaf: Tensor, part: Array, g: Array) -> None:
    if leaf.grad is not None:
        # Not in place: somebody may have kept the old gradient.
        leaf.grad = leaf.grad + part
    elif part is g or part.base is not None:
        # Shared with another gradient: clipping one in place must not touch the other.
        leaf.grad = part.copy()
    else:
        leaf.grad = part


# --- NumPy functions ------------------------------------------------------------------


def _array(value: Any) -> Any:
    return value._data if isinstance(value, Tensor) else value


def _arrays(values: tuple[Any, ...]) -> list[Any]:
    return [_array(value) for value in values]


def _unsupported(name: str) -> NoReturn:
    raise TypeError(
        f"{name} is not supported on a fastnn Tensor; for its plain value call it on "
        "t.detach().numpy()"
    )


def _sum(a: Any, axis: Any = None, *, keepdims: bool = False) -> Tensor:
    return record(ops.sum, (a, axis, keepdims))


def _mean(a: Any, axis: Any = None, *, keepdims: bool = False) -> Tensor:
    return record(ops.mean, (a, axis, keepdims))


def _max(a: Any, axis: Any = None, *, keepdims: bool = False) -> Tensor:
    return record(ops.max, (a, axis, keepdims))


def _reshape(a: Any, /, shape: Any) -> Tensor:
    return record(ops.reshape, (a, shape))


def _transpose(a: Any, axes: Any = None) -> Tensor:
    return record(ops.transpose, (a, axes))


def _dot(a: Any, b: Any) -> Any:
    dimensions = np.ndim(a), np.ndim(b)
    if 0 in dimensions:
        return _operate(ops.multiply, a, b)
    if max(dimensions) > 2:
        _unsupported(f"np.dot of {dimensions[0]}-D with {dimensions[1]}-D")
    return _operate(ops.matmul, a, b)


_FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    np.sum: _sum,
    np.mean: _mean,
    np.max: _max,
    np.amax: _max,
    np.reshape: _reshape,
    np.transpose: _transpose,
    np.dot: _dot,
}

# Functions whose result carries no gradient: plain values come out.
_UNDIFFERENTIATED_FUNCTIONS = frozenset(
    {
        np.shape, np.ndim, np.size, np.argmax, np.argmin, np.zeros_like, np.ones_like,
        np.empty_like, np.full_like, np.allclose, np.isclose, np.array_equal,
    }
)  # fmt: skip
