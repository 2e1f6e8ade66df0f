"""The whole fit of a classifier of images, as every side makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .works import Layers


@dataclass(frozen=True)
class Task:
    """A classification of images: what ``fit`` of a side does.

    Attributes:
        X, y: uint8 (N, 784) and labels, int64 (N,).
        layers: the initial weights and biases, to be copied.
        shuffle: whether each epoch has an order of its own, drawn from ``seed``.
    """

    X: np.ndarray
    y: np.ndarray
    layers: Layers
    epochs: int
    batch: int = 128
    lr: float = 1e-3
    shuffle: bool = True
    seed: int = 0

    def order(self, epoch: int) -> np.ndarray:
        """The samples, as they are met in the epoch."""
        if not self.shuffle:
            return np.arange(len(self.X))
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.X))


@dataclass(frozen=True)
class Fitted:
    """What a side's ``fit`` returns.

    Attributes:
        losses: the mean over the samples of each epoch.
        predict: the classes of uint8 images.
        compiling: seconds of the fit that went into compiling.
    """

    losses: list[float]
    predict: Callable[[np.ndarray], np.ndarray]
    compiling: float = 0.0
