"""Sequential: layers one after another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastnn.init import Seed
from fastnn.layers.module import Module
from fastnn.layers.registry import build, describe, parameter_shapes, register
from fastnn.tensor import Tensor


@register
class Sequential(Module):
    """Layers one after another; ``model[i]`` is the i-th, and its name in dotted names.

    Args:
        layers: Modules.
        seed: when given, all layers draw new initial parameters from it.

    Raises:
        TypeError: a layer is not a Module.
    """

    def __init__(self, *layers: Module, seed: Seed = None) -> None:
        for position, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"layer {position} wants a Module, got {layer!r}")
        self.layers = layers
        if seed is not None:
            self.reset_parameters(seed)

    def forward(self, x: Tensor) -> Tensor:
        """Each layer's output is the input of the next."""
        for layer in self.layers:
            x = layer(x)
        return x

    def members(self) -> Iterator[tuple[str, Any]]:
        """The layers, named by their numbers, then what a subclass has added."""
        for position, layer in enumerate(self.layers):
            yield str(position), layer
        for name, value in vars(self).items():
            if name != "layers":
                yield name, value

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> Module:
        return self.layers[index]

    def config(self) -> list[dict[str, Any]]:
        """The descriptions of the layers."""
        return [describe(layer) for layer in self.layers]

    @classmethod
    def from_config(cls, config: Any) -> Sequential:
        """The model whose layers are described."""
        return cls(*(build(description) for description in config))

    @classmethod
    def _parameter_shapes(cls, config: Any) -> dict[str, tuple[int, ...]]:
        return {
            f"{position}.{name}": shape
            for position, description in enumerate(config)
            for name, shape in parameter_shapes(description).items()
        }
