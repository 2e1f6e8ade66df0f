"""Convolution: any geometry, every path through the kernel, known values."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.conv_cases import conv2d_backward_magnitudes, conv2d_magnitudes
from kernels.harness import assert_agrees

import fastnn
from fastnn import _kernels as k
from fastnn import functional as F
from fastnn._kernels import reference
from fastnn.runtime import get_num_threads, set_num_threads


def check(arguments):
    """Forward and backward agree with their twins; what is not written shows as NaN."""
    expected = (reference.conv2d(**arguments),)
    out = np.full_like(expected[0], np.nan)
    assert_agrees(
        (k.conv2d(**arguments, out=out),), expected, conv2d_magnitudes(arguments, expected)
    )
    rng = np.random.default_rng(1)
    given = {"dout": rng.standard_normal(out.shape).astype(out.dtype), **arguments}
    del given["b"]
    expected = reference.conv2d_backward(**given)
    outs = {
        name: np.full_like(e, np.nan) for name, e in zip(("dx", "dW", "db"), expected, strict=True)
    }
    results = k.conv2d_backward(**given, **outs)
    assert_agrees(results, expected, conv2d_backward_magnitudes(given, expected))


@st.composite
def geometries(draw):
    """Images from 1 x 1 to 9 x 9, of any stride, padding, dilation and groups that fit."""
    sizes = st.integers(1, 9)
    few = st.integers(1, 4)
    geometry = {"groups": draw(st.integers(1, 3))}
    shape = []
    for axis in "hw":
        size, taps = draw(sizes), draw(few)
        geometry[f"stride_{axis}"] = draw(few)
        dilation = geometry[f"dilation_{axis}"] = draw(st.integers(1, 3))
        short = max(0, dilation * (taps - 1) + 1 - size)
        geometry[f"padding_{axis}"] = draw(st.integers((short + 1) // 2, (short + 1) // 2 + 3))
        shape.append((size, taps))
    (H, KH), (W, KW) = shape
    depth, filters = draw(few), draw(st.integers(1, 9)) * geometry["groups"]
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    x = rng.standard_normal((draw(st.integers(0, 3)), depth * geometry["groups"], H, W))
    return {
        "x": x.astype(dtype),
        "W": rng.standard_normal((filters, depth, KH, KW)).astype(dtype),
        "b": rng.standard_normal(filters).astype(dtype),
        **geometry,
    }


@given(geometries())
def test_any_geometry(arguments):
    check(arguments)


# Channels, size, filters, taps and geometry that take each path: rows read in place and panels,
# one block of k and several, sums of weights by taps, by squares of them and by places, blocks of
# rows, tiles of minimal filtering, in one image and across them.
PATHS = {
    "one channel": (3, 1, (28, 28), 8, (5, 5), {"padding_h": 2, "padding_w": 2}),
    "whole vectors": (2, 8, (16, 32), 16, (3, 3), {"padding_h": 1, "padding_w": 1}),
    "panels": (2, 24, (13, 13), 40, (3, 3), {"padding_h": 1, "padding_w": 1}),
    "panels, deep": (1, 130, (13, 9), 67, (3, 3), {"padding_h": 1}),
    "rows of one": (1, 40, (40, 3), 48, (2, 3), {"dilation_h": 3}),
    "stride": (2, 3, (45, 47), 35, (11, 11), {"stride_h": 4, "stride_w": 4, "padding_h": 2}),
    "stride, panels": (2, 16, (29, 27), 64, (3, 3), {"stride_h": 2, "stride_w": 2}),
    "stride, rows": (1, 6, (31, 17), 33, (3, 3), {"stride_h": 2, "padding_w": 1}),
    "one tap": (2, 70, (14, 14), 50, (1, 1), {}),
    "one tap, stride": (2, 20, (15, 15), 34, (1, 1), {"stride_h": 2, "stride_w": 2}),
    "groups": (2, 64, (13, 13), 96, (3, 3), {"groups": 2, "padding_h": 1, "padding_w": 1}),
    "each channel alone": (2, 20, (12, 12), 40, (3, 3), {"groups": 20}),
    "wide": (1, 3, (3, 700), 34, (2, 3), {}),
    "tall": (1, 5, (600, 4), 20, (3, 2), {}),
    "tiles": (3, 24, (16, 16), 40, (3, 3), {"padding_h": 1, "padding_w": 1}),
    "tiles, deep": (4, 210, (13, 13), 20, (3, 3), {"padding_h": 1, "padding_w": 1}),
    "tiles, wide": (2, 16, (11, 45), 19, (3, 3), {"padding_h": 2}),
    "tiles, groups": (5, 32, (27, 27), 72, (3, 3), {"groups": 2, "padding_w": 1}),
    "tiles, many images": (60, 8, (14, 17), 9, (3, 3), {}),
    "tiles, 5x5": (3, 24, (16, 16), 40, (5, 5), {"padding_h": 2, "padding_w": 2}),
    "tiles, 5x5, deep": (3, 200, (11, 14), 20, (5, 5), {"padding_h": 2, "padding_w": 2}),
    "tiles, 5x5, groups": (4, 32, (27, 27), 72, (5, 5), {"groups": 2, "padding_w": 3}),
    "tiles, 5x5, many images": (40, 16, (16, 18), 17, (5, 5), {"padding_h": 1}),
    "many images": (70, 2, (6, 7), 9, (3, 3), {}),
    "squares": (5, 7, (14, 14), 16, (5, 5), {"padding_h": 2, "padding_w": 2}),
    "squares, blocks of rows": (2, 3, (40, 21), 15, (5, 5), {"padding_h": 3}),
    "squares, half a vector": (9, 5, (12, 12), 8, (3, 3), {"padding_w": 1}),
    "squares, groups": (3, 6, (15, 17), 45, (5, 5), {"groups": 3, "padding_w": 2}),
    "places, blocks of channels": (5, 90, (9, 9), 5, (5, 5), {"padding_h": 2, "padding_w": 2}),
    "places, rows too long for masks": (2, 3, (7, 64), 6, (3, 3), {"padding_w": 1}),
    "places, much padding": (2, 2, (5, 6), 7, (3, 9), {"padding_h": 4, "padding_w": 4}),
    "large": (1, 16, (150, 60), 8, (3, 3), {}),
}  # fmt: skip


def made(path, dtype, rng):
    N, C, size, filters, taps, geometry = PATHS[path]
    depth = C // geometry.get("groups", 1)
    return {
        "x": rng.standard_normal((N, C, *size)).astype(dtype),
        "W": rng.standard_normal((filters, depth, *taps)).astype(dtype),
        "b": rng.standard_normal(filters).astype(dtype),
        **geometry,
    }


@pytest.mark.parametrize("path", PATHS)
def test_every_path(path, dtype, rng):
    check(made(path, dtype, rng))


@pytest.mark.parametrize("path", PATHS)
def test_any_number_of_threads_gives_the_same_bits(path, dtype, rng):
    arguments = made(path, dtype, rng)
    before = get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 7):
            set_num_threads(threads)
            y = k.conv2d(**arguments)
            given = {name: value for name, value in arguments.items() if name != "b"}
            results.append([y, *k.conv2d_backward(dout=y, **given)])
    finally:
        set_num_threads(before)
    for other in results[1:]:
        for alone, together in zip(results[0], other, strict=True):
            assert alone.tobytes() == together.tobytes()


@pytest.mark.parametrize("path", PATHS)
def test_each_gradient_is_the_same_without_the_others(path, rng):
    arguments = made(path, np.dtype("float32"), rng)
    del arguments["b"]
    arguments["dout"] = k.conv2d(**arguments)
    results = k.conv2d_backward(**arguments)
    for wanted in product([None, False], repeat=3):
        some = dict(zip(("dx", "dW", "db"), wanted, strict=True))
        for flag, result, full in zip(
            wanted, k.conv2d_backward(**arguments, **some), results, strict=True
        ):
            if flag is False:
                assert result is None
            else:
                np.testing.assert_array_equal(result, full)


@pytest.mark.parametrize("path", PATHS)
def test_a_convolution_and_its_gradients_are_one_trilinear_form(path, rng):
    """sum(dout conv(x, W)) = sum(x dx) = sum(W dW): no twin is needed to see it."""
    arguments = made(path, np.dtype("float64"), rng)
    del arguments["b"]
    y = k.conv2d(**arguments)
    dout = rng.standard_normal(y.shape)
    dx, dW, _ = k.conv2d_backward(dout=dout, **arguments)
    value = (dout * y).sum()
    size = 1e-13 * np.abs(dout * y).sum()
    assert abs((arguments["x"] * dx).sum() - value) < size
    assert abs((arguments["W"] * dW).sum() - value) < size


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_where_it_is_seen(path, value, dtype, rng):
    """Vectors are wider than rows: what lies in their idle lanes must not count."""
    arguments = made(path, dtype, rng)
    x = arguments["x"]
    x[-1, -1, x.shape[2] // 2, x.shape[3] // 2] = value
    seen = {**arguments, "x": (~np.isfinite(x)).astype(dtype), "b": None}
    seen["W"] = np.ones_like(arguments["W"])
    touched = reference.conv2d(**seen) > 0
    y = k.conv2d(**arguments)
    np.testing.assert_array_equal(~np.isfinite(y), touched)
    given = {name: part for name, part in arguments.items() if name != "b"}
    dout = np.ones_like(y)
    _, dW, _ = k.conv2d_backward(dout=dout, **given)
    with np.errstate(invalid="ignore"):
        _, expected, _ = reference.conv2d_backward(dout=dout, **given)
    np.testing.assert_array_equal(np.isfinite(dW), np.isfinite(expected))


def test_known_values():
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    W = np.array([[[[1.0, 2], [3, 4]]]])
    y = F.conv2d(x, W, [100.0])
    # 0*1 + 1*2 + 4*3 + 5*4 = 34, and 10 more for each step to the right, 40 for one down
    np.testing.assert_array_equal(y[0, 0], 134 + 10 * np.arange(3) + 40 * np.arange(3)[:, None])
    # all but the middle window see zeros: the first row is 4 * 0, 3 * 1 + 4 * 2, 3 * 3
    y = F.conv2d(x, W, stride=2, padding=1)
    np.testing.assert_array_equal(y[0, 0], [[0, 11, 9], [40, 84, 40], [24, 41, 15]])


def test_a_filter_of_one_tap_moves_the_image():
    x = np.arange(30.0).reshape(1, 1, 5, 6)
    W = np.zeros((1, 1, 3, 3))
    W[0, 0, 0, 2] = 1
    moved = np.zeros((5, 6))
    moved[1:, :-1] = x[0, 0, :-1, 1:]
    np.testing.assert_array_equal(F.conv2d(x, W, padding=1)[0, 0], moved)


def test_products_of_small_integers_are_exact(dtype, rng):
    """No rounding, so no tolerance: every term is counted exactly once."""
    x = rng.integers(-4, 5, (3, 6, 15, 17)).astype(dtype)
    W = rng.integers(-4, 5, (10, 3, 3, 4)).astype(dtype)
    options = {"stride_h": 2, "padding_h": 1, "padding_w": 2, "groups": 2}
    y = k.conv2d(x, W, **options)
    np.testing.assert_array_equal(y, reference.conv2d(x, W, **options))
    dout = rng.integers(-4, 5, y.shape).astype(dtype)
    for result, wanted in zip(
        k.conv2d_backward(dout, x, W, **options),
        reference.conv2d_backward(dout, x, W, **options),
        strict=True,
    ):
        np.testing.assert_array_equal(result, wanted)


def test_an_empty_batch(dtype):
    x, W = np.zeros((0, 3, 8, 8), dtype), np.ones((4, 3, 3, 3), dtype)
    y = F.conv2d(x, W, np.ones(4, dtype))
    assert y.shape == (0, 4, 6, 6)
    dx, dW, db = F.conv2d_backward(y, x, W)
    assert dx.shape == x.shape
    np.testing.assert_array_equal(dW, np.zeros_like(W))
    np.testing.assert_array_equal(db, np.zeros(4, dtype))


@pytest.mark.parametrize("taps", [3, 5, 7])
def test_a_convolution_stores_no_matrix_of_patches(taps, rng):
    """What it works with is less than its images: patches would be taps² times those."""
    x = rng.standard_normal((64, 8, 48, 48)).astype(np.float32)
    W = rng.standard_normal((8, 8, taps, taps)).astype(np.float32)
    pad = taps // 2
    before = get_num_threads()
    set_num_threads(2)
    try:
        made = fastnn.capture(
            lambda x, W: F.conv2d_backward(F.conv2d(x, W, padding=pad), x, W, padding=pad)
        )
        results = made(x, W)
        working = made.recordings[-1].tape.working_bytes
    finally:
        set_num_threads(before)
    assert results[1].shape == W.shape
    assert 0 < working < x.nbytes
