"""Matrix multiply around every tile edge, with views as operands."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from kernels.cases import linear_backward_magnitudes, matmul_magnitudes
from kernels.harness import assert_agrees

from fastnn import _kernels as k
from fastnn._kernels import reference
from fastnn.runtime import get_num_threads, set_num_threads

EDGES = sorted({*range(1, 41), 47, 48, 49, 53, 61, 63, 64, 65, 79, 80, 81, 97})
LARGE = [
    (129, 785, 257), (128, 784, 10), (10, 3, 1000), (1000, 5, 3), (1, 1000, 1),
    (211, 307, 97), (5, 4097, 33), (300, 1, 300), (64, 64, 32), (512, 100, 16),
    (33, 513, 513), (2, 2500, 700),
]  # fmt: skip


# Rows a power of two apart, whole and not.
LARGE += [(40, 1024, 256), (129, 1024, 300), (65, 2048, 512)]


def operands(rng, dtype, m, inner, n):
    a = rng.standard_normal((m, inner)).astype(dtype)
    b = rng.standard_normal((inner, n)).astype(dtype)
    return a, b


def check(a, b, bias=None, out=None):
    arguments = {"a": a, "b": b, "bias": bias}
    expected = (reference.matmul(a, b, bias),)
    result = k.matmul(a, b, bias, out)
    assert out is None or result is out
    assert_agrees((result,), expected, matmul_magnitudes(arguments, expected))


@pytest.mark.parametrize("inner", [1, 2, 7, 64])
def test_rows_and_columns_around_every_tile_edge(inner, dtype, rng):
    """All pairs of edges; the output starts as NaN, so an unwritten cell shows."""
    for m, n in product([*EDGES[::3], 1, 6, 8, 16, 32], EDGES):
        a, b = operands(rng, dtype, m, inner, n)
        check(a, b, out=np.full((m, n), np.nan, dtype))


def test_inner_sizes_around_every_unrolling(dtype, rng):
    for inner in EDGES:
        for m, n in ((8, 32), (9, 10), (3, 3), (17, 33)):
            check(*operands(rng, dtype, m, inner, n))


@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_sizes_beyond_one_block(shape, dtype, rng):
    a, b = operands(rng, dtype, *shape)
    bias = rng.standard_normal(shape[2]).astype(dtype)
    check(a, b)
    check(a, b, bias)


@pytest.mark.parametrize("rows", [31, 32, 33, 41, 63, 65, 97, 129, 137])
@pytest.mark.parametrize("columns", [64, 96, 250, 256, 300, 512])
def test_strips_of_every_height_over_several_blocks(rows, columns, dtype, rng):
    """Where a sum is divided, a row that two strips compute would be added twice."""
    a, b = operands(rng, dtype, rows, 1100, columns)
    check(a, b)
    check(np.ascontiguousarray(a.T).T, b)
    check(a, np.ascontiguousarray(b.T).T)


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)])
@pytest.mark.parametrize("with_bias", [False, True])
def test_empty_operands(shape, with_bias, dtype, rng):
    """A sum of no terms is zero, or the bias."""
    a, b = operands(rng, dtype, *shape)
    bias = np.ones(shape[2], dtype) if with_bias else None
    out = np.full((shape[0], shape[2]), np.nan, dtype)
    np.testing.assert_array_equal(k.matmul(a, b, bias, out), a @ b + with_bias)


SIZES_OF_VIEWS = [(3, 5, 4), (33, 40, 17), (64, 100, 10), (130, 70, 96)]


def views(matrix):
    """The same matrix behind every kind of strides."""
    rows, columns = matrix.shape
    wide = np.zeros((2 * rows, 3 * columns), matrix.dtype)
    wide[::2, ::3] = matrix
    yield "C", matrix
    yield "transposed", np.ascontiguousarray(matrix.T).T
    yield "strided", wide[::2, ::3]
    yield "strided transposed", np.ascontiguousarray(wide.T).T[::2, ::3]
    yield "reversed", matrix[::-1, ::-1].copy()[::-1, ::-1]
    yield "rows of a wider matrix", np.hstack([matrix, matrix])[:, :columns]
    yield "columns of a taller one", np.vstack([matrix, matrix]).T.copy().T[:rows]


@pytest.mark.parametrize("shape", SIZES_OF_VIEWS, ids=str)
def test_operands_and_output_may_be_any_view(shape, dtype, rng):
    a, b = operands(rng, dtype, *shape)
    plain = k.matmul(a, b)
    for (a_name, a_view), (b_name, b_view) in product(views(a), views(b)):
        np.testing.assert_array_equal(
            k.matmul(a_view, b_view), plain, err_msg=f"{a_name} @ {b_name}"
        )
    for name, out in views(np.full_like(plain, np.nan)):
        assert k.matmul(a, b, None, out) is out
        np.testing.assert_array_equal(out, plain, err_msg=f"out {name}")


def test_a_matrix_times_its_own_transpose(dtype, rng):
    """Inputs may share memory with each other."""
    a, _ = operands(rng, dtype, 37, 53, 1)
    check(a, a.T)
    check(a.T, a)


def test_broadcast_operand(dtype, rng):
    """A zero stride is a layout as any other for what is only read."""
    a, b = operands(rng, dtype, 20, 30, 40)
    row = np.broadcast_to(a[0], a.shape)
    column = np.broadcast_to(b[:, :1], b.shape)
    np.testing.assert_array_equal(k.matmul(row, column), k.matmul(row.copy(), column))
    check(row, column)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(3, 4, 5), (40, 50, 10), (70, 80, 90)], ids=str)
def test_not_finite_values_spread_to_their_row_and_column_only(
    value, shape, dtype, rng
):
    a, b = operands(rng, dtype, *shape)
    a[1, 2] = value
    touched = np.isfinite(k.matmul(a, b))
    assert not touched[1].any()
    assert np.delete(touched, 1, axis=0).all()
    np.testing.assert_array_equal(k.matmul(a, b)[1], value * b[2])
    a[1, 2], b[2, 3] = 0, value
    assert np.isnan(k.matmul(a, b)[1, 3])


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 3, 2), (33, 65, 10), (128, 96, 64)])
def test_linear_backward_gives_what_is_wanted(shape, dtype, rng):
    """Each gradient is the same whether or not the others are computed."""
    n, d, c = shape
    x, W = operands(rng, dtype, n, d, c)
    dout = rng.standard_normal((n, c)).astype(dtype)
    arguments = {"dout": dout, "x": x, "W": W}
    results = k.linear_backward(dout, x, W)
    expected = reference.linear_backward(dout, x, W)
    assert_agrees(results, expected, linear_backward_magnitudes(arguments, expected))
    for wanted in product([None, False], repeat=3):
        some = k.linear_backward(dout, x, W, *wanted)
        for flag, result, full in zip(wanted, some, results, strict=True):
            if flag is False:
                assert result is None
            else:
                np.testing.assert_array_equal(result, full)


def test_long_sums_keep_their_digits(rng):
    """float32 sums of 100 000 equal terms: blocked sums stay near, naive ones drift."""
    a = np.full((4, 100_000), 0.1, np.float32)
    result = k.matmul(a, a.T)
    np.testing.assert_allclose(result, 100_000 * np.float64(a[0, 0]) ** 2, rtol=1e-4)


FEW = [1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17]


def check_linear(x, W, bias):
    """The kernel agrees with its twin, whatever the memory of x and W looks like."""
    arguments = {"a": x, "b": W, "bias": bias}
    expected = (reference.linear(x, W, bias),)
    y = k.linear(x, W, bias, np.full(expected[0].shape, np.nan, x.dtype))
    assert_agrees((y,), expected, matmul_magnitudes(arguments, expected))
    np.testing.assert_array_equal(k.linear(np.asfortranarray(x), W, bias), y)
    np.testing.assert_array_equal(k.linear(x, np.asfortranarray(W), bias), y)


@pytest.mark.parametrize("inner", [31, 32, 63, 64, 65, 79, 80, 511, 1024, 1025, 2100])
def test_a_layer_with_few_outputs(inner, dtype, rng):
    """Dot products: whole and partial vectors, several blocks of k, rows left over."""
    for m, n in product((7, 8, 9, 33), FEW):
        x, W = operands(rng, dtype, m, inner, n)
        check_linear(x, W, None)
        check_linear(x, W, rng.standard_normal(n).astype(dtype))


@pytest.mark.parametrize("n", [3, 10, 16])
def test_few_outputs_on_several_threads(n, dtype, rng):
    """Large enough to be shared: the columns of W are packed in a phase of their own."""
    x, W = operands(rng, dtype, 4001, 300, n)
    bias = rng.standard_normal(n).astype(dtype)
    before = get_num_threads()
    try:
        set_num_threads(1)
        alone = k.linear(x, W, bias), k.matmul(x, W), k.matmul(W.T, x.T)
        set_num_threads(2)
        together = k.linear(x, W, bias), k.matmul(x, W), k.matmul(W.T, x.T)
    finally:
        set_num_threads(before)
    for one, two in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, two)
    check_linear(x, W, bias)
