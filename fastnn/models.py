"""Ready-made models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.init import Seed
from fastnn.layers import Linear, Module, ReLU, Sequential, Sigmoid, Tanh

# The activation, and the initialisation that keeps the variance of its signals.
_ACTIVATIONS: dict[str, tuple[type[Module], str]] = {
    "relu": (ReLU, "he"),
    "sigmoid": (Sigmoid, "glorot"),
    "tanh": (Tanh, "glorot"),
}


def linear(
    in_features: int,
    classes: int = 10,
    *,
    seed: Seed = 0,
    dtype: npt.DTypeLike = "float32",
) -> Sequential:
    """A linear classifier: scores (N, classes) = x (N, in_features) @ W + b.

    Args:
        seed: of the initial weights (glorot).
        dtype: float32 or float64.

    Raises:
        ValueError: a length is below 1.
    """
    return mlp(in_features, (), classes, seed=seed, dtype=dtype)


def mlp(
    in_features: int,
    hidden: Sequence[int] | int = (256, 128),
    classes: int = 10,
    *,
    activation: str = "relu",
    seed: Seed = 0,
    dtype: npt.DTypeLike = "float32",
) -> Sequential:
    """A multi-layer perceptron: linear layers with an activation between them.

    Args:
        in_features: length of an input row.
        hidden: widths of the hidden layers, or the width of one; none gives a linear
            classifier.
        classes: number of scores.
        activation: "relu" (he initialisation), "sigmoid" or "tanh" (glorot).
        seed: of the initial weights; the last layer's are glorot's.
        dtype: float32 or float64.

    Raises:
        TypeError: a width is not an integer.
        ValueError: a width is below 1, or the activation is unknown.
    """
    if not isinstance(activation, str) or activation not in _ACTIVATIONS:
        raise ValueError(f"activation wants one of {', '.join(_ACTIVATIONS)}, got {activation!r}")
    widths: Any = (hidden,) if isinstance(hidden, int | np.integer) else hidden
    if not isinstance(widths, Iterable) or isinstance(widths, str):
        raise TypeError(f"hidden must be the widths of the hidden layers, got {hidden!r}")
    layer, init = _ACTIVATIONS[activation]
    rng = np.random.default_rng(seed)
    layers: list[Module] = []
    for width in widths:
        layers.append(Linear(in_features, width, init=init, seed=rng, dtype=dtype))
        layers.append(layer())
        in_features = width
    layers.append(Linear(in_features, classes, init="glorot", seed=rng, dtype=dtype))
    return Sequential(*layers)
