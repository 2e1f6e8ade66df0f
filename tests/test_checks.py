"""The checks that every argument goes through."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import checks


@pytest.mark.parametrize("value", [0, 0.5, np.float32(0.25), np.int64(0)])
def test_a_number_in_its_interval_is_a_float(value):
    result = checks.number("x", value, "[0, 1)")
    assert type(result) is float
    assert result == value


@pytest.mark.parametrize(
    ("interval", "value"),
    [("[0, 1)", 1), ("(0, 1]", 0), ("(0, inf)", np.inf), ("[0, inf)", np.nan), ("[0, 1)", -1)],
)
def test_a_number_outside_its_interval(interval, value):
    with pytest.raises(ValueError, match=r"x must be a number in .*, got"):
        checks.number("x", value, interval)


@pytest.mark.parametrize("value", [None, "1", [1], 1j, True, np.ones(2)])
def test_what_is_no_number(value):
    with pytest.raises(TypeError, match=r"x must be a number in \[0, 1\), got"):
        checks.number("x", value, "[0, 1)")


def test_integers():
    assert checks.whole("n", np.uint8(3), 1) == 3
    for value in (None, 1.0, "3"):
        with pytest.raises(TypeError, match=f"n must be an integer, got {value!r}"):
            checks.whole("n", value, 1)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        checks.whole("n", 0, 1)


def test_real_arrays_are_finite_in_a_dtype():
    checks.finite(np.array([1e39]), "x", np.dtype("float64"))
    checks.finite(np.empty((0, 3)), "x", np.dtype("float32"))
    with pytest.raises(ValueError, match=r"x: value 1e\+39 at position 0 is not finite"):
        checks.finite(np.array([1e39]), "x", np.dtype("float32"))
    for wrong in (np.ma.masked_less([1, -1], 0), [1j], None, ["a"]):
        with pytest.raises(TypeError, match="x: "):
            checks.real_array(wrong, "x")


def test_pairs():
    assert checks.pair("stride", 3, 1) == checks.pair("stride", [np.int8(3), 3], 1) == (3, 3)
    for value in (1.0, None, (1,), (1, 2, 3), (1, "2")):
        with pytest.raises(TypeError, match="stride must be an integer or a pair of them"):
            checks.pair("stride", value, 1)
    with pytest.raises(ValueError, match=r"stride must be at least 1, got \(1, 0\)"):
        checks.pair("stride", (1, 0), 1)
