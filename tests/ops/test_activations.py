"""Activations where differences say nothing, and their derivatives by formula."""

from __future__ import annotations

import numpy as np
import pytest
from ops.harness import leaf

from fastnn import ops
from fastnn.tensor import Tensor


def test_relu_is_flat_at_zero() -> None:
    x = leaf(-1, 0, 2)
    ops.relu(x).backward([1, 1, 1], create_graph=True)
    assert x.grad.data.tolist() == [0, 0, 1]
    first, x.grad = x.grad, None
    assert not np.any(x.grad)
    first.backward([1, 1, 1])
    assert x.grad is None or not np.any(x.grad)


def derivatives(f, x: np.ndarray, n: int) -> list[np.ndarray]:
    """The first n derivatives of an elementwise function."""
    t = Tensor(x, requires_grad=True)
    y, found = f(t), []
    for _ in range(n):
        y.backward(np.ones(x.shape), create_graph=True)
        y, t.grad = t.grad, None
        found.append(y.data)
    return found


X = np.array([-3.0, -0.5, 0.0, 0.7, 2.0])


def test_three_derivatives_of_sigmoid_and_tanh() -> None:
    s = 1 / (1 + np.exp(-X))
    for found, expected in zip(
        derivatives(ops.sigmoid, X, 3),
        (
            s * (1 - s),
            s * (1 - s) * (1 - 2 * s),
            s * (1 - s) * (1 - 6 * s + 6 * s**2),
        ),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    t = np.tanh(X)
    for f in (ops.tanh, np.tanh):
        for found, expected in zip(
            derivatives(f, X, 3),
            (1 - t**2, -2 * t * (1 - t**2), (1 - t**2) * (6 * t**2 - 2)),
            strict=True,
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_the_sigmoid_of_elementary_gates_agrees(rng: np.random.Generator) -> None:
    x = rng.standard_normal(50) * 5
    gates = derivatives(lambda t: 1 / (1 + np.exp(-t)), x, 2)
    for one, other in zip(gates, derivatives(ops.sigmoid, x, 2), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-15)


def test_the_jacobian_of_softmax(rng: np.random.Generator) -> None:
    x = rng.standard_normal(4)
    p = np.exp(x) / np.exp(x).sum()
    for row in range(4):
        t = Tensor(x, requires_grad=True)
        ops.softmax(t).backward(np.eye(4)[row])
        np.testing.assert_allclose(t.grad, p[row] * (np.eye(4)[row] - p), atol=1e-15)
        t = Tensor(x, requires_grad=True)
        ops.log_softmax(t).backward(np.eye(4)[row])
        np.testing.assert_allclose(t.grad, np.eye(4)[row] - p, atol=1e-15)


@pytest.mark.parametrize("op", [ops.sigmoid, ops.tanh, ops.softmax, ops.log_softmax], ids=repr)
def test_extremes_stay_finite(op: ops.Op, dtype: np.dtype) -> None:
    x = Tensor(np.array([[-1e4, 0, 1e4], [1e4, 1e4, -1e4]], dtype), requires_grad=True)
    y = op(x)
    y.backward(np.ones((2, 3)))
    assert np.all(np.isfinite(y.data))
    assert np.all(np.isfinite(x.grad))
    assert x.grad.dtype == dtype


def test_a_seed_of_another_dtype_becomes_the_results() -> None:
    x = Tensor(np.ones(2, np.float32), requires_grad=True)
    ops.sigmoid(x).backward(Tensor([1.0, 2.0]), create_graph=True)
    assert x.grad.dtype == np.float32
    x.grad = None


def test_integers_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match="relu: x must be float32 or float64, got int64"):
        ops.relu(Tensor([1, 2]))
