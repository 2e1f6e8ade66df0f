"""The twins of the kernels for images; ``reference.py`` has the others, and what holds for all."""

from __future__ import annotations

import numpy as np

from fastnn._kernels.reference_random import words


def store(out, value):
    """Put ``value`` where the caller asked for it."""
    if out is False:
        return None
    if out is None:
        return value
    out[...] = value
    return out


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
    F, D, KH, KW = W.shape
    windows = _windows(
        _padded(x, padding_h, padding_w), KH, KW, stride_h, stride_w, dilation_h, dilation_w
    )
    N, _, P, Q = windows.shape[:4]
    windows = windows.reshape(N, groups, D, P, Q, KH, KW)
    filters = W.reshape(groups, F // groups, D, KH, KW)
    y = np.einsum("ngdpqij,godij->ngopq", windows, filters, optimize=True).reshape(N, F, P, Q)
    return store(out, y if b is None else y + b[:, None, None])


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
    F, D, KH, KW = W.shape
    N, _, P, Q = dout.shape
    geometry = (KH, KW, stride_h, stride_w, dilation_h, dilation_w)
    grouped = dout.reshape(N, groups, F // groups, P, Q)
    results = [None, None, None]
    if dx is not False:
        filters = W.reshape(groups, F // groups, D, KH, KW)
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
        results[0] = store(dx, np.ascontiguousarray(inner))
    if dW is not False:
        windows = _windows(_padded(x, padding_h, padding_w), *geometry)
        windows = windows.reshape(N, groups, D, P, Q, KH, KW)
        slope = np.einsum("ngopq,ngdpqij->godij", grouped, windows, optimize=True)
        results[1] = store(dW, slope.reshape(W.shape))
    if db is not False:
        results[2] = store(db, dout.sum(axis=(0, 2, 3)))
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


def max_pool2d(x, kernel_h, kernel_w, stride_h, stride_w, padding_h=0, padding_w=0, out=None):
    """The largest element of each window; NaN if there is one; padding does not count."""
    wide = _padded(x, padding_h, padding_w, -np.inf)
    windows = _windows(wide, kernel_h, kernel_w, stride_h, stride_w)
    return store(out, windows.max(axis=(4, 5)))


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
    return store(out, _cropped(slope, padding_h, padding_w))


def avg_pool2d(x, kernel_h, kernel_w, stride_h, stride_w, padding_h=0, padding_w=0, out=None):
    """The mean of each window; padding counts as zeros."""
    wide = _padded(x, padding_h, padding_w)
    windows = _windows(wide, kernel_h, kernel_w, stride_h, stride_w)
    return store(out, windows.sum(axis=(4, 5)) / x.dtype.type(kernel_h * kernel_w))


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
    return store(out, _cropped(wide, padding_h, padding_w))


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
    return store(out, x * d ** T(-beta))


def local_response_norm_backward(dout, x, size, alpha=1e-4, beta=0.75, k=1.0, out=None):
    """The gradient of ``local_response_norm`` by x."""
    T = x.dtype.type
    d = T(k) + T(alpha / size) * _sum_of_neighbours(x * x, size // 2, (size - 1) // 2)
    power = d ** T(-beta)
    # channel c lies in the windows of those from c - (size - 1) // 2 to c + size // 2
    reached = _sum_of_neighbours(dout * x * power / d, (size - 1) // 2, size // 2)
    return store(out, dout * power - T(2 * alpha * beta / size) * x * reached)


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
        store(out, _rescale(x, m, r, gamma, beta)),
        store(mean, m.astype(x.dtype)),
        store(rstd, r.astype(x.dtype)),
    )


def batch_norm_eval(x, running_mean, running_var, gamma=None, beta=None, eps=1e-5, out=None):
    """(x - running_mean) / sqrt(running_var + eps) * gamma + beta."""
    rstd = 1 / np.sqrt(running_var.astype(np.float64) + eps)
    return store(out, _rescale(x, running_mean, rstd, gamma, beta))


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
        store(dx, (slope * factor).astype(x.dtype)),
        store(dgamma, product.astype(x.dtype)),
        store(dbeta, total.astype(x.dtype)),
    )


# --- dropout --------------------------------------------------------------------------


def dropout(x, p, state, out=None):
    """x / (1 - p) where the element's random word is at least p 2**32, else 0.

    ``state`` is (seed, step); the gradient is ``dropout`` of dout with the same one.
    """
    kept = words(state, x.size).astype(np.float64).reshape(x.shape) >= np.floor(p * 2**32)
    scale = x.dtype.type(1 / (1 - p) if p < 1 else 0)
    return store(out, np.where(kept, x * scale, np.zeros((), x.dtype)))
