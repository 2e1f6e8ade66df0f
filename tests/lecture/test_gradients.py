"""Numerical against analytic gradients: slope, numerical."""

from __future__ import annotations

import numpy as np
import pytest
from cli_helpers import one_thread as one_thread

import fastnn
from fastnn.lecture import numerical, slope


def test_f_and_its_derivative() -> None:
    """x^4/2 - 2x^2 + x + 5 and 2x^3 - 4x + 1, by hand at whole numbers."""
    x = np.array([-2.0, -1, 0, 1, 2, 3])
    np.testing.assert_allclose(slope.f(x), [3, 2.5, 5, 4.5, 7, 30.5], rtol=1e-15)
    np.testing.assert_allclose(slope.analytic(x), [-7, 3, 1, -1, 9, 43], rtol=1e-15)
    np.testing.assert_allclose([fastnn.grad(slope.f)(each) for each in x], slope.analytic(x))


def test_the_numerical_derivative_is_off_by_half_h_times_the_second() -> None:
    x = slope.POINTS
    error = slope.numerical(slope.f, x) - slope.analytic(x)
    np.testing.assert_allclose(error, slope.H / 2 * (6 * x**2 - 4), atol=5e-6)
    assert np.abs(error).max() > 0.009


def test_from_both_sides_it_is_off_by_h_squared() -> None:
    x = slope.POINTS
    error = slope.centred(slope.f, x) - slope.analytic(x)
    np.testing.assert_allclose(error, slope.H**2 / 6 * 12 * x, atol=1e-11)


def test_the_slides_arithmetic() -> None:
    """(1.25322 - 1.25347) / 0.0001 = -2.5, then 0.6, then 0."""
    slopes = [(each - numerical.SLIDE_LOSS) / numerical.H for each in numerical.SLIDE_LOSSES]
    np.testing.assert_allclose(slopes, [-2.5, 0.6, 0], atol=1e-9)


def test_one_coordinate_at_a_time() -> None:
    """sum(a w^2) has the slope a (2w + h) from one side, 2aw from both; W is left alone."""
    a, W = np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[0.5, 1.0], [-1.0, 2.0]])
    before = W.copy()
    asked = []

    def loss(W: np.ndarray) -> float:
        asked.append(W.copy())
        return float((a * W**2).sum())

    one_sided = numerical.numerical_gradient(loss, W, 0.01)
    np.testing.assert_allclose(one_sided, a * (2 * W + 0.01), rtol=1e-10)
    assert len(asked) == 5
    for i, each in enumerate(asked[1:]):
        moved = np.zeros(4)
        moved[i] = 0.01
        np.testing.assert_allclose(each - before, moved.reshape(2, 2), atol=1e-15)
    np.testing.assert_allclose(numerical.centred_gradient(loss, W, 0.01), 2 * a * W, rtol=1e-10)
    np.testing.assert_array_equal(W, before)


def test_the_gradient_of_a_real_loss_over_w() -> None:
    digits = numerical.LinearClassifier()
    exact = digits.analytic()
    assert exact.shape == (64, 10)
    one_sided = numerical.numerical_gradient(digits.loss, digits.W)
    assert digits.evaluations == 641
    assert numerical.relative_error(exact, one_sided) < 2e-4
    centred = numerical.centred_gradient(digits.loss, digits.W)
    assert numerical.relative_error(exact, centred) < 1e-7
    by_graph = fastnn.grad(digits.loss)(digits.W)
    assert numerical.relative_error(exact, by_graph) < 1e-13


def test_the_relative_error() -> None:
    assert numerical.relative_error(np.array([3.0, 4.0]), np.array([3.0, 4.5])) == pytest.approx(
        0.1
    )
