"""Gradients against central differences, in float64; the twins are checked here too."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import _kernels as k
from fastnn._kernels import reference

BOTH = pytest.mark.parametrize("api", [k, reference], ids=["kernel", "twin"])
STEP = 1e-6


def numerical(f, x):
    """df/dx by (f(x + h) - f(x - h)) / 2h: errors of h**2 and eps / h."""
    gradient = np.empty_like(x)
    for index in np.ndindex(*x.shape):
        kept = x[index]
        x[index] = kept + STEP
        above = f()
        x[index] = kept - STEP
        below = f()
        x[index] = kept
        gradient[index] = (above - below) / (2 * STEP)
    return gradient


def assert_is_gradient(f, x, gradient):
    np.testing.assert_allclose(gradient, numerical(f, x), rtol=2e-7, atol=2e-8)


@BOTH
@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 3, 5), (9, 12, 10)], ids=str)
def test_linear(api, shape, rng):
    n, d, c = shape
    x, W, b, dout = (rng.standard_normal(s) for s in ((n, d), (d, c), (c,), (n, c)))
    gradients = api.linear_backward(dout, x, W)
    for value, gradient in zip((x, W, b), gradients, strict=True):
        assert_is_gradient(lambda: (dout * api.linear(x, W, b)).sum(), value, gradient)


@BOTH
@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "softmax", "log_softmax"])
def test_activations(api, name, rng):
    x, dout = rng.standard_normal((6, 7)), rng.standard_normal((6, 7))
    forward, backward = getattr(api, name), getattr(api, f"{name}_backward")
    gradient = backward(dout, x if name == "relu" else forward(x))
    assert_is_gradient(lambda: (dout * forward(x)).sum(), x, gradient)


@BOTH
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cross_entropy", {}),
        ("hinge_loss", {}),
        ("hinge_loss", {"delta": 0.3}),
        ("hinge_loss", {"delta": 4.0}),
    ],
)
def test_losses_on_labels(api, name, options, weights, rng):
    scores, y = rng.standard_normal((7, 5)), rng.integers(5, size=7)
    if weights:
        options = {
            **options,
            "weight": rng.random(5) + 0.1,
            "sample_weight": rng.random(7),
        }
    loss = getattr(api, name)
    assert_is_gradient(
        lambda: float(loss(scores, y, **options)[0]),
        scores,
        loss(scores, y, **options)[1],
    )


@BOTH
@pytest.mark.parametrize("shape", [(7,), (7, 5), (3, 2, 4)], ids=str)
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mse_loss", {}),
        ("l1_loss", {}),
        ("huber_loss", {}),
        ("huber_loss", {"delta": 0.3}),
        ("binary_cross_entropy", {}),
    ],
)
def test_losses_on_targets(api, name, options, weights, shape, rng):
    pred, target = rng.standard_normal(shape), rng.random(shape)
    if weights:
        options = {**options, "sample_weight": rng.random(shape[0])}
    loss = getattr(api, name)
    assert_is_gradient(
        lambda: float(loss(pred, target, **options)[0]),
        pred,
        loss(pred, target, **options)[1],
    )
