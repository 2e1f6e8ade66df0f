"""Tensor: an array that remembers how it was computed, so that gradients can flow back.

A Tensor answers NumPy's own functions (``__array_ufunc__``, ``__array_function__``), so
plain NumPy code builds the computational graph: ``np.maximum(0, X @ W1) @ W2``.  It is a
handle on a node of that graph, and an assignment ``t[i] = v`` gives it a new node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fastnn import ops
from fastnn.backward import propagate
from fastnn.modes import mode
from fastnn.node import Node
from fastnn.operators import Operators
from fastnn.ops.op import FUNCTIONS, Op, answer_of, answer_to, name_of
from fastnn.ops.plain import PLAIN_FUNCTIONS, PLAIN_UFUNCS

if TYPE_CHECKING:
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"


class Tensor(Operators):
    """An array in the computational graph.

    Args:
        data: anything ``numpy.array`` turns into real numbers.  It is copied, so that
            training never writes to the caller's array.
        requires_grad: whether ``backward()`` shall leave a gradient in ``.grad``.
        name: what drawings and reports call it.

    Raises:
        TypeError: data is not real numbers, is a masked array, or needs a gradient
            without being of a floating dtype; or name is no text.
    """

    __slots__ = ("__weakref__", "_node")

    _node: Node

    def __init__(self, data: Any, requires_grad: bool = False, name: str | None = None) -> None:
        self._node = Node(_own_copy(data))
        if mode.recorder is not None:
            self._node.data = mode.recorder.fresh(self._node.data)
        self.requires_grad = requires_grad
        self.name = name

    # --- the array ------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The values, as the very array of this node.  Assigning copies into it."""
        node = self._node
        if mode.recorder is not None and type(node.data) is np.ndarray:
            return mode.recorder.adopt(node)  # type: ignore[no-any-return]
        return node.data

    @data.setter
    def data(self, values: npt.ArrayLike) -> None:
        own: Any = self.data
        new: Any = values
        if values is not own:  # as it is after `t.data -= step`
            if not answer_of(type(new)):
                new = np.asarray(new)
            if new.shape != own.shape:
                raise ValueError(f"data wants an array of shape {own.shape}, got {new.shape}")
            if not np.can_cast(new.dtype, own.dtype, "same_kind"):
                raise TypeError(f"data wants {own.dtype}, got {new.dtype}")
            own[...] = new
        self._node.overwritten()

    @property
    def grad(self) -> Any:
        """Gradient of the last ``backward()``; further calls add to it.

        An array of the shape and dtype of the data, or a Tensor after
        ``backward(create_graph=True)``; None before the first.
        """
        return self._node.grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if mode.recorder is not None:
            self.data  # noqa: B018  which has the recorder look after the node
            mode.recorder.reset.add(self._node)
        self._node.grad = value

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this tensor."""
        return self._node.requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        node = self._node
        if node.op is not None and not wanted:
            raise TypeError(
                f"the result of {node.op.name} needs a gradient because its arguments do: for "
                "a tensor that needs none use .detach()"
            )
        if wanted and node.data.dtype.kind != "f":
            raise TypeError(
                f"requires_grad=True wants floating-point data, got {node.data.dtype}: "
                "a derivative by an integer is undefined"
            )
        node.requires_grad = bool(wanted)

    @property
    def name(self) -> str | None:
        """What drawings and reports call it."""
        return self._node.name

    @name.setter
    def name(self, name: str | None) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name wants text, got {name!r}")
        self._node.name = name

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self._node.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the values."""
        return self._node.data.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._node.data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._node.data.size

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return self._node.data.nbytes

    def detach(self) -> Tensor:
        """A leaf that shares this tensor's array and needs no gradient."""
        node = Node(self._node.data)
        node.shares_with(self._node)
        return handle(node)

    def numpy(self) -> Array:
        """The values as a plain array.

        Raises:
            TypeError: the tensor needs a gradient, which a plain array would lose.
        """
        self._refuse_to_lose_gradient("numpy()", ".detach().numpy()")
        return self._node.data

    def item(self) -> Any:
        """The value of a one-element tensor as a Python number."""
        return self.data.item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers.

        Raises:
            TypeError: the tensor needs a gradient, which plain numbers would lose.
        """
        self._refuse_to_lose_gradient("tolist()", ".detach().tolist()")
        return self._node.data.tolist()

    def _refuse_to_lose_gradient(self, what: str, remedy: str) -> None:
        if self._node.requires_grad:
            raise TypeError(
                f"{what} of a tensor that needs a gradient would silently lose the "
                f"gradient: use {remedy}"
            )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        self._refuse_to_lose_gradient(
            "conversion to an array", ".detach().numpy(), or .item() of a single value"
        )
        return np.array(self._node.data, dtype=dtype, copy=copy)

    def __float__(self) -> float:
        self._refuse_to_lose_gradient("float()", ".item(), or .detach()")
        return float(self._node.data)

    def __int__(self) -> int:
        self._refuse_to_lose_gradient("int()", ".item(), or .detach()")
        return int(self._node.data)

    def __index__(self) -> int:
        self._refuse_to_lose_gradient("an index", ".item(), or .detach()")
        return self._node.data.__index__()

    def __bool__(self) -> bool:
        self._refuse_to_lose_gradient("bool()", ".item(), or .detach()")
        return bool(self._node.data)

    def __len__(self) -> int:
        return len(self._node.data)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[row] for row in range(len(self._node.data)))

    def __format__(self, spec: str) -> str:
        """A tensor without axes as its number: ``f"{loss:.3f}"``."""
        if not spec:
            return str(self)
        if self.ndim:
            raise TypeError(
                f"the format {spec!r} wants a tensor of a single value, got shape {self.shape}: "
                "use .item() of one, or .detach().numpy()"
            )
        return format(self.item(), spec)

    def __repr__(self) -> str:
        data = self._node.data
        if type(data) is not np.ndarray:  # while a program is recorded
            return f"Tensor({data!r})"
        values = np.array2string(data, separator=", ", prefix="Tensor(")
        needs = ", requires_grad=True" if self._node.requires_grad else ""
        name = f", name={self._node.name!r}" if self._node.name is not None else ""
        return f"Tensor({values}, dtype={data.dtype}{needs}{name})"

    # --- the graph ------------------------------------------------------------------

    def __fastnn_op__(self, op: Op, args: tuple[Any, ...]) -> Tensor:
        return record(op, args)

    def backward(
        self,
        grad: Any = None,
        *,
        retain_graph: bool | None = None,
        create_graph: bool = False,
    ) -> None:
        """Add the gradient of this tensor to ``.grad`` of every leaf that needs one.

        Args:
            grad: gradient of the final result by this tensor, of this tensor's shape;
                None stands for 1 and wants a scalar tensor.
            retain_graph: keep the graph for another ``backward()``; by default as
                create_graph.
            create_graph: leave Tensors in ``.grad``, whose graph gives derivatives of the
                gradients.  A leaf then holds, in its gradient, the graph that holds the
                leaf: set ``.grad = None`` when done, or use ``fastnn.grad``.

        Raises:
            RuntimeError: nothing here needs a gradient, the graph was freed by an
                earlier ``backward()``, or a value that a derivative needs was changed in
                place.  Changes to arrays that the caller shares are not noticed.
            ValueError: grad is missing or has the wrong shape.
            TypeError: an argument that needs a gradient has no derivative.
        """
        if not self._node.requires_grad:
            raise RuntimeError(
                "backward() of a tensor that needs no gradient: no Tensor with "
                "requires_grad=True led to it, or it was made under no_grad()"
            )
        retain = create_graph if retain_graph is None else retain_graph
        was_recording, mode.recording = mode.recording, create_graph
        try:
            seed = self._seed(grad, create_graph)
            propagate(self._node, seed, retain, create_graph)
        finally:
            mode.recording = was_recording

    def _seed(self, grad: Any, create_graph: bool) -> Any:
        data = self._node.data
        if grad is None:
            if data.size != 1:
                raise ValueError(
                    f"backward() of a tensor of shape {data.shape} wants grad, an "
                    "array of that shape: only of a single value it is 1"
                )
            return np.array(1, data.dtype, ndmin=data.ndim)
        if isinstance(grad, Tensor):
            grad = grad if create_graph else grad.numpy()
        if answer_of(type(grad)):
            seed = grad if grad.dtype == data.dtype else grad.astype(data.dtype)
        else:
            seed = np.asarray(grad, data.dtype)
        if seed.shape != data.shape:
            raise ValueError(f"grad wants the tensor's shape {data.shape}, got {seed.shape}")
        return seed

    # --- assignment -----------------------------------------------------------------

    def __setitem__(self, index: Any, value: Any) -> None:
        """A new version of this tensor: what was computed from the old one stays as it is."""
        self._refuse_assignment("t[i] = v", "t.data[i] = v")
        if isinstance(value, Tensor) and value.requires_grad and self.dtype.kind != "f":
            raise TypeError(
                f"`t[i] = v` would cut v, which needs a gradient, down to {self.dtype}: make t "
                "of floats, or assign v.detach()"
            )
        self._become(record(ops.setitem, (self, ops.plain_index(index), value)))

    def _become(self, version: Tensor) -> None:
        self._node = version._node

    def _refuse_assignment(self, symbol: str, instead: str) -> None:
        if self._node.is_view:
            raise TypeError(
                f"`{symbol}` on a view would leave the tensor that it views as it was: assign "
                "to that tensor itself (`t[i, j] = v` for `t[i][j] = v`), or to a .copy()"
            )
        if self._node.requires_grad and self._node.op is None:
            raise TypeError(
                f"`{symbol}` would replace a tensor that needs a gradient by a new one: to "
                f"change its values, write `{instead}`; to differentiate through the assignment, "
                "assign to a .copy() of it"
            )

    def _refuse_replacement(self, symbol: str) -> None:
        # For a leaf that needs a gradient this is never meant: the name would leave the
        # leaf, and its gradient with it.
        if self._node.requires_grad and self._node.op is None:
            raise TypeError(
                f"`t {symbol} v` would replace a tensor that needs a gradient by a new "
                f"one: to change its values, write `t.data {symbol} v`"
            )

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
            if ufunc in PLAIN_UFUNCS:
                return ufunc(*_values(inputs))
        if "out" in kwargs or (method == "at" and inputs[0] is not self):
            raise TypeError(
                f"{_name_of_ufunc(ufunc)} cannot write a Tensor's values into an array without a "
                "graph, such as out=: instead of `z += t` write `z = z + t`"
            )
        answer = answer_to((ufunc, method))
        if answer is not None:
            return _no_view_of_nobody(answer(*inputs, **kwargs), inputs)
        name = _name_of_ufunc(ufunc) + ("" if method == "__call__" else f".{method}")
        options = f" with {', '.join(kwargs)}=" if kwargs else ""
        raise _unsupported(name + options)

    def __array_function__(
        self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any
    ) -> Any:
        answer = FUNCTIONS.get(func)
        if answer is None:
            if func in PLAIN_FUNCTIONS:
                return func(*_values(args), **{key: _value(each) for key, each in kwargs.items()})
            answer = answer_to(func)
        if answer is None:
            raise _unsupported(name_of(func))
        return _no_view_of_nobody(answer(*args, **kwargs), (*args, *kwargs.values()))


_SEQUENCES = frozenset({list, tuple})


def _values(args: Iterable[Any]) -> list[Any]:
    return [_value(each) for each in args]


def _value(argument: Any) -> Any:
    """The plain value of an argument, also of lists and tuples of Tensors."""
    if isinstance(argument, Tensor):
        return argument.data
    return type(argument)(_values(argument)) if type(argument) in _SEQUENCES else argument


def _no_view_of_nobody(result: Any, inputs: Iterable[Any]) -> Any:
    """The result of a function made of several ops, which may end with a view.

    What it views is nobody's to see, unless it is an input: then it may be assigned to.
    """
    for part in result if isinstance(result, (list, tuple)) else (result,):
        if isinstance(part, Tensor) and part._node.is_view:
            part._node.is_view = any(_shares(part._node, each) for each in inputs)
    return result


def _shares(node: Node, value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_shares(node, each) for each in value)
    return isinstance(value, Tensor) and np.may_share_memory(node.data, value._node.data)


def _name_of_ufunc(ufunc: np.ufunc) -> str:
    """What users call it: not every ufunc is NumPy's."""
    name = ufunc.__name__
    return f"np.{name}" if getattr(np, name, None) is ufunc else f"the ufunc {name}"


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
    if answer_of(type(data)):
        return data.copy()  # type: ignore[no-any-return]
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError("data wants a plain array, got a masked array: fill it first")
    array = np.asarray(data)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"data wants real numbers, got dtype {array.dtype}")
    return array.astype(array.dtype.type, order="C")


def handle(node: Node) -> Tensor:
    """A Tensor that stands for this node."""
    tensor = Tensor.__new__(Tensor)
    tensor._node = node
    return tensor


def wrap(array: Array) -> Tensor:
    """A leaf that shares the array, and needs no gradient."""
    return handle(Node(array))


def record(op: Op, args: tuple[Any, ...]) -> Tensor:
    """Run an op on Tensors, arrays and plain values, and put the result in the graph.

    The result needs a gradient when one of the Tensors does and ``no_grad`` is off.
    """
    values: list[Any] = []
    kept: list[Any] = []
    needs_grad = False
    recorder = mode.recorder
    for argument in args:
        if isinstance(argument, Tensor):
            node = argument._node
            needs_grad = needs_grad or node.requires_grad
            kept.append(node)
            if recorder is not None and type(node.data) is np.ndarray:
                recorder.adopt(node)
            values.append(node.data)
        else:
            kept.append(argument)
            values.append(argument)
    saved = None
    if not (needs_grad and mode.recording):
        needs_grad = False
        y = op.forward(*values)
    elif op.saving is None:
        y = op.forward(*values)
    else:
        y, saved = op.saving(*values)
    # Most NumPy functions return a scalar, not an array, for a result without axes.
    if type(y) is not np.ndarray or (y.dtype is not _FLOAT32 and y.dtype is not _FLOAT64):
        y = _array_of_reals(op, y)
        # What is no float does not change with its arguments, but by jumps.
        needs_grad = needs_grad and y.dtype.kind == "f"
    node = Node(y, needs_grad)
    if needs_grad:
        node.op = op
        node.args = tuple(kept)
        node.saved = saved
    if y.base is not None:
        for argument in kept:
            if type(argument) is Node and np.may_share_memory(argument.data, y):
                node.shares_with(argument)
                break
    return handle(node)


_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def _array_of_reals(op: Op, y: Any) -> Array:
    """What an op returned, as an array.

    Raises:
        TypeError: it is masked, or does not hold real numbers.
    """
    if answer_of(type(y)):
        return y  # type: ignore[no-any-return]  # of one who watches what ops do
    if isinstance(y, np.ma.MaskedArray):
        raise TypeError(f"{op.name} wants plain arrays, got a masked array: fill it first")
    array = np.asarray(y)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{op.name} of these arguments gives {array.dtype}, not real numbers")
    return array
