"""Rows of the normalisations and of dropout, by the kernels; channels are the second axis.

Beside the backward kernels, which serve arrays, stand rules made of NumPy's functions, which
serve Tensors and so give second derivatives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import _kernels as k
from fastnn.ops.op import Op


def _by_channel(values: Any, x: Any) -> Any:
    """(C,) made to broadcast with x (N, C, ...)."""
    return np.reshape(values, (-1, *(1,) * (x.ndim - 2)))


def _others(x: Any) -> tuple[int, ...]:
    """All axes but that of the channels."""
    return (0, *range(2, x.ndim))


def _sums(g: Any) -> Any:
    return np.sum(g, axis=_others(g))


# --- batch normalisation --------------------------------------------------------------
# Of x (N, C, ...), gamma, beta, running_mean, running_var, all (C,) or None, momentum, eps;
# the running ones are moved in place.


def _batch_norm(*args: Any) -> Any:
    return k.batch_norm(*args, None, False, False)[0]


def _batch_norm_saving(*args: Any) -> Any:
    y, mean, rstd = k.batch_norm(*args)
    return y, (mean, rstd)


def _statistics(x: Any, *args: Any) -> tuple[Any, Any]:
    """What ``_batch_norm_saving`` saved, (C,) each, made of ops."""
    mean = np.mean(x, axis=_others(x))
    away = x - _by_channel(mean, x)
    return mean, 1 / np.sqrt(np.mean(away * away, axis=_others(x)) + args[-1])


def _normal(saved: tuple[Any, Any], x: Any) -> Any:
    mean, rstd = saved
    return (x - _by_channel(mean, x)) * _by_channel(rstd, x)


def _batch_norm_by_x(g: Any, saved: tuple[Any, Any], x: Any, gamma: Any, *_: Any) -> Any:
    normal = _normal(saved, x)
    mean, product = (np.mean(each, axis=_others(x)) for each in (g, g * normal))
    factor = saved[1] if gamma is None else saved[1] * gamma
    g = g - _by_channel(mean, x) - normal * _by_channel(product, x)
    return g * _by_channel(factor, x)


def _batch_norm_backward(
    g: Any, saved: tuple[Any, Any], needs: Any, x: Any, gamma: Any, _beta: Any, *_: Any
) -> tuple[Any, ...]:
    wanted = [None if need else False for need in needs[:3]]
    return k.batch_norm_backward(g, x, *saved, gamma, True, *wanted)


batch_norm = Op(
    "batch_norm",
    _batch_norm,
    lambda g, saved, x, gamma, *_: _batch_norm_by_x(g, saved, x, gamma),
    lambda g, saved, x, *_: _sums(g * _normal(saved, x)),
    lambda g, *_: _sums(g),
    joint=_batch_norm_backward,
    saving=_batch_norm_saving,
    saved_again=_statistics,
)


# Of x (N, C, ...), running_mean, running_var, gamma, beta, all (C,), and eps.


def _rstd(var: Any, eps: float, like: Any) -> Any:
    return (1 / np.sqrt(var.astype(np.float64) + eps)).astype(like.dtype)


def _batch_norm_eval_by_x(g: Any, var: Any, gamma: Any, eps: float) -> Any:
    factor = _rstd(var, eps, g)
    return g * _by_channel(factor if gamma is None else factor * gamma, g)


batch_norm_eval = Op(
    "batch_norm_eval",
    k.batch_norm_eval,
    lambda g, _y, _x, _mean, var, gamma, _beta, eps: _batch_norm_eval_by_x(g, var, gamma, eps),
    None,
    None,
    lambda g, _y, x, mean, var, _gamma, _beta, eps: _sums(
        g * _normal((mean, _rstd(var, eps, g)), x)
    ),
    lambda g, *_: _sums(g),
)


# --- local response normalisation -----------------------------------------------------
# Of x (N, C, ...), size, alpha, beta and k.


def _neighbours(x: Any, before: int, after: int) -> Any:
    """For each channel c, the sum of channels c - before to c + after that there are."""
    apart = np.arange(x.shape[1]) - np.arange(x.shape[1])[:, None]
    band = ((apart >= -before) & (apart <= after)).astype(x.dtype)
    return np.reshape(band @ np.reshape(x, (*x.shape[:2], -1)), x.shape)


def _response_norm_by_x(g: Any, x: Any, size: int, alpha: float, beta: float, k: float) -> Any:
    d = k + alpha / size * _neighbours(x * x, size // 2, (size - 1) // 2)
    # Channel c lies in the windows of those from c - (size - 1) // 2 to c + size // 2.
    reached = _neighbours(g * x * d ** (-beta - 1), (size - 1) // 2, size // 2)
    return g * d**-beta - 2 * alpha * beta / size * x * reached


def _response_norm_backward(g: Any, _y: Any, _needs: Any, x: Any, *options: Any) -> tuple[Any]:
    return (k.local_response_norm_backward(g, x, *options),)


local_response_norm = Op(
    "local_response_norm",
    k.local_response_norm,
    lambda g, _y, x, size, alpha, beta, k: _response_norm_by_x(g, x, size, alpha, beta, k),
    joint=_response_norm_backward,
)


# --- dropout --------------------------------------------------------------------------
# Of x of any shape, p, and the state (seed, step), which says what is dropped.

dropout: Op = Op("dropout", k.dropout, lambda g, _y, _x, p, state: dropout(g, p, state))
