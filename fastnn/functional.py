"""ndarray in, ndarray out: the kernels for nets written by hand in NumPy.

Conventions.  A batch is rows: x is (N, D), weights are (D, C), scores are (N, C).  Arrays are
float32 or float64, one of the two in a call; mixed types are a TypeError, for they would
hide a conversion.  Any memory layout is accepted.  An output argument (``out``, ``dx`` ...)
that is None is allocated, and an array is filled and returned.  Unless the name says so
(``..._update``, ``clip_...``), no argument is changed.

Every function raises TypeError for a wrong type and ValueError for a wrong shape or value, in
words that name the argument, what it was and what was wanted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from fastnn import _kernels as k
from fastnn.functional_augment import *  # noqa: F403  (with an __all__ of its own)
from fastnn.functional_images import *  # noqa: F403  (likewise)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = "NDArray[Any]"
Output: TypeAlias = "Array | Literal[False] | None"


# --- matrix multiply ------------------------------------------------------------------


def matmul(
    a: ArrayLike, b: ArrayLike, bias: ArrayLike | None = None, out: Array | None = None
) -> Array:
    """a @ b + bias.

    Args:
        a: (M, K).
        b: (K, N).  A transposed operand is given as ``b.T``; nothing is copied.
        bias: (N,), added to every row.
        out: (M, N).

    Returns:
        The product, (M, N), each element summed over K in a fixed order.
    """
    return k.matmul(a, b, bias, out)


def linear(
    x: ArrayLike, W: ArrayLike, b: ArrayLike | None = None, out: Array | None = None
) -> Array:
    """The linear layer x @ W + b.

    Args:
        x: (N, D), a batch of N inputs.
        W: (D, C), weights.
        b: (C,), bias.
        out: (N, C).

    Returns:
        The scores, (N, C).
    """
    return k.linear(x, W, b, out)


def linear_backward(
    dout: ArrayLike,
    x: ArrayLike,
    W: ArrayLike,
    dx: Output = None,
    dW: Output = None,
    db: Output = None,
) -> tuple[Array, Array, Array]:
    """Gradients of :func:`linear`, all three in one parallel region.

    Args:
        dout: (N, C), the gradient of the loss by the output.
        x: (N, D).
        W: (D, C).
        dx, dW, db: where to put the gradients; ``False`` skips one (a first layer needs no
            dx), and None stands in its place.

    Returns:
        dx = dout @ W.T (N, D), dW = x.T @ dout (D, C), and db (C,), the sum of dout's rows.
    """
    return k.linear_backward(dout, x, W, dx, dW, db)


# --- activations ----------------------------------------------------------------------


def relu(x: ArrayLike, out: Array | None = None) -> Array:
    """max(x, 0) by element, any shape (Nair, Hinton, 2010).  NaN stays NaN; ``out`` may be x."""
    return k.relu(x, out)


def relu_backward(dout: ArrayLike, x: ArrayLike, out: Array | None = None) -> Array:
    """dout where x > 0, else 0: the derivative at the kink, x = 0, is taken as 0.

    ``x`` is the input of :func:`relu` (its output serves as well); all shapes are equal.
    """
    return k.relu_backward(dout, x, out)


def sigmoid(x: ArrayLike, out: Array | None = None) -> Array:
    """The logistic function 1 / (1 + exp(-x)) by element, any shape, without overflow."""
    return k.sigmoid(x, out)


def sigmoid_backward(dout: ArrayLike, y: ArrayLike, out: Array | None = None) -> Array:
    """dout * y * (1 - y), where ``y`` is the *output* of :func:`sigmoid`."""
    return k.sigmoid_backward(dout, y, out)


def tanh(x: ArrayLike, out: Array | None = None) -> Array:
    """The hyperbolic tangent by element, any shape."""
    return k.tanh(x, out)


def tanh_backward(dout: ArrayLike, y: ArrayLike, out: Array | None = None) -> Array:
    """dout * (1 - y**2), where ``y`` is the *output* of :func:`tanh`."""
    return k.tanh_backward(dout, y, out)


def softmax(x: ArrayLike, out: Array | None = None) -> Array:
    """exp(x) / sum(exp(x)) along the last axis, for x (..., C).

    The row's maximum is subtracted first, so that large scores do not overflow.
    """
    return k.softmax(x, out)


def softmax_backward(dout: ArrayLike, y: ArrayLike, out: Array | None = None) -> Array:
    """y * (dout - sum(dout * y)), where ``y`` (..., C) is the *output* of :func:`softmax`."""
    return k.softmax_backward(dout, y, out)


def log_softmax(x: ArrayLike, out: Array | None = None) -> Array:
    """x - log(sum(exp(x))) along the last axis, for x (..., C), natural logarithm."""
    return k.log_softmax(x, out)


def log_softmax_backward(dout: ArrayLike, y: ArrayLike, out: Array | None = None) -> Array:
    """dout - exp(y) * sum(dout), where ``y`` (..., C) is the *output* of :func:`log_softmax`."""
    return k.log_softmax_backward(dout, y, out)


# --- losses: (loss, gradient) ---------------------------------------------------------


def cross_entropy(
    scores: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> tuple[Any, Array]:
    """Mean of -log(softmax(scores)[y]), natural logarithm, and its gradient.

    Args:
        scores: (N, C), raw scores ("logits"); N and C at least 1.
        y: (N,), class indices from 0 to C - 1, any integer type.
        weight: (C,), how much each class counts.
        sample_weight: (N,), how much each row counts.  With either, the mean is weighted:
            sum(w * loss) / sum(w).  Weights are finite and not negative, not all zero.

    Returns:
        The loss, a scalar of the scores' dtype summed in float64, and dscores (N, C).
    """
    loss, dscores = k.cross_entropy(scores, y, weight, sample_weight)
    return loss[()], dscores


def hinge_loss(
    scores: ArrayLike,
    y: ArrayLike,
    delta: float = 1.0,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> tuple[Any, Array]:
    """The multi-class SVM loss (Weston, Watkins, 1999) and its gradient.

    Mean over the rows of sum over j != y of max(0, scores[j] - scores[y] + delta).  A margin of
    exactly 0 has gradient 0.  Arguments and results as for :func:`cross_entropy`; ``delta``
    is the margin that is asked for, in units of the scores.
    """
    loss, dscores = k.hinge_loss(scores, y, delta, weight, sample_weight)
    return loss[()], dscores


def mse_loss(
    pred: ArrayLike, target: ArrayLike, sample_weight: ArrayLike | None = None
) -> tuple[Any, Array]:
    """Mean of (pred - target)**2 over all elements, and its gradient.

    Args:
        pred: (N, ...), with at least one element.
        target: the same shape; integers are converted.
        sample_weight: (N,), how much each row counts: the mean is weighted.

    Returns:
        The loss, a scalar of pred's dtype summed in float64, and dpred, of pred's shape.
    """
    loss, dpred = k.mse_loss(pred, target, sample_weight)
    return loss[()], dpred


def l1_loss(
    pred: ArrayLike, target: ArrayLike, sample_weight: ArrayLike | None = None
) -> tuple[Any, Array]:
    """Mean of |pred - target|, and its gradient, 0 where they are equal; see :func:`mse_loss`."""
    loss, dpred = k.l1_loss(pred, target, sample_weight)
    return loss[()], dpred


def huber_loss(
    pred: ArrayLike,
    target: ArrayLike,
    delta: float = 1.0,
    sample_weight: ArrayLike | None = None,
) -> tuple[Any, Array]:
    """Mean of d**2 / 2 where |d| <= delta, else delta * (|d| - delta / 2), with d = pred - target.

    (Huber, 1964.)  Arguments and results as for :func:`mse_loss`.
    """
    loss, dpred = k.huber_loss(pred, target, delta, sample_weight)
    return loss[()], dpred


def binary_cross_entropy(
    logits: ArrayLike, target: ArrayLike, sample_weight: ArrayLike | None = None
) -> tuple[Any, Array]:
    """Mean of -t log(p) - (1 - t) log(1 - p) with p = sigmoid(logits), and its gradient.

    Computed from the logits, so that it neither overflows nor loses precision.  Targets are
    probabilities from 0 to 1.  Arguments and results as for :func:`mse_loss`.
    """
    loss, dlogits = k.binary_cross_entropy(logits, target, sample_weight)
    return loss[()], dlogits


# --- updates, in place ----------------------------------------------------------------


def sgd_update(
    w: Array,
    g: ArrayLike,
    lr: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    velocity: Array | None = None,
) -> Array:
    """Stochastic gradient descent: w -= lr * v, in place.

    v is g + weight_decay * w, or with momentum, velocity = momentum * velocity + that
    (Polyak, 1964), or with Nesterov's, that + momentum * velocity (Sutskever et al., 2013).
    ``velocity``, of w's shape and zeros at first, is needed with momentum and updated in place.
    """
    return k.sgd_update(w, g, lr, momentum, nesterov, weight_decay, velocity)


def adam_update(
    w: Array,
    g: ArrayLike,
    m: Array,
    v: Array,
    step: int,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> Array:
    """Adam (Kingma, Ba, 2015), in place; ``decoupled`` makes it AdamW (Loshchilov, Hutter, 2019).

    ``m`` and ``v``, of w's shape and zeros at first, are updated in place; ``step`` counts from 1.
    """
    return k.adam_update(w, g, m, v, step, lr, beta1, beta2, eps, weight_decay, decoupled)


def rmsprop_update(
    w: Array,
    g: ArrayLike,
    v: Array,
    lr: float,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    velocity: Array | None = None,
) -> Array:
    """RMSprop (Hinton, 2012): v = alpha v + (1 - alpha) g**2;  w -= lr g / (sqrt(v) + eps).

    ``v``, and with momentum ``velocity``, are of w's shape, zeros at first, updated in place.
    """
    return k.rmsprop_update(w, g, v, lr, alpha, eps, weight_decay, momentum, velocity)


def adagrad_update(
    w: Array,
    g: ArrayLike,
    s: Array,
    lr: float,
    eps: float = 1e-10,
    weight_decay: float = 0.0,
) -> Array:
    """Adagrad (Duchi, Hazan, Singer, 2011): s += g**2;  w -= lr g / (sqrt(s) + eps).

    ``s``, of w's shape and zeros at first, is updated in place.
    """
    return k.adagrad_update(w, g, s, lr, eps, weight_decay)


def clip_norm(grads: Iterable[Array], max_norm: float) -> float:
    """Scale gradients in place so that their common norm is at most ``max_norm``.

    (Pascanu, Mikolov, Bengio, 2013.)  The norm is that of all arrays together, in float64.  A
    norm that is not finite leaves the gradients alone.

    Returns:
        The norm before clipping.
    """
    if not max_norm >= 0:
        raise ValueError(f"clip_norm: max_norm must be at least 0, got {max_norm}")
    grads = _gradients("clip_norm", grads)
    norm = math.sqrt(sum(float(k.sum_of_squares(g)) for g in grads))
    if max_norm < norm < math.inf:
        for g in grads:
            k.scale(g, max_norm / norm)
    return norm


def clip_value(grads: Iterable[Array], limit: float) -> None:
    """Clip every element of every gradient to [-limit, limit], in place; NaN stays NaN."""
    for g in _gradients("clip_value", grads):
        k.clip_value(g, limit)


def _gradients(name: str, grads: Iterable[Array]) -> list[Array]:
    """The arrays, all of them checked before the first is changed."""
    if isinstance(grads, np.ndarray):
        raise TypeError(f"{name}: grads must be a list of arrays, got one array")
    arrays = list(grads)
    for i, g in enumerate(arrays):
        if not isinstance(g, np.ndarray) or g.dtype.kind != "f" or g.itemsize not in (4, 8):
            got = g.dtype if isinstance(g, np.ndarray) else type(g).__name__
            raise TypeError(f"{name}: grads[{i}] must be a float32 or float64 array, got {got}")
        if not g.flags.writeable:
            raise ValueError(f"{name}: grads[{i}] is read-only: wanted an array to write to")
    return arrays


# --- mini-batches ---------------------------------------------------------------------


def gather_rows(
    source: ArrayLike,
    indices: ArrayLike,
    scale: float = 1.0,
    shift: float = 0.0,
    out: Array | None = None,
) -> Array:
    """source[indices] * scale + shift, as floats: a mini-batch, with images left as uint8.

    Args:
        source: (R, ...), uint8, float32 or float64.
        indices: (n,), integers from 0 to R - 1.
        scale, shift: applied to every element; 1/255 makes pixels run from 0 to 1.
        out: (n, ...), float32 or float64.

    Returns:
        (n, ...): of ``out``'s dtype, or float32 for uint8, or the source's.
    """
    return k.gather_rows(source, indices, scale, shift, out)
