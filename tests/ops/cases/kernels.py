"""Cases of the rows whose forward is a kernel: activations and losses, with their backwards.

The oracles are formulas in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ops.harness import Case, Plain, rounded

from fastnn import ops
from fastnn.ops import activations, losses

_RNG = np.random.default_rng(12)
X = np.asarray(_RNG.uniform(-2, 2, (4, 3)))
G = np.asarray(_RNG.uniform(-2, 2, (4, 3)))
SHAPES: list[Callable[[np.ndarray], np.ndarray]] = [
    lambda x: x,
    lambda x: x.reshape(2, 2, 3),
    lambda x: x[0],
    lambda x: x[:0],
    lambda x: x[:, :1],
]


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _softmax(x: Any) -> Any:
    return np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True)


def _of_x(op: ops.Op, oracle: Callable[[Any], Any]) -> list[Case]:
    number = [] if "softmax" in op.name else [rounded(op, X[0, 0], oracle=oracle)]
    return [*(rounded(op, take(X), oracle=oracle) for take in SHAPES), *number]


def _backwards(op: ops.Op, y: np.ndarray, oracle: Callable[[Any, Any], Any]) -> list[Case]:
    return [rounded(op, take(G), take(y), oracle=oracle) for take in SHAPES]


ACTIVATIONS: dict[Any, list[Case]] = {
    activations.relu: _of_x(activations.relu, lambda x: np.maximum(x, 0)),
    activations.sigmoid: _of_x(activations.sigmoid, _sigmoid),
    activations.tanh: _of_x(activations.tanh, np.tanh),
    activations.softmax: _of_x(activations.softmax, _softmax),
    activations.log_softmax: _of_x(activations.log_softmax, lambda x: np.log(_softmax(x))),
    activations.relu_backward: _backwards(activations.relu_backward, X, lambda g, x: g * (x > 0)),
    activations.sigmoid_backward: _backwards(
        activations.sigmoid_backward, _sigmoid(X), lambda g, s: g * s * (1 - s)
    ),
    activations.tanh_backward: _backwards(
        activations.tanh_backward, np.tanh(X), lambda g, t: g * (1 - t * t)
    ),
    activations.softmax_backward: _backwards(
        activations.softmax_backward,
        _softmax(X),
        lambda g, p: p * (g - np.sum(g * p, axis=-1, keepdims=True)),
    ),
    activations.log_softmax_backward: _backwards(
        activations.log_softmax_backward,
        np.log(_softmax(X)),
        lambda g, y: g - np.exp(y) * np.sum(g, axis=-1, keepdims=True),
    ),
}

# --- losses: oracles of one row each, and their weighted means ---------------------------

LABELS = np.array([0, 2, 1, 1])
PER_CLASS = Plain(np.array([0.5, 1.0, 2.0]))
PER_ROW = Plain(np.array([1.0, 0.0, 2.0, 0.5]))
WEIGHTS = [(None, None), (PER_CLASS, None), (None, PER_ROW), (PER_CLASS, PER_ROW)]
TARGET = np.asarray(_RNG.uniform(0, 1, (4, 3)))


def _shares(y: Any, n: int, weight: Any = None, sample_weight: Any = None) -> Any:
    """What each row counts in a weighted mean."""
    shares = np.ones(n)
    if weight is not None:
        shares = shares * weight[y]
    if sample_weight is not None:
        shares = shares * sample_weight
    return shares / np.sum(shares)


def _of_scores(each: Callable[..., Any]) -> Callable[..., Any]:
    """The weighted mean of what each row of scores gives, or of its gradients."""

    def loss(scores: Any, y: Any, *options: Any) -> Any:
        *delta, weight, sample_weight = options
        values = each(scores, np.eye(scores.shape[1])[y], *delta)
        shares = _shares(y, len(y), weight, sample_weight)
        if values.ndim == 2:
            return (shares[:, None] * values).astype(scores.dtype)
        return np.asarray(np.sum(shares * values), scores.dtype)

    return loss


def _cross_entropy(scores: Any, chosen: Any) -> Any:
    return -np.sum(chosen * np.log(_softmax(scores)), axis=1)


def _margins(scores: Any, chosen: Any, delta: float) -> Any:
    margins = scores - np.sum(chosen * scores, axis=1, keepdims=True) + delta
    return np.maximum(0, margins) * (1 - chosen)


def _hinge_gradient(scores: Any, chosen: Any, delta: float) -> Any:
    violated = _margins(scores, chosen, delta) > 0
    return violated - chosen * np.sum(violated, axis=1, keepdims=True)


def _of_elements(each: Callable[..., Any], is_gradient: bool = False) -> Callable[..., Any]:
    """The mean over all elements, weighted by rows, of what each gives; or its gradient."""

    def loss(pred: Any, target: Any, *options: Any) -> Any:
        *delta, sample_weight = options
        shares = _shares(None, len(pred), None, sample_weight)
        counted = shares.reshape(-1, *(1,) * (pred.ndim - 1)) * len(pred) / pred.size
        values = counted * each(pred, target, *delta)
        return np.asarray(values if is_gradient else np.sum(values), pred.dtype)

    return loss


def _huber(x: Any, t: Any, delta: float) -> Any:
    d = np.abs(x - t)
    return np.where(d <= delta, d**2 / 2, delta * (d - delta / 2))


# Ops of scores, with further arguments, the loss of a row and its gradient.
_OF_SCORES: list[Any] = [
    (
        (losses.cross_entropy, losses.cross_entropy_gradient),
        (),
        (_cross_entropy, lambda scores, chosen: _softmax(scores) - chosen),
    ),
    (
        (losses.hinge_loss, losses.hinge_loss_gradient),
        (0.7,),
        (lambda *args: np.sum(_margins(*args), axis=1), _hinge_gradient),
    ),
]
# Ops of a prediction and a target, the loss of an element and its gradient.
_OF_TARGETS: list[Any] = [
    (
        (losses.mse_loss, losses.mse_loss_gradient),
        (),
        (lambda x, t: (x - t) ** 2, lambda x, t: 2 * (x - t)),
    ),
    (
        (losses.l1_loss, losses.l1_loss_gradient),
        (),
        (lambda x, t: np.abs(x - t), lambda x, t: np.sign(x - t)),
    ),
    (
        (losses.huber_loss, losses.huber_loss_gradient),
        (0.9,),
        (_huber, lambda x, t, delta: np.clip(x - t, -delta, delta)),
    ),
    (
        (losses.binary_cross_entropy, losses.binary_cross_entropy_gradient),
        (),
        (lambda x, t: np.log1p(np.exp(x)) - t * x, lambda x, t: _sigmoid(x) - t),
    ),
]


def _target_cases(op: ops.Op, options: Any, oracle: Callable[..., Any]) -> list[Case]:
    # Binary cross-entropy has no derivative by its target.
    target = (lambda t: Plain(t)) if op.name.startswith("binary") else (lambda t: t)
    return [
        rounded(op, take(X), target(take(TARGET)), *options, weight, oracle=oracle)
        for take in (SHAPES[0], SHAPES[4])
        for weight in (None, PER_ROW)
    ] + [
        rounded(op, take(X), target(take(TARGET)), *options, None, oracle=oracle)
        for take in (SHAPES[1], SHAPES[2])
    ]


LOSSES: dict[Any, list[Case]] = {}
for _ops, _options, _eaches in _OF_SCORES:
    for _op, _each in zip(_ops, _eaches, strict=True):
        LOSSES[_op] = [
            rounded(_op, X, LABELS, *_options, *weights, oracle=_of_scores(_each))
            for weights in WEIGHTS
        ]
for _ops, _options, (_value, _slope) in _OF_TARGETS:
    LOSSES[_ops[0]] = _target_cases(_ops[0], _options, _of_elements(_value))
    LOSSES[_ops[1]] = _target_cases(_ops[1], _options, _of_elements(_slope, is_gradient=True))

ROWS: dict[Any, list[Case]] = {**ACTIVATIONS, **LOSSES}
