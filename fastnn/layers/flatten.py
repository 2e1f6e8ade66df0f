"""Flatten: images to rows."""

from __future__ import annotations

import math

from fastnn import ops
from fastnn.layers.module import Module
from fastnn.layers.registry import register
from fastnn.tensor import Tensor, record


@register
class Flatten(Module):
    """Join all axes but the first: (N, C, H, W) -> (N, C*H*W)."""

    def forward(self, x: Tensor) -> Tensor:
        """x (N, ...) -> (N, product of the rest)."""
        return record(ops.reshape, (x, (len(x), math.prod(x.shape[1:]))))
