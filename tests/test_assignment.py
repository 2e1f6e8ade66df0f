"""Assignment in the graph: a new version of a tensor, and what it may not be done to."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import fastnn
from fastnn.tensor import Tensor


def leaf(*values: float) -> Tensor:
    return Tensor(np.array(values, float), requires_grad=True)


# --- versions -------------------------------------------------------------------------


def test_an_assignment_is_a_new_version() -> None:
    """What was computed from the old one stays as it is, its gradient too."""
    x = leaf(1, 2, 3)
    t = x * 2
    before = np.sum(t * t)
    t[1] = 10.0
    after = np.sum(t * t)
    assert (before.item(), after.item()) == (4 + 16 + 36, 4 + 100 + 36)
    before.backward(retain_graph=True)
    assert x.grad.tolist() == [8, 16, 24]
    x.grad = None
    after.backward()
    assert x.grad.tolist() == [8, 0, 24]


def test_gradients_flow_to_the_value_and_past_it() -> None:
    x, v = leaf(1, 2, 3), leaf(5)
    t = x * x
    t[0] = v[0] * v[0]
    t[2] = t[0] + t[1]
    assert t.data.tolist() == [25, 4, 29]
    t.backward([1, 1, 1])
    assert x.grad.tolist() == [0, 2 * 4, 0]
    assert v.grad.tolist() == [2 * 10]


def test_a_loop_that_fills_a_tensor() -> None:
    """A recurrence written the way NumPy users write it."""
    w = leaf(0.5)
    states = Tensor(np.zeros(5))
    states[0] = 1.0
    for step in range(1, 5):
        states[step] = w[0] * states[step - 1] + step
    states[-1].backward()

    def last(w: float) -> float:
        state = 1.0
        for step in range(1, 5):
            state = w * state + step
        return state

    slope = (last(0.5 + 1e-6) - last(0.5 - 1e-6)) / 2e-6
    np.testing.assert_allclose(w.grad, slope, rtol=1e-8)


def test_a_tensor_that_needs_no_gradient_takes_one() -> None:
    t, v = Tensor([1.0, 2.0]), leaf(3)
    values = t.data
    t[0] = v[0]
    assert t.requires_grad
    assert values.tolist() == [1, 2]  # the old version has the old array
    t.sum().backward()
    assert v.grad.tolist() == [1]


def test_in_place_operators_make_new_tensors() -> None:
    x = leaf(1, 2)
    t = before = x * 2
    t += 1
    t *= 3
    t -= x
    t /= 2
    t **= 2
    assert t is not before
    assert before.data.tolist() == [2, 4]
    t.sum().backward()  # ((2x + 1) 3 - x)^2 / 4: (5x + 3) 5 / 2
    assert x.grad.tolist() == [20, 32.5]


def test_an_element_changes_by_an_operator() -> None:
    x = leaf(3, 2)
    t = x * 1
    t[0] += 5
    t[[1, 0]] *= x
    assert t.data.tolist() == [(3 + 5) * 2, 2 * 3]
    t.backward([1, 10])  # (x0 + 5) x1, and x1 x0
    assert x.grad.tolist() == [2 + 10 * 2, 8 + 10 * 3]


def test_numbers_lists_and_arrays_are_assigned() -> None:
    t = Tensor(np.zeros((2, 3)))
    t[0] = 1
    t[1] = [1, 2, 3]
    t[:, 2] = np.array([7, 8], np.float32)
    t[..., :1] = True
    assert t.data.tolist() == [[1, 1, 7], [1, 2, 8]]
    assert t.dtype == np.float64
    with pytest.raises(ValueError, match="broadcast"):
        t[0] = [1, 2]


def test_the_dtype_of_the_tensor_stays() -> None:
    t, v = Tensor(np.zeros(2, np.float32)), leaf(1 / 3)
    t[0] = v[0]
    assert t.dtype == np.float32
    t.sum().backward()
    assert v.grad.dtype == np.float64
    with pytest.raises(TypeError, match="cut v, which needs a gradient, down to int64"):
        Tensor([1, 2])[0] = v[0]
    counts = Tensor([1, 2])
    counts[0] = 2.7
    assert counts.data.tolist() == [2, 2]  # as NumPy cuts it


# --- refusals -------------------------------------------------------------------------


def assign(t: Tensor) -> None:
    t[0] = 5.0


def at(t: Tensor) -> None:
    np.add.at(t, [0], 5.0)


@pytest.mark.parametrize("write", [assign, at])
def test_a_leaf_that_needs_a_gradient_is_not_replaced(write: Any) -> None:
    x = leaf(1, 2)
    with pytest.raises(TypeError, match=r"t\.data.*\.copy\(\)"):
        write(x)
    assert x.data.tolist() == [1, 2]
    y = x.copy()
    write(y)
    y.sum().backward()
    assert x.grad.tolist() == ([0, 1] if write is assign else [1, 1])


VIEWS = {
    "row": lambda t: t[0],
    "reversed": lambda t: t[::-1],
    "transposed": lambda t: t.T,
    "reshaped": lambda t: t.reshape(-1),
    "raveled": lambda t: t.ravel(),
    "with an axis": lambda t: t[None],
    "squeezed": lambda t: np.squeeze(t),
    "flipped": lambda t: np.flip(t),
    "split": lambda t: np.split(t, 2)[1],
    "detached": lambda t: t.detach(),
    "broadcast": lambda t: np.broadcast_to(t, (3, 2, 2)),
    "windows": lambda t: sliding_window_view(t, (1, 2)),
    "of a list": lambda t: np.atleast_3d(t, t)[0],
    "of an argument by name": lambda t: np.moveaxis(a=t, source=0, destination=1),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("write", [assign, at])
def test_assignment_through_a_view_is_refused(view: Any, write: Any) -> None:
    base = Tensor(np.ones((2, 2)), requires_grad=True) * 2
    with pytest.raises(TypeError, match=r"on a view .*`t\[i, j\] = v`"):
        write(view(base))
    assert np.all(base.data == 2)


COPIES = {
    "copy": lambda t: t.copy(),
    "np.copy": np.copy,
    "flatten": lambda t: t.flatten(),
    "positive": lambda t: +t,
    "np.positive": np.positive,
    "gathered": lambda t: t[[0, 1]],
    "masked": lambda t: t[t > 0],
    "taken": lambda t: np.take(t, [0, 1]),
    "sorted": np.sort,
    "sum": lambda t: t.sum(0),
    "dtype": lambda t: t.astype(t.dtype),
    "rolled": lambda t: np.roll(t, 0),
    "joined": lambda t: np.concatenate([t]),
    "repeated": lambda t: np.repeat(t, 2),
    "repeated by its method": lambda t: t.repeat(2, 1),
    "tiled": lambda t: np.tile(t, 2),
    "tensordot": lambda t: np.tensordot(t, t, 1),
    "dot": lambda t: t[None].copy().dot(t),
    "kron": lambda t: np.kron(t, t),
    "cross": lambda t: np.cross(np.ones(3), t[:, :1] * [1, 2, 3], axisc=0),
    "median": lambda t: np.median(t, axis=0, keepdims=True),
    "norm": lambda t: np.linalg.norm(t, 1, keepdims=True),
    "solved": lambda t: np.linalg.solve(t + np.eye(2), [1, 2]),
    "covariance": lambda t: np.cov(t),
    "convolved": lambda t: np.convolve(t.flatten(), [1, 2], "same"),
    "outer": lambda t: np.multiply.outer(t, t),
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_what_numpy_copies_may_be_assigned_to(copied: Any) -> None:
    base = Tensor(np.ones((2, 2)), requires_grad=True) * 2
    t = copied(base)
    assign(t)
    assert np.all(base.data == 2)
    assert np.all(np.asarray(t[0].data) == 5)


def test_a_version_is_no_view_any_more() -> None:
    t = Tensor(np.ones((2, 2)))
    view = t[0]
    t[0, 0] = 5.0
    t[1] = view
    assert view.data.tolist() == [1, 1]
    assert t.data.tolist() == [[5, 1], [1, 1]]


@pytest.mark.parametrize(
    "operation",
    [
        operator.iadd,
        operator.isub,
        operator.imul,
        operator.itruediv,
        operator.ifloordiv,
        operator.imod,
        operator.ipow,
    ],
)
def test_in_place_operators_spare_leaves(operation: Any) -> None:
    x = leaf(4)
    with pytest.raises(TypeError, match=r"write `t\.data .*= v`"):
        operation(x, 2)
    plain = Tensor([4.0])
    expected = operation(np.array([4.0]), 2)
    assert operation(plain, 2).data == expected


@pytest.mark.parametrize(
    "write",
    [
        lambda z, t: operator.iadd(z, t),
        lambda z, t: operator.imul(z, t[0]),
        lambda z, t: np.exp(t, out=z),
        lambda z, t: np.add(t, 1, z),
        lambda z, t: np.add.at(z, [0, 1], t),
        lambda z, t: np.add(z, z, out=t),
        lambda z, t: np.multiply.reduce(t, out=z),
    ],
)
def test_writing_a_tensor_into_an_array_names_the_fix(write: Any) -> None:
    z = np.zeros(2)
    with pytest.raises(TypeError, match=r"instead of `z \+= t` write `z = z \+ t`"):
        write(z, leaf(1, 2))
    assert z.tolist() == [0, 0]


@pytest.mark.parametrize(
    "write",
    [
        lambda z, t: operator.setitem(z, slice(None), t),
        lambda z, t: np.copyto(z, t),
        lambda z, t: np.put(z, [0, 1], t),
        lambda z, t: np.sum(t, axis=0, out=z),
        lambda z, t: np.matmul(t, z[:, None], out=z),
    ],
)
def test_other_writes_of_a_tensor_are_refused(write: Any) -> None:
    z = np.zeros(2)
    with pytest.raises(TypeError):
        write(z, leaf(1, 2))
    assert z.tolist() == [0, 0]


def test_one_element_of_an_array_does_not_take_a_tensor() -> None:
    """NumPy words this error itself, and gives ours as its cause."""
    z = np.zeros(2)
    with pytest.raises((TypeError, ValueError)) as refused:
        z[0] = leaf(1).sum()
    assert r".item()" in f"{refused.value} {refused.value.__cause__}"


def test_assignment_in_derivatives() -> None:
    def f(x: Tensor) -> Tensor:
        y = x.copy()
        y[0] = y[1] * y[1]
        return np.sum(y * y)

    # x1^4 + x1^2
    assert fastnn.grad(f)(np.array([3.0, 2.0])).tolist() == [0, 4 * 8 + 4]
    assert fastnn.jacobian(fastnn.grad(f))(np.array([3.0, 2.0])).tolist() == [[0, 0], [0, 50]]
