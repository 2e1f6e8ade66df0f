"""Every row of the table: forward as NumPy's, backward as differences, and backward's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ops import harness
from ops.cases.table import ROWS, label, promised_rows, table
from ops.harness import Case

from fastnn.node import nodes_of
from fastnn.ops.op import Op
from fastnn.tensor import Tensor

every_row = pytest.mark.parametrize("row", ROWS, ids=label)


def cases_of(row: Any) -> Iterator[Case]:
    """The row's cases; the last one printed, which a failed test shows, is the one that failed."""
    for number, case in enumerate(ROWS[row]):
        print(number, case)
        yield case


def test_every_row_has_cases() -> None:
    promised = promised_rows()
    with_cases = {row for row, cases in ROWS.items() if cases}
    assert sorted(label(row) for row in promised - with_cases) == []
    unknown = {row for row in with_cases if not isinstance(row, Op)} - promised
    assert sorted(label(row) for row in unknown) == []


def test_every_op_is_run_by_a_case() -> None:
    run: set[Op | None] = set()
    for cases in ROWS.values():
        for case in cases:
            leaves = harness.leaves_of(case)
            result = harness.total(case.run(leaves), harness.weights(case, case.variables))
            if getattr(result, "requires_grad", False):
                result.backward(create_graph=True)
            for each in (result, *(leaf.grad for leaf in leaves)):
                if isinstance(each, Tensor):
                    run |= {node.op for node in nodes_of(each._node)}
            for leaf in leaves:
                leaf.grad = None
    assert sorted(op.name for op in table() - run) == []


@every_row
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_forward_is_numpys(row: Any, dtype: str) -> None:
    for case in cases_of(row):
        harness.check_forward(case, dtype)


@every_row
def test_backward_is_differences(row: Any) -> None:
    for case in cases_of(row):
        harness.check_backward(case)


@every_row
def test_backward_of_float32(row: Any) -> None:
    for case in cases_of(row):
        harness.check_backward_of_float32(case)


@every_row
def test_backward_of_backward(row: Any) -> None:
    for case in cases_of(row):
        if case.twice:
            harness.check_second_backward(case)


@every_row
def test_views_give_the_same(row: Any) -> None:
    for case in cases_of(row):
        harness.check_layouts(case)
