"""Where arguments are moved to, and how far.

Functions of symmetric matrices that read one triangle, as cholesky and eigh do, have the
gradient of a symmetric matrix, shared by both triangles: only along symmetric directions
does it mean what the differences mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn.gradcheck.slopes import Change

Array: TypeAlias = npt.NDArray[Any]


def scales(array: Array) -> Array:
    """For each coordinate a power of two that is near its size.

    What is small beside its neighbours counts as large as they are, and zeros as 1 where
    there is nothing else.
    """
    size = np.abs(array).astype(np.float64)
    largest = np.max(size, initial=0.0)
    typical = largest * np.sqrt(np.mean((size / largest) ** 2)) if largest > 0 else 1.0
    # Not so small that a step of it would vanish.
    size = np.maximum(size, max(typical, float(np.sqrt(np.finfo(array.dtype).tiny))))
    powers: Array = np.exp2(np.floor(np.log2(size)))
    return powers


def random_signs(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Numbers of sizes from 0.5 to 1.5: none so small that it hides what it multiplies."""
    signs: Array = rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape)
    return signs


SHAKES = 3  # how often: one may change a slope by little, by chance


def nearby(value: Array, eps: float, rng: np.random.Generator) -> Array:
    """The value changed by about the rounding errors of a computation."""
    return np.asarray(value * (1 + 64 * eps * random_signs(value.shape, rng)), value.dtype)


def reads_one_triangle(value: Array, along: Callable[[Array], Change], step: float) -> bool:
    """Whether value is symmetric, and moving one of its triangles changes nothing."""
    if value.ndim < 2 or value.shape[-1] != value.shape[-2] or value.shape[-1] < 2:
        return False
    if not np.array_equal(value, np.swapaxes(value, -1, -2)):
        return False
    upper = np.triu(scales(value), 1)
    changes = [np.any(along(each)(step)) for each in (upper, np.swapaxes(upper, -1, -2))]
    return bool(changes[0] != changes[1])


def symmetrized(direction: Array) -> Array:
    """The direction in which both triangles move."""
    both = direction + np.swapaxes(direction, -1, -2)
    return np.where(np.eye(direction.shape[-1], dtype=bool), direction, both)
