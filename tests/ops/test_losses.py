"""Second derivatives of the losses by formula; what they refuse to differentiate."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn.tensor import Tensor

Y = np.array([0, 2, 1])
WEIGHT, SAMPLE_WEIGHT = np.array([1.0, 2.0, 0.5]), np.array([1.0, 0.5, 3.0])


def hessian(f, x: np.ndarray) -> np.ndarray:
    return np.asarray(fastnn.jacobian(fastnn.grad(f))(x)).reshape(x.size, x.size)


@pytest.mark.parametrize("weights", [{}, {"weight": WEIGHT, "sample_weight": SAMPLE_WEIGHT}])
def test_the_hessian_of_cross_entropy(weights, rng: np.random.Generator) -> None:
    """Each row's is its share of the mean times diag(p) - p p^T."""
    x = rng.standard_normal((3, 3))
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    shares = WEIGHT[Y] * SAMPLE_WEIGHT if weights else np.ones(3)
    shares = shares / shares.sum()
    expected = np.zeros((3, 3, 3, 3))
    for i in range(3):
        expected[i, :, i] = shares[i] * (np.diag(p[i]) - np.outer(p[i], p[i]))
    found = hessian(lambda s: fastnn.cross_entropy(s, Y, **weights), x)
    np.testing.assert_allclose(found, expected.reshape(9, 9), rtol=1e-10, atol=1e-15)


def test_the_hessian_of_the_hinge_is_zero(rng: np.random.Generator) -> None:
    assert not np.any(hessian(lambda s: fastnn.hinge_loss(s, Y), rng.standard_normal((3, 3))))


def test_hessians_of_regression_losses(rng: np.random.Generator) -> None:
    x, t = rng.standard_normal((3, 2)), rng.uniform(0, 1, (3, 2))
    s = 1 / (1 + np.exp(-x))
    mean = np.full((3, 2), 1 / 6)
    weighted = np.repeat(SAMPLE_WEIGHT[:, None], 2, axis=1) / SAMPLE_WEIGHT.sum() / 2
    for options, share in (({}, mean), ({"sample_weight": SAMPLE_WEIGHT}, weighted)):
        for loss, expected in (
            (fastnn.mse_loss, 2 * share),
            (fastnn.l1_loss, 0 * share),
            (lambda p, t, **o: fastnn.huber_loss(p, t, 0.5, **o), share * (abs(x - t) <= 0.5)),
            (fastnn.binary_cross_entropy, share * s * (1 - s)),
        ):
            found = hessian(lambda p, loss=loss, options=options: loss(p, t, **options), x)
            np.testing.assert_allclose(found, np.diag(expected.ravel()), rtol=1e-9, atol=1e-15)


def test_a_target_of_another_dtype_is_taken_in_the_predictions() -> None:
    pred = Tensor(np.ones((2, 3)), requires_grad=True)
    for loss in (fastnn.mse_loss, fastnn.l1_loss, fastnn.huber_loss):
        target = Tensor(np.zeros((2, 3), np.float32), requires_grad=True)
        loss(pred, target).backward()
        assert target.grad.dtype == np.float32
    assert fastnn.binary_cross_entropy(pred, Tensor(np.ones((2, 3), int))).dtype == np.float64


def test_arguments_without_a_derivative_are_named() -> None:
    scores = Tensor(np.ones((3, 3)))
    needs = Tensor(WEIGHT, requires_grad=True)
    for position, loss in (
        (2, lambda: fastnn.cross_entropy(scores, Y, weight=needs)),
        (3, lambda: fastnn.cross_entropy(scores, Y, sample_weight=needs)),
        (3, lambda: fastnn.hinge_loss(scores, Y, weight=needs)),
        (2, lambda: fastnn.mse_loss(scores, scores.data, sample_weight=needs)),
        (1, lambda: fastnn.binary_cross_entropy(scores[0], needs / 2)),
    ):
        with pytest.raises(TypeError, match=f"has no derivative by its argument {position}"):
            loss().backward()


def test_a_third_derivative(rng: np.random.Generator) -> None:
    """Of the two-class cross-entropy by the difference of scores: a sigmoid's second."""
    d = np.array(0.3)

    def loss(x: Tensor) -> Tensor:
        return fastnn.cross_entropy(np.reshape(np.stack([x, 0 * x]), (1, 2)), np.array([1]))

    s = 1 / (1 + np.exp(-d))
    third = fastnn.grad(fastnn.grad(fastnn.grad(loss)))(d)
    np.testing.assert_allclose(third, s * (1 - s) * (1 - 2 * s), rtol=1e-9)
