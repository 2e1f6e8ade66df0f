"""Convolutions by Winograd's minimal filtering: how exact, and what it must not spread."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels.test_conv import check
from numpy.lib.stride_tricks import sliding_window_view

from fastnn import _kernels as k
from fastnn._kernels import reference


@pytest.fixture(params=[3, 5], ids=["3x3", "5x5"])
def taps(request):
    return request.param


def same(taps):
    """The padding that keeps an image's size."""
    return {"padding_h": taps // 2, "padding_w": taps // 2}


def images(rng, taps, shape=(4, 16, 13, 13), filters=24):
    """Images with values as behind a ReLU, filters as He's."""
    x = np.maximum(rng.standard_normal(shape), 0).astype(np.float32)
    W = rng.standard_normal((filters, shape[1], taps, taps)) * np.sqrt(2 / (taps**2 * shape[1]))
    return x, W.astype(np.float32)


def summed_one_by_one(x, W):
    """The convolution in float32, one product after the other."""
    around = W.shape[2] // 2
    x = np.pad(x, ((0, 0), (0, 0), (around, around), (around, around)))
    windows = sliding_window_view(x, W.shape[2:], axis=(2, 3))
    y = np.zeros((len(x), len(W), *windows.shape[2:4]), np.float32)
    for c, i, j in np.ndindex(W.shape[1:]):
        y += W[:, c, i, j, None, None] * windows[:, c, None, :, :, i, j]
    return y


def rms(errors):
    return np.sqrt(np.mean(np.square(errors, dtype=np.float64)))


@pytest.mark.parametrize("channels", [16, 64, 200])
def test_rounding_errors_are_a_few_times_those_of_a_sum_of_products(channels, taps, rng):
    x, W = images(rng, taps, (4, channels, 13, 13))
    exact = reference.conv2d(x.astype(float), W.astype(float), **same(taps))
    error = rms(k.conv2d(x, W, **same(taps)) - exact)
    assert error < 3.5 * rms(summed_one_by_one(x, W) - exact)
    assert error < 2e-6 * rms(exact)


def test_rounding_errors_of_gradients(taps, rng):
    x, W = images(rng, taps, (8, 32, 16, 16), 48)
    dout = rng.standard_normal((8, 48, 16, 16)).astype(np.float32)
    results = k.conv2d_backward(dout, x, W, **same(taps))
    exact = reference.conv2d_backward(*(a.astype(float) for a in (dout, x, W)), **same(taps))
    for result, expected in zip(results, exact, strict=True):
        assert rms(result - expected) < 2e-6 * rms(expected)


@pytest.mark.parametrize("row", range(6))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_seen_where_a_filter_meets_it(row, value, taps, rng):
    x, W = images(rng, taps)
    around = taps // 2
    before = k.conv2d(x, W, **same(taps))
    for column in (0, 3, 4, 5, 12):
        spoiled = x.copy()
        spoiled[1, 5, row, column] = value
        y = k.conv2d(spoiled, W, **same(taps))
        rows, columns = (slice(max(i - around, 0), i + around + 1) for i in (row, column))
        touched = np.zeros(y.shape, bool)
        touched[1, :, rows, columns] = True
        np.testing.assert_array_equal(np.isfinite(y), ~touched)
        np.testing.assert_allclose(y[~touched], before[~touched], rtol=0, atol=1e-5)
        with np.errstate(invalid="ignore"):
            expected = reference.conv2d(spoiled, W, **same(taps))
        np.testing.assert_array_equal(y[touched], expected[touched])


def test_of_the_gradients_too(taps, rng):
    x, W = images(rng, taps)
    dout = rng.standard_normal((4, 24, 13, 13)).astype(np.float32)
    dx, dW, _ = k.conv2d_backward(dout, x, W, **same(taps))
    dout[2, 7, 0, 12] = np.inf
    x[3, 4, 12, 0] = np.nan
    with np.errstate(invalid="ignore"):
        expected = reference.conv2d_backward(dout, x, W, **same(taps))
    results = k.conv2d_backward(dout, x, W, **same(taps))
    for result, twin, before in zip(results, expected, (dx, dW, None), strict=True):
        np.testing.assert_array_equal(np.isfinite(result), np.isfinite(twin))
        np.testing.assert_array_equal(np.isnan(result), np.isnan(twin))
        if before is not None:
            assert 0 < np.isfinite(result).sum() < result.size
            there = np.isfinite(result)
            np.testing.assert_allclose(
                result[there], twin[there], rtol=0, atol=1e-5 * np.abs(before).max()
            )


def test_what_overflows_on_the_way_only_is_summed_again(taps, rng):
    """Tiles hold up to some ten times the image's values, which the results need not."""
    x, W = images(rng, taps)
    x *= np.float32(3e38) / x.max()
    W *= np.float32(1e-3)
    y = k.conv2d(x, W, **same(taps))
    exact = reference.conv2d(x.astype(float), W.astype(float), **same(taps))
    np.testing.assert_allclose(y, exact, rtol=0, atol=1e-5 * np.abs(exact).max())


@pytest.mark.parametrize("groups", [1, 2])
def test_the_same_of_gradients(groups, taps, rng):
    x = rng.standard_normal((6, 16 * groups, 16, 30)).astype(np.float32)
    W = rng.standard_normal((24 * groups, 16, taps, taps)).astype(np.float32) * np.float32(1e-3)
    dout = rng.standard_normal((6, 24 * groups, 17 - taps, 35 - taps)).astype(np.float32)
    dout *= np.float32(3e38) / np.abs(dout).max()
    x *= np.float32(1e-3)
    geometry = {"padding_w": 2, "groups": groups}
    results = k.conv2d_backward(dout, x, W, **geometry)
    exact = reference.conv2d_backward(*(a.astype(float) for a in (dout, x, W)), **geometry)
    for result, expected in zip(results[:2], exact[:2], strict=True):
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@st.composite
def tiled(draw):
    """Sizes that are filtered so, in groups, with any padding that a filter sees beyond."""
    taps = draw(st.sampled_from([3, 5]))
    groups, channels, filters = (
        draw(st.integers(*some)) for some in ((1, 2), (3 * taps - 1, 40), (3 * taps - 1, 40))
    )
    images, H, W = (draw(st.integers(*some)) for some in ((3, 5), (11, 34), (15, 34)))
    geometry = {f"padding_{axis}": draw(st.integers(0, taps - 1)) for axis in "hw"}
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    x = rng.standard_normal((images, channels * groups, H, W)).astype(np.float32)
    W = rng.standard_normal((filters * groups, channels, taps, taps)).astype(np.float32)
    return {"x": x, "W": W, "b": W[:, 0, 0, 0].copy(), "groups": groups, **geometry}


@settings(max_examples=40)
@given(tiled())
def test_any_size(arguments):
    check(arguments)


def test_float64_keeps_its_digits(taps, rng):
    x, W = images(rng, taps)
    exact = reference.conv2d(x.astype(np.longdouble), W.astype(np.longdouble), **same(taps))
    y = k.conv2d(x.astype(float), W.astype(float), **same(taps))
    np.testing.assert_allclose(y, exact.astype(float), rtol=0, atol=1e-15 * W[0].size)
