"""Slopes of smooth functions by differences, and the kinks where there is none.

A function here is ``change(t)``: by how much values change when the arguments move by t
along some direction.  With the steps h of a ladder, each an eighth of the one before,

    slope    D(h) = (change(h) - change(-h)) / 2h
    bend     J(h) = (change(h) + change(-h)) / h

the bend, the difference of the two one-sided slopes, tells what lies within the step.
Where the function is smooth it shrinks with h; at a kink it stays, at a jump it grows; and
rounding adds a noise that grows as 1/h, whose level is measured beforehand.  A slope is
believed where the bend shrinks down to the noise.  Nobody asks what the slope ought to be,
so a wrong derivative never looks like a kink.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, factorial, log2
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Change: TypeAlias = Callable[[float], Any]

_SHRINK = 8
# Points that lie like the rounded values show no rounding: some others will.
_SHARES = (0.618, 0.854, 1.236)
# A slope or bend may be off by so many standard deviations of the noise over h.
_DEVIATIONS = 24


class Slope(NamedTuple):
    """Of each value: its slope, how far that may be off, and whether it has none.

    ``aside`` marks a kink, a jump, or the edge of where the function is defined.
    """

    value: Array
    doubt: Array
    aside: Array


def ladder(eps: float) -> Array:
    """The steps for arguments of size 1 and values of this precision, the largest first.

    They are powers of two, so that adding one to a number rounds nothing away.
    """
    first = round(log2(eps) / 5)
    count = 1 + ceil((first - log2(eps) / 2 + 2) / log2(_SHRINK))
    steps: Array = 2.0**first / float(_SHRINK) ** np.arange(count)
    return steps


def noise(change: Change, steps: Array, size: Any, most: float, eps: float) -> Array:
    """The standard deviation of the rounding errors in each value.

    Args:
        size: of each value: it is rounded to eps of that, whatever led to it.
        most: the largest number on the way: what never changes is rounded to eps of that.
    """
    level, stuck = _scatter(change, float(steps[-1]))
    if np.any(stuck):
        # Perhaps a coarser rounding than eps has told of, which larger steps can see.
        coarse, still = _scatter(change, float(steps[2]))
        level = np.where(stuck, np.where(still, eps * most, coarse), level)
    rounded: Array = np.fmax(level, eps / 2 * np.abs(size))
    return rounded


def largest(values: Array) -> float:
    """The largest of the finite sizes, or 0."""
    sizes = np.abs(values)
    return float(np.max(sizes, initial=0, where=np.isfinite(sizes)))


def length(values: Array) -> float:
    """The root of the sum of squares, of numbers of any size."""
    most = largest(values)
    return most * float(np.linalg.norm(values / most)) if most > 0 else float(np.sum(values))


def _scatter(change: Change, step: float) -> tuple[Array, Array]:
    """The noise that points nearer than a step show, and where they show the same value.

    Differences of high order leave nothing of a smooth function but its rounding errors
    (Moré, Wild, "Estimating computational noise", 2011).
    """
    levels, stuck = [], []
    for share in _SHARES:
        # From 1 on: a kink at the very point is no noise.
        table = np.stack([np.asarray(change(share * step / _SHRINK * k)) for k in range(1, 10)])
        stuck.append(np.count_nonzero(np.diff(table, axis=0), axis=0) < 5)
        orders = []
        for order in range(1, 7):
            table = np.diff(table, axis=0)
            if order > 2:
                scale = factorial(order) ** 2 / factorial(2 * order) / len(table)
                orders.append(np.sqrt(scale) * np.hypot.reduce(table, axis=0))
        levels.append(np.median(orders, axis=0))
    return np.fmax.reduce(levels), np.all(stuck, axis=0)


def quick(change: Change, steps: Array, level: Array, eps: float) -> Slope:
    """The slope by two steps; ``aside`` is where :func:`thorough` shall decide."""
    slopes, bends, errors = _differences(change, steps[1:3], level, eps)
    is_smooth = np.abs(bends[1]) <= np.abs(bends[0]) / 4 + errors[1]
    return Slope(slopes[1], np.abs(slopes[0] - slopes[1]) / 2 + errors[1], ~is_smooth)


def thorough(change: Change, steps: Array, level: Array, eps: float) -> Slope:
    """The slope by the two neighbouring steps that agree best on a smooth function."""
    slopes, bends, errors = _differences(change, steps, level, eps)
    apart = np.abs(np.diff(slopes, axis=0))
    is_smooth = np.abs(bends[1:]) <= np.abs(bends[:-1]) / 4 + errors[1:]
    doubts = np.where(is_smooth, apart / 2 + errors[1:], np.inf)

    # A bend that stays, or a slope that grows, was left by something very near.  What was
    # seen from farther away counts no more, and from nearer only what is clearly better.
    left = np.zeros(slopes.shape[1:])
    for values, growth in ((bends, 0.5), (slopes, 1.9)):
        stays = _stays(values, errors, growth)
        for k in range(len(stays)):
            doubts[: k + 2][:, stays[k]] = np.inf
            left = np.where(stays[k], np.abs(values[k + 2]), left)
    best = np.argmin(doubts, axis=0)[None]
    value = np.take_along_axis(slopes[1:], best, axis=0)[0]
    doubt = np.take_along_axis(doubts, best, axis=0)[0]
    return Slope(value, doubt, np.isinf(doubt) | ((left > 0) & (doubt >= left / 100)))


def doubted(slope: Slope, nearby: Sequence[Slope]) -> Slope:
    """The slope, doubted by as much as it changes when rounding moves all arguments.

    A determinant far from full rank has slopes that are nothing but rounding errors, and
    yet as smooth as any.
    """
    changes = 4 * np.abs(np.stack([each.value for each in nearby]) - slope.value)
    changes[~np.isfinite(changes)] = 0
    return slope._replace(doubt=slope.doubt + np.max(changes, axis=0))


def _differences(
    change: Change, steps: Array, level: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Slope and bend for each step, and how far rounding may have moved them."""
    slopes, bends, errors = [], [], []
    for h in steps.tolist():
        ahead, behind = np.asarray(change(h)), np.asarray(change(-h))
        slopes.append((ahead - behind) / (2 * h))
        bends.append((ahead + behind) / h)
        # The values are rounded, and so were the arguments when they moved by h.
        rounded = eps * (1 + 2 / h) * (np.abs(ahead) + np.abs(behind))
        errors.append((_DEVIATIONS * level + rounded) / h)
    return np.stack(slopes), np.stack(bends), np.stack(errors)


def _stays(values: Array, errors: Array, growth: float) -> Array:
    """Where three values in a row are no noise, of one sign, and each so much the last.

    The rounding of the value in the middle makes three bends of one sign too.
    """
    size = np.abs(values)
    clear = size > 8 * errors
    pairs = clear[1:] & clear[:-1] & (np.sign(values[1:]) == np.sign(values[:-1]))
    pairs &= size[1:] >= growth * size[:-1]
    both: Array = pairs[1:] & pairs[:-1]
    return both
