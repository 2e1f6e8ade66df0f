"""Values at the edge: NaN, infinities, huge scores, kinks and ties."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.cases import CASES
from kernels.harness import fresh, run

from fastnn import _kernels as k
from fastnn._kernels import reference

NAN, INF = np.nan, np.inf
SPECIAL = [NAN, INF, -INF, 0.0, -0.0, 1e4, -1e4, 1e30, -1e30, 1e-30, -1e-30, 88.8, -104]


def special_rows(dtype):
    """Each special value at each position of a vector, among ordinary numbers."""
    rows = np.linspace(-2, 2, 37, dtype=dtype) * np.ones((37 * len(SPECIAL), 1), dtype)
    for i, value in enumerate(SPECIAL):
        rows[37 * i + np.arange(37), np.arange(37)] = value
    return rows


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh"])
def test_activations_of_special_values(name, dtype):
    x = special_rows(dtype)
    with np.errstate(all="ignore"):
        expected = getattr(reference, name)(x)
    rtol = 12 * np.finfo(dtype).eps
    np.testing.assert_allclose(
        getattr(k, name)(x), expected, rtol=rtol, atol=np.finfo(dtype).tiny
    )


@pytest.mark.parametrize(
    ("name", "low", "middle", "high"),
    [("relu", 0, 0, INF), ("sigmoid", 0, 0.5, 1), ("tanh", -1, 0, 1)],
)
def test_limits_of_activations(name, low, middle, high, dtype):
    x = np.array([-INF, 0, INF, NAN], dtype)
    expected = np.array([low, middle, high, NAN], dtype)
    np.testing.assert_array_equal(getattr(k, name)(x), expected)


def test_small_arguments_keep_their_digits(dtype):
    """tanh(x) ~ x and log-softmax differences do not cancel for tiny x."""
    x = np.array([1e-30, -1e-20, 1e-8, 1e-4, 3e-3], dtype)
    wanted = np.tanh(x.astype(np.float64))
    np.testing.assert_allclose(k.tanh(x), wanted, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("columns", [1, 2, 3, 10, 37])
def test_softmax_of_extreme_scores(name, columns, dtype):
    base = np.linspace(0, 1, columns, dtype=dtype)
    rows = [base * s for s in (1e4, -1e4, 1e30, -1e30)]
    rows += [base + s for s in (1e4, -1e4, 1e30, -1e30)]
    x = np.array(rows, dtype)
    result = getattr(k, name)(x)
    assert np.isfinite(result).all()
    np.testing.assert_allclose(
        result, getattr(reference, name)(x), rtol=40 * np.finfo(dtype).eps, atol=1e-30
    )


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("columns", [2, 3, 10, 37])
def test_softmax_of_rows_that_are_not_finite(name, columns, dtype):
    """A NaN spoils its row and no other; -inf is a class of probability zero."""
    x = np.tile(np.linspace(-1, 1, columns, dtype=dtype), (columns + 1, 1))
    for value in (NAN, -INF, INF):
        x[np.arange(columns), np.arange(columns)] = value
        with np.errstate(invalid="ignore"):
            expected = getattr(reference, name)(x)
        result = getattr(k, name)(x)
        np.testing.assert_allclose(result, expected, rtol=40 * np.finfo(dtype).eps)
        assert np.isfinite(result[-1]).all()


@pytest.mark.parametrize("size", [1e4, 1e30])
@pytest.mark.parametrize("columns", [2, 3, 10, 37])
def test_losses_of_extreme_scores(size, columns, dtype):
    """Right by far costs nothing, wrong by far costs the gap: nothing overflows."""
    scores = np.zeros((2, columns), dtype)
    scores[:, 0] = size
    gap = dtype.type(size)
    right, wrong = np.zeros(2, np.int64), np.ones(2, np.int64)

    loss, dscores = k.cross_entropy(scores, right)
    assert loss == 0
    np.testing.assert_array_equal(dscores, 0)
    loss, dscores = k.cross_entropy(scores, wrong)
    assert loss == gap
    np.testing.assert_array_equal(dscores[:, :2], [[0.5, -0.5]] * 2)

    loss, dscores = k.hinge_loss(scores, right)
    assert loss == 0
    np.testing.assert_array_equal(dscores, 0)
    loss, _ = k.hinge_loss(scores, wrong)
    np.testing.assert_allclose(loss, gap + columns - 1, rtol=4 * np.finfo(dtype).eps)


def test_binary_cross_entropy_of_extreme_logits(dtype):
    x = np.array([1e4, -1e4, 1e30, -1e30], dtype)
    right = (x > 0).astype(dtype)
    loss, dlogits = k.binary_cross_entropy(x, right)
    assert loss == 0
    np.testing.assert_array_equal(dlogits, 0)
    loss, dlogits = k.binary_cross_entropy(x, 1 - right)
    np.testing.assert_allclose(loss, np.abs(x.astype(np.float64)).mean(), rtol=1e-6)
    np.testing.assert_array_equal(dlogits, np.sign(x) / 4)


LOSSES = [c for c in CASES if "loss" in c.outputs]


@pytest.mark.parametrize("case", LOSSES, ids=lambda c: c.label)
@pytest.mark.parametrize("value", [NAN, INF])
def test_a_loss_shows_what_is_not_finite(case, value, dtype, rng):
    """Training must see that it diverged: neither becomes a plausible loss."""
    arguments = case.make(rng, dtype, 9, 10)
    first = next(iter(arguments))
    arguments[first][3, 4] = value
    if "y" in arguments:
        arguments["y"][3] = 2
    loss, _ = run(getattr(k, case.kernel), case, arguments)
    assert not np.isfinite(loss)


UPDATES = [c for c in CASES if "g" in c.make(np.random.default_rng(0), "f8", 1, 1)]


@pytest.mark.parametrize("case", UPDATES, ids=lambda c: c.label)
def test_a_nan_gradient_touches_its_own_weight_only(case, dtype, rng):
    arguments = case.make(rng, dtype, 5, 17)
    arguments["g"][2, 3] = NAN
    results = run(getattr(k, case.kernel), case, fresh(arguments))
    for result in results:
        assert np.argwhere(np.isnan(result)).tolist() == [[2, 3]]


@pytest.mark.parametrize("case", UPDATES, ids=lambda c: c.label)
def test_an_infinite_weight_decays_only_where_decay_was_asked(case, dtype, rng):
    """A weight decay of 0 must not become 0 * inf."""
    arguments = case.make(rng, dtype, 1, 5)
    arguments["w"][0, 2] = INF
    with np.errstate(invalid="ignore"):
        expected = run(getattr(reference, case.kernel), case, fresh(arguments))
    results = run(getattr(k, case.kernel), case, fresh(arguments))
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(np.isnan(result), np.isnan(wanted))


def test_clipping_keeps_nan_and_bounds_infinities(dtype):
    x = np.array([NAN, INF, -INF, 0.2, -3], dtype)
    np.testing.assert_array_equal(
        k.clip_value(x, 0.5), np.array([NAN, 0.5, -0.5, 0.2, -0.5], dtype)
    )


def test_sum_of_squares_is_wide(dtype):
    """float32 values whose squares overflow float32 have a norm all the same."""
    x = np.full(1000, 1e30, dtype)
    result = k.sum_of_squares(x)
    assert result.dtype == np.float64
    assert result.shape == ()
    np.testing.assert_allclose(result, 1000 * float(x[0]) ** 2, rtol=1e-13)
    assert np.isnan(k.sum_of_squares(np.array([1, NAN], dtype)))
    assert k.sum_of_squares(np.zeros(0, dtype)) == 0


def test_gradients_at_kinks(dtype):
    """relu'(0) = 0, a margin of exactly 0 is no violation, |0| has slope 0."""
    one = np.ones(20, dtype)
    np.testing.assert_array_equal(k.relu_backward(one, 0 * one), 0)
    np.testing.assert_array_equal(k.relu_backward(one, -0 * one), 0)
    np.testing.assert_array_equal(k.relu_backward(one, NAN * one), 0)

    loss, dscores = k.hinge_loss(np.array([[3, 2, 1]], dtype), np.array([0]))
    assert loss == 0
    np.testing.assert_array_equal(dscores, 0)

    loss, dpred = k.l1_loss(one, one)
    assert loss == 0
    np.testing.assert_array_equal(dpred, 0)


def test_huber_is_quadratic_inside_and_linear_outside(dtype):
    pred, target = np.array([0.5, 2.0, -4.0], dtype), np.zeros(3, dtype)
    loss, dpred = k.huber_loss(pred, target, 2.0)
    np.testing.assert_allclose(loss, (0.125 + 2 + 2 * (4 - 1)) / 3, rtol=1e-6)
    np.testing.assert_allclose(dpred, np.array([0.5, 2, -2]) / 3, rtol=1e-6)


def test_losses_are_summed_in_float64():
    """A million losses of 0.1: a float32 running sum would be off by percents."""
    pred, target = np.full(1_000_000, 0.1, np.float32), np.zeros(1_000_000, np.float32)
    loss, _ = k.l1_loss(pred, target)
    np.testing.assert_allclose(loss, np.float32(0.1), rtol=2e-7)


def test_losses_have_the_shape_and_dtype_of_a_score(dtype, rng):
    scores = rng.random((4, 3)).astype(dtype)
    results = [
        k.cross_entropy(scores, np.zeros(4, int)),
        k.hinge_loss(scores, np.zeros(4, int)),
        k.mse_loss(scores, scores),
        k.l1_loss(scores, scores),
        k.huber_loss(scores, scores),
        k.binary_cross_entropy(scores, scores),
    ]
    for loss, gradient in results:
        assert (loss.shape, loss.dtype) == ((), dtype)
        assert (gradient.shape, gradient.dtype) == (scores.shape, dtype)


def test_weights_repeat_a_sample(dtype, rng):
    """A sample of weight 3 counts as three copies of it; one of weight 0 as none."""
    scores = rng.standard_normal((4, 5)).astype(dtype)
    y = np.array([0, 4, 2, 2])
    times = np.array([3, 1, 0, 2])
    for kernel in (k.cross_entropy, k.hinge_loss):
        weighted, _ = kernel(scores, y, sample_weight=times.astype(dtype))
        copied, _ = kernel(np.repeat(scores, times, axis=0), np.repeat(y, times))
        np.testing.assert_allclose(weighted, copied, rtol=10 * np.finfo(dtype).eps)
        by_class = np.array([3, 7, 0, 7, 1], dtype)
        rows = [0, 1]
        weighted, _ = kernel(scores, y, weight=by_class)
        copied, _ = kernel(scores[rows], y[rows], sample_weight=by_class[y[rows]])
        np.testing.assert_allclose(weighted, copied, rtol=10 * np.finfo(dtype).eps)
