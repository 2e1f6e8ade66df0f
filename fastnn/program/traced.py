"""Traced: an array of a program that is being recorded; what NumPy does to it is a call.

It stands for an ndarray in plain NumPy code, in the rows of the op table and under Tensors.
Views of it are made, not recorded; a value cannot be read, for it would become a constant.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fastnn.operators import Operators
from fastnn.program.errors import CaptureError
from fastnn.program.memory import address_of
from fastnn.program.where import where

if TYPE_CHECKING:
    from fastnn.ops.op import Op
    from fastnn.program.recorder import Recorder


class Link:
    """Ties traced arrays to their recorder, in its thread and for as long as it records."""

    __slots__ = ("_recorder", "_thread")

    def __init__(self, recorder: Recorder) -> None:
        self._recorder: Recorder | None = recorder
        self._thread = threading.get_ident()

    def recorder(self) -> Recorder:
        """The recorder.

        Raises:
            CaptureError: the recording has ended, or is another thread's.
        """
        if self._recorder is None:
            raise CaptureError(
                "an array that a step computed while it was recorded is used after that: a replay "
                "does not bring it along; return it from the step, and pass what one step leaves "
                f"to the next as an argument, or keep it in the .data of a Tensor{where()}"
            )
        if self._thread != threading.get_ident():
            raise CaptureError(
                "an array, perhaps a parameter, is used while another thread records a step "
                f"with it{where()}"
            )
        return self._recorder

    def cut(self) -> None:
        """The recording has ended."""
        self._recorder = None


class Traced(Operators):
    """An array in the memory of a program, or an argument or parameter of it."""

    __slots__ = ("array", "base", "is_scalar", "link", "mark", "memory")

    def __init__(
        self,
        array: np.ndarray[Any, np.dtype[Any]],
        memory: Any,
        link: Link,
        base: Any = None,
        mark: Any = None,
    ) -> None:
        self.array = array
        self.memory = memory
        self.link = link
        self.base = base  # the traced array that this one is a view of
        self.mark = mark
        self.is_scalar = False

    def root(self) -> Traced:
        """The array that it is a view of, or itself."""
        found = self
        while found.base is not None:
            found = found.base
        return found

    def identity(self) -> Any:
        """What tells it from others, and is the same when the step is traced again."""
        if self.mark is None:
            a = self.array
            self.mark = (self.root().mark, address_of(a), a.shape, a.strides, a.dtype.str)
        return self.mark

    @property
    def recorder(self) -> Recorder:
        """Who records what is done to it."""
        return self.link.recorder()

    def scalar(self) -> Traced:
        """Itself, as the scalar that NumPy gives where a result has no axes: `s += 1` makes
        another one, and the name moves on to it."""
        self.is_scalar = self.ndim == 0
        return self

    def view_of(self, array: Any) -> Traced:
        """A view of this array's memory."""
        return Traced(array, self.memory, self.link, self)

    # --- what is known without a value ----------------------------------------------------

    @property
    def data(self) -> Traced:
        """Itself: what ``Tensor.data`` is while a step is recorded."""
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        shape: tuple[int, ...] = self.array.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the values."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.array.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.array.size

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return self.array.nbytes

    @property
    def itemsize(self) -> int:
        """Bytes of one value."""
        return self.array.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one value to the next along each axis."""
        strides: tuple[int, ...] = self.array.strides
        return strides

    @property
    def flags(self) -> Any:
        """As of the array."""
        return self.array.flags

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Any:
        return (self[row] for row in range(len(self.array)))

    def __repr__(self) -> str:
        return f"<{self.dtype} array of shape {self.shape} of a program>"

    # --- what would read a value ------------------------------------------------------------

    def _read(self, how: str) -> NoReturn:
        raise CaptureError(
            f"{how} reads a value of the step in Python, where a replay does not come: return it "
            f"from the step, or compute with it in NumPy (np.where instead of if){where()}"
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self._read("a conversion to an array (also to write it into one from outside the step)")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"an array of a program has no attribute {name!r}")
        raise CaptureError(f".{name} of an array cannot be captured{where()}")

    def __format__(self, form: str) -> str:
        return self._read("a format") if form else repr(self)

    def __complex__(self) -> complex:
        self._read("complex()")

    def __float__(self) -> float:
        self._read("float()")

    def __int__(self) -> int:
        self._read("int()")

    def __index__(self) -> int:
        self._read("an index")

    def __bool__(self) -> bool:
        self._read("bool() (an `if`, `and` or `or`)")

    def item(self) -> Any:
        """A value is not there to be read."""
        self._read("item()")

    def tolist(self) -> Any:
        """Values are not there to be read."""
        self._read("tolist()")

    def nonzero(self) -> Any:
        """Its size would depend on values."""
        raise CaptureError(f".nonzero() has a size that changes{where()}")

    def argsort(self, axis: int | None = -1, kind: Any = None) -> Any:
        """There is no sort in C."""
        raise CaptureError(f".argsort() cannot be captured{where()}")

    # --- operators, as an ndarray's ------------------------------------------------------------

    def __fastnn_op__(self, op: Op, args: tuple[Any, ...]) -> Any:
        for each in args:
            if is_foreign(each):
                return each.__fastnn_op__(op, args)
        with self.recorder.inside(op, op.name):
            return op.forward(*args)

    def __fastnn_kernel__(self, kernel: Any, given: dict[str, Any]) -> Any:
        from fastnn.program.kernels import kernel_call

        return kernel_call(self.recorder, kernel, given)

    def __fastnn_zeros__(self, shape: tuple[int, ...]) -> Any:
        return self.recorder.zeros(shape, self.dtype)

    def __pow__(self, exponent: Any) -> Any:
        from fastnn.program.ufuncs import power

        return power(self.recorder, self, exponent)

    def __neg__(self) -> Any:
        return np.negative(self)

    def __pos__(self) -> Any:
        return np.positive(self)

    def __abs__(self) -> Any:
        return np.absolute(self)

    def __invert__(self) -> Any:
        return np.invert(self)

    def __ipow__(self, exponent: Any) -> Any:
        if self.is_scalar:
            return self**exponent
        self[...] = self**exponent
        return self

    def __imatmul__(self, other: Any) -> Any:
        self[...] = np.matmul(self, other)
        return self

    def __getitem__(self, index: Any) -> Any:
        from fastnn.program.places import getitem

        return getitem(self.recorder, self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        from fastnn.program.places import setitem

        setitem(self.recorder, self, index, value)

    # --- methods that differ from a Tensor's ------------------------------------------------------

    def astype(self, dtype: Any, copy: bool = True, order: str = "K") -> Any:
        """As ``numpy.ndarray.astype``."""
        if not copy and self.dtype == dtype:
            return self
        if self.dtype == dtype:
            return self.copy(order)
        return self.recorder.cast(self, dtype)

    def copy(self, order: Any = "C") -> Any:
        """As ``numpy.ndarray.copy``."""
        return self.recorder.copy(self, order)

    def view(self, dtype: Any = None) -> Any:
        """As ``numpy.ndarray.view``."""
        return self.view_of(self.array.view() if dtype is None else self.array.view(dtype))

    def reshape(self, *shape: Any) -> Any:
        """As ``numpy.ndarray.reshape``, in C order."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def ravel(self) -> Any:
        """As ``numpy.ravel``."""
        return np.reshape(self, -1)

    def transpose(self, *axes: Any) -> Any:
        """As ``numpy.ndarray.transpose``."""
        return self.view_of(self.array.transpose(*axes))

    @property
    def T(self) -> Any:
        """The axes reversed."""
        return self.view_of(self.array.T)

    def fill(self, value: Any) -> None:
        """As ``numpy.ndarray.fill``."""
        self[...] = value

    # --- NumPy's protocols ------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from fastnn.program.ufuncs import ufunc_call

        return ufunc_call(self.recorder, ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from fastnn.program.functions import function_call

        return function_call(self.recorder, func, args, kwargs)


def _operator(ufunc: np.ufunc) -> tuple[Any, Any, Any]:
    def forwards(self: Any, other: Any) -> Any:
        return ufunc(self, other)

    def backwards(self: Any, other: Any) -> Any:
        return ufunc(other, self)

    def in_place(self: Any, other: Any) -> Any:
        if self.is_scalar:
            return ufunc(self, other)
        return ufunc(self, other, out=(self,))

    return forwards, backwards, in_place


for _name, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide,
    "floordiv": np.floor_divide, "mod": np.remainder, "and": np.bitwise_and,
    "or": np.bitwise_or, "xor": np.bitwise_xor, "lshift": np.left_shift,
    "rshift": np.right_shift,
}.items():  # fmt: skip
    for _prefix, _method in zip(("", "r", "i"), _operator(_ufunc), strict=True):
        setattr(Traced, f"__{_prefix}{_name}__", _method)


def _as_function(function: Any) -> Any:
    def method(self: Any, *args: Any, **options: Any) -> Any:
        return function(self, *args, **options)

    return method


for _name in (
    "sum", "prod", "mean", "var", "std", "max", "min", "all", "any", "argmax", "argmin",
    "cumsum", "cumprod", "clip", "round", "dot", "take", "repeat", "trace", "diagonal",
    "swapaxes", "squeeze",
):  # fmt: skip
    setattr(Traced, _name, _as_function(getattr(np, _name)))
Traced.__matmul__, Traced.__rmatmul__, _ = _operator(np.matmul)
Traced.__rpow__ = lambda self, other: np.power(other, self)


def array_of(value: Any) -> Any:
    """The array of a traced one, other values as they are."""
    return value.array if isinstance(value, Traced) else value


def is_foreign(value: Any) -> bool:
    """Whether another type shall answer: a Tensor, which is made of traced arrays itself."""
    kind: Any = type(value)
    return kind is not Traced and kind is not np.ndarray and _is_foreign(kind)


@cache
def _is_foreign(kind: Any) -> bool:
    return hasattr(kind, "__array_ufunc__") and not issubclass(
        kind, (Traced, np.ndarray, np.generic)
    )
