"""Rows of the table of cases: what fills arrays with random numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from kernels.harness import Arguments, Case, Magnitudes


def _exact(arguments: Arguments, results: tuple) -> Magnitudes:
    return tuple((0, 0.0) for _ in results)


def _normal_magnitudes(arguments: Arguments, results: tuple) -> Magnitudes:
    # The twin rounds 2 pi v before it takes the cosine: an absolute error, as large as the radius.
    return ((1, np.abs(results[0]) + 4),)


def _state(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(-(2**63), 2**63, size=2)


def _floats(rng, dtype, n, c):
    return {"out": np.full((n, c), 7, dtype), "state": _state(rng)}


def _integers(low: int, high: int) -> Callable:
    def make(rng, dtype, n, c):
        bounds = np.array([low, high])
        return {"out": np.full((n, c), 7), "bounds": bounds, "state": _state(rng)}

    return make


_RANGES = {
    "one": (-3, -3),
    "ten": (-3, 6),
    "3 times 2**61": (-5, 3 * 2**61 - 6),
    "2**63 + 1": (-(2**62), 2**62),
    "all": (-(2**63), 2**63 - 1),
}

RANDOM: list[Case] = [
    Case("random_uniform", "random_uniform", _floats, _exact, (), ("out",)),
    Case("random_normal", "random_normal", _floats, _normal_magnitudes, (), ("out",)),
    *(
        Case(f"random_integers/{tag}", "random_integers", _integers(*ends), _exact, (), ("out",))
        for tag, ends in _RANGES.items()
    ),
]
