"""Checks of arguments: the type first, then the range; every error names the argument."""

from __future__ import annotations

import operator
from typing import Any, TypeAlias

import numpy as np

__all__ = ["all_right", "finite", "number", "pair", "real_array", "whole"]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


def number(name: str, value: Any, interval: str) -> float:
    """``value`` as a float within an interval, written as in mathematics: ``"[0, 1)"``.

    Raises:
        TypeError: if it is not a real number.
        ValueError: if it is NaN or outside the interval.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name} must be a number in {interval}, got {value!r}")
    low, high = (float(end) for end in interval[1:-1].split(","))
    above = value >= low if interval[0] == "[" else value > low
    below = value <= high if interval[-1] == "]" else value < high
    if not (above and below):
        raise ValueError(f"{name} must be a number in {interval}, got {value}")
    return float(value)


def whole(name: str, value: Any, least: int) -> int:
    """``value`` as an int of at least ``least``.

    Raises:
        TypeError: if it is not an integer.
        ValueError: if it is smaller.
    """
    try:
        integer = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if integer < least:
        raise ValueError(f"{name} must be at least {least}, got {integer}")
    return integer


def pair(name: str, value: Any, least: int) -> tuple[int, int]:
    """(rows, columns), each at least ``least``, from one integer for both or from two.

    Raises:
        TypeError: if it is neither.
        ValueError: if one is smaller.
    """
    parts = value if isinstance(value, tuple | list) else (value, value)
    try:
        rows, columns = (operator.index(part) for part in parts)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name} must be an integer or a pair of them (rows, columns), got {value!r}"
        ) from None
    if min(rows, columns) < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return rows, columns


def real_array(value: Any, name: str) -> Array:
    """``value`` as an array.

    Raises:
        TypeError: if it holds anything but real numbers, or hides some under a mask.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name}: a masked array is not supported; fill its gaps")
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        got = "None" if value is None else f"dtype {array.dtype}"
        raise TypeError(f"{name}: wanted an array of real numbers, got {got}")
    return array


def finite(array: Array, name: str, dtype: np.dtype[Any]) -> None:
    """Raise a ValueError for a value that ``dtype``, a float, cannot hold, or a NaN."""
    if array.dtype.kind == "f" and array.size:
        limit = np.finfo(dtype).max
        # Two passes without a temporary: a NaN comes through min and max.
        if not (array.min() >= -limit and array.max() <= limit):
            all_right(array, np.abs(array) <= limit, name, f"not finite in {dtype}")


def all_right(array: Array, right: Array, name: str, wrong: str) -> None:
    """Raise a ValueError that names the first value that is not ``right``."""
    if not right.all():
        at = tuple(int(i) for i in np.argwhere(~right)[0])
        where = f"position {at[0]}" if len(at) == 1 else f"position {at}"
        raise ValueError(f"{name}: value {array[at]} at {where} is {wrong}")
