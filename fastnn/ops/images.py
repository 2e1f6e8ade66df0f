"""Rows for images (N, C, H, W): convolution and pooling, by the kernels.

A convolution is linear in each argument, so its two gradients are ops with the same three
derivatives in other places, and every derivative of it is one of the three.  So is pooling: its
backward is linear in the gradient that it gets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from fastnn import _kernels as k
from fastnn.ops.op import Op, plain
from fastnn.ops.products import one_dtype

# --- of x (N, C, H, W), W (O, C / groups, KH, KW), b (O,) or None, then in pairs of rows and
# --- columns stride, padding and dilation, and groups -------------------------------------


def _conv2d(x: Any, W: Any, b: Any, *geometry: int) -> Any:
    if x.dtype is not W.dtype:
        x, W, b = one_dtype(x, W, b)
    return k.conv2d(x, W, b, *geometry)


def _conv2d_backward(
    g: Any, _y: Any, needs: Any, x: Any, W: Any, _b: Any, *geometry: int
) -> tuple[Any, ...]:
    wanted = [None if need else False for need in needs[:3]]
    if not (g.dtype is x.dtype is W.dtype):
        g, x, W = one_dtype(g, x, W)
    return k.conv2d_backward(g, x, W, *geometry, *wanted)


def _input_gradient(g: Any, x: Any, W: Any, *geometry: int) -> Any:
    return _conv2d_backward(g, None, (True, False, False), x, W, None, *geometry)[0]


def _weight_gradient(g: Any, x: Any, W: Any, *geometry: int) -> Any:
    return _conv2d_backward(g, None, (False, True, False), x, W, None, *geometry)[1]


# Of its own argument, a gradient looks at the shape alone: that one is passed as plain.
conv2d: Op = Op(
    "conv2d",
    _conv2d,
    lambda g, _y, _x, W, _b, *geometry: conv2d_input_gradient(g, plain(_x), W, *geometry),
    lambda g, _y, x, _W, _b, *geometry: conv2d_weight_gradient(g, x, plain(_W), *geometry),
    lambda g, _y, _x, _W, _b, *_: np.sum(g, axis=(0, 2, 3)),
    joint=_conv2d_backward,
)
conv2d_input_gradient: Op = Op(
    "conv2d_input_gradient",
    _input_gradient,
    lambda h, _y, _g, _x, W, *geometry: conv2d(h, W, None, *geometry),
    None,
    lambda h, _y, g, _x, _W, *geometry: conv2d_weight_gradient(g, h, plain(_W), *geometry),
)
conv2d_weight_gradient: Op = Op(
    "conv2d_weight_gradient",
    _weight_gradient,
    lambda h, _y, _g, x, _W, *geometry: conv2d(x, h, None, *geometry),
    lambda h, _y, g, _x, _W, *geometry: conv2d_input_gradient(g, plain(_x), h, *geometry),
    None,
)


# --- of x (N, C, H, W), then in pairs of rows and columns kernel_size, stride and padding ---


def _picked(h: Any, x: Any, *window: int) -> Any:
    """h (N, C, H, W) where x has the largest element of each window: (N, C, P, Q)."""
    kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w = window
    sides = ((0, 0), (0, 0), (padding_h, padding_h), (padding_w, padding_w))

    def windows(images: Any, around: float) -> Any:
        wide = np.pad(images, sides, constant_values=around)
        taken = sliding_window_view(wide, (kernel_h, kernel_w), axis=(2, 3))
        taken = taken[:, :, ::stride_h, ::stride_w]
        return taken.reshape(*taken.shape[:4], kernel_h * kernel_w)

    first = np.argmax(windows(x, -np.inf), axis=-1)
    return np.take_along_axis(windows(h, 0), first[..., None], axis=-1)[..., 0]


max_pool2d: Op = Op(
    "max_pool2d",
    k.max_pool2d,
    lambda g, _y, x, *window: max_pool2d_backward(g, x, *window),
)
max_pool2d_backward: Op = Op(
    "max_pool2d_backward",
    k.max_pool2d_backward,
    lambda h, _y, _g, x, *window: max_pool2d_pick(h, plain(x), *window),
    lambda h, *_: np.zeros_like(h),
)
max_pool2d_pick: Op = Op(
    "max_pool2d_pick",
    _picked,
    lambda g, _y, _h, x, *window: max_pool2d_backward(g, x, *window),
)

avg_pool2d: Op = Op(
    "avg_pool2d",
    k.avg_pool2d,
    lambda g, _y, _x, *window: avg_pool2d_backward(g, *_x.shape[2:], *window),
)
avg_pool2d_backward: Op = Op(  # of g (N, C, P, Q), the height and width of x, and the window
    "avg_pool2d_backward",
    k.avg_pool2d_backward,
    lambda h, _y, _g, _height, _width, *window: avg_pool2d(h, *window),
)
