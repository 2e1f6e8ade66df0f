"""Whether two arrays have the same bits, apart from those of a NaN."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

__all__ = ["same"]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

PIECE = 65536  # elements that are compared at a time, so that no other array of the size is made


def same(found: Array, expected: Array) -> bool:
    """Whether they agree in dtype, shape and every bit; one NaN is as good as another."""
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return False
    if found.size <= PIECE:
        return found.tobytes() == expected.tobytes() or _same_values(found, expected)
    if found.strides == expected.strides and found.flags.forc:
        found, expected = found.ravel(order="K"), expected.ravel(order="K")
    elif len(found) == 1:
        return same(found[0], expected[0])
    rows = max(PIECE * len(found) // found.size, 1)
    return all(
        same(found[i : i + rows], expected[i : i + rows]) for i in range(0, len(found), rows)
    )


def _same_values(found: Array, expected: Array) -> bool:
    if found.dtype.kind != "f":
        return bool(np.array_equal(found, expected))
    equal = (found == expected) & (np.signbit(found) == np.signbit(expected))
    return bool(np.all(equal | (np.isnan(found) & np.isnan(expected))))
