"""What holds for all inputs, searched by hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastnn import _kernels as k

DTYPES = st.sampled_from([np.dtype("float32"), np.dtype("float64")])


@st.composite
def matrices(draw, low=-50, high=50, min_columns=1):
    dtype = draw(DTYPES)
    shape = draw(st.tuples(st.integers(1, 20), st.integers(min_columns, 40)))
    elements = st.floats(low, high, width=32)
    return draw(hnp.arrays(dtype, shape, elements=elements))


@st.composite
def labelled(draw, low=-50, high=50):
    scores = draw(matrices(low, high, min_columns=2))
    n, c = scores.shape
    return scores, draw(hnp.arrays(np.int64, n, elements=st.integers(0, c - 1)))


def eps(x):
    return np.finfo(x.dtype).eps


@given(matrices(low=-1e4, high=1e4))
def test_softmax_is_a_distribution(x):
    p = k.softmax(x)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=4 * x.shape[1] * eps(x))
    # Never more for a smaller score.
    order = np.argsort(x, axis=1)
    assert (np.diff(np.take_along_axis(p, order, axis=1), axis=1) >= 0).all()


@given(matrices(), st.integers(-1024, 1024))
def test_softmax_ignores_a_common_shift(x, shift):
    """Exactly so, where adding the shift does not round."""
    x = np.round(x * 4) / 4
    np.testing.assert_array_equal(k.softmax(x + x.dtype.type(shift)), k.softmax(x))
    np.testing.assert_array_equal(k.log_softmax(x + x.dtype.type(shift)), k.log_softmax(x))


@given(labelled())
def test_gradients_of_scores_sum_to_zero(data):
    """Both losses only look at differences of scores."""
    scores, y = data
    for kernel in (k.cross_entropy, k.hinge_loss):
        _, dscores = kernel(scores, y)
        bound = 8 * scores.shape[1] * eps(scores)
        np.testing.assert_allclose(dscores.sum(axis=1), 0, atol=bound)


@given(labelled())
def test_hinge_is_zero_exactly_when_all_margins_are_kept(data):
    scores, y = data
    scores = np.round(scores)
    loss, dscores = k.hinge_loss(scores, y)
    rows = np.arange(len(y))
    others = scores.copy()
    others[rows, y] = -np.inf
    kept = (scores[rows, y] - others.max(axis=1) >= 1).all()
    assert loss >= 0
    assert (loss == 0) == kept
    assert (dscores == 0).all() == kept


@given(labelled())
def test_cross_entropy_is_minus_the_log_softmax_of_the_label(data):
    scores, y = data
    loss, _ = k.cross_entropy(scores, y)
    picked = -k.log_softmax(scores)[np.arange(len(y)), y].astype(np.float64)
    assert loss >= 0
    np.testing.assert_allclose(loss, picked.mean(), rtol=1e-5, atol=100 * eps(scores))


@given(matrices(), st.data())
def test_gather_equals_indexing(x, data):
    indices = data.draw(
        hnp.arrays(np.int64, st.integers(0, 30), elements=st.integers(0, len(x) - 1))
    )
    np.testing.assert_array_equal(k.gather_rows(x, indices), x[indices])
    y = np.arange(len(x)) * 3
    np.testing.assert_array_equal(k.gather_labels(y, indices), y[indices])


@given(matrices())
def test_updates_of_rate_zero_or_gradient_zero_change_nothing(w):
    kept, g, state = w.copy(), w[::-1] + 1, np.abs(w)
    k.sgd_update(w, g, 0.0)
    k.sgd_update(w, 0 * g, 0.1)
    np.testing.assert_array_equal(w, kept)
    # An update with running means may count a denormal weight as zero.
    kept[np.abs(kept) < np.finfo(w.dtype).tiny] = 0
    w[:] = kept
    k.adam_update(w, g, state.copy(), state.copy(), 3, 0.0)
    k.adam_update(w, 0 * g, 0 * g, state.copy(), 3, 0.1)
    k.rmsprop_update(w, g, state.copy(), 0.0)
    k.adagrad_update(w, 0 * g, state.copy(), 0.1)
    np.testing.assert_array_equal(w, kept)


@given(matrices(), st.floats(0.015625, 10, width=32))
def test_clipping_bounds_and_is_idempotent(x, limit):
    clipped = k.clip_value(x.copy(), limit)
    assert (np.abs(clipped) <= x.dtype.type(limit)).all()
    inside = np.abs(x) <= limit
    np.testing.assert_array_equal(clipped[inside], x[inside])
    np.testing.assert_array_equal(k.clip_value(clipped.copy(), limit), clipped)


@given(matrices())
def test_activations_have_their_symmetries(x):
    y = k.tanh(x)
    np.testing.assert_array_equal(k.tanh(-x), -y)
    assert (np.abs(y) <= 1).all()
    s = k.sigmoid(x)
    assert ((s >= 0) & (s <= 1)).all()
    np.testing.assert_allclose(k.sigmoid(-x), 1 - s, atol=4 * eps(x))
    np.testing.assert_array_equal(k.relu(x) - k.relu(-x), x)


@given(matrices(low=-8, high=8), st.integers(1, 30))
def test_products_of_small_integers_are_exact(a, columns):
    """No rounding, so no tolerance: every term of every sum is counted exactly once."""
    a = np.round(a)
    b = np.round(np.resize(a[::-1] * 3 + 1, (a.shape[1], columns)))
    wanted = a.astype(np.int64) @ b.astype(np.int64)
    np.testing.assert_array_equal(k.matmul(a, b), wanted)


@given(matrices(low=-8, high=8))
def test_adam_first_step_is_the_learning_rate(g):
    """m / sqrt(v) is the gradient's sign at step 1, whatever its size (eps aside)."""
    g = np.where(np.abs(g) < 1e-3, g.dtype.type(1), g)
    w = np.zeros_like(g)
    k.adam_update(w, g, np.zeros_like(g), np.zeros_like(g), 1, 0.25)
    np.testing.assert_allclose(w, -0.25 * np.sign(g), rtol=1e-4)
