"""The lecture's numbers on linear classifiers and their losses, by the public API."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import functional as F

LECTURE = 0.005  # the lecture prints two decimals

IMAGES = [[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]]  # scores, one row each
CLASSES = [0, 1, 2]


def array(values, dtype):
    return np.array(values, dtype)


def alone(loss, scores, label):
    """The loss of one image."""
    return float(loss(scores[None], np.array([label]))[0])


def test_scores_of_the_cat(dtype):
    """The lecture prints 61.95 for the last score: it forgot the bias there."""
    W = array([[0.2, -0.5, 0.1, 2.0], [1.5, 1.3, 2.1, 0], [0, 0.25, 0.2, -0.3]], dtype)
    x, b = array([[56, 231, 24, 2]], dtype), array([1.1, 3.2, -1.2], dtype)
    np.testing.assert_allclose(F.linear(x, W.T, b), [[-96.8, 437.9, 60.75]], rtol=1e-6)
    without_bias = F.linear(x, W.T)
    np.testing.assert_allclose(without_bias[0, 2], 61.95, rtol=1e-6)


def test_hinge_loss_of_three_images(dtype):
    scores = array(IMAGES, dtype)
    each = [alone(F.hinge_loss, row, y) for row, y in zip(scores, CLASSES, strict=True)]
    np.testing.assert_allclose(each, [2.9, 0, 12.9], rtol=1e-6)
    loss, _ = F.hinge_loss(scores, np.array(CLASSES))
    assert float(loss) == pytest.approx(5.27, abs=LECTURE)
    assert float(loss) == pytest.approx(15.8 / 3, rel=1e-6)


def test_softmax_of_the_first_image(dtype):
    scores = array(IMAGES, dtype)
    p = F.softmax(scores)[0]
    np.testing.assert_allclose(p, [0.13, 0.87, 0.00], atol=LECTURE)
    loss = alone(F.cross_entropy, scores[0], 0)
    assert loss == pytest.approx(2.04, abs=LECTURE)
    assert loss == pytest.approx(-np.log(p[0]), rel=1e-5)


def test_hinge_and_cross_entropy_of_one_image(dtype):
    """The lecture prints 0.452 for the second: the logarithm to base 10."""
    W = array(
        [[0.01, -0.05, 0.1, 0.05], [0.7, 0.2, 0.05, 0.16], [0, -0.45, -0.2, 0.03]],
        dtype,
    )
    x, b = array([[-15, 22, -44, 56]], dtype), array([0, 0.2, -0.3], dtype)
    scores = F.linear(x, W.T, b)
    np.testing.assert_allclose(scores, [[-2.85, 0.86, 0.28]], rtol=1e-5)
    assert alone(F.hinge_loss, scores[0], 2) == pytest.approx(1.58, abs=LECTURE)
    loss = alone(F.cross_entropy, scores[0], 2)
    assert loss == pytest.approx(1.04, abs=LECTURE)
    assert loss / np.log(10) == pytest.approx(0.452, abs=0.0005)


def test_smallest_losses(dtype):
    """Hinge reaches 0 at a margin of 1; cross-entropy comes as near 0 as one likes."""
    row = array([10, 9, 9], dtype)
    assert alone(F.hinge_loss, row, 0) == 0
    assert alone(F.hinge_loss, row - array([0.5, 0, 0], dtype), 0) == 1
    gaps = [1, 5, 10, 20]
    losses = [alone(F.cross_entropy, array([g, 0, 0], dtype), 0) for g in gaps]
    assert losses == sorted(losses, reverse=True)
    assert losses[2] > 0
    assert alone(F.cross_entropy, array([1000, 0, 0], dtype), 0) == 0


def test_largest_losses(dtype):
    """Neither has a bound: both grow as the gap from the true to the wrong score."""
    for gap in (10.0, 1e3, 1e6):
        row = array([0, gap, 0], dtype)
        assert alone(F.hinge_loss, row, 0) == pytest.approx(gap + 2, rel=1e-6)
        assert alone(F.cross_entropy, row, 0) == pytest.approx(gap, rel=1e-4)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_losses_before_any_training(classes, dtype):
    """With scores near 0, hinge is C - 1 and cross-entropy is log C: a first check."""
    row = np.zeros(classes, dtype)
    assert alone(F.hinge_loss, row, 0) == classes - 1
    assert alone(F.cross_entropy, row, 0) == pytest.approx(np.log(classes), rel=1e-6)


SATISFIED = [[10, -2, 3], [10, 9, 9], [10, -100, -100]]


def test_three_images_that_hinge_cannot_tell_apart(dtype):
    scores = array(SATISFIED, dtype)
    assert [alone(F.hinge_loss, row, 0) for row in scores] == [0, 0, 0]
    _, dscores = F.hinge_loss(scores, np.zeros(3, int))
    np.testing.assert_array_equal(dscores, 0)
    losses = [alone(F.cross_entropy, row, 0) for row in scores]
    wanted = [np.log1p(np.exp(-12) + np.exp(-7)), np.log1p(2 * np.exp(-1)), 0]
    np.testing.assert_allclose(losses, wanted, rtol=1e-3, atol=1e-12)


@pytest.mark.parametrize("change", [0.25, -0.25])
def test_answers_to_a_small_change_of_the_true_score(change, dtype):
    """Hinge looks away where its margin is kept; cross-entropy always wants more."""
    scores = array(SATISFIED, dtype)
    moved = scores + array([change, 0, 0], dtype)
    hinge = [alone(F.hinge_loss, row, 0) for row in moved]
    assert hinge == [0, 0 if change > 0 else 0.5, 0]  # [10, 9, 9] sits on the edge

    before = [alone(F.cross_entropy, row, 0) for row in scores]
    after = [alone(F.cross_entropy, row, 0) for row in moved]
    for old, new in list(zip(before, after, strict=True))[:2]:
        assert (new < old) if change > 0 else (new > old)


def test_cross_entropy_still_pushes_where_the_loss_rounds_to_zero():
    """[10, -100, -100]: a wrong class has probability 1e-48, and so has its slope."""
    scores = np.array([SATISFIED[2]], np.float64)
    loss, dscores = F.cross_entropy(scores, np.array([0]))
    assert float(loss) == 0
    np.testing.assert_allclose(dscores[0, 1:], np.exp(-110), rtol=1e-12)
