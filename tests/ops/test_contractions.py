"""Matrix products: by the kernels where they can, in NumPy's dtypes, and no more than wanted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ops.harness import leaf

from fastnn import _kernels as k
from fastnn import ops
from fastnn.tensor import Tensor


def test_matmul_of_matrices_is_the_kernels(
    rng: np.random.Generator, dtype: np.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = []
    real = k.matmul

    def spy(a: Any, b: Any) -> Any:
        shapes.append((a.shape, b.shape))
        return real(a, b)

    monkeypatch.setattr(k, "matmul", spy)
    a, b = rng.standard_normal((2, 3)), rng.standard_normal((3, 4))
    a, b = (Tensor(each.astype(dtype), requires_grad=True) for each in (a, b))
    for product in (
        lambda: a @ b,
        lambda: np.dot(a, b),
        lambda: np.tensordot(a, b, 1),
        lambda: np.inner(a, b.T),
    ):
        shapes.clear()
        product().backward(np.ones((2, 4)))
        assert shapes == [((2, 3), (3, 4)), ((2, 4), (4, 3)), ((3, 2), (2, 4))]


def test_matmul_of_mixed_dtypes(rng: np.random.Generator) -> None:
    a = Tensor(rng.standard_normal((2, 3)).astype(np.float32), requires_grad=True)
    b = Tensor(rng.standard_normal((3, 4)), requires_grad=True)
    y = a @ b
    assert y.dtype == np.float64
    y.sum().backward()
    assert a.grad.dtype == np.float32
    np.testing.assert_allclose(a.grad, np.ones((2, 4)) @ b.data.T, rtol=1e-6)


def test_linear_does_not_compute_what_nobody_wants(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = k.linear_backward

    def spy(dout: Any, x: Any, W: Any, dx: Any = None, dW: Any = None, db: Any = None) -> Any:
        asked.append((dx, dW, db))
        return real(dout, x, W, dx, dW, db)

    monkeypatch.setattr(k, "linear_backward", spy)
    W = Tensor(rng.standard_normal((3, 2)), requires_grad=True)
    ops.linear(rng.standard_normal((4, 3)), W, None).sum().backward()
    assert asked == [(False, None, False)]


def test_linear_promotes_as_numpy_does() -> None:
    W = Tensor(np.ones((2, 2), np.float32), requires_grad=True)
    b = Tensor(np.zeros(2, np.float32), requires_grad=True)
    assert ops.linear(np.ones((1, 2), np.uint8), W, b).dtype == np.float32
    y = ops.linear(np.ones((1, 2), np.float64), W, b)
    assert y.dtype == np.float64
    y.sum().backward()
    assert W.grad.dtype == b.grad.dtype == np.float32
    assert W.grad.tolist() == [[1, 1], [1, 1]]


def test_einsum_does_not_compute_what_nobody_wants() -> None:
    frozen, b = Tensor(np.ones((2, 3))), leaf(1, 2, 3)
    np.einsum("ij,j->i", frozen, b).backward([1, 10])
    assert frozen.grad is None
    assert b.grad.tolist() == [11, 11, 11]


def test_einsum_writes_gradients_to_diagonals() -> None:
    x = Tensor(np.arange(9.0).reshape(3, 3), requires_grad=True)
    np.einsum("ii->i", x).backward([1, 2, 3])
    assert x.grad.tolist() == np.diag([1, 2, 3]).tolist()
    x.grad = None
    np.einsum("ii", x).backward()
    assert x.grad.tolist() == np.eye(3).tolist()


def test_the_hessian_of_a_bilinear_form() -> None:
    """x^T A y: the mixed second derivative is A."""
    A = np.array([[1.0, 2, 3], [4, 5, 6]])
    x, y = leaf(1, -1), leaf(2, 0, 1)
    for form in (
        lambda: np.einsum("i,ij,j->", x, A, y),
        lambda: x @ A @ y,
        lambda: np.vdot(x, np.dot(A, y)),
        lambda: np.sum(np.outer(x, y) * A),
        lambda: np.linalg.multi_dot([x, A, y]),
    ):
        form().backward(create_graph=True)
        first = x.grad
        x.grad = y.grad = None
        first.backward(np.array([1.0, 0.5]))
        np.testing.assert_allclose(y.grad, [1, 0.5] @ A)
        assert x.grad is None
        y.grad = None


def test_multi_dot_takes_the_cheapest_order() -> None:
    shapes = []

    a, b, c = np.ones((50, 2)), np.ones((2, 50)), np.ones((50, 1))
    product = np.linalg.multi_dot([Tensor(a), Tensor(b, requires_grad=True), Tensor(c)])
    node = product._node
    while node.op is not None:
        shapes.append(node.data.shape)
        node = node.parents()[0][1]
    assert shapes == [(50, 1), (2, 1)]  # a (b c), not (a b) c
