"""Rows of the losses.

One kernel call gives a loss and its gradient, so the forward pass saves the gradient
and the backward pass only scales it by the gradient that arrives.  That gradient is an op
of its own, ``..._gradient``, whose derivatives give the loss its second ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import _kernels as k
from fastnn.ops.activations import sigmoid, sigmoid_backward, softmax, softmax_backward
from fastnn.ops.op import Function, Op


def _by_scores(g: Any, gradient: Any, *_: Any) -> Any:
    return g * gradient


def _by_target(g: Any, gradient: Any, *_: Any) -> Any:
    return -g * gradient


def _flat(h: Any, *_: Any) -> Any:
    return np.zeros_like(h)


def _loss(kernel: Function, gradient: Op, *rules: Function) -> Op:
    def value(*args: Any) -> Any:
        return kernel(*args, None, False)[0]

    return Op(
        gradient.name[: -len("_gradient")], value, *rules, saving=kernel, saved_again=gradient
    )


def _gradient(name: str, kernel: Function, *rules: Function) -> Op:
    def gradient(*args: Any) -> Any:
        return kernel(*args, False, None)[1]

    return Op(name, gradient, *rules)


# --- of scores (N, C), y (N,), [delta,] weight (C,) or None, sample_weight (N,) or None ---


def _shares(y: Any, weight: Any, sample_weight: Any, dtype: Any) -> Any:
    """What each row counts in the weighted mean, (N, 1)."""
    shares = np.ones(len(y))
    if weight is not None:
        shares = shares * weight[y]
    if sample_weight is not None:
        shares = shares * sample_weight
    return (shares / np.sum(shares))[:, None].astype(dtype)


def _cross_entropy_twice(
    h: Any, _y: Any, scores: Any, y: Any, weight: Any, sample_weight: Any
) -> Any:
    return softmax_backward(h * _shares(y, weight, sample_weight, h.dtype), softmax(scores))


cross_entropy_gradient = _gradient("cross_entropy_gradient", k.cross_entropy, _cross_entropy_twice)
hinge_loss_gradient = _gradient("hinge_loss_gradient", k.hinge_loss, _flat)

cross_entropy = _loss(k.cross_entropy, cross_entropy_gradient, _by_scores)
hinge_loss = _loss(k.hinge_loss, hinge_loss_gradient, _by_scores)


# --- of a prediction, a target of its shape, [delta,] sample_weight (N,) or None ----------


def _scaled(h: Any, sample_weight: Any) -> Any:
    """2 h times what each element counts in the mean."""
    return mse_loss_gradient(h, np.zeros(h.shape, h.dtype), sample_weight)


def _huber_twice(h: Any, pred: Any, target: Any, delta: float, sample_weight: Any) -> Any:
    return _scaled(0.5 * h * (np.abs(pred - target) <= delta), sample_weight)


mse_loss_gradient = _gradient(
    "mse_loss_gradient",
    k.mse_loss,
    lambda h, _y, _pred, _target, sample_weight: _scaled(h, sample_weight),
    lambda h, _y, _pred, _target, sample_weight: -_scaled(h, sample_weight),
)
l1_loss_gradient = _gradient("l1_loss_gradient", k.l1_loss, _flat, _flat)
huber_loss_gradient = _gradient(
    "huber_loss_gradient",
    k.huber_loss,
    lambda h, _y, *args: _huber_twice(h, *args),
    lambda h, _y, *args: -_huber_twice(h, *args),
)
binary_cross_entropy_gradient = _gradient(
    "binary_cross_entropy_gradient",
    k.binary_cross_entropy,
    lambda h, _y, logits, _target, sample_weight: _scaled(
        sigmoid_backward(0.5 * h, sigmoid(logits)), sample_weight
    ),
)

mse_loss = _loss(k.mse_loss, mse_loss_gradient, _by_scores, _by_target)
l1_loss = _loss(k.l1_loss, l1_loss_gradient, _by_scores, _by_target)
huber_loss = _loss(k.huber_loss, huber_loss_gradient, _by_scores, _by_target)
binary_cross_entropy = _loss(k.binary_cross_entropy, binary_cross_entropy_gradient, _by_scores)
