"""Normalisation layers: by batch, and by neighbouring channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import ops
from fastnn.checks import number, whole
from fastnn.layers.module import Buffer, Module, Parameter
from fastnn.layers.registry import register
from fastnn.tensor import Tensor, record

if TYPE_CHECKING:
    import numpy.typing as npt


class _BatchNorm(Module):
    _axes: tuple[int, ...]
    _wants: str

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        *,
        dtype: npt.DTypeLike = "float32",
    ) -> None:
        self.num_features = whole("num_features", num_features, 1)
        self.eps = number("eps", eps, "[0, inf)")
        self.momentum = number("momentum", momentum, "[0, 1]")
        self.weight: Parameter | None = None
        self.bias: Parameter | None = None
        if affine:
            self.weight = Parameter(np.ones(self.num_features, dtype), decay=False)
            self.bias = Parameter(np.zeros(self.num_features, dtype), decay=False)
        self.running_mean = Buffer(np.zeros(self.num_features, dtype))
        self.running_var = Buffer(np.ones(self.num_features, dtype))

    def forward(self, x: Tensor) -> Tensor:
        """x -> the same shape; in training, the running statistics are moved.

        Raises:
            TypeError: x is neither a Tensor nor an array of real numbers, or is of another
                dtype than this layer.
            ValueError: x has another shape, or in training one value for each channel.
        """
        if not isinstance(x, Tensor):
            raise TypeError(f"{type(self).__name__} wants a Tensor or an array, got {x!r}")
        if x.ndim not in self._axes or x.shape[1] != self.num_features:
            wanted = self._wants.replace("C", str(self.num_features))
            raise ValueError(f"{type(self).__name__} wants input of shape {wanted}, got {x.shape}")
        scale, running = (self.weight, self.bias), (self.running_mean, self.running_var)
        if not self.training:
            return record(ops.batch_norm_eval, (x, *running, *scale, self.eps))
        y = record(ops.batch_norm, (x, *scale, *running, self.momentum, self.eps))
        for buffer in running:
            buffer._node.overwritten()
        return y

    def _draw(self, rng: np.random.Generator) -> None:
        for tensor, value in (
            (self.weight, 1), (self.bias, 0), (self.running_mean, 0), (self.running_var, 1)
        ):  # fmt: skip
            if tensor is not None:
                tensor.data = np.full_like(tensor.data, value)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "num_features": self.num_features,
            "eps": self.eps,
            "momentum": self.momentum,
            "affine": self.weight is not None,
        }

    @classmethod
    def _shapes(cls, config: Any) -> dict[str, tuple[int, ...]]:
        names = ("weight", "bias") if config.get("affine", True) else ()
        return dict.fromkeys((*names, "running_mean", "running_var"), (config["num_features"],))


@register
class BatchNorm1d(_BatchNorm):
    """Batch normalisation (Ioffe, Szegedy, 2015) of rows (N, C) or sequences (N, C, L).

    In training, (x - mean) / sqrt(var + eps) * weight + bias, with the mean and the (biased)
    variance of the batch for each channel; in evaluation, with the running ones.

    Args:
        num_features: C.
        eps: keeps the root away from zero.
        momentum: how much of the new the running statistics take: r = (1 - momentum) r +
            momentum s, where s is the mean, or the unbiased variance.
        affine: whether to learn weight and bias.
        dtype: float32 or float64.

    Attributes:
        weight, bias: Parameters (C,), ones and zeros at first, spared by weight decay; or None.
        running_mean, running_var: Buffers (C,), zeros and ones at first.

    Raises:
        TypeError: an argument is no number.
        ValueError: an argument is out of its range.
    """

    _axes, _wants = (2, 3), "(N, C) or (N, C, L)"

    @classmethod
    def _parameter_shapes(cls, config: Any) -> dict[str, tuple[int, ...]]:
        return cls._shapes(config)


@register
class BatchNorm2d(_BatchNorm):
    """Batch normalisation of images (N, C, H, W), by channel; see :class:`BatchNorm1d`."""

    _axes, _wants = (4,), "(N, C, H, W)"

    @classmethod
    def _parameter_shapes(cls, config: Any) -> dict[str, tuple[int, ...]]:
        return cls._shapes(config)


@register
class LocalResponseNorm(Module):
    """x / (k + alpha / size * s)**beta, s the sum of squares over ``size`` neighbouring channels.

    (Krizhevsky, Sutskever, Hinton, 2012.)  alpha is divided by size, as in PyTorch; the paper
    does not: its size 5, alpha 1e-4, k 2 is ``LocalResponseNorm(5, alpha=5e-4, k=2)``.

    Args:
        size: channels in a window, at least 1.

    Raises:
        TypeError: an argument is no number.
        ValueError: an argument is out of its range.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        self.size = whole("size", size, 1)
        self.alpha = number("alpha", alpha, "[0, inf)")
        self.beta = number("beta", beta, "[0, inf)")
        self.k = number("k", k, "(0, inf)")

    def forward(self, x: Tensor) -> Tensor:
        """x (N, C, ...) -> the same shape.

        Raises:
            TypeError: x is neither a Tensor nor an array of real numbers.
            ValueError: x has no channels.
        """
        if not isinstance(x, Tensor):
            raise TypeError(f"LocalResponseNorm wants a Tensor or an array, got {x!r}")
        if x.ndim < 2:
            raise ValueError(f"LocalResponseNorm wants input of shape (N, C, ...), got {x.shape}")
        return record(ops.local_response_norm, (x, self.size, self.alpha, self.beta, self.k))

    def config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"size": self.size, "alpha": self.alpha, "beta": self.beta, "k": self.k}
