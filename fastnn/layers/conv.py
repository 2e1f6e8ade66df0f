"""The convolution layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import init as initializers
from fastnn import ops
from fastnn.checks import pair, whole
from fastnn.layers.images import apply
from fastnn.layers.module import Module, Parameter
from fastnn.layers.registry import register
from fastnn.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt


@register
class Conv2d(Module):
    """2-D convolution of images (N, in_channels, H, W) with learned filters.

    It is the cross-correlation, as everywhere in neural nets (LeCun et al., 1989); see
    :func:`fastnn.functional.conv2d` for its formula.

    Args:
        in_channels: C of the images.
        out_channels: O, the number of filters.
        kernel_size: rows and columns of a filter; an integer, or a pair of them, as are:
        stride: how far apart results lie.
        padding: rows and columns of zeros on each side.
        dilation: how far apart the taps of a filter lie.
        groups: divides both numbers of channels: filters of one group see the channels of
            that group alone.
        bias: whether to add a learned b.
        init: how the filters are drawn, a name of :mod:`fastnn.init` or a function
            ``(shape, seed, dtype)``; the bias starts at zero.
        seed: an int, a SeedSequence, or a Generator to draw from; None is a new seed
            from the operating system.
        dtype: float32 or float64.

    Attributes:
        weight: Parameter (out_channels, in_channels / groups, rows, columns).
        bias: Parameter (out_channels,), spared by weight decay, or None.

    Raises:
        TypeError: a number is not an integer.
        ValueError: a number is too small, groups does not divide the channels, or init is
            unknown.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        init: str | initializers.Initializer = "he",
        seed: initializers.Seed = None,
        dtype: npt.DTypeLike = "float32",
    ) -> None:
        self.in_channels = whole("in_channels", in_channels, 1)
        self.out_channels = whole("out_channels", out_channels, 1)
        self.kernel_size = pair("kernel_size", kernel_size, 1)
        self.stride = pair("stride", stride, 1)
        self.padding = pair("padding", padding, 0)
        self.dilation = pair("dilation", dilation, 1)
        self.groups = whole("groups", groups, 1)
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"groups must divide in_channels={in_channels} and out_channels={out_channels}, "
                f"got {groups}"
            )
        self.init = init
        shape = _weight_shape(self.in_channels, self.out_channels, self.groups, self.kernel_size)
        self.weight = Parameter(initializers.get(init)(shape, seed, dtype))
        self.bias: Parameter | None = None
        if bias:
            self.bias = Parameter(np.zeros(self.out_channels, dtype), decay=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (N, in_channels, H, W) -> (N, out_channels, P, Q).

        P = (H + 2 padding - dilation (rows - 1) - 1) // stride + 1, and Q alike.

        Raises:
            TypeError: x is neither a Tensor nor an array of real numbers.
            ValueError: x has another shape, or the filters are larger than the padded x.
        """
        return apply(
            "Conv2d",
            ops.conv2d,
            x,
            self.weight,
            self.bias,
            *self.stride,
            *self.padding,
            *self.dilation,
            self.groups,
            channels=self.in_channels,
        )

    def _draw(self, rng: np.random.Generator) -> None:
        weight = self.weight
        weight.data = initializers.get(self.init)(weight.shape, rng, weight.dtype)
        if self.bias is not None:
            self.bias.data = np.zeros_like(self.bias.data)

    def multiply_adds(self, output: tuple[int, ...]) -> int:
        """Multiply-adds for one sample, whose output has this shape."""
        return math.prod(output) * math.prod(self.weight.shape[1:])

    def config(self) -> dict[str, Any]:
        """The constructor's arguments; of ``init``, a name alone."""
        config: dict[str, Any] = {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "kernel_size": list(self.kernel_size),
            "stride": list(self.stride),
            "padding": list(self.padding),
            "dilation": list(self.dilation),
            "groups": self.groups,
            "bias": self.bias is not None,
        }
        return config if callable(self.init) else {**config, "init": self.init}

    @classmethod
    def _parameter_shapes(cls, config: Any) -> dict[str, tuple[int, ...]]:
        filters = config["out_channels"]
        shapes = {
            "weight": _weight_shape(
                config["in_channels"],
                filters,
                config.get("groups", 1),
                pair("kernel_size", config["kernel_size"], 1),
            )
        }
        if config.get("bias", True):
            shapes["bias"] = (filters,)
        return shapes


def _weight_shape(
    channels: int, filters: int, groups: int, kernel_size: tuple[int, int]
) -> tuple[int, ...]:
    return (filters, channels // groups, *kernel_size)
