"""Ready-made models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.checks import whole
from fastnn.init import Seed
from fastnn.layers import (
    AdaptiveAvgPool2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["alexnet", "cifar_convnet", "lenet", "linear", "mlp"]

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
    inputs = in_features
    layers: list[Module] = []
    for width in widths:
        layers.append(Linear(inputs, width, init=init, seed=rng, dtype=dtype))
        layers.append(layer())
        inputs = width
    layers.append(Linear(inputs, classes, init="glorot", seed=rng, dtype=dtype))
    return _made_for((in_features,), *layers)


# --- of images (N, C, H, W) -----------------------------------------------------------


def lenet(
    num_classes: int = 10,
    *,
    input_shape: Sequence[int] = (1, 28, 28),
    seed: Seed = 0,
    dtype: npt.DTypeLike = "float32",
) -> Sequential:
    """A LeNet: two convolutions of 5x5 filters with pooling, and three linear layers.

    (LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
    recognition", 1998.)  With 16 and 32 filters where LeNet-5 has 6 and 16, ReLU for tanh, and
    maxima for means.

    Args:
        num_classes: number of scores.
        input_shape: (channels, height, width) of an image, at least 12 x 12.
        seed: of the initial weights (he; the last layer's are glorot's).
        dtype: float32 or float64.

    Raises:
        TypeError: a number is not an integer.
        ValueError: a number is below 1, or the images are too small.
    """
    channels, height, width = _image_shape("lenet", input_shape, 12)
    rows, columns = (((length // 2) - 4) // 2 for length in (height, width))
    drawn: dict[str, Any] = {"seed": np.random.default_rng(seed), "dtype": dtype}
    return _made_for(
        (channels, height, width),
        Conv2d(channels, 16, 5, padding=2, **drawn),
        ReLU(),
        MaxPool2d(2),
        Conv2d(16, 32, 5, **drawn),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
        Linear(32 * rows * columns, 120, **drawn),
        ReLU(),
        Linear(120, 84, **drawn),
        ReLU(),
        Linear(84, num_classes, init="glorot", **drawn),
    )


def cifar_convnet(
    num_classes: int = 10,
    *,
    input_shape: Sequence[int] = (3, 32, 32),
    seed: Seed = 0,
    dtype: npt.DTypeLike = "float32",
) -> Sequential:
    """A small ConvNet: 32 and 64 filters of 3x3, each with pooling, and two linear layers.

    Args:
        num_classes: number of scores.
        input_shape: (channels, height, width) of an image, at least 4 x 4.
        seed: of the initial weights (he; the last layer's are glorot's).
        dtype: float32 or float64.

    Raises:
        TypeError: a number is not an integer.
        ValueError: a number is below 1, or the images are too small.
    """
    channels, height, width = _image_shape("cifar_convnet", input_shape, 4)
    drawn: dict[str, Any] = {"seed": np.random.default_rng(seed), "dtype": dtype}
    return _made_for(
        (channels, height, width),
        Conv2d(channels, 32, 3, padding=1, **drawn),
        ReLU(),
        MaxPool2d(2),
        Conv2d(32, 64, 3, padding=1, **drawn),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
        Linear(64 * (height // 4) * (width // 4), 128, **drawn),
        ReLU(),
        Linear(128, num_classes, init="glorot", **drawn),
    )


def alexnet(
    num_classes: int = 1000,
    original: bool = False,
    *,
    input_shape: Sequence[int] = (3, 224, 224),
    seed: Seed = 0,
    dtype: npt.DTypeLike = "float32",
) -> Sequential:
    """AlexNet: five convolutions and three linear layers.

    Args:
        num_classes: number of scores.
        original: the paper's net (Krizhevsky, Sutskever, Hinton, "ImageNet classification with
            deep convolutional neural networks", 2012), with convolutions in two groups and
            local response normalisation: 60,965,224 parameters for 1000 classes.  Otherwise
            the one tower that PyTorch users know (Krizhevsky, "One weird trick for
            parallelizing convolutional neural networks", 2014): 61,100,840.
        input_shape: (channels, height, width) of an image, at least 63 x 63.  Any size has
            the same parameters: the last images are pooled to 6 x 6.
        seed: of the initial weights (he; the last layer's are glorot's) and of the dropout.
        dtype: float32 or float64.

    Raises:
        TypeError: a number is not an integer.
        ValueError: a number is below 1, or the images are too small.
    """
    channels, height, width = _image_shape("alexnet", input_shape, 63)
    whole("num_classes", num_classes, 1)
    groups = 2 if original else 1
    filters = (96, 256, 384, 384, 256) if original else (64, 192, 384, 256, 256)

    def normalised() -> tuple[Module, ...]:
        return (LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2),) if original else ()

    drawn: dict[str, Any] = {"seed": np.random.default_rng(seed), "dtype": dtype}
    return _made_for(
        (channels, height, width),
        Conv2d(channels, filters[0], 11, stride=4, padding=2, **drawn),
        ReLU(),
        *normalised(),
        MaxPool2d(3, 2),
        Conv2d(filters[0], filters[1], 5, padding=2, groups=groups, **drawn),
        ReLU(),
        *normalised(),
        MaxPool2d(3, 2),
        Conv2d(filters[1], filters[2], 3, padding=1, **drawn),
        ReLU(),
        Conv2d(filters[2], filters[3], 3, padding=1, groups=groups, **drawn),
        ReLU(),
        Conv2d(filters[3], filters[4], 3, padding=1, groups=groups, **drawn),
        ReLU(),
        MaxPool2d(3, 2),
        AdaptiveAvgPool2d(6),
        Flatten(),
        Dropout(0.5, seed=drawn["seed"]),
        Linear(256 * 6 * 6, 4096, **drawn),
        ReLU(),
        Dropout(0.5, seed=drawn["seed"]),
        Linear(4096, 4096, **drawn),
        ReLU(),
        Linear(4096, num_classes, init="glorot", **drawn),
    )


def _made_for(input_shape: tuple[int, ...], *layers: Module) -> Sequential:
    """The layers, which know the shape of a sample."""
    model = Sequential(*layers)
    model.input_shape = input_shape
    return model


def _image_shape(model: str, shape: Any, least: int) -> tuple[int, int, int]:
    """(channels, height, width), of which the last two are at least ``least``."""
    if not isinstance(shape, Sequence) or len(shape) != 3:
        raise TypeError(f"input_shape must be (channels, height, width), got {shape!r}")
    channels, height, width = (whole("input_shape", length, 1) for length in shape)
    if min(height, width) < least:
        raise ValueError(
            f"{model} wants images of at least {least} x {least}, got {height} x {width}"
        )
    return channels, height, width
