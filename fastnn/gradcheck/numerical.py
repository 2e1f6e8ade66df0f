"""The numerical gradient: the slope of f along each coordinate, from two values of f."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
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
    function = _Function(f, x)
    gradients = []
    for which, array in enumerate(function.arrays):
        steps = np.full(array.shape, h) if h is not None else _steps(array, one_sided)
        # Beyond it a step is not made longer.
        longest = 0.0 if h is not None else _steps(np.ones((), array.dtype), one_sided)
        gradient = np.empty_like(array)
        for at in np.ndindex(array.shape):
            step = float(steps[at])
            slope, is_clear = function.slope(which, at, step, one_sided)
            while not is_clear and step < longest:
                # So little of a change is mostly rounding, as where x is tiny beside 1.
                step = min(16 * step, float(longest))
                slope, is_clear = function.slope(which, at, step, one_sided)
            gradient[at] = slope
        gradients.append(gradient)
    return function.places.filled(
        [
            gradient if isinstance(like, (np.ndarray, Tensor)) else gradient[()]
            for gradient, like in zip(gradients, function.places.values, strict=True)
        ]
    )


class _Function:
    """A function of the arrays in a form, one of which moves."""

    def __init__(self, f: Callable[[Any], Any], form: Any) -> None:
        self._f = f
        self.places = Places(lambda _: True, form, "x")
        pairs = zip(self.places.values, self.places.names, strict=True)
        self.arrays = [_floats(value, name) for value, name in pairs]

    def slope(
        self, which: int, at: tuple[int, ...], step: float, one_sided: bool
    ) -> tuple[float, bool]:
        """The slope along a coordinate, and whether it comes from more than rounding."""
        ahead, behind = self.arrays[which].copy(), self.arrays[which].copy()
        ahead[at] += step
        if not one_sided:
            behind[at] -= step
        # What was really moved by: x + h is rounded.
        run = float(ahead[at]) - float(behind[at])
        if run == 0:
            raise ValueError(
                f"h: {step:g} is so small that adding it to {ahead[at]}, of {ahead.dtype}, "
                "changes nothing"
            )
        eps = float(np.finfo(ahead.dtype).eps)
        end = self._at(which, ahead)
        rise = end - (self._middle if one_sided else self._at(which, behind))
        return rise / run, abs(rise) > 1e5 * eps * abs(end)

    @cached_property
    def _middle(self) -> float:
        return self._at(0, self.arrays[0].copy())

    def _at(self, which: int, moved: Array) -> float:
        given = [moved if i == which else array.copy() for i, array in enumerate(self.arrays)]
        pairs = zip(given, self.places.values, strict=True)
        return _single(self._f(self.places.filled([_as(value, like) for value, like in pairs])))


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
