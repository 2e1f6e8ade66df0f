"""Rows of the losses.

One kernel call gives a loss and its gradient, so the forward pass saves the gradient
and the backward pass only scales it by the gradient that arrives.
"""

from __future__ import annotations

from typing import Any

from fastnn import _kernels as k
from fastnn.ops.op import Function, Op


def _by_scores(g: Any, gradient: Any, *args: Any) -> Any:
    return g * gradient


def _by_target(g: Any, gradient: Any, *args: Any) -> Any:
    return -g * gradient


def _loss(name: str, kernel: Function, *rules: Function) -> Op:
    def value(*args: Any) -> Any:
        return kernel(*args, None, False)[0]

    return Op(name, value, *rules, saving=kernel)


# Arguments: scores (N, C), y (N,), [delta,] weight (C,) or None, sample_weight (N,)
# or None.
cross_entropy = _loss("cross_entropy", k.cross_entropy, _by_scores)
hinge_loss = _loss("hinge_loss", k.hinge_loss, _by_scores)

# Arguments: prediction, target of the same shape, [delta,] sample_weight (N,) or None.
mse_loss = _loss("mse_loss", k.mse_loss, _by_scores, _by_target)
l1_loss = _loss("l1_loss", k.l1_loss, _by_scores, _by_target)
huber_loss = _loss("huber_loss", k.huber_loss, _by_scores, _by_target)
binary_cross_entropy = _loss("binary_cross_entropy", k.binary_cross_entropy, _by_scores)
