"""The gradient by an argument, number by number, against the slopes of the function."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn.gradcheck.directions import reads_one_triangle, scales, symmetrized
from fastnn.gradcheck.forward import Forward
from fastnn.gradcheck.report import ArgumentReport
from fastnn.gradcheck.slopes import Change, Slope, doubted, largest, length, quick, thorough
from fastnn.gradcheck.tolerance import ROUNDINGS, is_evidence

Array: TypeAlias = npt.NDArray[Any]

# For so many errors of an argument an excuse is looked for, which takes long.
_EXCUSES = 20


class Tolerances(NamedTuple):
    """How far apart two numbers may be.

    ``eps`` is the precision of the backward; ``excuses`` tells whether an error may be none,
    where rounding or a kink on the way to the result explains it.
    """

    rtol: float
    atol: float
    eps: float
    excuses: bool


class Comparison(NamedTuple):
    """The slope along one direction, by the backward and by differences.

    ``allowed`` is how far apart they may be whatever their size; ``error`` is the relative
    error; ``aside`` tells that there is no slope to compare with; and ``direction`` is how
    far the argument was moved.
    """

    backward: float
    numerical: float
    allowed: float
    error: float
    aside: bool
    direction: Array

    def allclose(self, rtol: float) -> float:
        """``|a - n| / (allowed + rtol |n|)``, which numpy's allclose wants to be at most 1."""
        return _ratio(self.backward, self.numerical, self.allowed + rtol * abs(self.numerical))


class ArgumentCheck:
    """Compares the gradient by one argument with the slopes of the function.

    Args:
        forward: the function.
        which: the argument.
        gradient: what the backward gives, in float64.

    Attributes:
        worst: once there is a report, the direction of all arguments in which the error is
            largest, or None.
    """

    def __init__(
        self,
        forward: Forward,
        which: int,
        gradient: Array,
        tolerances: Tolerances,
        rng: np.random.Generator,
    ) -> None:
        self._forward = forward
        self._which = which
        self._gradient = gradient
        self._rtol, self._atol = tolerances.rtol, tolerances.atol
        self._rng = rng
        self._excuses = _EXCUSES if tolerances.excuses else 0
        self._value = forward.values[which]
        self._scales = scales(self._value)
        self._rounding = ROUNDINGS * tolerances.eps * largest(gradient)
        step = float(forward.steps[1])
        self.worst: list[Array | None] | None = None
        self._is_symmetric = reads_one_triangle(self._value, self._change, step)

    def report(
        self, name: str, dtype: str, max_coordinates: int, directions: int
    ) -> ArgumentReport:
        """What comes of it: at every coordinate of a small argument, else along directions."""
        every = self._value.size <= max_coordinates
        index: Any = None
        worst: Comparison | None = None
        checked, aside, allclose, atol = 0, 0, 0.0, self._atol
        for where, compared in self._coordinates() if every else self._directions(directions):
            if compared.aside:
                aside += 1
                continue
            checked += 1
            allclose = max(allclose, compared.allclose(self._rtol))
            if compared.allowed < inf:
                atol = max(atol, compared.allowed)
            # Of equal errors, as of none at all, that of the largest number tells most.
            if worst is None or _rank(compared) > _rank(worst):
                index, worst = where, compared
        ok = worst is None or worst.error <= self._rtol
        if not every:
            narrowed = None if worst is None or ok else self._narrowed(worst.direction)
            # An error of many coordinates together is best shown along its direction.
            is_one = narrowed is not None and narrowed[1].error > self._rtol
            index, worst = narrowed if narrowed is not None and is_one else (None, worst)
        self.worst = None if worst is None else self._only(worst.direction)
        return ArgumentReport(
            name=name,
            shape=self._value.shape,
            dtype=dtype,
            kind="coordinates" if every else "directions",
            checked=checked,
            set_aside=aside,
            max_relative_error=0.0 if worst is None else worst.error,
            max_allclose=allclose,
            index=index,
            backward=np.nan if worst is None else worst.backward,
            numerical=np.nan if worst is None else worst.numerical,
            atol=atol,
            symmetric=self._is_symmetric,
            ok=ok,
        )

    def _coordinates(self) -> Iterator[tuple[tuple[int, ...], Comparison]]:
        """Every coordinate, by its index."""
        for index in np.ndindex(self._value.shape):
            size = float(self._scales[index])
            compared = self._clearest(self._unit(index, size), size, size)
            own = abs(float(self._value[index]))
            if compared.aside and 0 < own < size / 64:
                # It may be so small for a reason, as the argument of a logarithm.
                size = float(2 ** np.floor(np.log2(own)))
                compared = self._compared(self._unit(index, size), size)
            yield index, compared

    def _directions(self, count: int) -> Iterator[tuple[Array, Comparison]]:
        """Random directions, themselves and compared; after a kink of fewer coordinates."""
        share, checked, tried = 1.0, 0, 0
        while checked < count and tried < 2 * count:
            direction = self._random_direction(share)
            compared = self._clearest(direction, length(direction), float(np.max(self._scales)))
            yield direction, compared
            tried += 1
            if compared.aside:
                share /= 8
            else:
                checked += 1

    def _narrowed(self, direction: Array) -> tuple[tuple[int, ...], Comparison]:
        """The coordinate that has most of the error along this direction, by halving it."""
        flat = direction.reshape(-1)
        inside = np.flatnonzero(flat)
        while len(inside) > 1:
            halves = np.array_split(inside, 2)
            errors = []
            for half in halves:
                part = np.zeros_like(flat)
                part[half] = flat[half]
                compared = self._compared(part.reshape(direction.shape), 1.0)
                errors.append(0 if compared.aside else abs(compared.backward - compared.numerical))
            # Not a number is the largest error.
            inside = halves[0] if not errors[0] < errors[1] else halves[1]
        index = tuple(int(i) for i in np.unravel_index(inside[0], direction.shape))
        size = float(self._scales[index])
        return index, self._compared(self._unit(index, size), size)

    def _unit(self, index: tuple[int, ...], size: float) -> Array:
        direction = np.zeros(self._value.shape)
        direction[index] = size
        return symmetrized(direction) if self._is_symmetric else direction

    def _random_direction(self, share: float) -> Array:
        """All coordinates at once, or a share of them and at least one."""
        direction = self._scales * self._rng.standard_normal(self._value.shape)
        if share < 1:
            chosen = self._rng.random(direction.shape) < share
            chosen.reshape(-1)[self._rng.integers(direction.size)] = True
            direction = np.where(chosen, direction, 0)
        return symmetrized(direction) if self._is_symmetric else direction

    def _change(self, direction: Array) -> Change:
        return self._forward.change(self._only(direction))

    def _only(self, direction: Array) -> list[Array | None]:
        """The direction in which this argument moves and the others stay."""
        along: list[Array | None] = [None] * len(self._forward.values)
        along[self._which] = direction
        return along

    def _clearest(self, direction: Array, unit: float, size: float) -> Comparison:
        """The slopes along a direction of this size, or of one nearer to 1 if that tells more.

        Beside a number that is much larger a small argument changes nothing, and a sine
        has gone round before a large one has made the smallest step.
        """
        best = self._compared(direction, unit)
        while size < 1 and not best.aside and not self._is_clear(best):
            factor = min(64.0, 1 / size)
            direction, unit, size = factor * direction, factor * unit, factor * size
            compared = self._compared(direction, unit)
            if not compared.aside and compared.allowed < best.allowed:
                best = compared
        while size > 1 and (best.aside or not self._is_fine(best)):
            factor = max(1 / 64, 1 / size)
            direction, unit, size = factor * direction, factor * unit, factor * size
            compared = self._compared(direction, unit)
            if not compared.aside and self._is_fine(compared) and self._is_clear(compared):
                best = compared
        return best

    def _is_clear(self, compared: Comparison) -> bool:
        backward, numerical = compared.backward, compared.numerical
        size = max(abs(backward), abs(numerical))
        return is_evidence(abs(backward - numerical), compared.allowed, size, self._rtol)

    def _compared(self, direction: Array, unit: float) -> Comparison:
        """The slopes along this direction, for a way of length ``unit``."""
        moves = direction != 0
        backward = float(np.sum(self._gradient[moves] * direction[moves]))
        slope = self._slope(direction, backward)
        compared = self._comparison(backward, slope, direction, unit)
        if self._excuses and not self._is_fine(compared):
            slope = doubted(slope, self._slopes_nearby(direction))
            compared = self._comparison(backward, slope, direction, unit)
            if not self._is_fine(compared) and self._forward.meets_kink(self._only(direction)):
                compared = compared._replace(aside=True)
            self._excuses -= not self._is_fine(compared)
        return compared

    def _slope(self, direction: Array, backward: float) -> Slope:
        change, forward = self._change(direction), self._forward
        slope = quick(change, forward.steps, forward.level, forward.eps)
        numerical = float(slope.value)
        is_right = self._error(backward, numerical, 0.0) <= self._rtol
        # Of nothing at all there is no more to be learned.
        is_known = float(slope.doubt) <= 0.01 * abs(numerical) or backward == numerical == 0
        if is_right and is_known and not slope.aside:
            return slope
        return thorough(change, forward.steps, forward.level_along(change), forward.eps)

    def _slopes_nearby(self, direction: Array) -> list[Slope]:
        forward = self._forward
        changes = forward.changes_nearby(self._only(direction))
        return [
            thorough(change, forward.steps, forward.level_along(change), forward.eps)
            for change in changes
        ]

    def _comparison(
        self, backward: float, slope: Slope, direction: Array, unit: float
    ) -> Comparison:
        numerical = float(slope.value)
        rounding = self._rounding * length(direction)
        allowed = max(float(slope.doubt), rounding, self._atol * unit)
        return Comparison(
            backward / unit,
            numerical / unit,
            allowed / unit,
            self._error(backward, numerical, allowed),
            aside=bool(slope.aside) and bool(np.isfinite(backward)),
            direction=direction,
        )

    def _is_fine(self, compared: Comparison) -> bool:
        return compared.aside or compared.error <= self._rtol

    def _error(self, backward: float, numerical: float, allowed: float) -> float:
        """``|a - n| / max(|a|, |n|)``, or at most rtol for what is allowed."""
        size = max(abs(backward), abs(numerical))
        if abs(backward - numerical) <= allowed:
            size = max(size, allowed / self._rtol)
        return _ratio(backward, numerical, size)


def _rank(compared: Comparison) -> tuple[float, float]:
    return compared.error, abs(compared.backward)


def _ratio(backward: float, numerical: float, size: float) -> float:
    error = abs(backward - numerical)
    if not error < inf:  # not a number, too
        return inf
    return error / size if error else 0.0
