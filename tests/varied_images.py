"""Images in three classes, and two ways to vary them, shared by the tests of augmentation."""

from __future__ import annotations

import numpy as np

from fastnn import Augment

N, SHAPE, CLASSES = 70, (2, 8, 9), 3
ALL = Augment(
    rotation=15, shift=(1, 2), crop=(6, 7), flip=True, brightness=0.2, contrast=0.3, occlusion=2
)
SAME_SIZE = Augment(rotation=15, shift=1, flip=True, brightness=0.2, occlusion=(2, 3), fill=7)


def problem(n: int = N, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """uint8 images with a bright column, and in which third of the image it is."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, CLASSES, n)
    X = rng.integers(0, 100, (n, *SHAPE)).astype(np.uint8)
    X[np.arange(n), :, :, 3 * y + 1] += 150
    return X, y
