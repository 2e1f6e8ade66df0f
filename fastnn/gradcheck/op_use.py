"""One use of an op: its backward there, held to differences of its forward alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn.backward import contributions
from fastnn.gradcheck.directions import (
    SHAKES,
    nearby,
    random_signs,
    reads_one_triangle,
    scales,
    symmetrized,
)
from fastnn.gradcheck.slopes import (
    Change,
    Slope,
    doubted,
    ladder,
    largest,
    length,
    noise,
    quick,
    thorough,
)
from fastnn.gradcheck.tolerance import ROUNDINGS, default_rtol, is_evidence
from fastnn.node import Node
from fastnn.ops.op import Op

Array: TypeAlias = npt.NDArray[Any]
Parent: TypeAlias = "tuple[int, Node]"

_ROUNDS = 2  # one random direction may be blind to an error
_PROPORTIONAL = 1e-4  # how well two ratios agree that are called one


class Fault(NamedTuple):
    """What is wrong with the gradient by one argument of an op.

    ``backward`` and ``numerical`` are the slopes along a random direction by both ways.
    """

    argument: int
    shape: tuple[int, ...]
    backward: float
    numerical: float
    what: str


class _Pair(NamedTuple):
    """The slope along a direction of the result projected on a seed, by both ways.

    ``is_clear`` tells whether they agree, or the differences are good enough to tell.
    """

    backward: float
    numerical: float
    agree: bool
    is_clear: bool
    seed: Array
    direction: Array


class OpUse:
    """A node's op, around the values that its arguments had.

    The forward is computed in float64 if it knows how, the backward in the node's dtype.

    Args:
        rtol: the relative tolerance; None for that of these dtypes.
    """

    def __init__(self, node: Node, op: Op, rtol: float | None, rng: np.random.Generator) -> None:
        self._node = node
        self._op = op
        self._rng = rng
        args = [each.data if type(each) is Node else each for each in node.arguments()]
        try:
            self._args = [_wide(each) for each in args]
            y = self._forward(self._args)
        except (TypeError, ValueError):
            self._args = args
            y = self._forward(args)
        self._y = y.astype(np.float64)
        self._eps = max(float(np.finfo(dtype).eps) for dtype in (y.dtype, np.float64))
        self._steps = ladder(self._eps)
        self._largest = max(map(largest, [self._y, *filter(_holds_floats, self._args)]))
        own = np.finfo(node.data.dtype)
        self._rtol = default_rtol(self._eps, float(own.eps)) if rtol is None else rtol
        # What the backward reads is rounded, so it may miss the slope of each value by this.
        self._rounding = ROUNDINGS * float(own.eps) * largest(self._y) + float(own.tiny / own.eps)

    def faults(self, parents: Sequence[Parent]) -> list[Fault]:
        """What is wrong with the gradients by these arguments, for random ones of the result."""
        return self._faults(
            parents, lambda parent: [self._random_pair(parent) for _ in range(_ROUNDS)]
        )

    def faults_along(
        self, parents: Sequence[Parent], directions: Sequence[Array], gradient: Array
    ) -> list[Fault]:
        """What is wrong when the arguments move like this, and this is the result's gradient."""
        along = {position: d for (position, _), d in zip(parents, directions, strict=True)}

        def pairs(parent: Parent) -> list[_Pair]:
            direction = along[parent[0]]
            seeds = (gradient, gradient * random_signs(gradient.shape, self._rng))
            slope = self._slope(self._change(parent[0], direction))
            return [self._pair(parent, direction, slope, seed) for seed in seeds]

        return self._faults(parents, pairs)

    def _faults(self, parents: Sequence[Parent], pairs_for: Any) -> list[Fault]:
        found = []
        for parent in parents:
            position, shape = parent[0], parent[1].data.shape
            try:
                pairs = pairs_for(parent)
            except ValueError as error:
                what = f"raises an error: {error}"
                if "read-only" in what:
                    what = "is computed in place of the gradient that it was given"
                found.append(Fault(position, shape, np.nan, np.nan, what))
                continue
            wrong = [pair for pair in pairs if not pair.agree]
            if wrong:
                what = self._described(parent, pairs, parents)
                found.append(Fault(position, shape, wrong[0].backward, wrong[0].numerical, what))
        return found

    # --- one comparison ---------------------------------------------------------------

    def _random_pair(self, parent: Parent) -> _Pair:
        direction = self._random_direction(parent[0])
        pair = self._pair_along(parent, direction)
        size = float(np.max(np.abs(direction), initial=1e-300))
        while size < 1 and pair.agree and not pair.is_clear:
            # Beside a number that is much larger a small argument changes nothing.
            factor = min(64.0, 1 / size)
            direction, size = factor * direction, factor * size
            pair = self._pair_along(parent, direction)
        while size > 1 and not pair.agree:
            # A sine has gone round before a large argument has made the smallest step.
            factor = max(1 / 64, 1 / size)
            direction, size = factor * direction, factor * size
            smaller = self._pair_along(parent, direction)
            if smaller.agree and smaller.is_clear:
                return smaller
        return pair

    def _pair_along(self, parent: Parent, direction: Array) -> _Pair:
        change = self._change(parent[0], direction)
        signs = random_signs(self._y.shape, self._rng)
        slope = quick(change, self._steps, self._eps / 2 * np.abs(self._y), self._eps)
        if not np.any(slope.aside):
            pair = self._pair(parent, direction, slope, self._balanced(signs, slope))
            if pair.agree and pair.is_clear:
                return pair
        slope = self._slope(change)
        pair = self._pair(parent, direction, slope, self._balanced(signs, slope))
        if not pair.agree:
            changes = [self._change(parent[0], direction, shaken=True) for _ in range(SHAKES)]
            slope = doubted(slope, [self._slope(change) for change in changes])
            pair = self._pair(parent, direction, slope, self._balanced(signs, slope))
        return pair

    def _slope(self, change: Change) -> Slope:
        level = noise(change, self._steps, self._y, self._largest, self._eps)
        return thorough(change, self._steps, level, self._eps)

    def _balanced(self, signs: Array, slope: Slope) -> Array:
        """A gradient of the result in which a small slope counts as much as a large one.

        What the differences know poorly is left out, and of what has a kink nothing is
        asked of the backward.
        """
        size = np.abs(slope.value)
        counts = ~slope.aside & (size > 0)
        typical = float(np.median(size[counts])) if np.any(counts) else 1.0
        weights = typical / np.maximum(size, typical / 20)
        doubts = np.where(slope.aside, np.inf, weights * slope.doubt)
        known = doubts[np.isfinite(doubts)]
        enough = max(self._rtol * typical, 10 * float(np.median(known)) if known.size else 0.0)
        return np.where(doubts <= enough, signs * weights, 0.0)

    def _pair(self, parent: Parent, direction: Array, slope: Slope, seed: Array) -> _Pair:
        asked = (seed != 0) & ~slope.aside
        seed = np.where(asked, seed, 0)
        by_outputs = seed * np.where(asked, slope.value, 0)
        by_inputs = self._backward(seed, parent) * direction
        backward, numerical = float(np.sum(by_inputs)), float(np.sum(by_outputs))
        size = max(length(by_outputs), length(by_inputs))
        doubt = length(seed * np.where(asked, slope.doubt + self._rounding, 0))
        error = abs(backward - numerical)
        agree = error <= max(self._rtol * size, doubt)
        is_clear = is_evidence(error, doubt, size, self._rtol)
        return _Pair(backward, numerical, bool(agree), bool(is_clear), seed, direction)

    def _random_direction(self, position: int) -> Array:
        x = self._args[position]
        size = np.where(x == 0, scales(x), np.abs(x)).astype(np.float64)
        direction = size * random_signs(x.shape, self._rng)
        step = float(self._steps[1])
        if reads_one_triangle(x, lambda part: self._change(position, part), step):
            direction = symmetrized(direction)
        return direction

    # --- in words ---------------------------------------------------------------------

    def _described(self, parent: Parent, pairs: list[_Pair], parents: Sequence[Parent]) -> str:
        """What the gradient by an argument is, instead of the derivative."""
        dtype = self._node.data.dtype
        narrow = f" in {dtype}" if dtype.itemsize < 8 else ""
        return f"{self._compared_with_others(parent, pairs, parents)}{narrow}"

    def _compared_with_others(
        self, parent: Parent, pairs: list[_Pair], parents: Sequence[Parent]
    ) -> str:
        backward = np.array([pair.backward for pair in pairs])
        numerical = np.array([pair.numerical for pair in pairs])
        if not np.all(np.isfinite(backward)):
            return "is not finite"
        if not np.any(backward):
            return "is zero, and the derivative of its forward is not"
        for other in parents:
            if other[0] != parent[0] and other[1].data.shape == parent[1].data.shape:
                by_other = [np.sum(self._backward(p.seed, other) * p.direction) for p in pairs]
                if np.allclose(by_other, numerical, rtol=_PROPORTIONAL, atol=0):
                    return f"is not the derivative of its forward, which argument {other[0]} got"
        ratios = backward / numerical
        if np.all(np.isfinite(ratios)) and np.allclose(ratios, ratios[0], rtol=_PROPORTIONAL):
            return f"is {ratios[0]:.5g} times the derivative of its forward"
        return "is not the derivative of its forward"

    # --- the op -----------------------------------------------------------------------

    def _change(self, position: int, direction: Array, *, shaken: bool = False) -> Change:
        """How the result changes when one argument moves in this direction.

        It moves from where it is, or from where rounding may put it.
        """
        given, y = self._args, self._y
        if shaken:
            given = [
                nearby(each, self._eps, self._rng) if _holds_floats(each) else each
                for each in given
            ]
            y = self._forward(given).astype(np.float64)
        x = given[position]

        def change(t: float) -> Array:
            args = list(given)
            args[position] = np.asarray(x + t * direction, x.dtype)
            try:
                return self._forward(args).astype(np.float64) - y
            except (ValueError, ArithmeticError):  # as of a matrix that has no inverse
                return np.full(self._y.shape, np.nan)

        return change

    def _forward(self, args: Sequence[Any]) -> Array:
        return np.asarray(self._op.forward(*args))

    def _backward(self, seed: Array, parent: Parent) -> Array:
        seed = seed.astype(self._node.data.dtype)
        seed.flags.writeable = False  # another op may be given the same one
        (part,) = contributions(self._node, self._op, seed, [parent[0]])
        return np.asarray(part, np.float64)


def _wide(value: Any) -> Any:
    return (
        value.astype(np.promote_types(value.dtype, np.float64)) if _holds_floats(value) else value
    )


def _holds_floats(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"
