"""Products of many rows with a matrix too large for the caches: the rows are packed before."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from kernels.cases import linear_backward_magnitudes, matmul_magnitudes
from kernels.harness import assert_agrees
from kernels.layouts import views

from fastnn import _kernels as k
from fastnn._kernels import reference
from fastnn.runtime import get_num_threads, set_num_threads

# Whole and partial tiles, packing tasks and blocks.
ROWS = [64, 65, 77, 96, 137, 300]
# Large enough in float32: blocks of whole and partial panels, sums of whole and partial blocks.
SIZES = [(1024, 512), (1031, 517), (517, 1031), (130, 4100)]


@pytest.fixture
def threads():
    """``set_num_threads``, undone afterwards."""
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def operands(rng, rows, size, dtype):
    """dout, x, W of a layer."""
    shapes = (rows, size[1]), (rows, size[0]), size
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_forward_and_backward_agree_with_their_twins(rows, size, dtype, rng):
    dout, x, W = operands(rng, rows, size, dtype)
    for bias in (None, dout[0]):
        expected = (reference.linear(x, W, bias),)
        magnitudes = matmul_magnitudes({"a": x, "b": W, "bias": bias}, expected)
        y = k.linear(x, W, bias, np.full(dout.shape, np.nan, dtype))
        assert_agrees((y,), expected, magnitudes)
        np.testing.assert_array_equal(k.matmul(x, W, bias), y)
    expected = reference.linear_backward(dout, x, W)
    magnitudes = linear_backward_magnitudes({"dout": dout, "x": x, "W": W}, expected)
    found = k.linear_backward(dout, x, W, *(np.full(a.shape, np.nan, dtype) for a in expected))
    assert_agrees(found, expected, magnitudes)
    dx, dW, _ = found
    np.testing.assert_array_equal(k.linear_backward(dout, x, W, None, False, False)[0], dx)
    np.testing.assert_array_equal(k.linear_backward(dout, x, W, False, None, None)[1], dW)


def test_no_layout_changes_bits(dtype, rng):
    dout, x, W = operands(rng, 77, (1031, 531), dtype)
    plain = k.linear(x, W), *k.linear_backward(dout, x, W)
    for each in product(views(dout), views(x), views(W)):
        other_dout, other_x, other_W = (array for _, array in each)
        found = k.linear(other_x, other_W), *k.linear_backward(other_dout, other_x, other_W)
        for one, two in zip(found, plain, strict=True):
            np.testing.assert_array_equal(one, two, err_msg=str([name for name, _ in each]))


@pytest.mark.parametrize("rows", [64, 137])
def test_any_number_of_threads_gives_the_same_bits(rows, dtype, rng, threads):
    dout, x, W = operands(rng, rows, (530, 1031), dtype)
    found = []
    for number in (1, 2, 3, 8):
        threads(number)
        results = k.linear(x, W), *k.linear_backward(dout, x, W)
        found.append(tuple(each.tobytes() for each in results))
    assert len(set(found)) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_values_spread_to_their_row_and_column_only(value, dtype, rng):
    _, x, W = operands(rng, 77, (1031, 517), dtype)
    x[76, 1030], W[17, 516] = value, value
    found = np.isfinite(k.linear(x, W))
    assert not found[76].any()
    assert not found[:, 516].any()
    assert found[:76, :516].all()
