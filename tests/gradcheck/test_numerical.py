"""numerical_gradient: known values, the lecture's formula, forms, and what it refuses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastnn
from fastnn import Tensor, numerical_gradient


def lecture(x):
    return x**4 / 2 - 2 * x**2 + x + 5


@given(st.floats(-3, 3))
def test_the_lectures_function(x: float) -> None:
    exact = 2 * x**3 - 4 * x + 1
    assert numerical_gradient(lecture, x) == pytest.approx(exact, abs=1e-5)
    by_hand = (lecture(x + 0.001) - lecture(x)) / 0.001
    assert numerical_gradient(lecture, x, 0.001, one_sided=True) == pytest.approx(by_hand)
    centred = (lecture(x + 0.001) - lecture(x - 0.001)) / 0.002
    assert numerical_gradient(lecture, x, 0.001) == pytest.approx(centred)


def test_the_lectures_slide_coordinate_by_coordinate() -> None:
    """W = [0.34, -1.11, 0.78 ...]: losses 1.25347, then 1.25322 and 1.25353, h = 0.0001."""
    W = np.array([0.34, -1.11, 0.78])
    losses = {(0.34, -1.11): 1.25347, (0.3401, -1.11): 1.25322, (0.34, -1.1099): 1.25353}

    def loss(W: np.ndarray) -> float:
        return losses[round(W[0], 4), round(W[1], 4)]

    gradient = numerical_gradient(loss, W, h=0.0001, one_sided=True)
    np.testing.assert_allclose(gradient, [-2.5, 0.6, 0], atol=1e-6)
    assert W.tolist() == [0.34, -1.11, 0.78]


@pytest.mark.parametrize("x", [0.0, 1e-300, 1e-44, 1e-15, -1e-9, 1e-6])
def test_a_number_near_zero_is_moved_by_as_much_as_f_can_tell(x: float) -> None:
    assert numerical_gradient(lecture, x) == pytest.approx(1, abs=2e-5)


def test_one_sided_asks_f_once_more_than_there_are_coordinates() -> None:
    asked = []
    numerical_gradient(lambda x: asked.append(1) or np.sum(x), np.ones(5), one_sided=True)
    assert len(asked) == 6


def test_one_sided_is_worse_and_its_step_is_another(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 4))
    for options, least, most in (({}, 0, 1e-9), ({"one_sided": True}, 1e-10, 1e-6)):
        error = numerical_gradient(lambda x: np.sum(np.exp(x)), x, **options) - np.exp(x)
        assert least <= np.max(np.abs(error)) < most


def test_the_step_suits_the_dtype(rng: np.random.Generator) -> None:
    x = rng.standard_normal(5).astype(np.float32)
    gradient = numerical_gradient(lambda x: np.sum(np.sin(x)), x)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, np.cos(x), atol=1e-3)


@pytest.mark.parametrize("size", [1e-12, 1e-3, 1.0, 1e6, 1e200])
def test_the_step_suits_the_size(size: float) -> None:
    """The slope of x log x, for all coordinates of one size and a zero among them."""
    x = size * np.array([0.5, 1.0, 2.0])
    gradient = numerical_gradient(lambda x: np.sum(x / size * np.log(x / size)), x)
    np.testing.assert_allclose(gradient * size, np.log([0.5, 1, 2]) + 1, rtol=1e-6)
    moved = []
    numerical_gradient(lambda x: moved.append(x.copy()) or np.sum(x), np.append(x, 0.0))
    assert 1e-6 < moved[-2][-1] / size < 1e-4


class Layer(NamedTuple):
    W: np.ndarray
    b: float


def test_nested_forms_come_back_in_form(rng: np.random.Generator) -> None:
    layers = {"first": Layer(rng.standard_normal((2, 3)), 1.5), "rest": [np.ones(2), 2]}

    def f(layers: dict) -> float:
        assert isinstance(layers["first"], Layer)
        assert isinstance(layers["rest"][1], float)
        return np.sum(layers["first"].W ** 2) * layers["first"].b + layers["rest"][1]

    gradient = numerical_gradient(f, layers)
    np.testing.assert_allclose(gradient["first"].W, 3 * layers["first"].W, atol=1e-8)
    assert gradient["first"].b == pytest.approx(np.sum(layers["first"].W ** 2))
    assert gradient["rest"][0].tolist() == [0, 0]
    assert gradient["rest"][1] == pytest.approx(1)


def test_tensors_in_and_out() -> None:
    x = Tensor([[1.0, 2.0]], requires_grad=True, name="scores")
    gradient = numerical_gradient(lambda x: fastnn.cross_entropy(x, [0]), x)
    p = 1 / (1 + np.exp(-1))
    np.testing.assert_allclose(gradient, [[-p, p]], rtol=1e-8)
    assert x.grad is None
    assert isinstance(gradient, np.ndarray)


def test_f_may_write_to_what_it_gets() -> None:
    x = np.ones(3)

    def f(x: np.ndarray) -> float:
        x *= 2
        return float(np.sum(x))

    np.testing.assert_allclose(numerical_gradient(f, x), 2)
    assert x.tolist() == [1, 1, 1]


@pytest.mark.parametrize("x", [np.ones((0, 3)), np.array(2.0), np.asfortranarray(np.ones((2, 3)))])
def test_every_shape(x: np.ndarray) -> None:
    gradient = numerical_gradient(lambda x: np.sum(3 * x), x)
    assert gradient.shape == x.shape
    np.testing.assert_allclose(gradient, 3)


@pytest.mark.parametrize(
    ("error", "message", "f", "x", "options"),
    [
        (ValueError, r"single number, got an array of shape \(2,\)", lambda x: x, np.ones(2), {}),
        (TypeError, "value of f.*None", lambda x: None, 1.0, {}),
        (TypeError, r"x\['W'\].*dtype <U1", lambda x: 0.0, {"W": "a"}, {}),
        (TypeError, "h must be a number", lambda x: 0.0, 1.0, {"h": "small"}),
        (ValueError, r"h must be a number in \(0, inf\)", lambda x: 0.0, 1.0, {"h": 0}),
        (ValueError, "h: 1e-20 is so small", lambda x: 0.0, 1.0, {"h": 1e-20}),
    ],
)
def test_what_makes_no_sense_is_named(error, message, f, x, options) -> None:
    with pytest.raises(error, match=message):
        numerical_gradient(f, x, **options)
