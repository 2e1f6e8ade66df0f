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

from fastnn import ops
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


# --- what changed in place ------------------------------------------------------------

CHANGED = "changed in place after the op had used it"


def raises_after(op: Op, args: list[Any], needing: int, changed: int) -> bool:
    """Whether backward() complains when a value was overwritten after the op had run."""
    tensors = [
        Tensor(value, requires_grad=position == needing) if is_array_of_floats(value) else value
        for position, value in enumerate(args)
    ]
    y = op(*tensors)
    overwritten = y if changed == RESULT else tensors[changed]
    overwritten.data = overwritten.data  # which is what `t.data -= step` ends with
    try:
        y.backward(np.ones(y.shape))
    except RuntimeError as error:
        what = "its result" if changed == RESULT else f"its argument {changed}"
        return f"the derivative of {op.name} needs {what}, " in str(error) and CHANGED in str(error)
    return False


def test_a_value_that_is_read_may_not_change_and_another_may() -> None:
    seen: set[tuple[str, int]] = set()
    for cases in ROWS.values():
        for case in cases:
            for call in calls_of(case):
                for position in call.positions():
                    # An op of many arguments is much the same for each of them.
                    if (call.op.name, position) in seen or position > 5:
                        continue
                    seen.add((call.op.name, position))
                    for other in range(RESULT, len(call.args)):
                        if other == RESULT or is_array_of_floats(call.args[other]):
                            expected = call.op.reads(position, other)
                            found = raises_after(call.op, call.args, position, other)
                            assert found == expected, (call.op, position, other)


A, B = np.array([[2.0, 3.0], [5.0, 7.0]]), np.array([[1.5, -2.0], [0.5, 4.0]])
UNREAD: list[tuple[Op, list[Any], set[int]]] = [
    (ops.add, [A, B], {RESULT, 0, 1}),
    (ops.subtract, [A, B], {RESULT, 0, 1}),
    (ops.multiply, [A, B], {RESULT, 0}),  # the derivative by a reads b alone
    (ops.divide, [A, B], {RESULT, 0}),
    (ops.matmul, [A, B], {RESULT, 0}),
    (ops.UFUNCS[np.exp], [A], {0}),
    (ops.UFUNCS[np.log], [A], {RESULT}),
    (ops.UFUNCS[np.tanh], [A], {0}),
    (ops.sum, [A, 0, False], {RESULT, 0}),
    (ops.mean, [A, None, False], {RESULT, 0}),
    (ops.max, [A, 0, False], set()),
    (ops.cumsum, [A, 0], {RESULT, 0}),
    (ops.reshape, [A, 4], {RESULT, 0}),
    (ops.transpose, [A, None], {RESULT, 0}),
    (ops.broadcast_to, [A, (3, 2, 2)], {RESULT, 0}),
    (ops.getitem, [A, [0, 0]], {RESULT, 0}),
    (ops.getitem, [A, 1], {RESULT, 0}),
    (ops.setitem, [A, 1, B[0]], {RESULT, 0, 2}),
    (ops.relu, [A], {0}),
    (ops.sigmoid, [A], {0}),
    (ops.softmax, [A], {0}),
    (ops.mse_loss, [A, B, None], {RESULT, 0, 1}),  # the forward pass has saved the gradient
    (ops.linear, [A, B, B[0]], {RESULT, 0, 2}),
]


@pytest.mark.parametrize(("op", "args", "unread"), UNREAD, ids=str)
def test_what_well_known_derivatives_read(op: Op, args: list[Any], unread: set[int]) -> None:
    """By hand, of the derivative by the first argument."""
    for changed in range(RESULT, len(args)):
        if changed == RESULT or is_array_of_floats(args[changed]):
            assert raises_after(op, args, 0, changed) == (changed not in unread)


def test_views_change_with_what_they_view() -> None:
    x = Tensor(A)
    w = Tensor(B, requires_grad=True)
    for view in (x[0], x.T, x.reshape(4), x[::-1], x.detach(), np.squeeze(x[None]), x[None, 0]):
        y = np.sum(np.square(w[0, 0] * view))
        x.data -= 1
        with pytest.raises(RuntimeError, match=CHANGED):
            y.backward()
        y = np.sum(np.square(w[0, 0] * x))
        view.data -= 1
        with pytest.raises(RuntimeError, match=CHANGED):
            y.backward()
    copied = x.copy()
    y = np.sum(w * copied)
    x.data -= 1
    y.backward()


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
