"""The table of ops: each row a forward function with its derivatives beside it.

Rows know nothing of Tensors: they work on arrays, and whoever wants to watch them (a
Tensor, which builds the graph) answers ``__fastnn_op__``; see :class:`fastnn.ops.Op`.
"""

import numpy as np

from fastnn.ops.activations import log_softmax, relu, sigmoid, softmax, tanh
from fastnn.ops.elementwise import (
    ELEMENTWISE,
    UNDIFFERENTIATED,
    absolute,
    add,
    divide,
    multiply,
    negative,
    power,
    subtract,
)
from fastnn.ops.losses import (
    binary_cross_entropy,
    cross_entropy,
    hinge_loss,
    huber_loss,
    l1_loss,
    mse_loss,
)
from fastnn.ops.op import Op, sum_to
from fastnn.ops.products import linear, matmul
from fastnn.ops.reductions import max, mean, sum
from fastnn.ops.shapes import getitem, reshape, transpose

UFUNCS: dict[np.ufunc, Op] = {**ELEMENTWISE, np.matmul: matmul}

__all__ = [
    "UFUNCS",
    "UNDIFFERENTIATED",
    "Op",
    "absolute",
    "add",
    "binary_cross_entropy",
    "cross_entropy",
    "divide",
    "getitem",
    "hinge_loss",
    "huber_loss",
    "l1_loss",
    "linear",
    "log_softmax",
    "matmul",
    "max",
    "mean",
    "mse_loss",
    "multiply",
    "negative",
    "power",
    "relu",
    "reshape",
    "sigmoid",
    "softmax",
    "subtract",
    "sum",
    "sum_to",
    "tanh",
    "transpose",
]
