"""fastnn.op: a user's own forward and backward, and what becomes of wrong ones."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import scipy.special

import fastnn
from fastnn.tensor import Tensor

multiply = fastnn.op(
    forward=lambda x, y: x * y,
    backward=lambda dz, z, x, y: (dz * y, dz * x),
    name="multiply",
)
square = fastnn.op(lambda x: x * x, lambda dz, z, x: 2 * dz * x)
erf = fastnn.op(scipy.special.erf, lambda dz, z, x: dz * 2 / np.sqrt(np.pi) * np.exp(-x * x))


def leaf(*values: float) -> Tensor:
    return Tensor(np.array(values, float), requires_grad=True)


def test_the_multiply_gate_of_the_lecture() -> None:
    """It switches its inputs: f = (x + y) z at -2, 5, -4."""
    x, y, z = leaf(-2), leaf(5), leaf(-4)
    f = multiply(x + y, z)
    f.backward()
    assert (f.item(), x.grad.item(), y.grad.item(), z.grad.item()) == (-12, -4, -4, 3)


def test_arrays_give_arrays() -> None:
    assert multiply(2, 3) == 6
    assert type(square(np.ones(2))) is np.ndarray
    assert not square(Tensor([1.0])).requires_grad


def test_only_wanted_arguments_get_gradients() -> None:
    x, frozen = leaf(1, 2), Tensor([3.0, 4.0])
    multiply(x, frozen).sum().backward()
    assert x.grad.tolist() == [3, 4]
    assert frozen.grad is None
    multiply(np.array([5.0, 6.0]), x).sum().backward()
    assert x.grad.tolist() == [8, 10]


def test_it_branches_and_chains_with_the_tables_ops() -> None:
    x = leaf(2)
    np.sum(np.exp(square(x)) * multiply(x, x)).backward()  # exp(x^2) x^2
    np.testing.assert_allclose(x.grad, np.exp(4) * (2 * 2 + 2 * 2 * 4))


def test_backwards_made_of_numpy_have_derivatives() -> None:
    assert fastnn.grad(fastnn.grad(lambda x: multiply(x, square(x))))(2.0) == 12
    x = np.array([0.3, -1.0])
    second = fastnn.grad(lambda v: np.sum(fastnn.grad(lambda v: np.sum(erf(v)))(v)))(x)
    np.testing.assert_allclose(second, -4 * x / np.sqrt(np.pi) * np.exp(-x * x))


def test_a_backward_that_leaves_numpy_has_none() -> None:
    opaque = fastnn.op(np.sinh, lambda dz, z, x: dz * np.asarray(np.cosh(np.asarray(x))))
    assert fastnn.grad(opaque)(0.5) == np.cosh(0.5)
    with pytest.raises(TypeError, match=r"\.detach\(\)"):
        fastnn.grad(fastnn.grad(opaque))(0.5)


def test_names() -> None:
    assert repr(multiply) == "<op multiply>"
    assert erf.name == "erf"
    assert fastnn.op(functools.partial(np.sum, axis=0), np.sin).name == "partial"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_come_back_in_the_dtype_of_the_leaf(dtype: str) -> None:
    x = Tensor(np.ones(2, dtype), requires_grad=True)
    multiply(x, np.array([1.0, 2.0])).sum().backward()
    assert x.grad.dtype == dtype
    fastnn.op(lambda x: x * 1, lambda dz, z, x: [1, 2])(x).sum().backward()
    assert x.grad.tolist() == [2, 4]


def run(backward: Any, *args: Any) -> None:
    op = fastnn.op(lambda *args: sum(args) * 1.0, backward, name="gate")
    op(*args).sum().backward()


@pytest.mark.parametrize(
    ("backward", "error", "message"),
    [
        (lambda dz, z, x, y: (dz,), TypeError, "a tuple of 2 gradients, .* got a tuple of 1"),
        (lambda dz, z, x, y: (dz, dz, dz), TypeError, "got a tuple of 3"),
        (lambda dz, z, x, y: dz, TypeError, "got ndarray"),
        (lambda dz, z, x, y: [dz, dz], TypeError, "got list"),
        (lambda dz, z, x, y: None, TypeError, "got NoneType"),
        (lambda dz, z, x, y: (dz, None), TypeError, "gate returned None for its argument 1"),
        (lambda dz, z, x, y: (dz[:1], dz), ValueError, r"gate wants .* \(2,\), got \(1,\)"),
        (lambda dz, z, x, y: (dz, 1.0), ValueError, r"gate wants .* \(2,\), got \(\)"),
        (lambda dz, z, x, y: (dz, dz[None]), ValueError, r"\(2,\), got \(1, 2\)"),
        (lambda dz, z, x, y: (dz * 1j, dz), TypeError, "gate wants .* float64, got complex128"),
        (lambda dz, z, x, y: (dz, ["a", "b"]), TypeError, "gate wants .* float64, got <U1"),
        (lambda dz, z: dz, TypeError, "positional arguments"),
    ],
)
def test_a_wrong_backward_is_named(backward: Any, error: type, message: str) -> None:
    x, y = leaf(1, 2), leaf(3, 4)
    with pytest.raises(error, match=message):
        run(backward, x, y)
    assert x.grad is None
    assert y.grad is None


def test_none_is_right_where_nothing_is_wanted() -> None:
    x = leaf(1, 2)
    run(lambda dz, z, x, y: (dz, None), x, np.ones(2))
    assert x.grad.tolist() == [1, 1]
    with pytest.raises(TypeError, match="returned None for its argument 0"):
        run(lambda dz, z, x: None, x)


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda x: (x, x), "forward of gate must return one array, got a tuple of 2"),
        (lambda x: None, "gate .* object"),
        (lambda x: x * 1j, "gate .* complex128"),
        (lambda x: np.ma.masked_array(x, x > 1), "gate .* masked"),
    ],
)
def test_a_wrong_forward_is_named(forward: Any, message: str) -> None:
    op = fastnn.op(forward, lambda dz, z, x: dz, name="gate")
    with pytest.raises(TypeError, match=message):
        op(leaf(1, 2))


def test_forwards_of_lists_and_numbers_are_arrays() -> None:
    x = leaf(1, 2)
    fastnn.op(lambda x: float(x.sum()), lambda dz, z, x: dz * np.ones(2))(x).backward()
    fastnn.op(lambda x: x.tolist(), lambda dz, z, x: dz)(x).sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_values_it_reads_may_not_change_in_place() -> None:
    x = leaf(1, 2)
    y = square(x)
    x.data -= 1
    with pytest.raises(RuntimeError, match=r"its argument 0, .* changed in place"):
        y.sum().backward()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((1, np.sin), "forward must be a function, got 1"),
        ((np.sin, None), "backward must be a function, got None"),
        ((np.sin, np.cos, 3), "name must be text, got 3"),
    ],
)
def test_wrong_arguments_are_named(args: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        fastnn.op(*args)
