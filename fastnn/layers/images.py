"""What the layers for images share: one error for input that is no batch of images."""

from __future__ import annotations

from typing import Any

from fastnn.ops import Op
from fastnn.tensor import Tensor, record


def apply(layer: str, op: Op, x: Any, *args: Any, channels: int | None = None) -> Tensor:
    """The op of images x (N, C, H, W) and its other arguments.

    Raises:
        TypeError: x is no Tensor.
        ValueError: x has another number of axes, or of channels where that is given.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"{layer} wants a Tensor or an array, got {x!r}")
    try:
        return record(op, (x, *args))
    except ValueError:
        # Only now, so that the right shape costs nothing.
        if x.ndim == 4 and channels in (None, x.shape[1]):
            raise
        raise ValueError(
            f"{layer} wants input of shape (N, {channels or 'C'}, H, W), got {x.shape}"
        ) from None
