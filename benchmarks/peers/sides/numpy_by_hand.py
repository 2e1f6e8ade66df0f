"""NumPy, with forward and backward pass written by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.peers.task import Fitted, Task
from benchmarks.peers.works import Layers, Work

TITLE = "NumPy by hand"


def cross_entropy(scores: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean loss, and its gradient by the scores, which are overwritten."""
    rows = np.arange(len(y))
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    loss = -np.log(scores[rows, y]).mean()
    scores[rows, y] -= 1
    scores /= len(y)
    return loss, scores


def hinge(scores: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean of the sum over the wrong classes of max(0, s_j - s_y + 1), and its gradient."""
    rows = np.arange(len(y))
    scores -= scores[rows, y][:, np.newaxis] - 1
    np.maximum(scores, 0, out=scores)
    scores[rows, y] = 0
    loss = scores.sum() / len(y)
    gradient = (scores > 0).astype(scores.dtype)
    gradient[rows, y] = -gradient.sum(axis=1)
    gradient /= len(y)
    return loss, gradient


LOSSES = {"cross_entropy": cross_entropy, "hinge": hinge}


def forward(layers: Layers, x: np.ndarray) -> list[np.ndarray]:
    """The input of each layer, then the scores."""
    values = [x]
    for W, b in layers[:-1]:
        z = values[-1] @ W
        z += b
        values.append(np.maximum(z, 0, out=z))
    W, b = layers[-1]
    scores = values[-1] @ W
    scores += b
    return [*values, scores]


def backward(layers: Layers, values: list[np.ndarray], d: np.ndarray) -> list[np.ndarray]:
    """The gradients of the weights and biases, last layer first: b, W, b, W, ..."""
    gradients = []
    for i in range(len(layers) - 1, -1, -1):
        gradients += [d.sum(axis=0), values[i].T @ d]
        if i:
            d = d @ layers[i][0].T
            d *= values[i] > 0
    return gradients


def epoch(work: Work, layers: Layers, X: np.ndarray, y: np.ndarray) -> Callable[[], np.ndarray]:
    loss_of = LOSSES[work.loss]
    layers = [(W.copy(), b.copy()) for W, b in layers]
    parameters = [each for W, b in reversed(layers) for each in (b, W)]

    def run() -> np.ndarray:
        losses = []
        for x, labels in zip(X, y, strict=True):
            values = forward(layers, x)
            loss, d = loss_of(values[-1], labels)
            for parameter, g in zip(parameters, backward(layers, values, d), strict=True):
                g *= work.lr
                parameter -= g
            losses.append(loss)
        return np.array(losses)

    return run


def eleven_lines_step(X: np.ndarray, y: np.ndarray) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """The body of the lecture's loop: two layers of sigmoids, and their deltas."""

    def step(w0: np.ndarray, w1: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        l1 = 1 / (1 + np.exp(-(np.dot(X, w0))))
        l2 = 1 / (1 + np.exp(-(np.dot(l1, w1))))
        l2_delta = (y - l2) * (l2 * (1 - l2))
        l1_delta = l2_delta.dot(w1.T) * (l1 * (1 - l1))
        w1 += l1.T.dot(l2_delta)
        w0 += X.T.dot(l1_delta)
        return w0, w1

    return step


def eleven_lines(
    X: np.ndarray, y: np.ndarray, w0: np.ndarray, w1: np.ndarray, n: int
) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    step = eleven_lines_step(X, y)

    def run() -> tuple[np.ndarray, np.ndarray]:
        state = w0.copy(), w1.copy()
        for _ in range(n):
            state = step(*state)
        return state

    return run


def fit(task: Task) -> Fitted:
    images = task.X.astype(np.float32)
    images /= 255
    layers = [(W.copy(), b.copy()) for W, b in task.layers]
    parameters = [each for W, b in reversed(layers) for each in (b, W)]
    m = [np.zeros_like(each) for each in parameters]
    v = [np.zeros_like(each) for each in parameters]
    beta1, beta2, eps = 0.9, 0.999, 1e-8
    step, means = 0, []
    for number in range(task.epochs):
        order, total = task.order(number), 0.0
        for start in range(0, len(order), task.batch):
            rows = order[start : start + task.batch]
            values = forward(layers, images[rows])
            loss, d = cross_entropy(values[-1], task.y[rows])
            total += float(loss) * len(rows)
            step += 1
            rate = task.lr / (1 - beta1**step)
            scale = 1 / np.sqrt(1 - beta2**step)
            gradients = backward(layers, values, d)
            for w, g, m1, v1 in zip(parameters, gradients, m, v, strict=True):
                m1 += (1 - beta1) * (g - m1)
                v1 += (1 - beta2) * (g * g - v1)
                w -= np.float32(rate) * m1 / (np.sqrt(v1) * np.float32(scale) + np.float32(eps))
        means.append(total / len(order))

    def predict(X: np.ndarray) -> np.ndarray:
        return forward(layers, X.astype(np.float32) / 255)[-1].argmax(axis=1)

    return Fitted(means, predict)
