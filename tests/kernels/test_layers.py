"""Pooling, normalisation and dropout: any window, ties and NaN, statistics, known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn import _kernels as k
from fastnn import functional as F
from fastnn._kernels import reference, reference_random

NAN, INF = np.nan, np.inf


# --- pooling --------------------------------------------------------------------------


@st.composite
def pooled(draw):
    """Whole numbers, NaN and infinities under any window: ties are common."""
    window = []
    for _ in "hw":
        kernel = draw(st.integers(1, 4))
        window.append((kernel, draw(st.integers(1, 4)), draw(st.integers(0, kernel // 2))))
    sizes = [draw(st.integers(max(1, kernel - 2 * padding), 9)) for kernel, _, padding in window]
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    values = draw(st.sampled_from([[0, 1, 2], [NAN, 0, 1, 2], [-INF, INF, 0], [-INF, NAN]]))
    shape = (draw(st.integers(0, 2)), draw(st.integers(1, 3)), *sizes)
    x = rng.choice(np.array(values), shape).astype(draw(st.sampled_from(["f4", "f8"])))
    return x, tuple(part for parts in zip(*window, strict=True) for part in parts)


@given(pooled())
def test_any_window(data):
    x, window = data
    y = k.max_pool2d(x, *window)
    np.testing.assert_array_equal(y, reference.max_pool2d(x, *window))
    dout = np.random.default_rng(0).integers(-8, 9, y.shape).astype(x.dtype)
    np.testing.assert_array_equal(
        k.max_pool2d_backward(dout, x, *window),
        reference.max_pool2d_backward(dout, x, *window),
    )
    dx = k.avg_pool2d_backward(dout, *x.shape[2:], *window)
    expected = reference.avg_pool2d_backward(dout, *x.shape[2:], *window)
    np.testing.assert_allclose(dx, expected, rtol=1e-5, atol=1e-5)
    with np.errstate(invalid="ignore"):
        expected = reference.avg_pool2d(x, *window)
    np.testing.assert_allclose(k.avg_pool2d(x, *window), expected, rtol=1e-6)


def test_known_maxima_and_means(dtype):
    x = np.arange(25, dtype=dtype).reshape(1, 1, 5, 5)
    np.testing.assert_array_equal(F.max_pool2d(x, 3, 2)[0, 0], [[12, 14], [22, 24]])
    np.testing.assert_array_equal(F.avg_pool2d(x, 3, 2)[0, 0], [[6, 8], [16, 18]])
    np.testing.assert_array_equal(F.max_pool2d(x, 2)[0, 0], [[6, 8], [16, 18]])
    np.testing.assert_array_equal(F.avg_pool2d(x, 5)[0, 0], [[12]])
    # nine elements each, of which the corner's zeros are five
    padded = F.avg_pool2d(x, 3, 2, 1)
    np.testing.assert_allclose(padded[0, 0, 0, 0], (0 + 1 + 5 + 6) / 9, rtol=1e-6)


@pytest.mark.parametrize("width", [1, 2, 5, 16, 17, 40])
def test_a_tie_goes_to_the_first_and_nan_goes_through(width, dtype):
    x = np.ones((1, 1, 2, 2 * width), dtype)
    dout = np.arange(1, width + 1, dtype=dtype).reshape(1, 1, 1, width)
    expected = np.zeros_like(x)
    expected[0, 0, 0, ::2] = dout
    np.testing.assert_array_equal(F.max_pool2d_backward(dout, x, 2), expected)
    x[0, 0, 1, 1::2] = NAN
    assert np.isnan(F.max_pool2d(x, 2)).all()
    expected = np.zeros_like(x)
    expected[0, 0, 1, 1::2] = dout
    np.testing.assert_array_equal(F.max_pool2d_backward(dout, x, 2), expected)


def test_a_window_of_nothing_but_minus_infinity(dtype):
    """Its first element within the image gets the gradient, never the padding."""
    x = np.full((1, 1, 4, 4), -INF, dtype)
    y = F.max_pool2d(x, 3, 2, 1)
    np.testing.assert_array_equal(y, np.full((1, 1, 2, 2), -INF))
    dx = F.max_pool2d_backward(np.array([[[[1, 2], [3, 4]]]], dtype), x, 3, 2, 1)
    expected = np.zeros((4, 4))
    expected[[0, 0, 1, 1], [0, 1, 0, 1]] = 1, 2, 3, 4
    np.testing.assert_array_equal(dx[0, 0], expected)


# --- normalisation --------------------------------------------------------------------


def test_a_known_response(dtype):
    """One channel of 3, alpha 2, k 1: 3 / (1 + 2 * 9)**0.5, by hand."""
    x = np.full((1, 1, 1), 3, dtype)
    y = F.local_response_norm(x, 1, alpha=2.0, beta=0.5)
    np.testing.assert_allclose(y, 3 / np.sqrt(19), rtol=1e-6)
    # five channels of 1 in the middle of a window of 5, the paper's constants: 2 + 5 * 1e-4
    ones = np.ones((1, 9, 2, 2), dtype)
    y = F.local_response_norm(ones, 5, alpha=5e-4, k=2.0)
    np.testing.assert_allclose(y[:, 2:-2], (2 + 5e-4) ** -0.75, rtol=1e-6)
    np.testing.assert_allclose(y[:, 0], (2 + 3e-4) ** -0.75, rtol=1e-6)


@pytest.mark.parametrize("shape", [(64, 5), (1000, 3), (7, 3, 11), (4, 5, 20, 21)])
def test_batch_norm_normalises(shape, dtype, rng):
    """Mean 0 and variance 1 in each channel, even far from 0."""
    x = (1000 + rng.standard_normal(shape)).astype(dtype)
    y, mean, rstd = F.batch_norm(x, eps=0.0)
    axes = (0, *range(2, len(shape)))
    wide = x.astype(np.float64)
    assert y.dtype == mean.dtype == rstd.dtype == dtype
    close = 1e-3 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(y.mean(axis=axes), 0, atol=close)
    np.testing.assert_allclose(y.var(axis=axes), 1, rtol=close)
    np.testing.assert_allclose(mean, wide.mean(axis=axes), rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(rstd, wide.std(axis=axes) ** -1, rtol=1e-6)


def test_running_statistics_move_in_place(dtype):
    x = np.array([[1, 10], [3, 10], [5, 40]], dtype)
    mean, var = np.array([1, 0], dtype), np.array([1, 2], dtype)
    out = F.batch_norm(x, running_mean=mean, running_var=var, momentum=0.5)
    # means 3 and 20; unbiased variances 4 and 300
    np.testing.assert_allclose(mean, [2, 10], rtol=1e-6)
    np.testing.assert_allclose(var, [2.5, 151], rtol=1e-6)
    for running in ([mean, None], [None, var]):
        for result, wanted in zip(F.batch_norm(x, None, None, *running), out, strict=True):
            np.testing.assert_array_equal(result, wanted)


def test_running_statistics_of_any_layout(dtype, rng):
    x = rng.standard_normal((6, 4)).astype(dtype)
    memory = np.zeros((4, 3), dtype)
    F.batch_norm(x, running_mean=memory[:, 1], running_var=memory[::-1, 2], momentum=1.0)
    np.testing.assert_allclose(memory[:, 1], x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(memory[::-1, 2], x.var(axis=0, ddof=1), rtol=1e-5)
    assert (memory[:, 0] == 0).all()


@pytest.mark.parametrize("value", [NAN, INF])
def test_batch_norm_shows_what_is_not_finite_in_its_channel_only(value, dtype, rng):
    x = rng.standard_normal((40, 9)).astype(dtype)
    x[17, 4] = value
    y, *_ = F.batch_norm(x)
    assert np.isnan(y[:, 4]).all()
    assert np.isfinite(np.delete(y, 4, axis=1)).all()


# --- dropout --------------------------------------------------------------------------

# The known answers that Salmon et al. publish with Random123: kat_vectors, philox4x32 10.
PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0)
KNOWN_ANSWERS = [
    ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (*PI, (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_known_answers_of_the_generator(counter, key, words):
    made = reference_random.philox(np.array([counter], np.uint64), key)
    np.testing.assert_array_equal(made, [words])


def test_the_kernel_draws_the_known_words():
    """A threshold just at a word keeps it, one just above drops it."""
    ones = np.ones(4)
    for i, word in enumerate(KNOWN_ANSWERS[0][2]):
        assert F.dropout(ones, word / 2**32)[i] != 0
        assert F.dropout(ones, (word + 1) / 2**32)[i] == 0


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_how_many_are_kept(p):
    """Within five standard deviations, in all, and in each of the four words of a block."""
    y = F.dropout(np.ones(400_000), p, seed=5, step=7)
    np.testing.assert_allclose(np.unique(y), [0, 1 / (1 - p)])
    spread = 5 * np.sqrt(p * (1 - p) / y.size)
    for kept in (y != 0, *(y[i::4] != 0 for i in range(4))):
        assert abs(kept.mean() - (1 - p)) < 2 * spread


def test_masks_depend_on_seed_step_and_index_alone(dtype):
    def mask(n=1000, seed=1, step=2):
        return F.dropout(np.ones(n, dtype), 0.5, seed, step) != 0

    np.testing.assert_array_equal(mask(), mask())
    np.testing.assert_array_equal(mask(70_001)[:1000], mask())
    np.testing.assert_array_equal(F.dropout(np.ones((40, 25)), 0.5, 1, 2).ravel() != 0, mask())
    for other in (mask(seed=2), mask(step=3), mask(seed=2**62 + 1), mask(step=2**40 + 2)):
        assert 400 < (other != mask()).sum() < 600


def test_dropout_of_nothing_and_of_everything(dtype, rng):
    x = rng.standard_normal((7, 9)).astype(dtype)
    x[0, 0], x[1, 1] = NAN, INF
    np.testing.assert_array_equal(F.dropout(x, 0.0), x)
    np.testing.assert_array_equal(F.dropout(x, 1.0), np.zeros_like(x))
    np.testing.assert_array_equal(F.dropout_backward(x, 0.3, 4, 5), F.dropout(x, 0.3, 4, 5))


# --- what is refused ------------------------------------------------------------------

_X = np.zeros((2, 3, 4, 5), np.float32)
_W = np.zeros((6, 3, 3, 3), np.float32)


def _filters(*shape):
    return np.zeros(shape, np.float32)


REFUSED = {
    "channels": (
        lambda: F.conv2d(_X, _filters(6, 4, 3, 3)), "3 channels", r"6, 4, 3, 3", "takes 4"),
    "channels of groups": (
        lambda: F.conv2d(_X, _filters(6, 2, 3, 3), groups=2), "3 channels", "groups=2", "takes 4"),
    "filters of groups": (
        lambda: F.conv2d(_X, _filters(5, 1, 3, 3), groups=3), "5 filters", "groups=3"),
    "large kernel": (lambda: F.conv2d(_X, _filters(6, 3, 5, 1)), "KH=5", "H=4", "empty"),
    "large kernel, padded": (
        lambda: F.conv2d(_X, _filters(6, 3, 1, 8), padding=1), "KW=8", "W=5", "padding_w=1", "7"),
    "spread kernel": (
        lambda: F.conv2d(_X, _W, dilation=2), "KH=3", "over 5", "dilation_h=2", "H=4"),
    "stride 0": (lambda: F.conv2d(_X, _W, stride=0), "stride_h", "at least 1", "0"),
    "stride -1": (lambda: F.conv2d(_X, _W, stride=(1, -1)), "stride_w", "at least 1", "-1"),
    "padding": (lambda: F.conv2d(_X, _W, padding=-2), "padding_h", "at least 0", "-2"),
    "dilation": (lambda: F.conv2d(_X, _W, dilation=0), "dilation_h", "at least 1"),
    "groups": (lambda: F.conv2d(_X, _W, groups=0), "groups", "at least 1"),
    "huge stride": (lambda: F.conv2d(_X, _W, dilation=10**30), "larger than the padded input"),
    "no batch": (lambda: F.conv2d(_X[0], _W), "x", r"N, C, H, W", r"\(3, 4, 5\)"),
    "no channels": (lambda: F.conv2d(_filters(2, 0, 4, 5), _W), r"\(2, 0, 4, 5\)", "batch may be"),
    "no taps": (lambda: F.conv2d(_X, _filters(6, 3, 0, 3)), r"\(6, 3, 0, 3\)", "empty"),
    "bias": (lambda: F.conv2d(_X, _W, _filters(3)), r"\bb\b", r"\(6,\)", r"\(3,\)"),
    "dout": (
        lambda: F.conv2d_backward(_filters(2, 6, 3, 3), _X, _W), "dout", "P=2", r"\(2, 6, 3, 3\)"),
    "out": (lambda: F.conv2d(_X, _W, out=_filters(2, 6, 2, 2)), "out", r"\(2, 6, 2, 3\)"),
    "large window": (lambda: F.max_pool2d(_X, 5), "kernel_h=5", "H=4", "empty"),
    "window": (lambda: F.avg_pool2d(_X, 0), "kernel_h", "at least 1"),
    "window's stride": (lambda: F.max_pool2d(_X, 2, 0), "stride_h", "at least 1"),
    "window's padding": (lambda: F.max_pool2d(_X, 3, 1, 2), "padding_h", "half", "kernel_h=3", "2"),
    "pooled dout": (
        lambda: F.max_pool2d_backward(_X, _X, 2), "dout", "P=2", r"\(2, 3, 4, 5\)"),
    "size": (lambda: F.avg_pool2d_backward(_X, (5, 5), 2, 1), "dout", "Q=4", r"\(2, 3, 4, 5\)"),
    "no neighbours": (lambda: F.local_response_norm(_X, 0), "size", "at least 1"),
    "one value": (lambda: F.batch_norm(_filters(1, 3)), r"\(1, 3\)", "one value"),
    "one pixel": (lambda: F.batch_norm(_filters(1, 3, 1, 1)), r"\(1, 3, 1, 1\)", "one value"),
    "empty batch": (lambda: F.batch_norm(_filters(0, 3)), r"\(0, 3\)", "empty batch"),
    "empty images": (lambda: F.batch_norm(_filters(2, 3, 0, 4)), r"\(2, 3, 0, 4\)", "undefined"),
    "gamma": (lambda: F.batch_norm(_X, _filters(4)), "gamma", r"\(3,\)", r"\(4,\)"),
    "eps": (lambda: F.batch_norm(_X, eps=-1.0), "eps", "at least 0"),
    "momentum": (lambda: F.batch_norm(_X, momentum=1.5), "momentum", "at most 1", "1.5"),
    "probability": (lambda: F.dropout(_X, 1.5), r"\bp\b", "at most 1", "1.5"),
    "negative probability": (lambda: F.dropout(_X, -0.1), r"\bp\b", "at least 0", "-0.1"),
    "NaN probability": (lambda: F.dropout(_X, NAN), r"\bp\b", "nan"),
    "seed": (lambda: F.dropout(_X, 0.5, -1), "seed", "-1"),
    "step": (lambda: F.dropout(_X, 0.5, 0, 2**63), "step", str(2**63)),
    "state": (lambda: k.dropout(_X, 0.5, [1, 2, 3]), "state", r"\(2,\)", r"\(3,\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    call, *patterns = REFUSED[name]
    with pytest.raises(ValueError, match=patterns[0]) as caught:
        call()
    for pattern in patterns:
        assert caught.match(pattern)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [(1, 2, 3), 1.5, "2", None, (1,), (1, 2.0)])
def test_a_pair_is_an_integer_or_two(value):
    with pytest.raises(TypeError, match=r"conv2d: stride must be an integer or a pair"):
        F.conv2d(_X, _W, stride=value)


def test_empty_batches_pass_where_no_mean_is_taken(dtype):
    x = np.zeros((0, 3, 6, 6), dtype)
    assert F.max_pool2d(x, 2).shape == F.avg_pool2d(x, 2).shape == (0, 3, 3, 3)
    assert F.max_pool2d_backward(np.zeros((0, 3, 3, 3), dtype), x, 2).shape == x.shape
    assert F.local_response_norm(x, 5).shape == F.dropout(x).shape == x.shape
    ones = np.ones(3, dtype)
    assert F.batch_norm_eval(x, ones, ones).shape == x.shape
