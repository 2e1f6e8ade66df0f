"""What derivatives read is what their parameters say: only that may not change in place."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from ops import harness
from ops.cases.table import ROWS, label
from ops.harness import Case

from fastnn.backward import every_gradient
from fastnn.node import Node, nodes_of
from fastnn.ops.op import RESULT, Op
from fastnn.tensor import Tensor

FLOATS = (np.float32, np.float64)


@dataclass
class Call:
    """One op in a graph: its arguments' values, and the gradient that reached its result."""

    op: Op
    node: Node
    args: list[Any]
    g: np.ndarray

    @property
    def y(self) -> Any:
        return self.node.data if self.op.saving is None else self.node.saved

    def gradient(self, position: int, y: Any, args: list[Any]) -> Any:
        if self.op.rules:
            return self.op.rule(position)(self.g, y, *args)
        needs = [i == position for i in range(len(args))]
        return self.op.joint(self.g, y, needs, *args)[position]

    def positions(self) -> list[int]:
        return [position for position, _ in self.node.parents()]


def calls_of(case: Case, dtype: str = "float64") -> Iterator[Call]:
    """Every op in the graphs of the case."""
    leaves = harness.leaves_of(case, dtype)
    result = harness.total(case.run(leaves), harness.weights(case, case.variables))
    if not isinstance(result, Tensor) or not result.requires_grad:
        return
    gradients = every_gradient(result._node, np.ones(result.shape, result.dtype))
    for node in nodes_of(result._node):
        if node.op is not None and node in gradients:
            args = [a.data if isinstance(a, Node) else a for a in node.arguments()]
            yield Call(node.op, node, args, gradients[node])


def spoiled(value: Any) -> Any:
    return np.full_like(value, np.nan)


def is_array_of_floats(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype in FLOATS


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_what_is_not_read_does_not_matter(row: Any) -> None:
    for case in ROWS[row]:
        for call in calls_of(case):
            for position in call.positions():
                y = call.y
                if not call.op.reads(position, RESULT) and is_array_of_floats(y):
                    y = y if call.op.saving is not None else spoiled(y)
                args = [
                    spoiled(value)
                    if is_array_of_floats(value) and not call.op.reads(position, other)
                    else value
                    for other, value in enumerate(call.args)
                ]
                expected = call.gradient(position, call.y, call.args)
                found = call.gradient(position, y, args)
                assert np.array_equal(found, expected), (call.op, position)


def test_what_is_read_matters() -> None:
    """Nobody is told that a change was wrong which changes nothing."""
    told: set[tuple[str, int, int]] = set()
    matters: set[tuple[str, int, int]] = set()
    for cases in ROWS.values():
        for case in cases:
            for call in calls_of(case):
                for position in call.positions():
                    expected = call.gradient(position, call.y, call.args)
                    for other in range(RESULT, len(call.args)):
                        value = call.y if other == RESULT else call.args[other]
                        if not is_array_of_floats(value) or not call.op.reads(position, other):
                            continue
                        told.add((call.op.name, position, other))
                        if _depends(call, position, other, expected):
                            matters.add((call.op.name, position, other))
    assert sorted(told - matters) == []


def _depends(call: Call, position: int, other: int, expected: Any) -> bool:
    args = list(call.args)
    y = call.y
    if other == RESULT:
        y = spoiled(y)
    else:
        args[other] = spoiled(args[other])
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            found = call.gradient(position, y, args)
    except (np.linalg.LinAlgError, ValueError):  # it does look at the value
        return True
    return not np.array_equal(found, expected)


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_gradients_of_float32_are_made_in_float32(row: Any) -> None:
    """A constant of float64 in a rule would make every array of the way back one."""
    for case in ROWS[row]:
        for call in calls_of(case, "float32"):
            values = [each for each in call.args if isinstance(each, np.ndarray)]
            if all(each.dtype == np.float32 for each in values) and call.g.dtype == np.float32:
                for position in call.positions():
                    found = call.gradient(position, call.y, call.args)
                    assert found.dtype == np.float32, (call.op, position)
