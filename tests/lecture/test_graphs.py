"""The lecture's graphs, with the numbers of its slides: gates, sigmoid, relu, eleven."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from cli_helpers import one_thread as one_thread

from fastnn import Tensor
from fastnn.lecture import eleven, gates, relu, sigmoid
from fastnn.lecture.nodes import values

SLIDE = 0.005  # the lecture prints two decimals


def test_the_product_of_a_sum() -> None:
    """f = (x + y) z at -2, 5, -4."""
    assert values(gates.product_of_a_sum()) == {
        "x": (-2, -4),
        "y": (5, -4),
        "z": (-4, 3),
        "q": (3, -4),
        "f": (-12, 1),
    }
    assert gates.by_hand() == {"f": -12, "x": -4, "y": -4, "z": 3}


def test_add_distributes_multiply_switches_max_routes() -> None:
    """The course notes' 2 (x y + max(z, w))."""
    assert values(gates.three_gates()) == {
        "x": (3, -8),
        "y": (-4, 6),
        "z": (2, 2),
        "w": (-1, 0),
        "p": (-12, 2),
        "m": (2, 2),
        "s": (-10, 2),
        "f": (-20, 1),
    }


def test_gradients_add_where_a_value_branches() -> None:
    """d(x y + x)/dx = y + 1, with a multiply gate of the user's own."""
    assert values(gates.branch()) == {"x": (3, -3), "y": (-4, 3), "p": (-12, 1), "f": (-9, 1)}


def test_the_multiply_gate_equals_numpys() -> None:
    x, y = Tensor([2.0, -3.0], requires_grad=True), Tensor([5.0, 7.0], requires_grad=True)
    np.sum(gates.multiply(x, y)).backward()
    np.testing.assert_array_equal(x.grad, [5, 7])
    np.testing.assert_array_equal(y.grad, [2, -3])


# Values and gradients of the slide; it prints its way back with rounded factors, so that its
# 0.4 for x0 is 2 x 0.2, and elsewhere 0.39.
NEURON = {
    "w0": (2, -0.20),
    "x0": (-1, 0.39),
    "w1": (-3, -0.39),
    "x1": (-2, -0.59),
    "w2": (-3, 0.20),
    "a": (-2, 0.20),
    "b": (6, 0.20),
    "c": (4, 0.20),
    "d": (1, 0.20),
    "e": (-1, -0.20),
    "f": (0.37, -0.53),
    "g": (1.37, -0.53),
    "h": (0.73, 1.00),
}


def test_every_number_of_the_neuron_from_elementary_gates() -> None:
    found = values(sigmoid.from_elementary_gates())
    assert sorted(found) == sorted(NEURON)
    for name, numbers in NEURON.items():
        np.testing.assert_allclose(found[name], numbers, atol=SLIDE, err_msg=name)
    s = 1 / (1 + np.exp(-1))
    assert found["w0"][1] == pytest.approx(-s * (1 - s), rel=1e-15)


def test_the_neuron_from_the_sigmoid_gate_agrees() -> None:
    found = values(sigmoid.from_the_sigmoid_gate())
    assert sorted(found) == sorted(set(NEURON) - set("efg"))
    for name in found:
        np.testing.assert_allclose(found[name], NEURON[name], atol=SLIDE, err_msg=name)
    assert sigmoid.largest_difference() < 1e-15


def test_the_comparison_of_the_two_neurons_sees_a_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sigmoid, "from_the_sigmoid_gate", sigmoid.weighted_sum)
    assert sigmoid.largest_difference() > 0.5


def test_relus_jacobian_is_the_diagonal_of_zeros_and_ones() -> None:
    np.testing.assert_array_equal(relu.jacobian(np.array([1.0, -2, 3, -1])), np.diag([1, 0, 1, 0]))


@pytest.mark.parametrize("n", [1, 4, 33])
def test_three_ways_back_through_relu(n: int, rng: np.random.Generator) -> None:
    x, dy = rng.standard_normal((2, n))
    masked = np.where(x > 0, dy, 0)
    for way in (relu.masked, relu.by_jacobian, relu.by_backward):
        np.testing.assert_array_equal(way(dy, x), masked)


def test_the_large_jacobian_is_never_formed() -> None:
    """One row of 409600 numbers is 3.3 MB in float64; backward needs a few of them in all."""
    x, dy = np.random.default_rng(0).standard_normal((2, 100, 4096))
    tracemalloc.start()
    dx = relu.by_backward(dy, x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * x.nbytes
    np.testing.assert_array_equal(dx, np.where(x > 0, dy, 0))
    assert relu.entries(4096) == 16_777_216
    assert relu.entries(100 * 4096) == 167_772_160_000


def test_the_eleven_lines_have_their_authors_errors() -> None:
    """The blog prints the mean error before the iterations 0, 10000, 20000 ..."""
    weights, errors = eleven.train(*eleven.initial(), 20001)
    np.testing.assert_allclose(errors[::10000], eleven.TRASK[:3], rtol=1e-9)
    np.testing.assert_allclose(eleven.predict(*weights), [0, 1, 1, 0], atol=0.01)


def test_the_eleven_lines_are_gradient_descent_on_half_the_squared_error() -> None:
    by_hand, _ = eleven.train(*eleven.initial(), 500)
    by_graph = eleven.train_by_graph(*eleven.initial(), 500)
    for a, b in zip(by_hand, by_graph, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    assert np.abs(by_hand[0] - eleven.initial()[0]).max() > 0.5
