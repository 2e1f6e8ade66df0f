"""Rows of the activations, by the kernels: float32 or float64 of any shape.

A backward kernel is an op too, with derivatives by the gradient it got and by its argument.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import _kernels as k
from fastnn.ops.op import Op


def _row_sums(x: Any) -> Any:
    return np.sum(x, axis=-1, keepdims=True)


# max(0, x) is positive where x is, and a step that does not need x again need not keep it.
relu: Op = Op("relu", k.relu, lambda g, y, _x: relu_backward(g, y))
relu_backward: Op = Op(
    "relu_backward",
    k.relu_backward,
    lambda h, _y, _g, x: relu_backward(h, x),
    lambda h, _y, _g, _x: np.zeros_like(h),
)

sigmoid: Op = Op("sigmoid", k.sigmoid, lambda g, y, _x: sigmoid_backward(g, y))
sigmoid_backward: Op = Op(
    "sigmoid_backward",
    k.sigmoid_backward,
    lambda h, _y, _g, s: sigmoid_backward(h, s),
    lambda h, _y, g, s: h * g * (1 - 2 * s),
)

tanh: Op = Op("tanh", k.tanh, lambda g, y, _x: tanh_backward(g, y))
tanh_backward: Op = Op(
    "tanh_backward",
    k.tanh_backward,
    lambda h, _y, _g, t: tanh_backward(h, t),
    lambda h, _y, g, t: -2 * h * g * t,
)

softmax: Op = Op("softmax", k.softmax, lambda g, y, _x: softmax_backward(g, y))
softmax_backward: Op = Op(  # p (g - sum(g p))
    "softmax_backward",
    k.softmax_backward,
    lambda h, _y, _g, p: softmax_backward(h, p),
    lambda h, _y, g, p: h * (g - _row_sums(g * p)) - g * _row_sums(h * p),
)

log_softmax: Op = Op("log_softmax", k.log_softmax, lambda g, y, _x: log_softmax_backward(g, y))
log_softmax_backward: Op = Op(  # g - exp(y) sum(g)
    "log_softmax_backward",
    k.log_softmax_backward,
    lambda h, _y, _g, y: h - _row_sums(h * np.exp(y)),
    lambda h, _y, g, y: -h * np.exp(y) * _row_sums(g),
)
