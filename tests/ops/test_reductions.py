"""Reductions where differences say nothing: ties, zeros, nothing to reduce, NaN."""

from __future__ import annotations

import numpy as np
import pytest
from ops.harness import leaf

from fastnn.tensor import Tensor


@pytest.mark.parametrize("f", [np.max, np.amax, np.nanmax, lambda t, **o: -np.min(-t, **o)])
def test_a_full_max_splits_equally(f) -> None:
    x = Tensor([[3.0, 3.0, 1.0], [3.0, 0.0, 2.0]], requires_grad=True)
    f(x).backward()
    np.testing.assert_allclose(x.grad, np.array([[1, 1, 0], [1, 0, 0]]) / 3)
    x.grad = None
    f(x, axis=1).backward([1, 1])
    assert x.grad.tolist() == [[0.5, 0.5, 0], [1, 0, 0]]
    x.grad = None
    f(x, axis=(0, 1), keepdims=True).backward([[3]])
    np.testing.assert_allclose(x.grad, [[1, 1, 0], [1, 0, 0]])


def test_peak_to_peak_of_equals() -> None:
    x = leaf(2, 2)
    np.ptp(x).backward()
    assert x.grad.tolist() == [0, 0]


def test_means_of_integers_are_floats() -> None:
    for f, expected in ((np.mean, 1.5), (np.var, 0.25), (np.std, 0.5), (np.median, 1.5)):
        assert f(Tensor([1, 2])).item() == expected


def test_products_with_zeros() -> None:
    """The product of all the others, without a division."""
    for values, expected in (
        ([2, 0, 5], [0, 10, 0]),
        ([0, 0, 5], [0, 0, 0]),
        ([2, 3, 5], [15, 10, 6]),
        ([4], [1]),
        ([], []),
    ):
        x = leaf(*values)
        np.prod(x).backward()
        assert x.grad.tolist() == expected


def test_cumulative_products_with_zeros() -> None:
    x = leaf(2, 0, 3, 0, 5)
    np.cumprod(x).backward([1, 1, 1, 1, 1])
    # y = 2, 0, 0, 0, 0; by the first zero 2 + 2*3 + 2*3*0 + ..., by the second 2*0*3 = 0
    assert x.grad.tolist() == [1, 8, 0, 0, 0]


def test_where_nothing_varies_the_deviation_is_flat() -> None:
    x = leaf(3, 3, 3)
    np.std(x).backward()
    assert x.grad.tolist() == [0, 0, 0]


def test_of_too_few_numbers_there_is_no_variance() -> None:
    x = leaf(3)
    with np.errstate(invalid="ignore"), pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        y = np.var(x, ddof=1)
    assert np.isnan(y.data)


@pytest.mark.parametrize("f", [np.sum, np.mean, np.var, np.std, np.max, np.prod, np.median])
def test_nan_makes_nan(f) -> None:
    x = np.array([[1.0, np.nan], [2.0, 3.0]])
    assert np.array_equal(f(Tensor(x), axis=1).data, f(x, axis=1), equal_nan=True)


def test_functions_that_pass_over_nan_leave_its_gradient_zero() -> None:
    values = np.array([[1.0, np.nan, 3.0], [np.nan, 5.0, 5.0]])
    for f, expected in (
        (np.nansum, [[1, 0, 1], [0, 1, 1]]),
        (np.nanmean, [[0.5, 0, 0.5], [0, 0.5, 0.5]]),
        (np.nanmax, [[0, 0, 1], [0, 0.5, 0.5]]),
        (np.nanmin, [[1, 0, 0], [0, 0.5, 0.5]]),
        (np.nanprod, [[3, 0, 1], [0, 5, 5]]),
        (np.nanmedian, [[0.5, 0, 0.5], [0, 0.5, 0.5]]),
    ):
        x = Tensor(values, requires_grad=True)
        y = f(x, axis=1)
        assert np.array_equal(y.data, f(values, axis=1))
        y.sum().backward()
        np.testing.assert_allclose(x.grad, expected)


@pytest.mark.parametrize("f", [np.nanmax, np.nanmin, np.nanmean, np.nanmedian])
def test_of_nothing_but_nan_comes_nan(f) -> None:
    x = np.array([[np.nan, np.nan], [1.0, np.nan]])
    assert np.array_equal(f(Tensor(x), axis=1).data, [np.nan, 1], equal_nan=True)


def test_max_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="zero-size"):
        np.max(Tensor(np.zeros((0, 2))))
    assert np.max(Tensor(np.zeros((0, 2))), axis=1).shape == (0,)


def test_functions_of_the_order_follow_the_values() -> None:
    """Equal values keep their order, and with it their gradients."""
    x = leaf(2, 1, 2, 1)
    np.sort(x).backward([1, 2, 3, 4])
    assert x.grad.tolist() == [3, 1, 4, 2]
    x = leaf(3, np.nan, 1)
    y = np.sort(x, kind="stable")
    assert np.array_equal(y.data, [1, 3, np.nan], equal_nan=True)
    y.backward([1, 2, 3])
    assert x.grad.tolist() == [2, 3, 1]


def test_a_quantile_is_shared_by_its_neighbours() -> None:
    x = leaf(4, 1, 3, 2)
    np.quantile(x, 0.25).backward()  # 1.75 = 0.25 * 1 + 0.75 * 2
    np.testing.assert_allclose(x.grad, [0, 0.25, 0, 0.75])
    x.grad = None
    np.median(x).backward()
    np.testing.assert_allclose(x.grad, [0, 0, 0.5, 0.5])


def test_a_row_of_equals_correlates_with_itself() -> None:
    x = leaf(1, 2, 4)
    y = np.corrcoef(x, 2 * x + 1)
    np.testing.assert_allclose(y.data, 1)
    y.sum().backward()
    np.testing.assert_allclose(x.grad, 0, atol=1e-15)
