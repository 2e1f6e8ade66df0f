"""Rows of the activations, by the kernels: float32 or float64 of any shape."""

from __future__ import annotations

from fastnn import _kernels as k
from fastnn.ops.op import Op

relu = Op("relu", k.relu, lambda g, y, x: k.relu_backward(g, x))
sigmoid = Op("sigmoid", k.sigmoid, lambda g, y, x: k.sigmoid_backward(g, y))
tanh = Op("tanh", k.tanh, lambda g, y, x: k.tanh_backward(g, y))
softmax = Op("softmax", k.softmax, lambda g, y, x: k.softmax_backward(g, y))
log_softmax = Op("log_softmax", k.log_softmax, lambda g, y, x: k.log_softmax_backward(g, y))
