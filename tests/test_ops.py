"""Every row of the op table: forward as NumPy's, backward as central differences."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numerical import check_gradients

from fastnn import _kernels as k
from fastnn import ops
from fastnn.tensor import Tensor

A = np.array([[0.7, -1.3, 2.1], [-0.4, 1.9, 0.2]])
B = np.array([[1.1, 0.6, -0.8], [-2.0, 0.3, 1.7]])
POSITIVE = np.abs(A) + 0.1

BINARY = [
    (np.add, A, B),
    (np.subtract, A, B),
    (np.multiply, A, B),
    (np.divide, A, B),
    (np.power, POSITIVE, B),
    (np.maximum, A, B),
    (np.minimum, A, B),
]
UNARY = [
    (np.negative, A),
    (np.positive, A),
    (np.absolute, A),
    (np.exp, A),
    (np.log, POSITIVE),
    (np.sqrt, POSITIVE),
    (np.square, A),
    (np.tanh, A),
]
PRODUCTS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)),
    ((1, 3), (3, 1)),
]
REDUCTIONS = [
    {},
    {"axis": 0},
    {"axis": 1},
    {"axis": -1, "keepdims": True},
    {"axis": (0, 1)},
    {"axis": (0, -1), "keepdims": True},
    {"keepdims": True},
]
INDICES = {
    "int": 1,
    "negative": -2,
    "slice": slice(None, None, 2),
    "reversed": (slice(None), slice(None, None, -1)),
    "ellipsis": (..., 1),
    "new axis": (None, 0),
    "true": True,
    "rows": np.array([0, 2, 0]),
    "pairs": (np.array([0, 1, 0]), np.array([2, 2, 2])),
    "list": [2, 2],
    "mask": np.array([True, False, True]),
    "mixed": (slice(1, None), np.array([0, 0, 3])),
}


@pytest.mark.parametrize(("ufunc", "a", "b"), BINARY, ids=lambda p: str(p)[:20])
def test_binary(ufunc: np.ufunc, a: np.ndarray, b: np.ndarray) -> None:
    assert np.array_equal(ufunc(Tensor(a), b).numpy(), ufunc(a, b))
    assert np.array_equal(ufunc(a, Tensor(b)).numpy(), ufunc(a, b))
    check_gradients(ufunc, a, b)
    check_gradients(ufunc, a, b[0])
    check_gradients(ufunc, a[:, :1], b)
    check_gradients(ufunc, a[0, 0], b[:1])


@pytest.mark.parametrize(("ufunc", "x"), UNARY, ids=lambda p: str(p)[:20])
def test_unary(ufunc: np.ufunc, x: np.ndarray) -> None:
    assert np.array_equal(ufunc(Tensor(x)).numpy(), ufunc(x))
    check_gradients(ufunc, x)
    check_gradients(ufunc, x[1, 1])


@pytest.mark.parametrize(
    "operation",
    [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow],
)
def test_operators(operation) -> None:
    for a, b in ((POSITIVE, B), (POSITIVE, 2), (POSITIVE, 0.5), (2, B), (1.5, B)):
        expected = operation(a, b)
        if isinstance(a, np.ndarray):
            assert np.array_equal(operation(Tensor(a), b).numpy(), expected)
            check_gradients(lambda x, b=b: operation(x, b), a)
        if isinstance(b, np.ndarray):
            assert np.array_equal(operation(a, Tensor(b)).numpy(), expected)
            check_gradients(lambda x, a=a: operation(a, x), b)
    check_gradients(operation, POSITIVE, B)
    listed = operation(Tensor(POSITIVE[0]), [1, 2, 3])
    assert np.array_equal(listed.numpy(), operation(POSITIVE[0], [1, 2, 3]))


def test_prefix_operators() -> None:
    t = Tensor(A, requires_grad=True)
    assert np.array_equal((-t).data, -A)
    assert np.array_equal(abs(t).data, abs(A))
    assert np.array_equal((+t).data, A)


def test_lists_are_arrays_to_ufuncs() -> None:
    t = Tensor([1.0, 2.0], requires_grad=True)
    np.power(t, [3, 0]).backward([1, 1])
    assert t.grad.tolist() == [3, 0]
    assert ([[1, 2]] @ Tensor([3.0, 4.0])).numpy().tolist() == [11]


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 0.0, 2.0])
def test_power_at_zero(exponent: float) -> None:
    slope = 1.0 if exponent == 1 else 0.0
    for power in (lambda x: x**exponent, lambda x: x ** np.array([exponent])):
        x = Tensor([0.0], requires_grad=True)
        power(x).backward()
        assert x.grad.tolist() == [slope]
    b = Tensor([2.0], requires_grad=True)
    (np.zeros(1) ** b).backward()
    assert b.grad.tolist() == [0]


@pytest.mark.parametrize("ufunc", [np.maximum, np.minimum])
def test_ties_share_by_halves(ufunc: np.ufunc) -> None:
    a = Tensor([1.0, 2.0, np.inf], requires_grad=True)
    b = Tensor([1.0, 2.0, np.inf], requires_grad=True)
    ufunc(a, b).backward([2, 4, 6])
    assert a.grad.tolist() == [1, 2, 3]
    assert b.grad.tolist() == [1, 2, 3]
    c = Tensor(0.0, requires_grad=True)
    ufunc(0, c).backward()
    assert c.grad == 0.5


def test_absolute_is_flat_at_zero() -> None:
    x = Tensor([0.0, -3.0], requires_grad=True)
    abs(x).backward([1, 1])
    assert x.grad.tolist() == [0, -1]


@pytest.mark.parametrize(("left", "right"), PRODUCTS)
def test_matmul(left, right, rng: np.random.Generator) -> None:
    a, b = rng.standard_normal(left), rng.standard_normal(right)
    np.testing.assert_allclose((Tensor(a) @ b).numpy(), a @ b, rtol=1e-12)
    np.testing.assert_allclose((a @ Tensor(b)).numpy(), a @ b, rtol=1e-12)
    check_gradients(np.matmul, a, b)
    if a.ndim <= 2 and b.ndim <= 2:
        check_gradients(np.dot, a, b)
        np.testing.assert_allclose(Tensor(a).dot(b).numpy(), a.dot(b), rtol=1e-12)


def test_matmul_of_matrices_is_the_kernels(
    rng: np.random.Generator, dtype: np.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = []
    real = k.matmul

    def spy(a, b):
        shapes.append((a.shape, b.shape))
        return real(a, b)

    monkeypatch.setattr(k, "matmul", spy)
    a, b = rng.standard_normal((2, 3)), rng.standard_normal((3, 4))
    a, b = (Tensor(each.astype(dtype), requires_grad=True) for each in (a, b))
    (a @ b).backward(np.ones((2, 4)))
    assert shapes == [((2, 3), (3, 4)), ((2, 4), (4, 3)), ((3, 2), (2, 4))]


def test_matmul_of_mixed_dtypes(rng: np.random.Generator) -> None:
    a = Tensor(rng.standard_normal((2, 3)).astype(np.float32), requires_grad=True)
    b = Tensor(rng.standard_normal((3, 4)), requires_grad=True)
    y = a @ b
    assert y.dtype == np.float64
    y.sum().backward()
    assert a.grad.dtype == np.float32
    np.testing.assert_allclose(a.grad, np.ones((2, 4)) @ b.data.T, rtol=1e-6)


def test_dot_with_a_scalar_multiplies() -> None:
    check_gradients(np.dot, A, np.array(3.0))


@pytest.mark.parametrize("options", REDUCTIONS, ids=str)
@pytest.mark.parametrize("function", [np.sum, np.mean, np.max])
def test_reductions(function, options) -> None:
    x = np.stack([A, B])[:, 0]
    assert np.array_equal(function(Tensor(x), **options).numpy(), function(x, **options))
    check_gradients(lambda t: function(t, **options), x)
    method = getattr(Tensor(x), function.__name__)
    assert np.array_equal(method(**options).numpy(), function(x, **options))


def test_full_max_splits_equally() -> None:
    x = Tensor([[3.0, 3.0, 1.0], [3.0, 0.0, 2.0]], requires_grad=True)
    x.max().backward()
    np.testing.assert_allclose(x.grad, np.array([[1, 1, 0], [1, 0, 0]]) / 3)
    x.grad = None
    x.max(axis=1).backward([1, 1])
    assert x.grad.tolist() == [[0.5, 0.5, 0], [1, 0, 0]]


def test_mean_of_integers_is_a_float() -> None:
    assert np.mean(Tensor([1, 2])).item() == 1.5


def test_reshape_and_transpose(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, 4))
    for function in (
        lambda t: t.reshape(6, 4),
        lambda t: t.reshape((4, -1)),
        lambda t: t.reshape(-1),
        lambda t: np.reshape(t, (3, 8)),
        lambda t: t.T,
        lambda t: t.transpose(),
        lambda t: t.transpose(2, 0, 1),
        lambda t: t.transpose((1, 2, 0)),
        lambda t: np.transpose(t, (-1, 0, 1)),
        lambda t: np.transpose(t),
    ):
        assert np.array_equal(function(Tensor(x)).numpy(), function(x))
        check_gradients(function, x)


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_indexing(index, rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 4))
    assert np.array_equal(Tensor(x)[index].numpy(), x[index])
    check_gradients(lambda t: t[index], x)


@pytest.mark.parametrize(
    "op", [ops.relu, ops.sigmoid, ops.tanh, ops.softmax, ops.log_softmax], ids=repr
)
def test_activations(op: ops.Op, rng: np.random.Generator) -> None:
    check_gradients(op, rng.standard_normal((4, 3)))
    check_gradients(op, rng.standard_normal((2, 1, 3)))


def test_relu_is_flat_at_zero() -> None:
    x = Tensor([-1.0, 0.0, 2.0], requires_grad=True)
    ops.relu(x).backward([1, 1, 1])
    assert x.grad.tolist() == [0, 0, 1]


def test_linear(rng: np.random.Generator) -> None:
    x, W = rng.standard_normal((4, 3)), rng.standard_normal((3, 2))
    b = rng.standard_normal(2)
    check_gradients(ops.linear, x, W, b)
    check_gradients(lambda x, W: ops.linear(x, W, None), x, W)
    np.testing.assert_allclose(ops.linear(Tensor(x), W, b).numpy(), x @ W + b, rtol=1e-12)


def test_linear_does_not_compute_what_nobody_wants(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = k.linear_backward

    def spy(dout, x, W, dx=None, dW=None, db=None):
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


def test_an_op_called_on_arrays_gives_arrays() -> None:
    assert isinstance(ops.relu(A), np.ndarray)
    assert ops.add(1.0, 2.0) == 3.0
    assert repr(ops.relu) == "<op relu>"


SHAPES = st.lists(st.integers(1, 3), max_size=3).map(tuple)


@st.composite
def broadcastable(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays whose shapes are made from one by dropping and shrinking axes."""
    full = draw(SHAPES)
    arrays = []
    for seed in (1, 2):
        lead = draw(st.integers(0, len(full)))
        shape = [draw(st.sampled_from([1, n])) for n in full[lead:]]
        arrays.append(np.random.default_rng(seed).uniform(0.5, 2, shape))
    return arrays[0], arrays[1]


@given(broadcastable(), st.sampled_from([np.add, np.multiply, np.divide, np.maximum]))
def test_gradients_are_summed_back_over_broadcast_axes(arrays, ufunc) -> None:
    check_gradients(ufunc, *arrays)


@given(broadcastable())
def test_sum_to_is_the_adjoint_of_broadcasting(arrays) -> None:
    small, other = arrays
    g = np.asarray(np.ones(np.broadcast_shapes(small.shape, other.shape)))
    summed = ops.sum_to(g, small.shape)
    assert summed.shape == small.shape
    # <broadcast(x), g> = <x, sum_to(g)>
    np.testing.assert_allclose(np.sum(small * g), np.sum(small * summed))
