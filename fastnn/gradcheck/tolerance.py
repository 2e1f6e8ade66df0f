"""How far two derivatives may be apart when nothing is wrong."""

from __future__ import annotations

# A backward is rounded: its numbers may be off by so many eps of what it computes with.
ROUNDINGS = 64


def is_evidence(error: float, doubt: float, size: float, rtol: float) -> bool:
    """Whether two numbers of this size, so far apart, tell that they are or are not equal.

    They do where the doubt is small enough to see an error; a little more will do where
    they agree, but not so much that they may agree by chance.
    """
    return doubt <= (0.01 if error <= rtol * size else rtol) * size


def default_rtol(eps: float, backward_eps: float | None = None) -> float:
    """The relative tolerance for differences of this precision, and for a backward of it.

    1e-6 in float64 and 8e-3 in float32; 1e-3 for a float32 backward beside differences of
    float64.
    """
    return min(max(1e-6, 2**16 * eps, 2**13 * (backward_eps or eps)), 0.05)
