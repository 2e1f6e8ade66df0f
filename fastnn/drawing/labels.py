"""What is written in a drawing: numbers, small arrays, and names."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.drawing.text import clean

_LONGEST_NAME, _LONGEST_ARRAY, _MOST_ELEMENTS = 24, 24, 4


def number(value: Any) -> str:
    """A number to 3 significant digits; whole numbers below a million in full."""
    value = value.item() if isinstance(value, (np.ndarray, np.generic)) else value
    if isinstance(value, bool):
        return str(value)
    if np.isfinite(value) and abs(value) < 1_000_000 and value == int(value):
        return str(int(value))
    digits, exponential, exponent = f"{value:.3g}".partition("e")
    return f"{digits}e{int(exponent)}" if exponential else digits


def elements(array: Any) -> str | None:
    """The elements of a small array; None where there are too many to print."""
    array = np.asarray(array)
    if array.ndim == 0:
        return number(array)
    if not 0 < array.size <= _MOST_ELEMENTS:
        return None
    text = _nested(array)
    return text if len(text) <= _LONGEST_ARRAY else None


def _nested(array: Any) -> str:
    return f"[{', '.join(_nested(each) if array.ndim > 1 else number(each) for each in array)}]"


def shape(array: Any) -> str:
    """The shape as NumPy writes it, ``(64, 32)``."""
    return str(np.shape(array))


def summary(array: Any) -> str:
    """The elements of a small array, the shape of a larger one."""
    return elements(array) or shape(array)


def name(text: str) -> str:
    """A user's name for something, on one line, cut where it is very long."""
    return clean(text, _LONGEST_NAME)
