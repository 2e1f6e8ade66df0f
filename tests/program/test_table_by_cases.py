"""The functions that the table's own tests have cases of, under capture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ops.cases.table import ROWS, label
from ops.harness import Case

import fastnn
from fastnn import CaptureError, Tensor
from fastnn.ops.op import FUNCTIONS

LAPACK = "NumPy calls LAPACK in functions that have no loop to call"
SORTS = "there is no sort in C; what it selects depends on values"
MASKS = "a mask selects a number of elements that depends on values"
WINDOWS = "windows that overlap are no primitive view"

CASES_ELSEWHERE = "test_table.py"
la = np.linalg
FUNCTIONS_HERE: tuple[Callable[..., Any], ...] = (
    np.bincount, np.unstack, np.block, np.meshgrid, np.insert, np.full_like, np.select,
    np.choose, np.piecewise, np.astype, la.svd, la.svdvals, la.pinv, la.lstsq,
    la.matrix_power, la.multi_dot, np.quantile, np.nanquantile, np.percentile,
    np.nanpercentile, np.nanmedian, np.cumulative_sum, np.cumulative_prod, np.trapezoid,
    np.gradient, np.interp, np.lib.stride_tricks.sliding_window_view, np.convolve,
    np.polyval, np.sinc, np.nansum, np.nanprod, np.nancumsum, np.nancumprod, np.nanmax,
    np.nanmin, np.nanmean, np.nanvar, np.nanstd, np.cov, np.corrcoef,
)  # fmt: skip
NOT_CAPTURED: dict[Callable[..., Any], str] = {
    np.piecewise: MASKS,
    la.svd: LAPACK,
    la.svdvals: LAPACK,
    la.pinv: LAPACK,
    la.lstsq: LAPACK,
    np.quantile: SORTS,
    np.nanquantile: SORTS,
    np.percentile: SORTS,
    np.nanpercentile: SORTS,
    np.nanmedian: SORTS,
    np.interp: "where a value falls is searched for in Python",
    np.lib.stride_tricks.sliding_window_view: WINDOWS,
    np.convolve: WINDOWS,
}
# Of these the values come out, but their derivative looks at values.
NO_BACKWARD = {
    np.cumulative_prod: "another formula is used where a zero is among the factors",
    np.nancumprod: "another formula is used where a zero is among the factors",
}
# Of powers of a matrix those below 1: an inverse, and a constant.
POWERS = {la.matrix_power}

ALL = [
    pytest.param(function, each, id=f"{label(function)}-{i}")
    for function in FUNCTIONS_HERE
    for i, each in enumerate(ROWS[function])
    if each.variables
]


def test_every_function_has_cases_here_or_there() -> None:
    from program.test_table import CASES

    assert set(FUNCTIONS_HERE) | set(CASES) == set(FUNCTIONS)
    assert not set(FUNCTIONS_HERE) & set(CASES)


def with_gradients(case: Case) -> Callable[..., Any]:
    """The results on Tensors, and the gradients of the sum of their squares."""

    def step(*args: Any) -> list[Any]:
        tensors = [Tensor(each, requires_grad=True) for each in args]
        found = [each for each in case.run(tensors) if isinstance(each, Tensor)]
        total = sum(np.sum(each * each) for each in found)
        total.backward()
        gradients = [each.grad for each in tensors if each.grad is not None]
        return [*(each.data for each in found), *gradients]

    return step


@pytest.mark.parametrize(("function", "case"), ALL)
def test_values_and_gradients(function: Any, case: Case) -> None:
    step = with_gradients(case)
    given = [each.copy() for each in case.variables]
    others = [1.01 * each for each in case.variables]
    powers = [each for each in case.args if isinstance(each, int)]
    is_no_product = function in POWERS and (not powers or powers[0] < 1)
    with np.errstate(all="ignore"):
        program = fastnn.capture(step)
        if function in NOT_CAPTURED or function in NO_BACKWARD or is_no_product:
            with pytest.raises(CaptureError):
                program(*given)
            return
        program(*given)
        found, expected = program(*others), step(*others)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
