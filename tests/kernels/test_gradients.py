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


GEOMETRIES = [
    {},
    {"stride_h": 2, "padding_w": 1},
    {"dilation_h": 2, "padding_h": 1, "padding_w": 2, "stride_w": 3},
    {"groups": 2, "padding_h": 1},
]


@BOTH
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_convolution(api, geometry, rng):
    x = rng.standard_normal((2, 4, 5, 6))
    W = rng.standard_normal((4, 4 // geometry.get("groups", 1), 3, 2))
    b = rng.standard_normal(4)
    dout = rng.standard_normal(api.conv2d(x, W, b, **geometry).shape)
    gradients = api.conv2d_backward(dout, x, W, **geometry)
    for value, gradient in zip((x, W, b), gradients, strict=True):
        assert_is_gradient(
            lambda: (dout * api.conv2d(x, W, b, **geometry)).sum(), value, gradient
        )


@BOTH
@pytest.mark.parametrize("window", [(2, 2, 2, 2), (3, 3, 2, 2), (3, 4, 1, 3, 1, 2)], ids=str)
def test_pooling(api, window, rng):
    x = rng.permutation(120).reshape(2, 2, 5, 6) / 10.0  # no ties, and none within STEP
    dout = rng.standard_normal(api.max_pool2d(x, *window).shape)
    assert_is_gradient(
        lambda: (dout * api.max_pool2d(x, *window)).sum(),
        x,
        api.max_pool2d_backward(dout, x, *window),
    )
    assert_is_gradient(
        lambda: (dout * api.avg_pool2d(x, *window)).sum(),
        x,
        api.avg_pool2d_backward(dout, 5, 6, *window),
    )


@BOTH
@pytest.mark.parametrize("options", [(5, 0.5, 0.75, 2.0), (4, 1.0, 0.6), (1, 0.3)], ids=str)
def test_local_response_norm(api, options, rng):
    x, dout = rng.standard_normal((2, 7, 2, 3)), rng.standard_normal((2, 7, 2, 3))
    assert_is_gradient(
        lambda: (dout * api.local_response_norm(x, *options)).sum(),
        x,
        api.local_response_norm_backward(dout, x, *options),
    )


@BOTH
@pytest.mark.parametrize("shape", [(6, 3), (3, 2, 4), (2, 3, 2, 3)], ids=str)
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(api, shape, training, rng):
    x, dout = rng.standard_normal(shape), rng.standard_normal(shape)
    gamma, beta, mean = (rng.standard_normal(shape[1]) for _ in range(3))
    var = rng.random(shape[1]) + 0.1

    def forward():
        if training:
            return api.batch_norm(x, gamma, beta)[0]
        return api.batch_norm_eval(x, mean, var, gamma, beta)

    if training:
        _, mean, rstd = api.batch_norm(x, gamma, beta)
    else:
        rstd = 1 / np.sqrt(var + 1e-5)
    gradients = api.batch_norm_backward(dout, x, mean, rstd, gamma, training)
    for value, gradient in zip((x, gamma, beta), gradients, strict=True):
        assert_is_gradient(lambda: (dout * forward()).sum(), value, gradient)


@BOTH
def test_dropout_is_its_own_backward(api, rng):
    x, dout, state = rng.standard_normal((5, 7)), rng.standard_normal((5, 7)), [3, 8]
    assert_is_gradient(
        lambda: (dout * api.dropout(x, 0.4, state)).sum(), x, api.dropout(dout, 0.4, state)
    )
