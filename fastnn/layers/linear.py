"""The linear layer: y = x @ W + b."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import init as initializers
from fastnn import ops
from fastnn.checks import whole
from fastnn.layers.module import Module, Parameter
from fastnn.layers.registry import register
from fastnn.tensor import Tensor, record

if TYPE_CHECKING:
    import numpy.typing as npt


@register
class Linear(Module):
    """y = x @ W + b for a batch of rows x (N, in_features).

    Args:
        in_features: D, length of an input row.
        out_features: C, length of an output row.
        bias: whether to add a learned b.
        init: how the weight is drawn, a name of :mod:`fastnn.init` or a function
            ``(shape, seed, dtype)``; the bias starts at zero.
        seed: an int, a SeedSequence, or a Generator to draw from; None is a new seed
            from the operating system.
        dtype: float32 or float64.

    Attributes:
        weight: Parameter (in_features, out_features).
        bias: Parameter (out_features,), spared by weight decay, or None.

    Raises:
        TypeError: a length is not an integer.
        ValueError: a length is below 1, or init is unknown.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        init: str | initializers.Initializer = "he",
        seed: initializers.Seed = None,
        dtype: npt.DTypeLike = "float32",
    ) -> None:
        self.in_features = whole("in_features", in_features, 1)
        self.out_features = whole("out_features", out_features, 1)
        self.init = init
        draw = initializers.get(init)
        self.weight = Parameter(draw((self.in_features, self.out_features), seed, dtype))
        self.bias: Parameter | None = None
        if bias:
            self.bias = Parameter(np.zeros(out_features, dtype), decay=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (N, in_features) -> (N, out_features).

        Raises:
            TypeError: x is neither a Tensor nor an array of real numbers.
            ValueError: x has another shape.
        """
        try:
            return record(ops.linear, (x, self.weight, self.bias))
        except (ValueError, AttributeError):
            # Only now, so that the right shape costs nothing.
            if not isinstance(x, Tensor):
                raise TypeError(f"Linear wants a Tensor or an array, got {x!r}") from None
            if x.ndim == 2 and x.shape[1] == self.in_features:
                raise
            raise ValueError(
                f"Linear wants input of shape (N, {self.in_features}), got {x.shape}"
            ) from None

    def _draw(self, rng: np.random.Generator) -> None:
        weight = self.weight
        weight.data = initializers.get(self.init)(weight.shape, rng, weight.dtype)
        if self.bias is not None:
            self.bias.data = np.zeros_like(self.bias.data)

    def multiply_adds(self, output: tuple[int, ...]) -> int:
        """Multiply-adds for one sample, whose output has this shape."""
        return self.in_features * self.out_features

    def config(self) -> dict[str, Any]:
        """The constructor's arguments.

        A function as ``init`` is left out: it has no name, and a loaded layer gets its
        weights from the file.
        """
        config: dict[str, Any] = {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "bias": self.bias is not None,
        }
        return config if callable(self.init) else {**config, "init": self.init}

    @classmethod
    def _parameter_shapes(cls, config: Any) -> dict[str, tuple[int, ...]]:
        outputs = config["out_features"]
        shapes: dict[str, tuple[int, ...]] = {"weight": (config["in_features"], outputs)}
        if config.get("bias", True):
            shapes["bias"] = (outputs,)
        return shapes
