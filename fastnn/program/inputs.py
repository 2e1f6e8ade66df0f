"""Arguments of a program: what they are told apart by, and the memory that they have in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fastnn.node import Node
from fastnn.program.traced import Traced
from fastnn.tensor import Tensor, handle

if TYPE_CHECKING:
    from fastnn.program.recorder import Recorder

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


class Input:
    """An argument of a step: its memory in the program, and what the step is given.

    Args:
        recorder: what records the step.
        number: of the argument.
        value: what the caller has passed.
        before: the argument of another tracing, whose memory this one has.
    """

    def __init__(
        self, recorder: Recorder, number: int, value: Any, before: Input | None = None
    ) -> None:
        self.traced: Any = None
        self.given = value
        self._recorder = recorder
        self._node: Node | None = None
        self._memory: Any = None
        array = values_of(value)
        if isinstance(array, (np.ndarray, np.generic)):
            if before is None:
                self._memory = own = memory_like(np.asarray(array))
                if isinstance(array, np.ndarray) and not array.flags.writeable:
                    own = own.view()
                    own.flags.writeable = False
                self.take(value)
            else:
                self._memory, own = before._memory, before.traced.array
            self.traced = recorder.lift(own, number)
            self.given = self.traced
            if isinstance(value, Tensor):
                self._node = node = Node(self.traced, value.requires_grad)
                self.given = handle(node)
                recorder.adopted[node] = (own, None)
                recorder.arguments.add(node)

    def take(self, value: Any) -> None:
        if self._memory is not None:
            np.copyto(self._memory, values_of(value))

    def give_back(self, value: Any, is_written: bool) -> None:
        if isinstance(value, Tensor):
            if is_written:
                value.data = self.traced.array
            node = self._node
            if node is not None and isinstance(node.grad, np.ndarray):
                gradient = node.grad.copy()
                is_added = value.grad is not None and node not in self._recorder.reset
                value.grad = value.grad + gradient if is_added else gradient
        elif is_written and isinstance(value, np.ndarray):
            value[...] = self.traced.array


def values_of(value: Any) -> Any:
    """The array in a Tensor or a traced array; other values as they are."""
    if isinstance(value, Traced):
        return value.array
    return value.data if isinstance(value, Tensor) else value


def signature(position: int, value: Any) -> Any:
    """What a recording for this argument serves for."""
    array = values_of(value)
    if isinstance(array, (np.ndarray, np.generic)):
        if array.dtype.kind not in "fiub":
            raise TypeError(f"argument {position} wants real numbers, got dtype {array.dtype}")
        needs_grad = value.requires_grad if isinstance(value, Tensor) else None
        may_be_written = isinstance(array, np.ndarray) and array.flags.writeable
        return (needs_grad, may_be_written, array.shape, array.dtype, array.strides)
    if isinstance(value, float):
        return (float, value.hex())  # which tells -0.0 from 0.0
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"argument {position} wants an array, a Tensor or a constant, got a "
            f"{type(value).__name__}: pass its arrays one by one"
        ) from None
    return (type(value), value)


def memory_like(array: Array) -> Array:
    """An array in new memory that is walked over as the given one is: with its strides.

    NumPy's functions choose how they compute, and their bits with it, by the strides.
    """
    dtype = array.dtype.newbyteorder("=")
    if any(stride % dtype.alignment for stride in array.strides):
        return np.array(array, dtype, order="K", subok=False)
    ends = [(n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True)]
    before = -sum(end for end in ends if end < 0)
    after = sum(end for end in ends if end > 0)
    count = (before + after) // dtype.itemsize + 1 if array.size else 0
    memory = np.zeros(count, dtype)[before // dtype.itemsize :]
    return np.lib.stride_tricks.as_strided(memory, array.shape, array.strides)
