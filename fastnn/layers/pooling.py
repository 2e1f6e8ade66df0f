"""Pooling layers: images (N, C, H, W) to smaller ones, without parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import ops
from fastnn.checks import pair
from fastnn.layers.images import apply
from fastnn.layers.module import Module
from fastnn.layers.registry import register
from fastnn.ops import Op
from fastnn.tensor import Tensor

Pair = int | tuple[int, int]


class _Pool2d(Module):
    """Windows of one size, moved over images."""

    _op: Op

    def __init__(self, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0) -> None:
        self.kernel_size = pair("kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else pair("stride", stride, 1)
        self.padding = pair("padding", padding, 0)
        if any(
            2 * side > length for side, length in zip(self.padding, self.kernel_size, strict=True)
        ):
            raise ValueError(
                f"padding must be at most half of kernel_size={kernel_size}, got {padding}"
            )

    def forward(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) -> (N, C, P, Q).

        P = (H + 2 padding - rows) // stride + 1, and Q alike: what does not fill a window at
        the end is left out.

        Raises:
            TypeError: x is neither a Tensor nor an array of real numbers.
            ValueError: x has another number of axes, or is smaller than a window.
        """
        window = (*self.kernel_size, *self.stride, *self.padding)
        return apply(type(self).__name__, self._op, x, *window)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "kernel_size": list(self.kernel_size),
            "stride": list(self.stride),
            "padding": list(self.padding),
        }


@register
class MaxPool2d(_Pool2d):
    """The largest element of each window; NaN goes through.

    The gradient goes to the largest element, to the first one where several are.

    Args:
        kernel_size: rows and columns of a window; an integer, or a pair of them, as are:
        stride: how far apart windows lie; None: kernel_size.  Less makes them overlap.
        padding: on each side, at most half of kernel_size; it is never the largest.

    Raises:
        TypeError: a number is not an integer.
        ValueError: a number is out of its range.
    """

    _op = ops.max_pool2d


@register
class AvgPool2d(_Pool2d):
    """The mean of each window; padding counts as zeros.

    Args, Raises: see :class:`MaxPool2d`.
    """

    _op = ops.avg_pool2d


@register
class AdaptiveAvgPool2d(Module):
    """Means over a grid of ``output_size`` equal windows, whatever the size of the images.

    With 1 it is global average pooling (Lin, Chen, Yan, 2014): (N, C, H, W) -> (N, C, 1, 1).
    Where the size is no multiple of output_size, windows share rows, as in PyTorch: window i
    goes from floor(i H / P) to ceil((i + 1) H / P).

    Args:
        output_size: (P, Q), or one integer for both.

    Raises:
        TypeError: output_size is neither.
        ValueError: it is below 1.
    """

    def __init__(self, output_size: Pair = 1) -> None:
        self.output_size = pair("output_size", output_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) -> (N, C, P, Q).

        Raises:
            TypeError: x is neither a Tensor nor an array of real numbers.
            ValueError: x has another number of axes, or no pixels.
        """
        if not (isinstance(x, Tensor) and x.ndim == 4 and min(x.shape[2:]) > 0):
            # Which explains it.
            return apply("AdaptiveAvgPool2d", ops.avg_pool2d, x, 1, 1, 1, 1, 0, 0)
        (H, W), (P, Q) = x.shape[2:], self.output_size
        if (H, W) == (P, Q):
            return x
        if H % P == 0 and W % Q == 0:
            window = (H // P, W // Q)
            return apply("AdaptiveAvgPool2d", ops.avg_pool2d, x, *window, *window, 0, 0)
        rows, columns = _means(H, P, x.dtype), _means(W, Q, x.dtype)
        return np.matmul(np.matmul(rows, x), columns.T)  # type: ignore[no-any-return]

    def config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"output_size": list(self.output_size)}


def _means(size: int, places: int, dtype: Any) -> np.ndarray[Any, np.dtype[Any]]:
    """A matrix (places, size) that takes the mean of each window of a column."""
    matrix = np.zeros((places, size), dtype)
    for i in range(places):
        start, end = i * size // places, -(-(i + 1) * size // places)
        matrix[i, start:end] = 1 / (end - start)
    return matrix
