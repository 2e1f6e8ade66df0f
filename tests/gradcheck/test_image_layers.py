"""The library's own check on every layer of images, in training and in evaluation."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn.layers import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    LocalResponseNorm,
    MaxPool2d,
    Module,
)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (
            Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2, seed=0, dtype="float64"),
            (2, 4, 6, 5),
        ),
        (Conv2d(2, 3, 2, dilation=(2, 3), bias=False, seed=0, dtype="float64"), (2, 2, 6, 7)),
        (MaxPool2d(3, 2, padding=1), (2, 2, 6, 5)),
        (AvgPool2d((2, 3), 2, padding=1), (2, 2, 6, 5)),
        (AdaptiveAvgPool2d(1), (2, 3, 4, 5)),
        (AdaptiveAvgPool2d((2, 3)), (2, 2, 5, 7)),
        (BatchNorm1d(3, dtype="float64"), (5, 3)),
        (BatchNorm1d(3, dtype="float64"), (2, 3, 4)),
        (BatchNorm2d(2, dtype="float64"), (3, 2, 3, 2)),
        (LocalResponseNorm(3, alpha=0.5), (2, 5, 2, 3)),
        (Flatten(), (2, 3, 2, 2)),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Module) else None,
)
@pytest.mark.parametrize("training", [True, False])
def test_check_gradients_passes_every_layer(layer, shape, training) -> None:
    layer.train(training)
    x = np.random.default_rng(1).standard_normal(shape)
    report = fastnn.check_gradients(layer, x)
    assert report.ok, report
