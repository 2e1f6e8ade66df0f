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


def _store(out, value):
    """Put ``value`` where the caller asked for it."""
    if out is False:
        return None
    if out is None:
        return value
    out[...] = value
    return out


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


# --- convolution ----------------------------------------------------------------------


def _windows(x, kernel_h, kernel_w, stride_h, stride_w, dilation_h=1, dilation_w=1):
    """(N, C, P, Q, kernel_h, kernel_w): what each window sees, as a view of x (N, C, H, W)."""
    span_h, span_w = dilation_h * (kernel_h - 1) + 1, dilation_w * (kernel_w - 1) + 1
    windows = np.lib.stride_tricks.sliding_window_view(x, (span_h, span_w), axis=(2, 3))
    return windows[:, :, ::stride_h, ::stride_w, ::dilation_h, ::dilation_w]


def _padded(x, padding_h, padding_w, value=0):
    sides = ((0, 0), (0, 0), (padding_h, padding_h), (padding_w, padding_w))
    return np.pad(x, sides, constant_values=value)


def conv2d(
    x,
    W,
    b=None,
    stride_h=1,
    stride_w=1,
    padding_h=0,
    padding_w=0,
    dilation_h=1,
    dilation_w=1,
    groups=1,
    out=None,
):
    """out[n, o] = b[o] + sum_c x[n, c] * W[o, c], the cross-correlation; zeros around x."""
    O, D, KH, KW = W.shape
    windows = _windows(
        _padded(x, padding_h, padding_w), KH, KW, stride_h, stride_w, dilation_h, dilation_w
    )
    N, _, P, Q = windows.shape[:4]
    windows = windows.reshape(N, groups, D, P, Q, KH, KW)
    filters = W.reshape(groups, O // groups, D, KH, KW)
    y = np.einsum("ngdpqij,godij->ngopq", windows, filters, optimize=True).reshape(N, O, P, Q)
    return _store(out, y if b is None else y + b[:, None, None])


def conv2d_backward(
    dout,
    x,
    W,
    stride_h=1,
    stride_w=1,
    padding_h=0,
    padding_w=0,
    dilation_h=1,
    dilation_w=1,
    groups=1,
    dx=None,
    dW=None,
    db=None,
):
    """Gradients of ``conv2d``: dx like x, dW like W, db (O,)."""
    O, D, KH, KW = W.shape
    N, _, P, Q = dout.shape
    geometry = (KH, KW, stride_h, stride_w, dilation_h, dilation_w)
    grouped = dout.reshape(N, groups, O // groups, P, Q)
    results = [None, None, None]
    if dx is not False:
        filters = W.reshape(groups, O // groups, D, KH, KW)
        wide = _padded(np.zeros_like(x), padding_h, padding_w)
        slopes = np.einsum("ngopq,godij->ngdpqij", grouped, filters, optimize=True)
        slopes = slopes.reshape(N, groups * D, P, Q, KH, KW)
        for i, j in np.ndindex(KH, KW):
            seen = np.s_[
                :,
                :,
                i * dilation_h : i * dilation_h + (P - 1) * stride_h + 1 : stride_h,
                j * dilation_w : j * dilation_w + (Q - 1) * stride_w + 1 : stride_w,
            ]
            wide[seen] += slopes[..., i, j]
        H, width = x.shape[2:]
        inner = wide[:, :, padding_h : padding_h + H, padding_w : padding_w + width]
        results[0] = _store(dx, np.ascontiguousarray(inner))
    if dW is not False:
        windows = _windows(_padded(x, padding_h, padding_w), *geometry)
        windows = windows.reshape(N, groups, D, P, Q, KH, KW)
        slope = np.einsum("ngopq,ngdpqij->godij", grouped, windows, optimize=True)
        results[1] = _store(dW, slope.reshape(W.shape))
    if db is not False:
        results[2] = _store(db, dout.sum(axis=(0, 2, 3)))
    return tuple(results)


# --- pooling --------------------------------------------------------------------------


def _each_tap(dout, kernel_h, kernel_w, stride_h, stride_w):
    """For each tap of a window: which elements of padded x it meets, one for each result."""
    P, Q = dout.shape[2:]
    for i, j in np.ndindex(kernel_h, kernel_w):
        rows = slice(i, i + (P - 1) * stride_h + 1, stride_h)
        yield np.s_[:, :, rows, slice(j, j + (Q - 1) * stride_w + 1, stride_w)]


def _cropped(x, padding_h, padding_w):
    H, W = x.shape[2] - 2 * padding_h, x.shape[3] - 2 * padding_w
    inner = x[:, :, padding_h : padding_h + H, padding_w : padding_w + W]
    return np.ascontiguousarray(inner)


def max_pool2d(
    x, kernel_h, kernel_w, stride_h, stride_w, padding_h=0, padding_w=0, out=None
):
    """The largest element of each window; NaN if there is one; padding does not count."""
    wide = _padded(x, padding_h, padding_w, -np.inf)
    windows = _windows(wide, kernel_h, kernel_w, stride_h, stride_w)
    return _store(out, windows.max(axis=(4, 5)))


def max_pool2d_backward(
    dout, x, kernel_h, kernel_w, stride_h, stride_w, padding_h=0, padding_w=0, out=None
):
    """dout, given to the first of the largest elements of each window, or the first NaN."""
    window = (kernel_h, kernel_w, stride_h, stride_w)
    wide = _padded(x, padding_h, padding_w, -np.inf)
    inside = _windows(_padded(np.ones_like(x, bool), padding_h, padding_w), *window)
    windows = _windows(wide, *window)
    largest = windows.max(axis=(4, 5), keepdims=True)
    largest = inside & ((windows == largest) | np.isnan(windows))
    best = largest.reshape(*dout.shape, kernel_h * kernel_w).argmax(axis=-1)
    slope = np.zeros_like(wide)
    for tap, seen in enumerate(_each_tap(dout, *window)):
        slope[seen] += np.where(best == tap, dout, np.zeros((), dout.dtype))
    return _store(out, _cropped(slope, padding_h, padding_w))


def avg_pool2d(
    x, kernel_h, kernel_w, stride_h, stride_w, padding_h=0, padding_w=0, out=None
):
    """The mean of each window; padding counts as zeros."""
    wide = _padded(x, padding_h, padding_w)
    windows = _windows(wide, kernel_h, kernel_w, stride_h, stride_w)
    return _store(out, windows.sum(axis=(4, 5)) / x.dtype.type(kernel_h * kernel_w))


def avg_pool2d_backward(
    dout,
    height,
    width,
    kernel_h,
    kernel_w,
    stride_h,
    stride_w,
    padding_h=0,
    padding_w=0,
    out=None,
):
    """dout / window size, given to all of a window; the result is (N, C, height, width)."""
    N, C = dout.shape[:2]
    wide = np.zeros((N, C, height + 2 * padding_h, width + 2 * padding_w), dout.dtype)
    for seen in _each_tap(dout, kernel_h, kernel_w, stride_h, stride_w):
        wide[seen] += dout / dout.dtype.type(kernel_h * kernel_w)
    return _store(out, _cropped(wide, padding_h, padding_w))


# --- normalisation --------------------------------------------------------------------


def _sum_of_neighbours(x, before, after):
    """For each channel c, the sum of channels c - before to c + after that there are."""
    sums = np.zeros_like(x)
    for c in range(x.shape[1]):
        sums[:, c] = x[:, max(c - before, 0) : c + after + 1].sum(axis=1)
    return sums


def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0, out=None):
    """x / (k + alpha / size * sum of squares of ``size`` channels)**beta  (Krizhevsky, 2012)."""
    T = x.dtype.type
    d = T(k) + T(alpha / size) * _sum_of_neighbours(x * x, size // 2, (size - 1) // 2)
    return _store(out, x * d ** T(-beta))


def local_response_norm_backward(dout, x, size, alpha=1e-4, beta=0.75, k=1.0, out=None):
    """The gradient of ``local_response_norm`` by x."""
    T = x.dtype.type
    d = T(k) + T(alpha / size) * _sum_of_neighbours(x * x, size // 2, (size - 1) // 2)
    power = d ** T(-beta)
    # channel c lies in the windows of those from c - (size - 1) // 2 to c + size // 2
    reached = _sum_of_neighbours(dout * x * power / d, (size - 1) // 2, size // 2)
    return _store(out, dout * power - T(2 * alpha * beta / size) * x * reached)


def _by_channel(values, x):
    """(C,) made to broadcast with x (N, C, ...), in x's dtype."""
    return np.asarray(values, x.dtype).reshape(-1, *(1,) * (x.ndim - 2))


def _rescale(x, mean, rstd, gamma, beta):
    factor = rstd if gamma is None else rstd * gamma
    y = (x - _by_channel(mean, x)) * _by_channel(factor, x)
    return y if beta is None else y + _by_channel(beta, x)


def batch_norm(
    x,
    gamma=None,
    beta=None,
    running_mean=None,
    running_var=None,
    momentum=0.1,
    eps=1e-5,
    out=None,
    mean=None,
    rstd=None,
):
    """(x - mean) * rstd * gamma + beta over all axes but the second (Ioffe, Szegedy, 2015).

    Moves the running statistics, in place, by ``momentum``; their variance is unbiased.
    """
    axes = (0, *range(2, x.ndim))
    count = x.size // x.shape[1]
    if count < 2:
        raise ValueError("one value for each channel: the variance is undefined")
    wide = x.astype(np.float64, copy=False)
    m, v = wide.mean(axis=axes), wide.var(axis=axes)
    r = 1 / np.sqrt(v + eps)
    if running_mean is not None:
        running_mean[...] = (1 - momentum) * running_mean + momentum * m
    if running_var is not None:
        running_var[...] = (1 - momentum) * running_var + momentum * v * count / (count - 1)
    return (
        _store(out, _rescale(x, m, r, gamma, beta)),
        _store(mean, m.astype(x.dtype)),
        _store(rstd, r.astype(x.dtype)),
    )


def batch_norm_eval(
    x, running_mean, running_var, gamma=None, beta=None, eps=1e-5, out=None
):
    """(x - running_mean) / sqrt(running_var + eps) * gamma + beta."""
    rstd = 1 / np.sqrt(running_var.astype(np.float64) + eps)
    return _store(out, _rescale(x, running_mean, rstd, gamma, beta))


def batch_norm_backward(
    dout, x, mean, rstd, gamma=None, training=True, dx=None, dgamma=None, dbeta=None
):
    """Gradients of ``batch_norm``, or without ``training`` of ``batch_norm_eval``."""
    axes = (0, *range(2, x.ndim))
    count = x.size // x.shape[1]
    wide, slope = x.astype(np.float64), dout.astype(np.float64)
    factor = _by_channel(rstd, wide)
    normal = (wide - _by_channel(mean, wide)) * factor
    total, product = slope.sum(axis=axes), (slope * normal).sum(axis=axes)
    if training:
        slope = slope - _by_channel(total / count, wide)
        slope = slope - normal * _by_channel(product / count, wide)
    if gamma is not None:
        factor = factor * _by_channel(gamma, wide)
    return (
        _store(dx, (slope * factor).astype(x.dtype)),
        _store(dgamma, product.astype(x.dtype)),
        _store(dbeta, total.astype(x.dtype)),
    )


# --- dropout --------------------------------------------------------------------------


def _philox(counter, key):
    """Philox4x32-10 (Salmon et al., 2011): counter (n, 4), key (2,) -> words (n, 4), uint32."""
    c = [np.asarray(counter[:, i], np.uint64) for i in range(4)]
    k = [int(part) for part in key]
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        first, second = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        high = [part >> np.uint64(32) for part in (first, second)]
        c = [
            high[1] ^ c[1] ^ np.uint64(k[0]),
            second & low,
            high[0] ^ c[3] ^ np.uint64(k[1]),
            first & low,
        ]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return np.stack(c, axis=1).astype(np.uint32)


def dropout(x, p, state, out=None):
    """x / (1 - p) where the element's random word is at least p 2**32, else 0.

    ``state`` is (seed, step).  The words of elements 4 i to 4 i + 3 are Philox's for the counter
    (i, step) and the key seed.  The gradient is ``dropout`` of dout with the same state.
    """
    blocks = np.arange((x.size + 3) // 4, dtype=np.uint64)
    seed, step = (int(part) % 2**64 for part in state)
    counter = np.empty((len(blocks), 4), np.uint64)
    counter[:, 0], counter[:, 1] = blocks % 2**32, blocks >> np.uint64(32)
    counter[:, 2], counter[:, 3] = step % 2**32, step >> 32
    words = _philox(counter, (seed % 2**32, seed >> 32)).reshape(-1)[: x.size]
    kept = words.astype(np.float64).reshape(x.shape) >= np.floor(p * 2**32)
    scale = x.dtype.type(1 / (1 - p) if p < 1 else 0)
    return _store(out, np.where(kept, x * scale, np.zeros((), x.dtype)))
