"""The numerical gradient: the slope of f along each coordinate, from two values of f."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn.checks import number, real_array
from fastnn.forms import Places
from fastnn.gradcheck.directions import scales
from fastnn.ops.op import plain
from fastnn.tensor import Tensor

Array: TypeAlias = npt.NDArray[Any]


def numerical_gradient(
    f: Callable[[Any], Any], x: Any, h: float | None = None, *, one_sided: bool = False
) -> Any:
    """The gradient of f at x by differences, coordinate by coordinate.

    It needs no derivative of anything, so it is what a backward is checked against; but it
    calls f twice a coordinate.  :func:`fastnn.check_gradients` does the whole comparison.
    ::

        fastnn.numerical_gradient(lambda x: x**4 / 2 - 2 * x**2 + x + 5, 1.0)
        fastnn.numerical_gradient(lambda W: svm_loss(X, y, W), W, h=1e-4, one_sided=True)

    Args:
        f: a function of x, in NumPy or of Tensors, to a single number.
        x: an array of real numbers of any shape, a number, a Tensor, or lists, tuples and
            dicts of them.  f gets copies of the very form and dtype; integers are taken as
            float64.
        h: the step; by default one for each coordinate, from its size and its dtype: near
            eps**(1/3) (6e-6 in float64, 5e-3 in float32), or eps**(1/2) for one_sided,
            times the larger of the coordinate and the root of the mean square of its array.
        one_sided: ``(f(x + h) - f(x)) / h``, whose error is proportional to h, instead
            of ``(f(x + h) - f(x - h)) / 2h``, whose error is to h**2.

    Returns:
        The gradient, in the form of x: arrays of the shapes and dtypes of those in x.

    Raises:
        TypeError: x holds anything but real numbers, or f returns something else.
        ValueError: f returns several numbers, or h is not positive, or so small that adding
            it to a coordinate changes nothing.
    """
    if h is not None:
        h = number("h", h, "(0, inf)")
    places = Places(lambda _: True, x, "x")
    arrays = [_floats(value, name) for value, name in zip(places.values, places.names, strict=True)]

    def f_with(which: int, moved: Array) -> float:
        given = [moved if i == which else array.copy() for i, array in enumerate(arrays)]
        as_given = zip(given, places.values, strict=True)
        return _single(f(places.filled([_as(value, like) for value, like in as_given])))

    gradients = []
    for which, array in enumerate(arrays):
        steps = np.full(array.shape, h) if h is not None else _steps(array, one_sided)
        gradient = np.empty_like(array)
        middle = f_with(which, array.copy()) if one_sided and array.size else 0.0
        for at in np.ndindex(array.shape):
            ahead, behind = array.copy(), array.copy()
            ahead[at] += steps[at]
            if one_sided:
                rise = f_with(which, ahead) - middle
            else:
                behind[at] -= steps[at]
                rise = f_with(which, ahead) - f_with(which, behind)
            # What was really moved by: x + h is rounded.
            run = float(ahead[at]) - float(behind[at])
            if run == 0:
                raise ValueError(
                    f"h: {h:g} is so small that adding it to {array[at]}, of {array.dtype}, "
                    "changes nothing"
                )
            gradient[at] = rise / run
        like = places.values[which]
        gradients.append(gradient if isinstance(like, (np.ndarray, Tensor)) else gradient[()])
    return places.filled(gradients)


def _steps(array: Array, one_sided: bool) -> Array:
    eps = np.finfo(array.dtype).eps
    power = np.round(np.log2(eps) / (2 if one_sided else 3))
    steps: Array = np.exp2(power) * scales(array)
    return steps


def _floats(value: Any, name: str) -> Array:
    array = real_array(plain(value), name)
    return array.astype(array.dtype if array.dtype.kind == "f" else np.float64)


def _as(array: Array, like: Any) -> Any:
    """What f gets in the place of a value of this type."""
    if isinstance(like, Tensor):
        return Tensor(array, name=like.name)
    return array if isinstance(like, np.ndarray) else array[()]


def _single(value: Any) -> float:
    value = real_array(plain(value), "the value of f")
    if value.size != 1:
        raise ValueError(
            f"f must return a single number, got an array of shape {value.shape}: sum it, or "
            "check one element"
        )
    return float(value.reshape(()))
