"""Initial weights, drawn from an explicit seed.

The scale keeps the variance of signals (He) or of signals and gradients (Glorot) the
same from layer to layer.  Draws are made in float64 and then rounded, so that one seed
gives the same weights in every dtype.

Sources: He, Zhang, Ren, Sun, "Delving deep into rectifiers" (2015); Glorot, Bengio,
"Understanding the difficulty of training deep feedforward neural networks" (2010).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

Shape: TypeAlias = tuple[int, ...]
Seed: TypeAlias = "int | np.random.Generator | np.random.SeedSequence | None"
Initializer: TypeAlias = "Callable[[Shape, Seed, npt.DTypeLike], npt.NDArray[Any]]"


def _fans(shape: Shape) -> tuple[int, int]:
    """Inputs and outputs of one unit.

    For weights (in_features, out_features), or filters (out_channels, in_channels, rows,
    columns), where a unit's outputs are those of all filters at all its taps.
    """
    if len(shape) not in (2, 4) or min(shape) < 1:
        raise ValueError(
            "shape wants (in_features, out_features), or (out_channels, in_channels, rows, "
            f"columns), all at least 1, got {shape}"
        )
    if len(shape) == 2:
        return shape
    outputs, inputs, rows, columns = shape
    return inputs * rows * columns, outputs * rows * columns


def _normal(shape: Shape, deviation: float, seed: Seed, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    draws = np.random.default_rng(seed).standard_normal(shape)
    draws *= deviation
    return draws.astype(dtype, copy=False)


def _uniform(shape: Shape, limit: float, seed: Seed, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.random.default_rng(seed).uniform(-limit, limit, shape).astype(dtype)


def he_normal(
    shape: Shape, seed: Seed = None, dtype: npt.DTypeLike = "float32"
) -> npt.NDArray[Any]:
    """Normal with variance 2 / in_features, for layers followed by a ReLU.

    Args:
        shape: (in_features, out_features), or (out_channels, in_channels, rows, columns)
            of filters, whose in_features is the product of the last three.
        seed: an int, a SeedSequence, or a Generator to draw from; None is a new seed
            from the operating system.
        dtype: of the result.

    Raises:
        ValueError: shape is not of two or four positive lengths.
    """
    return _normal(shape, (2 / _fans(shape)[0]) ** 0.5, seed, dtype)


def he_uniform(
    shape: Shape, seed: Seed = None, dtype: npt.DTypeLike = "float32"
) -> npt.NDArray[Any]:
    """Uniform in ±sqrt(6 / in_features): the variance of :func:`he_normal`."""
    return _uniform(shape, (6 / _fans(shape)[0]) ** 0.5, seed, dtype)


def glorot_normal(
    shape: Shape, seed: Seed = None, dtype: npt.DTypeLike = "float32"
) -> npt.NDArray[Any]:
    """Normal with variance 2 / (in_features + out_features), for sigmoid and tanh."""
    return _normal(shape, (2 / sum(_fans(shape))) ** 0.5, seed, dtype)


def glorot_uniform(
    shape: Shape, seed: Seed = None, dtype: npt.DTypeLike = "float32"
) -> npt.NDArray[Any]:
    """Uniform in ±sqrt(6 / (in_features + out_features)), as Glorot and Bengio do."""
    return _uniform(shape, (6 / sum(_fans(shape))) ** 0.5, seed, dtype)


def zeros(shape: Shape, seed: Seed = None, dtype: npt.DTypeLike = "float32") -> npt.NDArray[Any]:
    """All zeros: fine for a model of one layer, where no symmetry needs breaking."""
    return np.zeros(shape, dtype)


_BY_NAME: dict[str, Initializer] = {
    "he": he_normal,
    "he_normal": he_normal,
    "he_uniform": he_uniform,
    "glorot": glorot_uniform,
    "glorot_normal": glorot_normal,
    "glorot_uniform": glorot_uniform,
    "zeros": zeros,
}


def get(name: str | Initializer) -> Initializer:
    """The initializer of this name; a function ``(shape, seed, dtype)`` is itself.

    Raises:
        ValueError: no initializer has this name.
    """
    if callable(name):
        return name
    try:
        return _BY_NAME[name]
    except (KeyError, TypeError):
        raise ValueError(
            f"init wants one of {', '.join(_BY_NAME)}, or a function, got {name!r}"
        ) from None
