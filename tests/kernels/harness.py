"""How a kernel test calls a kernel and compares it with its twin.

Both sum the same terms, in another order: the difference grows as the square root of
the number of terms (Higham, Mary, 2019) times the sum of their absolute values.
``allowance`` turns that into a bound; a case only states the terms and the magnitudes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Arguments = dict[str, Any]
Magnitudes = tuple[tuple[float, Any], ...]


@dataclass(frozen=True)
class Case:
    """A call of ``kernel``; ``magnitudes(arguments, twin's results)`` per result."""

    label: str
    kernel: str
    make: Callable[[np.random.Generator, np.dtype, int, int], Arguments]
    magnitudes: Callable[[Arguments, tuple], Magnitudes]
    outputs: tuple[str, ...] = ("out",)
    inplace: tuple[str, ...] = ()
    takes_empty: bool = True


def allowance(terms: float, magnitude: Any, dtype: np.dtype) -> np.ndarray:
    """Largest difference that rounding explains, with a factor of four to spare."""
    info = np.finfo(dtype)
    return 4 * (np.sqrt(terms) + 2) * info.eps * np.asarray(magnitude) + info.tiny


def fresh(arguments: Arguments) -> Arguments:
    """The same values in memory of their own, so that in-place kernels cannot leak."""
    return {
        name: value.copy() if isinstance(value, np.ndarray) else value
        for name, value in arguments.items()
    }


def run(function: Callable, case: Case, arguments: Arguments) -> tuple:
    """A tuple of results: what an in-place kernel changed, or what it returned."""
    returned = function(**arguments)
    if case.inplace:
        assert returned is arguments[case.inplace[0]]
        return tuple(arguments[name] for name in case.inplace)
    return returned if isinstance(returned, tuple) else (returned,)


def assert_agrees(results: tuple, expected: tuple, magnitudes: Magnitudes) -> None:
    """Each result has its twin's shape and dtype, and differs by rounding at most."""
    assert len(results) == len(expected) == len(magnitudes)
    for result, wanted, (terms, magnitude) in zip(
        results, expected, magnitudes, strict=True
    ):
        assert isinstance(result, np.ndarray)
        assert result.shape == wanted.shape
        assert result.dtype == wanted.dtype.newbyteorder("=")
        if terms == 0:
            np.testing.assert_array_equal(result, wanted)
            continue
        error = np.abs(result.astype(np.float64) - wanted)
        allowed = allowance(terms, np.asarray(magnitude, np.float64), wanted.dtype)
        worst = np.max(error / allowed, initial=0.0)
        assert worst <= 1, f"off by {worst:.3g} times what rounding explains"
