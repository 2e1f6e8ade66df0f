"""The plain-NumPy twin of every kernel: same name, same arguments, same result.

These functions are the oracle of the tests and the baseline of the benchmarks.
They are written to be read, as a careful NumPy user would write them.  Three
conventions hold throughout:

* An output that is ``None`` is allocated, an array is filled, and ``False``
  means that the output is not wanted; the result then holds ``None`` instead.
* A loss is a (weighted) mean, summed in float64 and returned in the dtype of
  the scores as an array of shape ``()``.
* What the name says is updated (``sgd_update``, ``scale`` ...) is updated in place.
"""

from __future__ import annotations

import numpy as np

from fastnn._kernels.reference_augment import (  # noqa: F401  (twins, too)
    draw_transforms,
    gather_images,
)
from fastnn._kernels.reference_images import (  # noqa: F401
    avg_pool2d,
    avg_pool2d_backward,
    batch_norm,
    batch_norm_backward,
    batch_norm_eval,
    conv2d,
    conv2d_backward,
    dropout,
    local_response_norm,
    local_response_norm_backward,
    max_pool2d,
    max_pool2d_backward,
)
from fastnn._kernels.reference_images import store as _store
from fastnn._kernels.reference_random import (  # noqa: F401
    random_integers,
    random_normal,
    random_uniform,
)

# --- matrix multiply ------------------------------------------------------------------


def matmul(a, b, bias=None, out=None):
    """a (M, K) @ b (K, N) + bias (N,) -> (M, N).  A transposed operand is ``a.T``."""
    product = a @ b
    return _store(out, product if bias is None else product + bias)


def linear(x, W, b=None, y=None):
    """x (N, D) @ W (D, C) + b (C,) -> y (N, C)."""
    return matmul(x, W, b, y)


def linear_backward(dout, x, W, dx=None, dW=None, db=None):
    """Gradients of ``linear`` for dout (N, C): dx (N, D), dW (D, C), db (C,)."""
    return (
        None if dx is False else _store(dx, dout @ W.T),
        None if dW is False else _store(dW, x.T @ dout),
        None if db is False else _store(db, dout.sum(axis=0)),
    )


# --- activations ----------------------------------------------------------------------


def relu(x, out=None):
    """max(x, 0); NaN stays NaN."""
    return _store(out, np.maximum(x, 0))


def relu_backward(dout, x, out=None):
    """dout where x > 0, else 0."""
    return _store(out, np.where(x > 0, dout, np.zeros((), x.dtype)))


def sigmoid(x, out=None):
    """1 / (1 + exp(-x)), without overflow on either side."""
    e = np.exp(-np.abs(x))
    return _store(out, np.where(x >= 0, 1 / (1 + e), e / (1 + e)))


def sigmoid_backward(dout, y, out=None):
    """dout * y (1 - y), where y = sigmoid(x)."""
    return _store(out, dout * (y * (1 - y)))


def tanh(x, out=None):
    """Hyperbolic tangent."""
    return _store(out, np.tanh(x))


def tanh_backward(dout, y, out=None):
    """dout * (1 - y**2), where y = tanh(x)."""
    return _store(out, dout * (1 - y * y))


def softmax(x, out=None):
    """exp(x) / sum(exp(x)) along the last axis, shifted by the maximum."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return _store(out, e / e.sum(axis=-1, keepdims=True))


def softmax_backward(dout, y, out=None):
    """y * (dout - sum(dout * y)), where y = softmax(x)."""
    return _store(out, y * (dout - (dout * y).sum(axis=-1, keepdims=True)))


def log_softmax(x, out=None):
    """x - log(sum(exp(x))) along the last axis, shifted by the maximum."""
    shifted = x - x.max(axis=-1, keepdims=True)
    return _store(out, shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def log_softmax_backward(dout, y, out=None):
    """dout - exp(y) * sum(dout), where y = log_softmax(x)."""
    return _store(out, dout - np.exp(y) * dout.sum(axis=-1, keepdims=True))


# --- losses on class labels -----------------------------------------------------------


def _row_weights(y, weight, sample_weight):
    """What each row counts in the mean: weight[y] * sample_weight, scaled to sum to 1."""
    w = np.ones(len(y)) if weight is None else np.asarray(weight, np.float64)[y]
    if sample_weight is not None:
        w = w * sample_weight
    total = w.sum()
    if not 0 < total < np.inf:
        raise ValueError("the weights sum to zero or to infinity: their mean is undefined")
    return w / total


def cross_entropy(scores, y, weight=None, sample_weight=None, loss=None, dscores=None):
    """Mean of -log softmax(scores)[y], and its gradient, for scores (N, C), y (N,)."""
    rows = np.arange(len(y))
    share = _row_weights(y, weight, sample_weight)
    logp = log_softmax(scores)
    gradient = np.exp(logp)
    gradient[rows, y] -= 1
    gradient *= share[:, None].astype(scores.dtype)
    value = -(share * logp[rows, y]).sum()
    return _store(loss, np.asarray(value, scores.dtype)), _store(dscores, gradient)


def hinge_loss(
    scores, y, delta=1.0, weight=None, sample_weight=None, loss=None, dscores=None
):
    """Mean of sum_{j != y} max(0, s_j - s_y + delta), and its gradient (Weston, Watkins)."""
    rows = np.arange(len(y))
    share = _row_weights(y, weight, sample_weight)
    margins = scores - scores[rows, y][:, None] + scores.dtype.type(delta)
    margins[rows, y] = 0
    violated = margins > 0
    gradient = violated.astype(scores.dtype)
    gradient[rows, y] = -violated.sum(axis=1)
    gradient *= share[:, None].astype(scores.dtype)
    value = (share * np.maximum(margins, 0).sum(axis=1, dtype=np.float64)).sum()
    return _store(loss, np.asarray(value, scores.dtype)), _store(dscores, gradient)


# --- losses on real targets -----------------------------------------------------------


def _mean_loss(pointwise, slope, sample_weight, loss, gradient):
    """Mean over all elements; ``sample_weight`` (N,) weighs along the first axis."""
    n = len(pointwise)
    share = (
        np.full(n, 1 / n)
        if sample_weight is None
        else _row_weights(np.zeros(n, np.intp), None, sample_weight)
    )
    share = share / (pointwise.size // n)
    share = share.reshape((n,) + (1,) * (pointwise.ndim - 1))
    value = (share * pointwise).sum()
    return (
        _store(loss, np.asarray(value, slope.dtype)),
        _store(gradient, slope * share.astype(slope.dtype)),
    )


def mse_loss(pred, target, sample_weight=None, loss=None, dpred=None):
    """Mean of (pred - target)**2, and its gradient."""
    d = pred - target
    return _mean_loss(d * d, 2 * d, sample_weight, loss, dpred)


def l1_loss(pred, target, sample_weight=None, loss=None, dpred=None):
    """Mean of |pred - target|, and its gradient (0 where they are equal)."""
    d = pred - target
    return _mean_loss(np.abs(d), np.sign(d), sample_weight, loss, dpred)


def huber_loss(pred, target, delta=1.0, sample_weight=None, loss=None, dpred=None):
    """Mean of d**2 / 2 where |d| <= delta, else delta (|d| - delta / 2) (Huber, 1964)."""
    d = pred - target
    delta = pred.dtype.type(delta)
    slope = np.clip(d, -delta, delta)
    pointwise = np.where(np.abs(d) <= delta, d * d / 2, delta * (np.abs(d) - delta / 2))
    return _mean_loss(pointwise, slope, sample_weight, loss, dpred)


def binary_cross_entropy(logits, target, sample_weight=None, loss=None, dlogits=None):
    """Mean of log(1 + exp(x)) - t x for logits x and targets t in [0, 1]."""
    x = logits
    target = np.asarray(target, x.dtype)
    pointwise = np.maximum(x, 0) - x * target + np.log1p(np.exp(-np.abs(x)))
    return _mean_loss(pointwise, sigmoid(x) - target, sample_weight, loss, dlogits)


# --- optimizers: all in place ---------------------------------------------------------


def sgd_update(w, g, lr, momentum=0.0, nesterov=False, weight_decay=0.0, velocity=None):
    """v = momentum v + g + weight_decay w;  w -= lr v  (nesterov: lr (g + momentum v))."""
    lr, momentum, weight_decay = map(w.dtype.type, (lr, momentum, weight_decay))
    g = g + weight_decay * w if weight_decay else g
    if momentum:
        velocity *= momentum
        velocity += g
        g = g + momentum * velocity if nesterov else velocity
    w -= lr * g
    return w


def adam_update(
    w,
    g,
    m,
    v,
    step,
    lr,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    weight_decay=0.0,
    decoupled=False,
):
    """Adam (Kingma, Ba, 2015); ``decoupled`` decays w directly (Loshchilov, Hutter, 2019)."""
    T = w.dtype.type
    if decoupled:
        w *= T(1 - lr * weight_decay)
    elif weight_decay:
        g = g + T(weight_decay) * w
    m *= T(beta1)
    m += T(1 - beta1) * g
    v *= T(beta2)
    v += T(1 - beta2) * (g * g)
    rate = lr / (1 - beta1**step)
    w -= T(rate) * m / (np.sqrt(v) * T(1 / np.sqrt(1 - beta2**step)) + T(eps))
    return w


def rmsprop_update(
    w, g, v, lr, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, velocity=None
):
    """v = alpha v + (1 - alpha) g**2;  w -= lr g / (sqrt(v) + eps)  (Hinton, 2012)."""
    T = w.dtype.type
    g = g + T(weight_decay) * w if weight_decay else g
    v *= T(alpha)
    v += T(1 - alpha) * (g * g)
    d = g / (np.sqrt(v) + T(eps))
    if momentum:
        velocity *= T(momentum)
        velocity += d
        d = velocity
    w -= T(lr) * d
    return w


def adagrad_update(w, g, s, lr, eps=1e-10, weight_decay=0.0):
    """s += g**2;  w -= lr g / (sqrt(s) + eps)  (Duchi, Hazan, Singer, 2011)."""
    T = w.dtype.type
    g = g + T(weight_decay) * w if weight_decay else g
    s += g * g
    w -= T(lr) * g / (np.sqrt(s) + T(eps))
    return w


def sum_of_squares(x, out=None):
    """sum(x**2) in float64, of shape ()."""
    wide = x.astype(np.float64, copy=False)
    return _store(out, np.asarray((wide * wide).sum()))


def scale(x, factor):
    """x *= factor."""
    x *= x.dtype.type(factor)
    return x


def clip_value(x, limit):
    """Clip x to [-limit, limit]; NaN stays NaN."""
    np.clip(x, -limit, limit, out=x)
    return x


# --- gather ---------------------------------------------------------------------------


def gather_rows(source, indices, scale=1.0, shift=0.0, out=None):
    """source[indices] * scale + shift, from uint8, float32 or float64 to floats.

    Without ``out`` the result is float32 for uint8 and has the source's dtype otherwise.
    """
    dtype = out.dtype if out is not None else np.result_type(source, np.float32)
    rows = source[indices].astype(dtype)
    if scale != 1 or shift != 0:
        rows = rows * dtype.type(scale) + dtype.type(shift)
    return _store(out, rows)


def gather_labels(y, indices, out=None):
    """y[indices] for int64 labels."""
    return _store(out, y[indices])
