"""The way back: gradients through the graph, its errors, and what becomes of memory."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn import ops
from fastnn.tensor import Tensor, record


def leaf(*values: float, dtype: str = "float64") -> Tensor:
    return Tensor(np.array(values, dtype), requires_grad=True)


def test_gates_of_the_lecture() -> None:
    x, y, z = leaf(-2), leaf(5), leaf(-4)
    f = (x + y) * z
    f.backward()
    assert (f.item(), x.grad.item(), y.grad.item(), z.grad.item()) == (-12, -4, -4, 3)


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


@given(st.lists(st.sampled_from("+*m"), max_size=12), st.integers(0, 2**16))
def test_random_graphs_agree_with_dual_numbers(gates: list[str], seed: int) -> None:
    """Forward-mode derivatives, computed along, of a graph that branches at random."""
    rng = np.random.default_rng(seed)
    x = leaf(0.5)
    nodes, values, slopes = [x], [0.5], [1.0]
    for gate in gates:
        i, j = rng.integers(len(nodes), size=2)
        u, v, du, dv = values[i], values[j], slopes[i], slopes[j]
        if gate == "+":
            node, value, slope = nodes[i] + nodes[j], u + v, du + dv
        elif gate == "*":
            node, value, slope = nodes[i] * nodes[j], u * v, du * v + u * dv
        else:
            node = np.tanh(nodes[i])
            value, slope = np.tanh(u), du * (1 - np.tanh(u) ** 2)
        nodes.append(node)
        values.append(value)
        slopes.append(slope)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deep products may overflow, in both alike
        nodes[-1].backward()
    np.testing.assert_allclose(x.grad.item(), slopes[-1], rtol=1e-9)
