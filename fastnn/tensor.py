"""Tensor: an array that remembers how it was computed, so that gradients can flow back.

A Tensor answers NumPy's own functions (``__array_ufunc__``, ``__array_function__``), so
plain NumPy code builds the computational graph: ``np.maximum(0, X @ W1) @ W2``.  Each
node keeps the op that made it and the op's arguments; nothing keeps a node's consumers,
so the graph has no reference cycles and is freed as soon as its result is.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn import ops
from fastnn.backward import propagate
from fastnn.operators import Operators
from fastnn.ops.functions import FUNCTIONS, UNDIFFERENTIATED_FUNCTIONS
from fastnn.ops.op import Op

Array: TypeAlias = npt.NDArray[Any]


class _Mode(threading.local):
    """Whether ops are recorded; every thread starts with True."""

    recording = True


_mode = _Mode()
# Numbers the nodes as they are made, which is a topological order of every graph.
_serial = itertools.count(1)


@contextmanager
def no_grad() -> Iterator[None]:
    """Build no graph in this thread: a context manager, and a decorator.

    Tensors computed inside need no gradient and keep nothing alive.
    """
    before = _mode.recording
    _mode.recording = False
    try:
        yield
    finally:
        _mode.recording = before


class Tensor(Operators):
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
        "_data",
        "_op",
        "_parents",
        "_saved",
        "_serial",
        "_values",
        "grad",
        "requires_grad",
    )

    grad: Array | None
    requires_grad: bool
    _data: Array
    _op: Op | None  # None for a leaf, which has none of the next three
    _values: list[Any] | None  # arguments of the op; None once backward() freed them
    _parents: Sequence[tuple[int, Tensor]]  # those that need a gradient, by position
    _saved: Any  # what the op saved for its rules, if it does
    _serial: int  # 0 for a leaf; greater than those of the parents

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
            raise ValueError(f"data wants an array of shape {self._data.shape}, got {values.shape}")
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

    def argmax(self, axis: int | None = None) -> Any:
        """As ``numpy.argmax``: plain indices."""
        return self._data.argmax(axis)

    # --- the graph ------------------------------------------------------------------

    def __fastnn_op__(self, op: Op, args: tuple[Any, ...]) -> Tensor:
        return record(op, args)

    def backward(self, grad: npt.ArrayLike | None = None, *, retain_graph: bool = False) -> None:
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
        propagate(self, self._seed(grad), retain_graph)

    def _refuse_replacement(self, symbol: str) -> None:
        # For a leaf that needs a gradient this is never meant: the name would leave the
        # leaf, and its gradient with it.
        if self.requires_grad and self._op is None:
            raise TypeError(
                f"`t {symbol} v` would replace a tensor that needs a gradient by a new "
                f"one: to change its values, write `t.data {symbol} v`"
            )

    def _seed(self, grad: npt.ArrayLike | None) -> Array:
        data = self._data
        if grad is None:
            if data.size != 1:
                raise ValueError(
                    f"backward() of a tensor of shape {data.shape} wants grad, an "
                    "array of that shape: only of a single value it is 1"
                )
            return np.array(1, data.dtype, ndmin=data.ndim)
        if isinstance(grad, Tensor):
            grad = grad.numpy()
        seed = np.asarray(grad, data.dtype)
        if seed.shape != data.shape:
            raise ValueError(f"grad wants the tensor's shape {data.shape}, got {seed.shape}")
        return seed

    # --- NumPy's protocols ----------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            op = ops.UFUNCS.get(ufunc)
            if op is not None:
                if not _SEQUENCES.isdisjoint(map(type, inputs)):
                    inputs = tuple(
                        np.asarray(each) if type(each) in _SEQUENCES else each for each in inputs
                    )
                return record(op, inputs)
            if ufunc in ops.UNDIFFERENTIATED:
                return ufunc(*_values(inputs))
        if "out" in kwargs:
            raise TypeError(
                f"np.{ufunc.__name__} cannot write a Tensor's values into out=, an "
                "array without a graph: instead of `z += t` write `z = z + t`"
            )
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        options = f" with {', '.join(kwargs)}=" if kwargs else ""
        raise _unsupported(f"np.{name}{options}")

    def __array_function__(
        self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any
    ) -> Any:
        answer = FUNCTIONS.get(func)
        if answer is not None:
            return answer(*args, **kwargs)
        if func in UNDIFFERENTIATED_FUNCTIONS:
            plain = dict(zip(kwargs, _values(kwargs.values()), strict=True))
            return func(*_values(args), **plain)
        module = func.__module__.replace("numpy", "np", 1)
        raise _unsupported(f"{module}.{func.__name__}")


_SEQUENCES = frozenset({list, tuple})


def _values(args: Iterable[Any]) -> list[Any]:
    return [a._data if isinstance(a, Tensor) else a for a in args]


def _unsupported(name: str) -> TypeError:
    return TypeError(
        f"{name} is not supported on a fastnn Tensor; for its plain value call it on "
        "t.detach().numpy()"
    )


# --- making nodes ---------------------------------------------------------------------


def _own_copy(data: Any) -> Array:
    """A native, contiguous copy of data that holds real numbers."""
    if isinstance(data, Tensor):
        data = data.numpy()
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError("data wants a plain array, got a masked array: fill it first")
    array = np.asarray(data)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"data wants real numbers, got dtype {array.dtype}")
    return array.astype(array.dtype.type, order="C")


def _fill(tensor: Tensor, array: Array, requires_grad: bool) -> None:
    tensor._data = array
    tensor.grad = None
    tensor.requires_grad = requires_grad
    tensor._op = None
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
    values: list[Any] = []
    parents: list[tuple[int, Tensor]] = []
    for argument in args:
        if isinstance(argument, Tensor):
            if argument.requires_grad:
                parents.append((len(values), argument))
            values.append(argument._data)
        else:
            values.append(argument)
    node = Tensor.__new__(Tensor)
    node.grad = None
    if parents and _mode.recording:
        if op.saving is None:
            y = op.forward(*values)
        else:
            y, node._saved = op.saving(*values)
        node.requires_grad = True
        node._op = op
        node._values = values
        node._parents = parents
        node._serial = next(_serial)
    else:
        y = op.forward(*values)
        node.requires_grad = False
        node._op = None
        node._serial = 0
    # Most NumPy functions return a scalar, not an array, for a result without axes.
    node._data = y if type(y) is np.ndarray else np.asarray(y)
    return node
