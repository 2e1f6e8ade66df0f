"""The forward of what is checked: how its values change near its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn.differentiate import Trace
from fastnn.gradcheck.directions import SHAKES, nearby, scales
from fastnn.gradcheck.slopes import Change, ladder, largest, length, noise, thorough
from fastnn.gradcheck.subject import Subject
from fastnn.modes import enable_grad
from fastnn.node import Node
from fastnn.ops.op import plain
from fastnn.tensor import wrap

Array: TypeAlias = npt.NDArray[Any]
# For each argument how far it moves, or None where it stays.
Direction: TypeAlias = "Sequence[Array | None]"


class Forward:
    """A subject's values around its arguments, in float64 where it allows that.

    Args:
        subject: what is checked.
        trace: a run of it, in the dtypes of its arguments.
        seed: what its result is projected on.

    Attributes:
        values: the arguments, in the dtypes in which they are moved.
        trace: the run that leads from them to the result.
        eps: the precision of the least precise value on that way.
        steps: the ladder for that precision.
        level: the noise of the projected result, along all directions at once.

    Raises:
        ValueError: the result is not finite, or not the same when asked again.
    """

    def __init__(
        self, subject: Subject, trace: Trace, seed: Array, rng: np.random.Generator
    ) -> None:
        self._subject = subject
        self._seed = seed.astype(np.float64)
        self.values, self.trace = _widest(subject, trace)
        self.eps = precision(self.trace.nodes)
        self.steps = ladder(self.eps)
        self._middle = self._at(self.values)
        self._largest = max(largest(node.data) for node in self.trace.nodes)
        self._refuse_randomness(trace)
        everywhere = [size * rng.standard_normal(size.shape) for size in map(scales, self.values)]
        self.level = self.level_along(self.change(everywhere))
        self._nearby = [
            [nearby(value, self.eps, rng) for value in self.values] for _ in range(SHAKES)
        ]

    def change(self, direction: Direction) -> Change:
        """Of the projected result, when the arguments move along this direction."""
        return self._change_from(self.values, self._middle, direction)

    def changes_nearby(self, direction: Direction) -> list[Change]:
        """The same from some points to which rounding may move the arguments."""
        return [self._change_from(values, self._at(values), direction) for values in self._nearby]

    def _change_from(self, values: Sequence[Array], middle: Array, direction: Direction) -> Change:
        def change(t: float) -> float:
            # Subtracted first: what did not change adds no rounding errors then.
            try:
                difference = self._at(_moved(values, direction, t)) - middle
            except (ValueError, ArithmeticError):  # as of a matrix that has no inverse
                return np.nan
            return float(np.sum(self._seed * difference))

        return change

    def level_along(self, change: Change) -> Array:
        """The noise of the projected result along one direction."""
        size = length(self._seed * self._middle)
        return noise(change, self.steps, size, self._largest, self.eps)

    def meets_kink(self, direction: Direction) -> bool:
        """Whether a value on the way to the result has a kink along this direction.

        The kinks of relu(x) - relu(-x) cancel in the result, but each is there.
        """
        middle = _all_values(self.trace.nodes)
        # Of the many some are rounded alike at all points, as if there were no noise.
        sizes = np.repeat(
            [largest(node.data) for node in self.trace.nodes],
            [node.data.size for node in self.trace.nodes],
        )

        def change(t: float) -> Array:
            nodes = self.nodes_at(direction, t)
            if nodes is None:
                raise _OtherWay
            return _all_values(nodes) - middle

        try:
            level = noise(change, self.steps, sizes, self._largest, self.eps)
            return bool(np.any(thorough(change, self.steps, level, self.eps).aside))
        except _OtherWay:
            return True

    def nodes_at(self, direction: Direction, t: float) -> list[Node] | None:
        """Those of the trace, made again there; None if the code went another way."""
        try:
            nodes = trace_of(self._subject, _moved(self.values, direction, t)).nodes
        except (ValueError, ArithmeticError):
            return None
        same = [_kind(node) for node in nodes] == [_kind(node) for node in self.trace.nodes]
        return nodes if same else None

    def _at(self, values: Sequence[Array]) -> Array:
        with enable_grad():
            result = self._subject(*map(wrap, values))
        return np.asarray(plain(result), np.float64)

    def _refuse_randomness(self, trace: Trace) -> None:
        middle = self._middle
        given = np.asarray(trace.result.data, np.float64)
        for each in (given, middle):
            if not np.all(np.isfinite(each)):
                raise ValueError(
                    f"f must return finite numbers to be checked, got {_shown(each)} at the "
                    "given arguments"
                )
        same = 64 * self.eps * self._largest
        almost = float(np.sqrt(precision(trace.nodes))) * self._largest
        for again, tolerance in ((self._at(self.values), same), (given, almost)):
            if again.shape != middle.shape or np.any(np.abs(again - middle) > tolerance):
                raise ValueError(
                    "f is not a function of its arguments alone: called with the same ones it "
                    f"returned {_shown(middle)} and then {_shown(again)}; switch dropout off "
                    "(model.eval()), or make the generator of random numbers inside f"
                )


class _OtherWay(Exception):
    """The function took another branch of its code."""


def trace_of(subject: Subject, values: Sequence[Array]) -> Trace:
    """A run of the subject that leads from these values to its result.

    Raises:
        TypeError: the result is no Tensor.
    """
    return Trace(subject, tuple(range(len(values))), tuple(values), {})


def precision(nodes: Sequence[Node]) -> float:
    """The largest eps among the dtypes of the nodes."""
    dtypes = {node.data.dtype for node in nodes if node.data.dtype.kind == "f"}
    # Differences are taken in float64, whatever more there is.
    return max(float(np.finfo(dtype).eps) for dtype in {*dtypes, np.dtype(np.float64)})


def _widest(subject: Subject, trace: Trace) -> tuple[list[Array], Trace]:
    """The arguments in float64, where the result is then more precise, else as they are."""
    wide = [value.astype(np.promote_types(value.dtype, np.float64)) for value in subject.values]
    if any(value.dtype != own.dtype for value, own in zip(wide, subject.values, strict=True)):
        try:
            of_wide = trace_of(subject, wide)
        except (TypeError, ValueError):  # a kernel or an op that knows its own dtype only
            return subject.values, trace
        if precision(of_wide.nodes) < precision(trace.nodes):
            for value in wide:
                value.flags.writeable = False
            return wide, of_wide
    return subject.values, trace


def _moved(values: Sequence[Array], direction: Direction, t: float) -> list[Array]:
    return [
        value if along is None else np.asarray(value + t * along, value.dtype)
        for value, along in zip(values, direction, strict=True)
    ]


def _kind(node: Node) -> tuple[Any, ...]:
    return None if node.op is None else node.op.name, node.data.shape


def _all_values(nodes: Sequence[Node]) -> Array:
    return np.concatenate([np.asarray(node.data, np.float64).reshape(-1) for node in nodes])


def _shown(values: Array) -> str:
    if values.size == 1:
        return f"{float(values.reshape(())):.6g}"
    return np.array2string(values, precision=4, threshold=6, edgeitems=2, separator=", ")
