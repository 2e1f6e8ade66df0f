"""Products with a long inner dimension and few results: its parts are added up in order."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from kernels.cases import matmul_magnitudes
from kernels.harness import assert_agrees
from kernels.layouts import views

import fastnn as fn
from fastnn import _kernels as k
from fastnn._kernels import reference
from fastnn.runtime import get_num_threads, set_num_threads

# Rows, inner dimension, columns: the fewest, parts of unequal length, partial panels and strips.
SIZES = [(32, 2048, 64), (37, 2501, 65), (64, 4096, 128), (129, 9999, 130)]


@pytest.fixture
def threads():
    """``set_num_threads``, undone afterwards."""
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def operands(rng, size, dtype):
    """x, W and b of a layer."""
    rows, inner, columns = size
    shapes = (rows, inner), (inner, columns), (columns,)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_agrees_with_its_twin(size, dtype, rng):
    x, W, b = operands(rng, size, dtype)
    for bias in (None, b):
        expected = (reference.linear(x, W, bias),)
        y = np.full(expected[0].shape, np.nan, dtype)
        k.linear(x, W, bias, y)
        assert_agrees((y,), expected, matmul_magnitudes({"a": x, "b": W, "bias": bias}, expected))
        np.testing.assert_array_equal(k.matmul(x, W, bias), y)


def test_no_layout_changes_bits(dtype, rng):
    x, W, b = operands(rng, (37, 2501, 65), dtype)
    plain = k.linear(x, W, b)
    for (x_name, x_view), (W_name, W_view) in product(views(x), views(W)):
        found = k.linear(x_view, W_view, b)
        np.testing.assert_array_equal(found, plain, err_msg=f"{x_name}, {W_name}")


def test_any_number_of_threads_gives_the_same_bits(dtype, rng, threads):
    x, W, b = operands(rng, (77, 3001, 131), dtype)
    found = set()
    for number in (1, 2, 3, 8):
        threads(number)
        found.add(k.linear(x, W, b).tobytes())
    assert len(found) == 1


def test_what_follows_it_in_a_replay_sees_whole_sums(dtype, rng):
    x, W, b = operands(rng, (37, 2501, 65), dtype)
    layer = fn.Sequential(fn.Linear(2501, 65, dtype=dtype), fn.ReLU())
    layer[0].weight.data[...], layer[0].bias.data[...] = W, b
    with fn.no_grad():
        program = fn.capture(lambda x: layer(x))
        program(x)
        np.testing.assert_array_equal(program(x).data, np.maximum(k.linear(x, W, b), 0))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_values_spread_to_their_row_and_column_only(value, dtype, rng):
    x, W, _ = operands(rng, (37, 2501, 65), dtype)
    x[36, 2500], W[17, 64] = value, value
    found = np.isfinite(k.linear(x, W))
    assert not found[36].any()
    assert not found[:, 64].any()
    assert found[:36, :64].all()
