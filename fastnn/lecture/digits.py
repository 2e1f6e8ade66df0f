"""The digits as the topics want them: float64, of mean 0 and deviation 1."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn import data

__all__ = ["images", "training_images"]

Array: TypeAlias = npt.NDArray[Any]


def training_images() -> tuple[Array, Array]:
    """X (1438, 64) and y (1438,)."""
    return images()[:2]


def images() -> tuple[Array, Array, Array, Array]:
    """X and y to train with, X (359, 64) and y (359,) to test with."""
    digits = data.digits()
    scale, shift = digits.standardization()
    X, X_test = (np.asarray(x, np.float64) * scale + shift for x in (digits.x_train, digits.x_test))
    return X, digits.y_train, X_test, digits.y_test
