"""op: an operation of the user's own, with its forward and its backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.modes import recorder
from fastnn.ops.op import Op

__all__ = ["op"]


def op(forward: Callable[..., Any], backward: Callable[..., Any], name: str | None = None) -> Op:
    """An op for the graph, from its forward and its backward.

    The multiply gate::

        multiply = fastnn.op(
            forward=lambda x, y: x * y,
            backward=lambda dz, z, x, y: (dz * y, dz * x),
            name="multiply",
        )
        z = multiply(x, y)

    Args:
        forward: ``forward(*args) -> z``, from arrays and plain values to an array.
        backward: ``backward(dz, z, *args)`` -> a tuple with the gradient by each argument,
            of its shape, and None for an argument that has none (or, for an op of a single
            argument, its gradient alone).  dz is the gradient of the final result by z.
            Made of NumPy functions that Tensors know, it can be differentiated again.
        name: what errors, reports and drawings call it; default: the forward's.

    Returns:
        A function of the same arguments: arrays give arrays, and Tensors a Tensor.

    Raises:
        TypeError: forward or backward is no function, or the name no text; and when it is
            used: forward returns a tuple, or backward something else, or None for a tensor
            that needs a gradient.
        ValueError: when it is used: a gradient has not the shape of its argument.
    """
    for role, function in (("forward", forward), ("backward", backward)):
        if not callable(function):
            raise TypeError(f"{role} must be a function, got {function!r}")
    if name is None:
        name = getattr(forward, "__name__", type(forward).__name__)
    if not isinstance(name, str):
        raise TypeError(f"name must be text, got {name!r}")

    def named(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            if recorder() is None:
                return function(*args)
            from fastnn.program.errors import naming

            with naming(name):
                return function(*args)

        return run

    def single(*args: Any) -> Any:
        z = named(forward)(*args)
        if isinstance(z, tuple):
            raise TypeError(f"the forward of {name} must return one array, got {_described(z)}")
        return z

    def joint(g: Any, y: Any, needs: list[bool], *args: Any) -> tuple[Any, ...]:
        gradients = named(backward)(g, y, *args)
        if len(args) == 1 and not isinstance(gradients, tuple):
            gradients = (gradients,)
        if not isinstance(gradients, tuple) or len(gradients) != len(args):
            raise TypeError(
                f"the backward of {name} must return a tuple of {len(args)} gradients, one for "
                f"each argument, got {_described(gradients)}"
            )
        for position, (need, gradient) in enumerate(zip(needs, gradients, strict=True)):
            if need and gradient is None:
                raise TypeError(
                    f"the backward of {name} returned None for its argument {position}, which "
                    "needs a gradient: pass .detach() of it, or return zeros"
                )
        return tuple(
            gradient if gradient is None or hasattr(gradient, "dtype") else np.asarray(gradient)
            for gradient in gradients
        )

    return Op(name, single, joint=joint)


def _described(value: Any) -> str:
    return f"a tuple of {len(value)}" if isinstance(value, tuple) else type(value).__name__
