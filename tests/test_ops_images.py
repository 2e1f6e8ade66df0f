"""Rows of the ops for images: derivatives, first and second, by central differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from kernels.test_conv import geometries
from numerical import check_gradients

from fastnn import _kernels as k
from fastnn import ops
from fastnn._kernels import reference
from fastnn.backward import gradients_of
from fastnn.ops.images import (
    avg_pool2d_backward,
    conv2d_input_gradient,
    conv2d_weight_gradient,
    max_pool2d_backward,
    max_pool2d_pick,
)
from fastnn.tensor import Tensor

# In pairs of rows and columns: stride, padding, dilation; groups.
GEOMETRIES = {
    "plain": (1, 1, 0, 0, 1, 1, 1),
    "strided": (2, 3, 1, 2, 1, 1, 1),
    "dilated": (1, 2, 2, 1, 2, 3, 1),
    "grouped": (1, 1, 1, 0, 1, 1, 2),
}
# kernel_size, stride, padding
WINDOWS = {
    "plain": (2, 2, 2, 2, 0, 0),
    "overlapping": (3, 2, 2, 1, 0, 0),
    "padded": (2, 3, 1, 2, 1, 1),
}


def distinct(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers of which no two are close: a maximum has a derivative."""
    return (rng.permutation(np.prod(shape)).reshape(shape) - np.prod(shape) / 2) * 0.1


def slope(f, *, by: int):
    """The gradient of the sum of f(...)**2 / 2 by one argument: a function of Tensors.

    As a value it must be what backward() gives, which may come from a kernel.
    """

    def gradient(*args):
        tensors = [t if t.requires_grad else Tensor(t.data, requires_grad=True) for t in args]
        y = f(*tensors)
        root = (y * y).sum() * 0.5
        nodes = [tensors[by]._node]
        (found,) = gradients_of(root._node, Tensor(1.0), nodes, create_graph=True)
        (wanted,) = gradients_of(root._node, np.ones(()), nodes)
        np.testing.assert_allclose(found.data, wanted, rtol=1e-10, atol=1e-12)
        return found

    return gradient


# --- convolution ----------------------------------------------------------------------


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_conv2d(geometry, rng: np.random.Generator) -> None:
    groups = geometry[-1]
    x, W = rng.standard_normal((2, 2, 5, 6)), rng.standard_normal((4, 2 // groups, 3, 2))
    b = rng.standard_normal(4)
    check_gradients(lambda x, W, b: ops.conv2d(x, W, b, *geometry), x, W, b)
    check_gradients(lambda x, W: ops.conv2d(x, W, None, *geometry), x, W)
    np.testing.assert_allclose(
        ops.conv2d(Tensor(x), W, b, *geometry).numpy(),
        reference.conv2d(x, W, b, *geometry),
        rtol=1e-12,
        atol=1e-12,
    )


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_conv2d_twice(geometry, rng: np.random.Generator) -> None:
    x, W = rng.standard_normal((1, 2, 5, 6)), rng.standard_normal((2, 2 // geometry[-1], 3, 2))
    g = rng.standard_normal(ops.conv2d(x, W, None, *geometry).shape)
    check_gradients(lambda g, W: conv2d_input_gradient(g, x, W, *geometry), g, W)
    check_gradients(lambda g, x: conv2d_weight_gradient(g, x, W, *geometry), g, x)
    b = rng.standard_normal(2)
    for by in range(3):
        check_gradients(slope(lambda x, W, b: ops.conv2d(x, W, b, *geometry), by=by), x, W, b)


@given(geometries())
def test_any_geometry_through_the_graph(arguments) -> None:
    """The gradient that the graph gives is the twin's."""
    pairs = [arguments[f"{n}_{axis}"] for n in ("stride", "padding", "dilation") for axis in "hw"]
    geometry = (*pairs, arguments["groups"])
    tensors = [Tensor(arguments[name], requires_grad=True) for name in "xWb"]
    y = ops.conv2d(*tensors, *geometry)
    dout = np.random.default_rng(0).standard_normal(y.shape).astype(y.dtype)
    y.backward(dout)
    expected = reference.conv2d_backward(dout, arguments["x"], arguments["W"], *geometry)
    eps = 2000 * np.finfo(y.dtype).eps
    for tensor, wanted in zip(tensors, expected, strict=True):
        scale = max(float(np.abs(wanted).max(initial=0)), 1)
        np.testing.assert_allclose(tensor.grad, wanted, rtol=eps, atol=eps * scale)


def test_conv2d_does_not_compute_what_nobody_wants(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = k.conv2d_backward

    def spy(*args):
        asked.append(args[-3:])
        return real(*args)

    monkeypatch.setattr(k, "conv2d_backward", spy)
    W = Tensor(rng.standard_normal((2, 1, 2, 2)), requires_grad=True)
    ops.conv2d(rng.standard_normal((1, 1, 3, 3)), W, None, 1, 1, 0, 0, 1, 1, 1).sum().backward()
    assert asked == [(False, None, False)]


def test_conv2d_promotes_as_numpy_does() -> None:
    W = Tensor(np.ones((1, 1, 2, 2), np.float32), requires_grad=True)
    geometry = (1, 1, 0, 0, 1, 1, 1)
    assert ops.conv2d(np.ones((1, 1, 2, 2), np.uint8), W, None, *geometry).dtype == np.float32
    y = ops.conv2d(np.ones((1, 1, 2, 2)), W, None, *geometry)
    assert y.dtype == np.float64
    y.sum().backward()
    assert W.grad.dtype == np.float32
    assert W.grad.tolist() == [[[[1, 1], [1, 1]]]]


# --- pooling --------------------------------------------------------------------------


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_max_pool2d(window, rng: np.random.Generator) -> None:
    x = distinct(rng, 2, 2, 5, 6)
    assert np.array_equal(ops.max_pool2d(x, *window), reference.max_pool2d(x, *window))
    check_gradients(lambda x: ops.max_pool2d(x, *window), x)
    g = rng.standard_normal(ops.max_pool2d(x, *window).shape)
    check_gradients(lambda g: max_pool2d_backward(g, x, *window), g)
    check_gradients(lambda h: max_pool2d_pick(h, x, *window), rng.standard_normal(x.shape))
    check_gradients(slope(lambda x: ops.max_pool2d(x, *window), by=0), x)
    assert np.array_equal(max_pool2d_pick(x, x, *window), ops.max_pool2d(x, *window))


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_avg_pool2d(window, rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 2, 5, 6))
    check_gradients(lambda x: ops.avg_pool2d(x, *window), x)
    g = rng.standard_normal(ops.avg_pool2d(x, *window).shape)
    check_gradients(lambda g: avg_pool2d_backward(g, 5, 6, *window), g)
    check_gradients(slope(lambda x: ops.avg_pool2d(x, *window), by=0), x)


def test_nan_goes_through_max_pool() -> None:
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    x[0, 0, 0, 1] = np.nan
    t = Tensor(x, requires_grad=True)
    y = ops.max_pool2d(t, 2, 2, 2, 2, 0, 0)
    assert np.array_equal(y.data, [[[[np.nan, 7], [13, 15]]]], equal_nan=True)
    y.backward(np.ones(y.shape))
    assert t.grad[0, 0, :2].tolist() == [[0, 1, 0, 0], [0, 0, 0, 1]]


# --- normalisation --------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 3), (4, 2, 3), (2, 3, 2, 4)], ids=str)
def test_batch_norm(shape, rng: np.random.Generator) -> None:
    x, gamma, beta = rng.standard_normal(shape), *rng.standard_normal((2, shape[1]))
    running = rng.uniform(0.5, 1.5, (2, shape[1]))

    def train(x, gamma=None, beta=None):
        return ops.batch_norm(x, gamma, beta, None, None, 0.1, 1e-3)

    def evaluate(x, gamma=None, beta=None):
        return ops.batch_norm_eval(x, *running, gamma, beta, 1e-3)

    for f in (train, evaluate):
        check_gradients(f, x, gamma, beta)
        check_gradients(f, x)
        check_gradients(slope(f, by=0), x, gamma, beta)
        check_gradients(slope(f, by=1), x, gamma, beta)
        check_gradients(slope(f, by=2), x, gamma, beta)
    np.testing.assert_allclose(
        ops.batch_norm(Tensor(x), gamma, beta, None, None, 0.1, 1e-3).numpy(),
        reference.batch_norm(x, gamma, beta, eps=1e-3)[0],
        rtol=1e-12,
        atol=1e-13,
    )


def test_batch_norm_moves_its_statistics_with_and_without_a_graph(
    rng: np.random.Generator,
) -> None:
    x = rng.standard_normal((6, 2))
    for needs in (False, True):
        mean, var = np.zeros(2), np.ones(2)
        ops.batch_norm(Tensor(x, requires_grad=needs), None, None, mean, var, 0.25, 0.0)
        np.testing.assert_allclose(mean, x.mean(0) / 4, rtol=1e-12)
        np.testing.assert_allclose(var, 0.75 + x.var(0, ddof=1) / 4, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
def test_local_response_norm(size: int, rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 5, 2, 2))
    options = (size, 0.7, 0.6, 1.5)
    check_gradients(lambda x: ops.local_response_norm(x, *options), x)
    check_gradients(slope(lambda x: ops.local_response_norm(x, *options), by=0), x)


# --- dropout --------------------------------------------------------------------------


def test_dropout(rng: np.random.Generator) -> None:
    x, state = rng.standard_normal((3, 4)), np.array([3, 1])
    check_gradients(lambda x: ops.dropout(x, 0.4, state), x)
    check_gradients(slope(lambda x: ops.dropout(x, 0.4, state), by=0), x)
    y = ops.dropout(Tensor(x), 0.4, state).numpy()
    assert np.array_equal(y, reference.dropout(x, 0.4, state))
