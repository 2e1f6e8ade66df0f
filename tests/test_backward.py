"""The way back: gradients through the graph, its errors, and what becomes of memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastnn
from fastnn import ops
from fastnn.backward import every_gradient, gradients_of
from fastnn.tensor import Tensor, record


def leaf(*values: float, dtype: str = "float64") -> Tensor:
    return Tensor(np.array(values, dtype), requires_grad=True)


def test_gates_of_the_lecture() -> None:
    x, y, z = leaf(-2), leaf(5), leaf(-4)
    f = (x + y) * z
    f.backward()
    assert (f.item(), x.grad.item(), y.grad.item(), z.grad.item()) == (-12, -4, -4, 3)


def test_gates() -> None:
    """Addition distributes, multiplication switches, the maximum routes."""
    x, y = leaf(3), leaf(-4)
    for gate, expected in ((np.add, (2, 2)), (np.multiply, (-8, 6)), (np.maximum, (2, 0))):
        x.grad = y.grad = None
        gate(x, y).backward([2])
        assert (x.grad.item(), y.grad.item()) == expected


def test_gradients_add_where_a_value_branches() -> None:
    x = leaf(3)
    y = x * x
    (y * x + y + x).backward()  # x**3 + x**2 + x
    assert x.grad.item() == 3 * 9 + 2 * 3 + 1


def test_gradients_accumulate_without_touching_the_old() -> None:
    x = leaf(1, 2)
    (x * 3).sum().backward()
    first = x.grad
    (x * 4).sum().backward()
    assert first.tolist() == [3, 3]
    assert x.grad.tolist() == [7, 7]


@pytest.mark.parametrize(
    "f",
    [
        lambda a, b: a + b,
        lambda a, b: a.reshape(3, 1) + b.reshape(3, 1),
        lambda a, b: (a + b).sum(),
        lambda a, b: a[::-1] + b,
    ],
)
def test_gradients_of_two_leaves_share_no_memory(f) -> None:
    a, b = leaf(1, 2, 3), leaf(4, 5, 6)
    y = f(a, b)
    seed = np.ones(y.shape)
    y.backward(seed)
    for gradient in (a.grad, b.grad):
        assert gradient.flags.writeable
        gradient += 5
    assert a.grad.tolist() == b.grad.tolist() == [6, 6, 6]
    assert np.all(seed == 1)


def test_a_leaf_is_its_own_root() -> None:
    x = leaf(2)
    x.backward()
    x.backward([3])
    assert x.grad.tolist() == [4]


def test_seeds() -> None:
    """Numbers, lists, arrays of any real dtype and Tensors, taken in the result's dtype."""
    x = Tensor(np.ones(2, np.float32), requires_grad=True)
    for seed in ([1, 2], np.array([1, 2], np.int8), np.array([1.0, 2.0]), Tensor([1.0, 2.0])):
        (x * 3).backward(seed)
        assert x.grad.dtype == np.float32
        assert x.grad.tolist() == [3, 6]
        x.grad = None
    (x * 3).sum().backward(2)
    assert x.grad.tolist() == [6, 6]
    with pytest.raises(TypeError, match=r"\.detach\(\)"):
        (x * 3).backward(x)
    with pytest.raises(ValueError, match=r"\(2,\), got \(\)"):
        (x * 3).backward(1.0)


def test_of_a_single_value_the_seed_is_one_whatever_its_axes() -> None:
    x = leaf(2)
    (x[None, None] * 3).backward()
    assert x.grad.tolist() == [3]


def test_a_seed_is_differentiable_with_a_graph() -> None:
    x, seed = leaf(2, 3), leaf(1, 10)
    (x * x).backward(seed, create_graph=True)
    first, x.grad = x.grad, None
    first.backward([1, 1])
    assert x.grad.tolist() == [2, 20]
    assert seed.grad.tolist() == [4, 6]


def test_non_scalars_want_a_gradient_of_their_shape() -> None:
    y = leaf(1, 2) * 2
    with pytest.raises(ValueError, match=r"shape \(2,\) wants grad"):
        y.backward()
    with pytest.raises(ValueError, match=r"\(2,\), got \(1,\)"):
        y.backward([1.0])
    y.backward(Tensor([1.0, 1.0]))


def test_the_second_time_is_an_error() -> None:
    x = leaf(2)
    y = x * x
    z = y + 1
    z.backward()
    with pytest.raises(RuntimeError, match="second time"):
        z.backward()
    with pytest.raises(RuntimeError, match="second time"):
        (y * 2).backward()  # its part of the graph is gone too
    assert x.grad.item() == 4


def test_retained_graphs_go_back_again(rng: np.random.Generator) -> None:
    scores = Tensor(rng.standard_normal((2, 3)), requires_grad=True)
    y = np.array([0, 2])
    loss = record(ops.cross_entropy, (scores, y, None, None)) * 2
    loss.backward(retain_graph=True)
    once = scores.grad.copy()
    scores.grad *= 1  # the caller's own, to do with as he likes
    loss.backward()
    np.testing.assert_allclose(scores.grad, 2 * once)


def test_a_graph_with_a_graph_is_kept_unless_told() -> None:
    x = leaf(2)
    y = x * x
    y.backward(create_graph=True)
    y.backward()  # create_graph has retained it; this has not
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()
    x.grad = None
    y = x * x
    y.backward(create_graph=True, retain_graph=False)
    first, x.grad = x.grad, None
    first.backward()  # 2 x, whose graph holds x and not what is freed
    assert x.grad.tolist() == [2]
    with pytest.raises(RuntimeError, match=r"multiply.* second time.*retain_graph=True"):
        y.backward()


def test_with_a_graph_gradients_are_tensors_also_of_linear_functions() -> None:
    x = leaf(1, 2)
    for y in (x * 3, x, np.floor(x), x + x * x):
        x.grad = None
        y.backward([1, 1], create_graph=True)
        assert isinstance(x.grad, Tensor)
    (x * 3).backward([1, 1], create_graph=True)
    assert x.grad.data.tolist() == [3 + 3, 5 + 3]  # added to what was there
    x.grad = None


def test_no_leaf_changes_when_backward_fails() -> None:
    x, w = leaf(1, 2), Tensor([1.0, 1.0], requires_grad=True)
    wrong = ops.Op("wrong", np.sin, lambda g, _y, _x: 1 / 0)
    y = w * 2 + wrong(x)
    with pytest.raises(ZeroDivisionError):
        y.sum().backward()
    assert x.grad is None
    assert w.grad is None


def test_every_gradient_of_a_graph() -> None:
    x, frozen = leaf(3), Tensor([2.0])
    square = x * x
    y = square * frozen
    found = every_gradient(y._node, np.ones(1))
    assert {node: g.item() for node, g in found.items()} == {
        y._node: 1,
        square._node: 2,
        x._node: 12,
    }
    assert x.grad is None
    y.backward()  # which has freed nothing
    assert x.grad.item() == 12


def test_gradients_by_inner_values() -> None:
    x = leaf(3)
    square = x * x
    y = square * x
    by_square, by_x, by_other = gradients_of(
        y._node, np.ones(1), [square._node, x._node, leaf(1)._node]
    )
    assert (by_square.item(), by_x.item(), by_other) == (3, 27, None)


def test_a_frozen_leaf_thaws() -> None:
    w = Tensor([2.0])
    assert not (w * 3).requires_grad
    w.requires_grad = True
    (w * 3).backward()
    assert w.grad.tolist() == [3]
    with pytest.raises(TypeError, match=r"result of multiply .* \.detach\(\)"):
        (w * 3).requires_grad = False


def test_nothing_to_differentiate() -> None:
    with pytest.raises(RuntimeError, match="needs no gradient"):
        (Tensor([1.0]) * 2).backward()


def test_argument_without_derivative_is_named(rng: np.random.Generator) -> None:
    weight = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"cross_entropy has no derivative.* 2"):
        record(ops.cross_entropy, (rng.standard_normal((3, 2)), [0, 1, 1], weight, None)).backward()


def test_a_backward_of_the_wrong_shape_is_named() -> None:
    wrong = ops.Op("wrong", np.sin, lambda g, y, x: g[:1])
    with pytest.raises(ValueError, match=r"backward of wrong .*\(2,\), got \(1,\)"):
        wrong(leaf(1, 2)).sum().backward()


def test_frozen_and_plain_arguments_get_no_gradient() -> None:
    x, frozen = leaf(2), Tensor([3.0])
    (x * frozen).backward()
    assert x.grad.item() == 3
    assert frozen.grad is None


def test_users_op_with_a_rule_for_all_arguments() -> None:
    def backward(g, y, needs, a, b):
        assert needs == [False, True]
        return None, g * a

    gate = ops.Op("gate", lambda a, b: a * b, joint=backward)
    a, b = Tensor([2.0]), leaf(5)
    gate(a, b).backward()
    assert b.grad.item() == 2


# Value, slope and curvature, computed along: forward derivatives of two orders.
Jet = tuple[float, float, float]


def jet_of(gate: str, u: Jet, v: Jet) -> Jet:
    if gate == "+":
        return u[0] + v[0], u[1] + v[1], u[2] + v[2]
    if gate == "*":
        return u[0] * v[0], u[1] * v[0] + u[0] * v[1], u[2] * v[0] + 2 * u[1] * v[1] + u[0] * v[2]
    t = float(np.tanh(u[0]))
    slope = 1 - t * t
    return t, slope * u[1], slope * u[2] - 2 * t * slope * u[1] ** 2


@given(st.lists(st.sampled_from("+*t"), max_size=12), st.integers(0, 2**16))
def test_random_graphs_agree_with_forward_derivatives(gates: list[str], seed: int) -> None:
    """Of graphs that branch at random, the first derivative and the second."""
    picks = np.random.default_rng(seed).integers(2**16, size=(len(gates), 2))

    def run(x: Any, apply: Any) -> Any:
        values = [x]
        for gate, (i, j) in zip(gates, picks, strict=True):
            values.append(apply(gate, values[i % len(values)], values[j % len(values)]))
        return values[-1]

    def graph(x: Any) -> Any:
        return run(x, lambda g, u, v: u + v if g == "+" else u * v if g == "*" else np.tanh(u))

    with np.errstate(all="ignore"):  # deep products may overflow, in both alike
        value, slope, curvature = run((0.5, 1.0, 0.0), jet_of)
        found = fastnn.value_and_grad(fastnn.grad(graph))(0.5)
    np.testing.assert_allclose(found, (slope, curvature), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(graph(0.5), value, rtol=1e-12)
