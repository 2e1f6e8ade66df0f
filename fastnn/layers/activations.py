"""The activations as layers: elementwise, without parameters."""

from __future__ import annotations

from fastnn import ops
from fastnn.layers.module import Module
from fastnn.layers.registry import register
from fastnn.tensor import Tensor, record


@register
class ReLU(Module):
    """max(x, 0), with derivative 0 at 0."""

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape -> the same shape."""
        return record(ops.relu, (x,))


@register
class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape -> the same shape."""
        return record(ops.sigmoid, (x,))


@register
class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape -> the same shape."""
        return record(ops.tanh, (x,))
