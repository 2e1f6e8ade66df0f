"""The model that a command line names, new, for the samples at hand."""

from __future__ import annotations

from typing import Any

from fastnn import data, models
from fastnn.cli.settings import IMAGE_MODELS, Settings, hidden_widths
from fastnn.layers.module import Module


def named_model(settings: Settings, whole: data.Dataset) -> Module:
    """A new model for these samples; ValueError where it cannot take them."""
    classes = len(whole.classes)
    options: dict[str, Any] = {"seed": settings.seed, "dtype": settings.dtype}
    if settings.model not in IMAGE_MODELS:
        widths = hidden_widths(settings.model)
        return models.mlp(whole.x_train.shape[1], widths, classes, **options)
    try:
        make = getattr(models, settings.model)
        model: Module = make(classes, input_shape=whole.shape, **options)
    except ValueError as error:
        raise ValueError(f"{settings.data}: {error}") from None
    return model
