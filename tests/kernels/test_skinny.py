"""Products of few rows with a matrix too large for the caches, which is read in streams."""

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

ROWS = [1, 2, 5, 6, 7, 8, 9, 10, 11, 13, 16, 17, 24, 31, 32]
# Large enough in float32: blocks of whole and partial panels, sums of whole and partial blocks.
SIZES = [(1024, 512), (1031, 517), (517, 1031), (333, 2100), (65, 8100)]


@pytest.fixture
def threads():
    """``set_num_threads``, undone afterwards."""
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_linear_agrees_with_its_twin(rows, size, dtype, rng):
    x = rng.standard_normal((rows, size[0])).astype(dtype)
    W = rng.standard_normal(size).astype(dtype)
    for bias in (None, rng.standard_normal(size[1]).astype(dtype)):
        arguments = {"a": x, "b": W, "bias": bias}
        expected = (reference.linear(x, W, bias),)
        y = k.linear(x, W, bias, np.full(expected[0].shape, np.nan, dtype))
        assert_agrees((y,), expected, matmul_magnitudes(arguments, expected))
        np.testing.assert_array_equal(k.matmul(x, W, bias), y)


@pytest.mark.parametrize("rows", [1, 8, 19])
def test_no_layout_changes_bits(rows, dtype, rng):
    x = rng.standard_normal((rows, 1031)).astype(dtype)
    W = rng.standard_normal((1031, 531)).astype(dtype)
    plain = k.matmul(x, W)
    for (x_name, one), (W_name, other) in product(views(x), views(W)):
        for kernel in (k.matmul, k.linear):
            np.testing.assert_array_equal(
                kernel(one, other), plain, err_msg=f"{kernel.__name__}: {x_name} @ {W_name}"
            )


@pytest.mark.parametrize("rows", [1, 8, 19])
def test_any_number_of_threads_gives_the_same_bits(rows, dtype, rng, threads):
    x = rng.standard_normal((rows, 260)).astype(dtype)
    W = rng.standard_normal((260, 4500)).astype(dtype)
    found = []
    for number in (1, 2, 3, 8):
        threads(number)
        found.append(k.linear(x, W).tobytes())
    assert len(set(found)) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_values_spread_to_their_row_and_column_only(value, dtype, rng):
    x = rng.standard_normal((9, 1031)).astype(dtype)
    W = rng.standard_normal((1031, 517)).astype(dtype)
    x[3, 1030], W[17, 516] = value, value
    found = np.isfinite(k.linear(x, W))
    assert not found[3].any()
    assert not found[:, 516].any()
    assert np.delete(found, 3, axis=0)[:, :516].all()


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_linear_backward_agrees_with_its_twin(rows, size, dtype, rng):
    x = rng.standard_normal((rows, size[0])).astype(dtype)
    W = rng.standard_normal(size).astype(dtype)
    dout = rng.standard_normal((rows, size[1])).astype(dtype)
    arguments = {"dout": dout, "x": x, "W": W}
    expected = reference.linear_backward(dout, x, W)
    outputs = [np.full(each.shape, np.nan, dtype) for each in expected]
    found = k.linear_backward(dout, x, W, *outputs)
    assert_agrees(found, expected, linear_backward_magnitudes(arguments, expected))
    for wanted in product([None, False], repeat=3):
        some = k.linear_backward(dout, x, W, *wanted)
        for flag, result, full in zip(wanted, some, found, strict=True):
            if flag is False:
                assert result is None
            else:
                np.testing.assert_array_equal(result, full)


@pytest.mark.parametrize("rows", [1, 8, 19])
def test_no_layout_changes_bits_of_the_backward(rows, dtype, rng):
    x = rng.standard_normal((rows, 531)).astype(dtype)
    W = rng.standard_normal((531, 1031)).astype(dtype)
    dout = rng.standard_normal((rows, 1031)).astype(dtype)
    plain = k.linear_backward(dout, x, W)
    for each in product(views(dout), views(x), views(W)):
        found = k.linear_backward(*(array for _, array in each))
        for one, two in zip(found, plain, strict=True):
            np.testing.assert_array_equal(one, two, err_msg=str([name for name, _ in each]))


@pytest.mark.parametrize("rows", [1, 8, 19])
def test_any_number_of_threads_gives_the_same_gradients(rows, dtype, rng, threads):
    x = rng.standard_normal((rows, 1031)).astype(dtype)
    W = rng.standard_normal((1031, 530)).astype(dtype)
    dout = rng.standard_normal((rows, 530)).astype(dtype)
    found = []
    for number in (1, 2, 3, 8):
        threads(number)
        found.append(tuple(each.tobytes() for each in k.linear_backward(dout, x, W)))
    assert len(set(found)) == 1
