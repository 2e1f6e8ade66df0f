"""The functions of :mod:`fastnn.functional` for images, and dropout; they are called from there.

Images are (N, C, H, W): a batch of N images of C channels, H rows and W columns, as in PyTorch and
ONNX.  ``stride``, ``padding``, ``dilation`` and ``kernel_size`` are one integer for both axes,
or a pair (rows, columns).  A batch may be empty, where no mean over it is taken.
"""

from __future__ import annotations

import operator
import sys
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypeAlias

import numpy as np

from fastnn import _kernels as kernels
from fastnn.checks import pair

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_eval",
    "conv2d",
    "conv2d_backward",
    "dropout",
    "dropout_backward",
    "local_response_norm",
    "local_response_norm_backward",
    "max_pool2d",
    "max_pool2d_backward",
]

Array: TypeAlias = "NDArray[Any]"
Output: TypeAlias = "Array | Literal[False] | None"
Pair = SupportsIndex | tuple[SupportsIndex, SupportsIndex]


def _pair(function: str, name: str, value: Pair) -> tuple[int, int]:
    """(rows, columns) from one integer or two, whose size the kernel checks."""
    try:
        return pair(name, value, -sys.maxsize)
    except TypeError as error:
        raise TypeError(f"{function}: {error}") from None


def _geometry(function: str, stride: Pair, padding: Pair, dilation: Pair) -> tuple[int, ...]:
    return (
        *_pair(function, "stride", stride),
        *_pair(function, "padding", padding),
        *_pair(function, "dilation", dilation),
    )


# --- convolution ----------------------------------------------------------------------


def conv2d(
    x: ArrayLike,
    W: ArrayLike,
    b: ArrayLike | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    out: Array | None = None,
) -> Array:
    """2-D convolution (cross-correlation, as nets mean it; LeCun et al., 1989).

    out[n, o, p, q] = b[o] + the sum over c, i, j of W[o, c, i, j] * x[n, c, r, s], where
    r = p * stride + i * dilation - padding, and s = q * stride + j * dilation - padding.

    Args:
        x: (N, C, H, W), images.
        W: (O, C / groups, KH, KW), filters.
        b: (O,), bias.
        stride: how far apart results lie, at least 1.
        padding: rows and columns of zeros on each side, at least 0.
        dilation: how far apart the taps of a filter lie, at least 1.
        groups: divides C and O: filters of one group see the channels of that group alone.
        out: (N, O, P, Q).

    Returns:
        (N, O, P, Q) with P = (H + 2 padding - dilation (KH - 1) - 1) // stride + 1, and Q alike.
        Each element is summed in an order that depends on sizes alone, that of the batch
        among them.

    In float32, 3x3 filters without stride and dilation, with 8 channels and 8 filters or more
    in a group, and 5x5 ones with 16 and 16, go through Winograd's minimal filtering F(4x4, 3x3)
    or F(2x2, 5x5) (A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR
    2016) where that saves work: a quarter of the multiplications, or 36 %, for rounding errors
    of about twice the size, relative to the largest value in 6x6 pixels.  float64 is always
    summed product by product.

    Raises:
        ValueError: channels that do not fit, a filter larger than the padded image.
    """
    return kernels.conv2d(x, W, b, *_geometry("conv2d", stride, padding, dilation), groups, out)


def conv2d_backward(
    dout: ArrayLike,
    x: ArrayLike,
    W: ArrayLike,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    dx: Output = None,
    dW: Output = None,
    db: Output = None,
) -> tuple[Array, Array, Array]:
    """Gradients of :func:`conv2d`.

    Args:
        dout: (N, O, P, Q), the gradient of the loss by the output.
        x, W, stride, padding, dilation, groups: as given to :func:`conv2d`.
        dx, dW, db: where to put the gradients; ``False`` skips one (a first layer needs no
            dx), and None stands in its place.

    Returns:
        dx (N, C, H, W), dW (O, C / groups, KH, KW) and db (O,).  Of an empty batch, dW and db
        are zeros.
    """
    geometry = _geometry("conv2d_backward", stride, padding, dilation)
    return kernels.conv2d_backward(dout, x, W, *geometry, groups, dx, dW, db)


# --- pooling --------------------------------------------------------------------------


def _window(
    function: str, kernel_size: Pair, stride: Pair | None, padding: Pair
) -> tuple[int, ...]:
    kernel = _pair(function, "kernel_size", kernel_size)
    steps = kernel if stride is None else _pair(function, "stride", stride)
    return (*kernel, *steps, *_pair(function, "padding", padding))


def max_pool2d(
    x: ArrayLike,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    out: Array | None = None,
) -> Array:
    """The largest element of each window.  NaN goes through.

    Args:
        x: (N, C, H, W).
        kernel_size: rows and columns of a window.
        stride: how far apart windows lie; None: kernel_size.  Less makes them overlap.
        padding: on each side, at most half of kernel_size; it is never the largest.
        out: (N, C, P, Q).

    Returns:
        (N, C, P, Q) with P = (H + 2 padding - kernel_size) // stride + 1, and Q alike: what does
        not fill a window at the end is left out (PyTorch's ceil_mode=False).
    """
    return kernels.max_pool2d(x, *_window("max_pool2d", kernel_size, stride, padding), out)


def max_pool2d_backward(
    dout: ArrayLike,
    x: ArrayLike,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    out: Array | None = None,
) -> Array:
    """The gradient of :func:`max_pool2d` by x (N, C, H, W), for dout (N, C, P, Q).

    An element of dout goes to the largest element of its window: to the first in the order of
    rows where several are, to the first NaN where there is one.
    """
    window = _window("max_pool2d_backward", kernel_size, stride, padding)
    return kernels.max_pool2d_backward(dout, x, *window, out)


def avg_pool2d(
    x: ArrayLike,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    out: Array | None = None,
) -> Array:
    """The mean of each window.  Padding counts as zeros (PyTorch's count_include_pad=True).

    Arguments and result as for :func:`max_pool2d`.  With kernel_size (H, W) it is global average
    pooling (Lin, Chen, Yan, 2014).
    """
    return kernels.avg_pool2d(x, *_window("avg_pool2d", kernel_size, stride, padding), out)


def avg_pool2d_backward(
    dout: ArrayLike,
    size: Pair,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    out: Array | None = None,
) -> Array:
    """The gradient of :func:`avg_pool2d` by x (N, C, H, W), for dout (N, C, P, Q).

    ``size`` is (H, W); the values of x are not needed.
    """
    window = _window("avg_pool2d_backward", kernel_size, stride, padding)
    height, width = _pair("avg_pool2d_backward", "size", size)
    return kernels.avg_pool2d_backward(dout, height, width, *window, out)


# --- normalisation --------------------------------------------------------------------


def local_response_norm(
    x: ArrayLike,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    out: Array | None = None,
) -> Array:
    """x / (k + alpha / size * s)**beta, s the sum of squares over ``size`` neighbouring channels.

    (Krizhevsky, Sutskever, Hinton, 2012.)  The window of channel c runs from c - size // 2 to
    c + (size - 1) // 2, as far as there are channels.  alpha is divided by size, as in PyTorch,
    Caffe and ONNX; the paper does not: its size 5, alpha 1e-4, k 2 is ``alpha=5e-4`` here.

    Args:
        x: (N, C, ...).
        size: channels in a window, at least 1.
        out: x's shape.
    """
    return kernels.local_response_norm(x, size, alpha, beta, k, out)


def local_response_norm_backward(
    dout: ArrayLike,
    x: ArrayLike,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    out: Array | None = None,
) -> Array:
    """The gradient of :func:`local_response_norm` by x; all shapes are (N, C, ...)."""
    return kernels.local_response_norm_backward(dout, x, size, alpha, beta, k, out)


def batch_norm(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    momentum: float = 0.1,
    eps: float = 1e-5,
    out: Output = None,
    mean: Output = None,
    rstd: Output = None,
) -> tuple[Array, Array, Array]:
    """Batch normalisation in training (Ioffe, Szegedy, 2015), by channel.

    (x - mean) / sqrt(var + eps) * gamma + beta, with the mean and the (biased) variance of the
    batch, over all axes but the second, summed in float64.

    Args:
        x: (N, C) or (N, C, ...), with at least 2 values for each channel.
        gamma, beta: (C,); None: ones, zeros.
        running_mean, running_var: (C,), updated in place: r = (1 - momentum) r + momentum s,
            where s is the mean, or the unbiased variance.
        momentum: how much of the new is taken, from 0 to 1.
        out: x's shape.
        mean, rstd: (C,), what :func:`batch_norm_backward` needs.

    Returns:
        The normalised x, its mean, and 1 / sqrt(var + eps).
    """
    return kernels.batch_norm(
        x, gamma, beta, running_mean, running_var, momentum, eps, out, mean, rstd
    )


def batch_norm_eval(
    x: ArrayLike,
    running_mean: ArrayLike,
    running_var: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    eps: float = 1e-5,
    out: Array | None = None,
) -> Array:
    """Batch normalisation after training, by the running statistics.

    (x - running_mean) / sqrt(running_var + eps) * gamma + beta.  Arguments as for
    :func:`batch_norm`; nothing is updated, and a batch may be empty.
    """
    return kernels.batch_norm_eval(x, running_mean, running_var, gamma, beta, eps, out)


def batch_norm_backward(
    dout: ArrayLike,
    x: ArrayLike,
    mean: ArrayLike,
    rstd: ArrayLike,
    gamma: ArrayLike | None = None,
    training: bool = True,
    dx: Output = None,
    dgamma: Output = None,
    dbeta: Output = None,
) -> tuple[Array, Array, Array]:
    """Gradients of :func:`batch_norm`, with the mean and rstd that it returned.

    With ``training=False``, of :func:`batch_norm_eval`: mean is the running mean, rstd is
    1 / sqrt(running_var + eps), and they do not depend on x.

    Returns:
        dx of x's shape, dgamma (C,) and dbeta (C,); ``False`` skips one.
    """
    return kernels.batch_norm_backward(dout, x, mean, rstd, gamma, training, dx, dgamma, dbeta)


# --- dropout --------------------------------------------------------------------------


def dropout(
    x: ArrayLike, p: float = 0.5, seed: int = 0, step: int = 0, out: Array | None = None
) -> Array:
    """Each element with probability p is 0, the others are x / (1 - p) (Srivastava et al., 2014).

    Which ones is a function of seed, step and the element's index alone, by Philox4x32-10 (Salmon
    et al., 2011): the same for any number of threads, either type, and whenever it is asked for.

    Args:
        x: any shape.
        p: from 0 to 1; with 1 all is 0.
        seed, step: integers from 0 to 2**63 - 1; another step is another mask.
        out: x's shape; may be x.
    """
    return kernels.dropout(x, p, _state("dropout", seed, step), out)


def dropout_backward(
    dout: ArrayLike, p: float = 0.5, seed: int = 0, step: int = 0, out: Array | None = None
) -> Array:
    """The gradient of :func:`dropout` by x, with the same p, seed and step: dropout of dout."""
    return kernels.dropout(dout, p, _state("dropout_backward", seed, step), out)


def _state(function: str, seed: int, step: int, counter: str = "step") -> Array:
    for name, value in (("seed", seed), (counter, step)):
        if not 0 <= operator.index(value) < 2**63:
            raise ValueError(f"{function}: {name} must be from 0 to 2**63 - 1, got {value}")
    return np.array([seed, step], np.int64)
