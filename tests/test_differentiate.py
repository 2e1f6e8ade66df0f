"""grad, value_and_grad and jacobian: forms of arguments, nesting, and what they refuse."""

from __future__ import annotations

import threading
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import grad, jacobian, value_and_grad
from fastnn.modes import no_grad
from fastnn.tensor import Tensor

X = np.array([0.3, -1.2, 2.0])


def sines(x: Any) -> Any:
    return np.sum(np.sin(x))


def quartic(x: Any) -> Any:
    """With a Hessian that is not diagonal: (x . x)^2 + x0 x1."""
    return np.sum(x * x) ** 2 + x[0] * x[1]


def hessian_of_quartic(x: np.ndarray) -> np.ndarray:
    h = 8 * np.outer(x, x) + 4 * (x @ x) * np.eye(3)
    h[0, 1] += 1
    h[1, 0] += 1
    return h


# --- arguments ------------------------------------------------------------------------


def test_arrays_come_back_as_plain_arrays(dtype: np.dtype) -> None:
    x = X.astype(dtype)
    value, gradient = value_and_grad(sines)(x)
    assert type(gradient) is np.ndarray
    assert (gradient.dtype, type(value)) == (dtype, dtype.type)
    assert np.array_equal(value, sines(x))
    np.testing.assert_allclose(gradient, np.cos(x), rtol=1e-6)
    gradient += 1  # the caller's own
    assert np.array_equal(grad(sines)(x), np.cos(x))


@pytest.mark.parametrize("number", [2, 2.0, np.float64(2), np.float32(2), np.array(2.0)])
def test_numbers_come_back_as_numbers(number: Any) -> None:
    slope = grad(lambda x: x**3)(number)
    assert slope == 12
    assert isinstance(slope, np.ndarray if isinstance(number, np.ndarray) else np.floating)
    assert jacobian(lambda x: x**3)(number) == 12
    assert jacobian(lambda x: np.stack([x, x**3]))(number).tolist() == [1, 12]


Layer = namedtuple("Layer", "W b")


def test_nested_arguments_keep_their_form() -> None:
    parameters = {
        "layers": [Layer(np.ones((3, 2)), np.zeros(2)), (np.ones((2, 1), np.float32),)],
        "scale": 3.0,
    }

    def f(p: Any, x: Any) -> Any:
        first, (W,) = p["layers"]
        assert type(first) is Layer
        return np.sum((x @ first.W + first.b) @ W) * p["scale"]

    value, slopes = value_and_grad(f)(parameters, X)
    total = X.sum()
    assert value == pytest.approx(6 * total)
    first, (W,) = slopes["layers"]
    assert type(first) is Layer
    np.testing.assert_allclose(first.W, 3 * np.outer(X, [1, 1]))
    np.testing.assert_allclose(first.b, [3, 3])
    np.testing.assert_allclose(W, 3 * total * np.ones((2, 1)), rtol=1e-6)
    assert W.dtype == np.float32
    assert slopes["scale"] == pytest.approx(2 * total)


def test_argnums() -> None:
    def f(a: Any, b: Any, c: float = 1.0) -> Any:
        return a * a * b * c

    assert grad(f)(2.0, 3.0) == 12
    assert grad(f, 1)(2.0, 3.0) == 4
    assert grad(f, -1)(2.0, 3.0) == 4
    assert grad(f, (1, 0))(2.0, 3.0) == (4, 12)
    assert grad(f, (-2,))(2.0, 3.0, c=5.0) == (60,)
    assert value_and_grad(f, (0, 1))(2.0, 3.0) == (12, (12, 4))
    assert jacobian(f, (0, 1))(2.0, 3.0) == (12, 4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: grad(sines, 1)(X), IndexError, "argnum is 1, but f got 1 arguments"),
        (lambda: grad(sines, -2)(X), IndexError, "argnum is -2"),
        (lambda: grad(sines)(x=X), IndexError, "argnum is 0, but f got 0"),
        (lambda: grad(sines, 1.0), TypeError, "argnum must be an integer, got 1.0"),
        (lambda: grad(sines, (0, 0))(X), ValueError, "argument 0 twice"),
        (lambda: grad(lambda a, b: a * b, (1, -1))(1.0, 2.0), ValueError, "argument 1 twice"),
        (lambda: grad(sines, ())(X), TypeError, "hold no array"),
        (lambda: grad(sines)([]), TypeError, "hold no array"),
        (lambda: grad(sines)(np.array([1, 2])), TypeError, "argument 0: .* int64"),
        (lambda: grad(sines)([X, {"b": None}]), TypeError, r"argument 0\[1\]\['b'\]: .* object"),
        (lambda: grad(sines)(True), TypeError, "bool"),
        (lambda: grad(np.sin)(X), ValueError, r"shape \(3,\): fastnn.jacobian"),
        (lambda: grad(lambda x: 3.0)(X), TypeError, "must return a Tensor .* got float"),
        (lambda: grad(lambda x: sines(x).item())(X), TypeError, r"\.item\(\)"),
        (lambda: grad(lambda x: x.data)(X), TypeError, "got ndarray"),
        (lambda: jacobian(lambda x: (x, x))(X), TypeError, "got tuple"),
        (lambda: grad(lambda x: np.sum(np.fft.fft(x)))(X), TypeError, r"np\.fft\.fft"),
    ],
)
def test_what_cannot_be_differentiated_is_named(call: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_errors_of_the_function_come_through() -> None:
    with pytest.raises(ZeroDivisionError):
        grad(lambda x: 1 / 0)(X)
    assert fastnn.Tensor(X, requires_grad=True).sum().requires_grad  # and recording goes on


def test_what_the_result_does_not_depend_on_has_gradient_zero() -> None:
    by_x, by_y = grad(lambda x, y: sines(y), (0, 1))(X, X)
    assert by_x.tolist() == [0, 0, 0]
    assert np.array_equal(by_y, np.cos(X))
    assert grad(lambda x: Tensor(3.0))(X).tolist() == [0, 0, 0]
    assert grad(lambda x: np.sum(np.floor(x)))(X).tolist() == [0, 0, 0]
    assert jacobian(lambda x: Tensor(np.ones(2)))(X).tolist() == [[0, 0, 0]] * 2


def test_the_functions_keep_their_names() -> None:
    for wrapped in (grad(sines), value_and_grad(sines), jacobian(sines)):
        assert wrapped.__name__ == "sines"


# --- jacobians and nesting ------------------------------------------------------------


def test_shapes_of_jacobians(rng: np.random.Generator) -> None:
    A = rng.standard_normal((2, 3))
    np.testing.assert_allclose(jacobian(lambda x: A @ x)(X), A)
    B = rng.standard_normal((3, 4))
    J = jacobian(lambda a, b: a @ b, (0, 1))(A, B)
    assert [each.shape for each in J] == [(2, 4, 2, 3), (2, 4, 3, 4)]
    np.testing.assert_allclose(J[0], np.einsum("ik,lj->ijkl", np.eye(2), B))
    np.testing.assert_allclose(J[1], np.einsum("ik,jl->ijkl", A, np.eye(4)))
    assert jacobian(lambda x: x[:0])(X).shape == (0, 3)
    assert jacobian(lambda x: np.outer(x, x))(X.astype(np.float32)).dtype == np.float32
    found = jacobian(lambda p: p["a"] * p["b"])({"a": X, "b": 2.0})
    np.testing.assert_allclose(found["a"], 2 * np.eye(3))
    np.testing.assert_allclose(found["b"], X)


def test_three_derivatives_of_a_number() -> None:
    f = np.tanh
    for n, expected in enumerate(
        (
            np.tanh(0.3),
            1 - np.tanh(0.3) ** 2,
            -2 * np.tanh(0.3) * (1 - np.tanh(0.3) ** 2),
            (1 - np.tanh(0.3) ** 2) * (6 * np.tanh(0.3) ** 2 - 2),
        )
    ):
        assert float(f(0.3)) == pytest.approx(expected), n
        f = grad(f)


def test_linear_functions_have_second_derivatives() -> None:
    """Their gradient does not change, and is a Tensor all the same."""
    for f in (lambda x: x, lambda x: 3 * x + 1, lambda x: Tensor(2.0), lambda x: x[None][0]):
        assert grad(grad(f))(2.0) == 0
        assert jacobian(jacobian(f))(2.0) == 0
        assert grad(grad(grad(f)))(2.0) == 0
    A = np.arange(6.0).reshape(2, 3)
    assert not np.any(jacobian(jacobian(lambda x: A @ x))(X))
    assert not np.any(jacobian(grad(lambda x: np.sum(A @ x)))(X))
    assert grad(lambda x: x * grad(lambda y: 5 * y)(x))(2.0) == 5


def test_hessians() -> None:
    expected = hessian_of_quartic(X)
    for hessian in (
        jacobian(grad(quartic)),
        jacobian(jacobian(quartic)),
        lambda x: np.stack([grad(lambda x, i=i: grad(quartic)(x)[i])(x) for i in range(3)]),
    ):
        np.testing.assert_allclose(hessian(X), expected, rtol=1e-12)


def test_hessian_vector_products() -> None:
    v = np.array([1.0, -2.0, 0.5])
    expected = hessian_of_quartic(X) @ v
    product = grad(lambda x: np.sum(grad(quartic)(x) * v))(X)
    np.testing.assert_allclose(product, expected, rtol=1e-12)
    x = Tensor(X, requires_grad=True)
    quartic(x).backward(create_graph=True)
    first, x.grad = x.grad, None
    first.backward(v)
    np.testing.assert_allclose(x.grad, expected, rtol=1e-12)


def test_derivatives_inside_a_function_that_is_differentiated() -> None:
    """The inner x is not the outer one: d/dx of x * d/dy (x + y) is 1, not 2."""
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0) == 1
    # A gradient penalty: |f'(x)|^2, where f(x) = sum(sin(x))
    penalty = grad(lambda x: np.sum(grad(sines)(x) ** 2))(X)
    np.testing.assert_allclose(penalty, -2 * np.cos(X) * np.sin(X), rtol=1e-12)
    # One step of gradient descent, differentiated by its learning rate: f(x - lr f'(x))
    slope = grad(lambda lr: sines(X - lr * grad(sines)(X)))(0.1)
    np.testing.assert_allclose(slope, -np.sum(np.cos(X - 0.1 * np.cos(X)) * np.cos(X)))


def test_functions_of_outer_tensors_give_tensors() -> None:
    w = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    value, gradient = value_and_grad(lambda x: np.sum(x * x * w))(X)
    assert isinstance(value, Tensor)
    np.testing.assert_allclose(gradient.data, 2 * X * w.data)
    gradient.sum().backward()
    np.testing.assert_allclose(w.grad, 2 * X)
    # An outer tensor that is not used, or needs no gradient, is no reason.
    assert type(grad(lambda x: np.sum(x * w.detach()))(X)) is np.ndarray


def test_tensors_as_arguments() -> None:
    w = Tensor(X, requires_grad=True)
    gradient = grad(sines)(w)
    assert w.grad is None
    gradient.backward(np.ones(3))
    np.testing.assert_allclose(w.grad, -np.sin(X))
    assert type(grad(sines)(Tensor(X))) is np.ndarray
    by_both = grad(lambda a, b: np.sum(a * a * b), (0, 1))(w, w)
    np.testing.assert_allclose(by_both[0].data, 2 * X * X)
    np.testing.assert_allclose(by_both[1].data, X * X)


def test_under_no_grad_plain_arrays_come_out() -> None:
    w = Tensor(X, requires_grad=True)
    with no_grad():
        for gradient in (
            grad(sines)(X),
            grad(sines)(w),
            grad(lambda x: np.sum(np.sin(x) * w) / w[0])(X) * 0 + np.cos(X),
        ):
            assert type(gradient) is np.ndarray
            np.testing.assert_allclose(gradient, np.cos(X))
        assert not (w * 2).requires_grad


def test_backward_within_the_function_is_its_own_affair() -> None:
    w = Tensor(X, requires_grad=True)

    def f(x: Any) -> Any:
        np.sum(w * w).backward()
        return np.sum(x * x)

    assert np.array_equal(grad(f)(X), 2 * X)
    np.testing.assert_allclose(w.grad, 2 * X)


def test_losses_and_layers(rng: np.random.Generator) -> None:
    X, y = rng.standard_normal((6, 4)), np.array([0, 1, 2, 0, 1, 2])
    parameters = [rng.standard_normal((4, 5)), np.zeros(5), rng.standard_normal((5, 3))]

    def loss(p: Any) -> Any:
        return fastnn.cross_entropy(np.maximum(0, X @ p[0] + p[1]) @ p[2], y)

    tensors = [Tensor(each, requires_grad=True) for each in parameters]
    loss(tensors).backward()
    for found, tensor in zip(grad(loss)(parameters), tensors, strict=True):
        assert np.array_equal(found, tensor.grad)


def test_threads_differentiate_at_once() -> None:
    found: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        for _ in range(50):
            found[number] = jacobian(grad(quartic))(X + number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        np.testing.assert_allclose(found[number], hessian_of_quartic(X + number))
