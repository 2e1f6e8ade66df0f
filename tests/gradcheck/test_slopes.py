"""Slopes by differences: right on smooth functions, and none at a kink or a jump."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn.gradcheck.slopes import Slope, doubted, ladder, noise, quick, thorough

EPS = 2.0**-52
STEPS = ladder(EPS)
Function = Callable[[float], float]

SMOOTH: dict[str, tuple[Function, Function]] = {
    "a line": (lambda x: 3 * x - 2, lambda x: 3.0),
    "a constant": (lambda x: 7.0, lambda x: 0.0),
    "a cubic": (lambda x: x**3, lambda x: 3 * x**2),
    "exp": (np.exp, np.exp),
    "fast waves": (lambda x: np.sin(1e4 * x), lambda x: 1e4 * np.cos(1e4 * x)),
    "a steep step": (lambda x: np.tanh(1e5 * x), lambda x: 1e5 * (1 - np.tanh(1e5 * x) ** 2)),
    "beside a large number": (lambda x: np.sin(x) + 1e6, np.cos),
    "through a large number": (lambda x: (np.sin(x) + 1e6) - 1e6, np.cos),
}


def slope_at(f: Function, x: float) -> Slope:
    def change(t: float) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(f(x + t) - f(x))

    level = noise(change, STEPS, f(x), abs(f(x)), EPS)
    return thorough(change, STEPS, level, EPS)


@pytest.mark.parametrize("name", SMOOTH)
@given(x=st.floats(-2, 2))
def test_smooth_functions_have_their_slope_and_an_honest_doubt(name: str, x: float) -> None:
    f, derivative = SMOOTH[name]
    slope = slope_at(f, x)
    assert not slope.aside
    assert abs(slope.value - derivative(x)) <= slope.doubt + 1e-14


@given(x=st.floats(0.5, 2))
def test_the_doubt_of_an_easy_function_is_small(x: float) -> None:
    assert slope_at(np.exp, x).doubt < 3e-8


def test_quick_tells_the_same_of_an_easy_function() -> None:
    slope = quick(lambda t: np.exp(1 + t) - np.exp(1), STEPS, np.asarray(EPS), EPS)
    assert not slope.aside
    assert abs(slope.value - np.e) <= slope.doubt < 3e-8


@pytest.mark.parametrize(
    "f",
    [
        lambda x: max(x, 0.0),
        abs,
        lambda x: 1e-6 * abs(x) + x,
        lambda x: 1e-6 * abs(x) + x + 100,
        lambda x: abs(x) + np.exp(x) + 100,
        lambda x: 1e-3 * abs(x) + 100 * x * x,
        np.sign,
        np.floor,
        lambda x: x + (x > 0),
        lambda x: x + (x >= 0),
        lambda x: 5.0 if x == 0 else x,
        np.sqrt,
        np.cbrt,
        lambda x: np.sqrt(abs(x)),
        lambda x: abs(x) ** 1.5,
        lambda x: x if x <= 0 else np.nan,
    ],
)
def test_there_is_no_slope_at_a_kink_a_jump_or_an_edge(f: Function) -> None:
    assert slope_at(f, 0.0).aside


@given(exponent=st.floats(-7, -0.5), side=st.sampled_from([-1, 1]))
def test_a_kink_nearby_is_seen_past(exponent: float, side: int) -> None:
    """Whatever step it falls between: the slope is that of the own side."""
    x = side * 10.0**exponent
    slope = slope_at(lambda x: x + max(x, 0.0), x)
    assert not slope.aside
    assert abs(slope.value - (2 if side > 0 else 1)) <= slope.doubt < 1e-5


@given(exponent=st.floats(-5, -0.5))
def test_a_jump_nearby_is_seen_past(exponent: float) -> None:
    slope = slope_at(lambda x: x + (x > 0), 10.0**exponent)
    assert not slope.aside
    assert abs(slope.value - 1) <= slope.doubt < 1e-5


def test_each_of_many_values_is_judged_by_itself() -> None:
    x = np.array([-1.0, 0.0, 1e-6, 1.0])

    def change(t: float) -> np.ndarray:
        return np.maximum(x + t, 0) - np.maximum(x, 0)

    slope = thorough(change, STEPS, np.full(4, EPS), EPS)
    assert slope.aside.tolist() == [False, True, False, False]
    np.testing.assert_allclose(slope.value[[0, 2, 3]], [0, 1, 1], atol=1e-6)


def test_noise_is_measured_whatever_its_origin() -> None:
    def level(f: Function, size: float = 0.0) -> float:
        return float(noise(lambda t: np.asarray(f(0.3 + t) - f(0.3)), STEPS, size, 1.0, EPS))

    assert level(np.sin) < 1e-15
    assert level(np.sin, size=1e3) == pytest.approx(EPS / 2 * 1e3)
    assert 1e-12 < level(lambda x: (np.sin(x) + 1e6) - 1e6) < 1e-9
    assert 1e-10 < level(lambda x: float(np.float32(np.sin(x)))) < 1e-6
    # What never changes may be rounded to that: loss 0 of log(1 + 1e-30).
    assert level(lambda x: 0.0) == EPS


def test_the_ladder_suits_the_precision() -> None:
    for dtype in (np.float64, np.float32, np.float16):
        eps = float(np.finfo(dtype).eps)
        steps = ladder(eps)
        assert len(steps) >= 3
        assert np.all(steps[:-1] / steps[1:] == 8)
        assert eps < steps[-1] < steps[0] <= 0.25
        assert np.all(np.log2(steps) % 1 == 0)


def test_a_slope_is_doubted_by_what_rounding_makes_of_it() -> None:
    one = Slope(np.array([1.0, 2.0]), np.array([0.1, 0.1]), np.array([False, False]))
    others = [one._replace(value=np.array(each)) for each in ([1.0, 2.5], [1.25, np.nan])]
    assert doubted(one, others).doubt.tolist() == [1.1, 2.1]
