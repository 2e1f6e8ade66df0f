"""A layer that draws random numbers, for the tests of fastnn.random."""

from __future__ import annotations

from typing import Any

from fastnn import Tensor, layers
from fastnn.layers.registry import register
from fastnn.random import Generator


@register
class Noise(layers.Module):
    """In training adds Gaussian noise; its generator's state is saved with it."""

    def __init__(self, deviation: float = 0.1, seed: Any = 0) -> None:
        self.deviation = deviation
        self.rng = Generator(seed)
        self.random_state = self.rng.buffer

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x + self.deviation * self.rng.standard_normal(x.shape, x.dtype)

    def config(self) -> dict[str, Any]:
        return {"deviation": self.deviation}
