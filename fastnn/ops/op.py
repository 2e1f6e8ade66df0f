"""What a row of the op table is: a forward function and its derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[..., Any]


class Op:
    """A differentiable operation: its forward function with its derivatives beside it.

    Args:
        name: what errors call it.
        forward: ``forward(*args) -> y``, on arrays and plain Python values.
        rules: one derivative per leading argument, ``rule(g, y, *args)``, where g is
            the gradient of the loss by the output y.  It returns the gradient by its
            argument; ``None`` instead of a rule says that there is none.
        joint: instead of ``rules``, one function for all arguments at once,
            ``joint(g, y, needs, *args)``, where ``needs[i]`` says whether the
            gradient by argument i is wanted.  It returns one entry per argument,
            None where nothing was wanted.
        saving: ``saving(*args) -> (y, saved)``, run instead of ``forward`` when a
            gradient will be needed; the rules then get ``saved`` in the place of y.
        broadcasts: the arguments broadcast as in NumPy, so a gradient larger than
            its argument is summed back to the argument's shape.

    An op called with arrays runs ``forward``; as soon as one argument's type defines
    ``__fastnn_op__(op, args)``, as Tensor does, that method answers instead.
    """

    __slots__ = ("broadcasts", "forward", "joint", "name", "rules", "saving")

    def __init__(
        self,
        name: str,
        forward: Function,
        *rules: Function | None,
        joint: Function | None = None,
        saving: Function | None = None,
        broadcasts: bool = False,
    ) -> None:
        self.name = name
        self.forward = forward
        self.rules = rules
        self.joint = joint
        self.saving = saving
        self.broadcasts = broadcasts

    def __call__(self, *args: Any) -> Any:
        for argument in args:
            answer = getattr(type(argument), "__fastnn_op__", None)
            if answer is not None:
                return answer(argument, self, args)
        return self.forward(*args)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum g over the axes along which an array of this shape was broadcast."""
    lead = g.ndim - len(shape)
    stretched = tuple(
        axis
        for axis in range(g.ndim)
        if axis < lead or (shape[axis - lead] == 1 and g.shape[axis] != 1)
    )
    return np.reshape(np.sum(g, axis=stretched), shape)
