"""The table of ops: each row a forward function with its derivatives beside it.

Rows know nothing of Tensors: they work on arrays, and whoever wants to watch them (a
Tensor, which builds the graph) answers ``__fastnn_op__``; see :class:`fastnn.ops.op.Op`.
Below the rows of each module stand the NumPy functions that are made of them.
"""

import numpy as np

from fastnn.ops import methods, reductions, shapes
from fastnn.ops.activations import log_softmax, relu, sigmoid, softmax, tanh
from fastnn.ops.elementwise import (
    ELEMENTWISE,
    absolute,
    add,
    astype,
    clip,
    divide,
    floor_divide,
    multiply,
    negative,
    positive,
    power,
    remainder,
    round,
    subtract,
)
from fastnn.ops.images import avg_pool2d, conv2d, max_pool2d
from fastnn.ops.indexing import add_at, getitem, plain_index, scatter, setitem
from fastnn.ops.losses import (
    binary_cross_entropy,
    cross_entropy,
    hinge_loss,
    huber_loss,
    l1_loss,
    mse_loss,
)
from fastnn.ops.normalization import batch_norm, batch_norm_eval, dropout, local_response_norm
from fastnn.ops.op import METHODS, Op, sum_to
from fastnn.ops.products import linear, matmul
from fastnn.ops.reductions import cumprod, cumsum, max, mean, min, prod, std, sum, var
from fastnn.ops.shapes import broadcast_to, copy, reshape, transpose

UFUNCS: dict[np.ufunc, Op] = {**ELEMENTWISE, np.matmul: matmul}

__all__ = [
    "METHODS",
    "UFUNCS",
    "Op",
    "absolute",
    "add",
    "add_at",
    "astype",
    "avg_pool2d",
    "batch_norm",
    "batch_norm_eval",
    "binary_cross_entropy",
    "broadcast_to",
    "clip",
    "conv2d",
    "copy",
    "cross_entropy",
    "cumprod",
    "cumsum",
    "divide",
    "dropout",
    "floor_divide",
    "getitem",
    "hinge_loss",
    "huber_loss",
    "l1_loss",
    "linear",
    "local_response_norm",
    "log_softmax",
    "matmul",
    "max",
    "max_pool2d",
    "mean",
    "methods",
    "min",
    "mse_loss",
    "multiply",
    "negative",
    "plain_index",
    "positive",
    "power",
    "prod",
    "reductions",
    "relu",
    "remainder",
    "reshape",
    "round",
    "scatter",
    "setitem",
    "shapes",
    "sigmoid",
    "softmax",
    "std",
    "subtract",
    "sum",
    "sum_to",
    "tanh",
    "transpose",
    "var",
]
