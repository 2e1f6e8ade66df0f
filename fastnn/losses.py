"""Losses on Tensors: means over the batch, summed in float64, in the scores' dtype.

With weights a loss is the weighted mean sum(w l) / sum(w), where a row's w is
``weight[y] * sample_weight``; weights are finite, not negative, and not all zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fastnn import ops
from fastnn.checks import real_array
from fastnn.ops.op import answer_of
from fastnn.tensor import Tensor, record

if TYPE_CHECKING:
    import numpy.typing as npt

Scores: TypeAlias = "Tensor | npt.ArrayLike"
Weights: TypeAlias = "npt.ArrayLike | None"


def cross_entropy(
    scores: Scores,
    y: npt.ArrayLike,
    weight: Weights = None,
    sample_weight: Weights = None,
) -> Tensor:
    """Mean of -log softmax(scores)[y], with the natural logarithm.

    Args:
        scores: (N, C) raw scores, float32 or float64.
        y: (N,) class indices of any integer dtype.
        weight: (C,), one per class.
        sample_weight: (N,), one per row.

    Returns:
        A scalar Tensor.

    Raises:
        TypeError: scores or y have another dtype.
        ValueError: shapes do not match, a label is out of range, the batch is empty, or
            weights are negative, not finite or all zero.
    """
    args = (_plain(scores), _plain(y), _plain(weight), _plain(sample_weight))
    return record(ops.cross_entropy, args)


def hinge_loss(
    scores: Scores,
    y: npt.ArrayLike,
    delta: float = 1.0,
    weight: Weights = None,
    sample_weight: Weights = None,
) -> Tensor:
    """Mean of sum over j != y of max(0, s_j - s_y + delta) (Weston, Watkins, 1999).

    The derivative at a margin of exactly zero is 0.

    Args:
        delta: the margin wanted between the score of the class and any other.

    Other arguments, result and errors: as :func:`cross_entropy`.
    """
    args = (_plain(scores), _plain(y), delta, _plain(weight), _plain(sample_weight))
    return record(ops.hinge_loss, args)


def mse_loss(pred: Scores, target: Scores, sample_weight: Weights = None) -> Tensor:
    """Mean over all elements of (pred - target)**2.

    Args:
        pred: of any shape with at least one axis, float32 or float64.
        target: of the same shape; taken in the dtype of pred.
        sample_weight: (N,), one per index of the first axis.

    Returns:
        A scalar Tensor, differentiable by pred and by target.

    Raises:
        TypeError: a dtype is not as above, or an array is masked.
        ValueError: shapes do not match, there are no elements, or weights are negative,
            not finite or all zero.
    """
    return _regression(ops.mse_loss, pred, target, sample_weight)


def l1_loss(pred: Scores, target: Scores, sample_weight: Weights = None) -> Tensor:
    """Mean over all elements of abs(pred - target), with derivative 0 at 0.

    Arguments, result and errors: as :func:`mse_loss`.
    """
    return _regression(ops.l1_loss, pred, target, sample_weight)


def huber_loss(
    pred: Scores,
    target: Scores,
    delta: float = 1.0,
    sample_weight: Weights = None,
) -> Tensor:
    """Mean of d**2 / 2 where d = abs(pred - target) <= delta, else delta (d - delta/2).

    Source: Huber, "Robust estimation of a location parameter" (1964).

    Args:
        delta: where the loss turns from quadratic to linear.

    Other arguments, result and errors: as :func:`mse_loss`.
    """
    return _regression(ops.huber_loss, pred, target, delta, sample_weight)


def binary_cross_entropy(
    logits: Scores, target: npt.ArrayLike, sample_weight: Weights = None
) -> Tensor:
    """Mean of log(1 + exp(x)) - t x, for logits x and targets t in [0, 1].

    It is the cross-entropy of sigmoid(x), computed without overflow.

    Arguments, result and errors: as :func:`mse_loss`, but it is not differentiable by
    the target.
    """
    return _regression(ops.binary_cross_entropy, logits, target, sample_weight)


def _plain(value: Any) -> Any:
    """Scores, labels and weights as the kernels take them: arrays or None."""
    if value is None or isinstance(value, np.ndarray) or answer_of(type(value)):
        return value
    return np.asarray(value)


def _regression(op: ops.Op, pred: Any, target: Any, *options: Any) -> Tensor:
    pred = _plain(pred)
    if pred is None:
        raise TypeError("pred: wanted an array of real numbers, got None")
    if not answer_of(type(target)):
        target = real_array(target, "target").astype(pred.dtype, copy=False)
    elif target.dtype != pred.dtype:
        target = target.astype(pred.dtype)
    *delta, sample_weight = options
    return record(op, (pred, target, *delta, _plain(sample_weight)))
