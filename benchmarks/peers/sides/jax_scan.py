"""JAX: an epoch as one jitted lax.scan over its batches, weights donated."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from benchmarks.peers.nets import Conv, Net, Pool
from benchmarks.peers.task import Fitted, Task
from benchmarks.peers.works import Layers, Work

TITLE = "JAX jit, scan"


def scores_of(layers: Any, x: jax.Array) -> jax.Array:
    """The net of these weights."""
    for W, b in layers[:-1]:
        x = jax.nn.relu(x @ W + b)
    W, b = layers[-1]
    return x @ W + b


def cross_entropy(scores: jax.Array, y: jax.Array) -> jax.Array:
    """The mean over the batch."""
    picked = jnp.take_along_axis(jax.nn.log_softmax(scores), y[:, jnp.newaxis], axis=1)
    return -picked.mean()


def hinge(scores: jax.Array, y: jax.Array) -> jax.Array:
    """The mean over the batch of the sum over the wrong classes."""
    right = jnp.take_along_axis(scores, y[:, jnp.newaxis], axis=1)
    margins = jnp.maximum(scores - right + 1, 0)
    # The class's own margin is 1, and does not count.
    return margins.sum() / len(y) - 1


LOSSES = {"cross_entropy": cross_entropy, "hinge": hinge}


def epoch(work: Work, layers: Layers, X: np.ndarray, y: np.ndarray) -> Callable[[], np.ndarray]:
    loss_of = LOSSES[work.loss]

    def step(layers: Any, batch: Any) -> tuple[Any, jax.Array]:
        x, labels = batch
        loss, gradients = jax.value_and_grad(lambda each: loss_of(scores_of(each, x), labels))(
            layers
        )
        new = jax.tree.map(lambda w, g: w - work.lr * g, layers, gradients)
        return new, loss

    @partial(jax.jit, donate_argnums=0)
    def whole(layers: Any, X: jax.Array, y: jax.Array) -> tuple[Any, jax.Array]:
        return lax.scan(step, layers, (X, y))

    weights = jax.tree.map(jnp.array, layers)
    batches = jnp.array(X), jnp.array(y.astype(np.int32))

    def run() -> np.ndarray:
        nonlocal weights
        weights, losses = whole(weights, *batches)
        return np.asarray(losses)  # waits

    return run


def images(net: Net, X: np.ndarray, y: np.ndarray) -> Callable[[], np.ndarray]:
    parts = list(net.shapes())

    def scores(arrays: Any, x: jax.Array) -> jax.Array:
        left = list(arrays)
        for i, (part, before, _) in enumerate(parts):
            if isinstance(part, Pool):
                size, stride = (1, 1, part.size, part.size), (1, 1, part.stride, part.stride)
                x = lax.reduce_window(x, -jnp.inf, lax.max, size, stride, "VALID")
                continue
            weight, bias = left.pop(0), left.pop(0)
            if isinstance(part, Conv):
                padding = [(part.padding, part.padding)] * 2
                x = (
                    lax.conv_general_dilated(x, weight, (part.stride,) * 2, padding)
                    + bias[:, None, None]
                )
            else:
                x = (x.reshape(len(x), -1) if len(before) == 3 else x) @ weight + bias
            if i < len(parts) - 1:
                x = jax.nn.relu(x)
        return x

    # Not scanned: in a loop of XLA's, convolutions on a CPU take ten times as long.
    @partial(jax.jit, donate_argnums=0)
    def step(arrays: Any, x: jax.Array, labels: jax.Array) -> tuple[Any, jax.Array]:
        loss, gradients = jax.value_and_grad(lambda each: cross_entropy(scores(each, x), labels))(
            arrays
        )
        return jax.tree.map(lambda w, g: w - net.lr * g, arrays, gradients), loss

    weights = jax.tree.map(jnp.array, net.weights())
    batches = [
        (jnp.array(x), jnp.array(each.astype(np.int32))) for x, each in zip(X, y, strict=True)
    ]

    def run() -> np.ndarray:
        nonlocal weights
        losses = []
        for x, labels in batches:
            weights, loss = step(weights, x, labels)
            losses.append(loss)
        return np.array(jax.device_get(losses))  # waits

    return run


def eleven_lines(
    X: np.ndarray, y: np.ndarray, w0: np.ndarray, w1: np.ndarray, n: int
) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    with jax.enable_x64(True):
        x, labels = jnp.array(X, jnp.float64), jnp.array(y, jnp.float64)

        def step(state: Any, _: None) -> tuple[Any, None]:
            w0, w1 = state
            l1 = 1 / (1 + jnp.exp(-(x @ w0)))
            l2 = 1 / (1 + jnp.exp(-(l1 @ w1)))
            l2_delta = (labels - l2) * (l2 * (1 - l2))
            l1_delta = (l2_delta @ w1.T) * (l1 * (1 - l1))
            return (w0 + x.T @ l1_delta, w1 + l1.T @ l2_delta), None

        whole = jax.jit(lambda state: lax.scan(step, state, None, length=n)[0])
        start = jnp.array(w0), jnp.array(w1)
        compiled = whole.lower(start).compile()

    def run() -> tuple[np.ndarray, np.ndarray]:
        last0, last1 = compiled(start)
        return np.asarray(last0), np.asarray(last1)

    return run


def fit(task: Task) -> Fitted:
    images, labels = jnp.array(task.X), jnp.array(task.y.astype(np.int32))
    beta1, beta2, eps = 0.9, 0.999, 1e-8

    def step(state: Any, rows: jax.Array) -> tuple[Any, jax.Array]:
        layers, m, v, count = state
        x = images[rows].astype(jnp.float32) / 255
        loss, g = jax.value_and_grad(lambda each: cross_entropy(scores_of(each, x), labels[rows]))(
            layers
        )
        count = count + 1
        m = jax.tree.map(lambda a, b: beta1 * a + (1 - beta1) * b, m, g)
        v = jax.tree.map(lambda a, b: beta2 * a + (1 - beta2) * b * b, v, g)
        rate = task.lr / (1 - beta1**count)
        scale = 1 / jnp.sqrt(1 - beta2**count)
        layers = jax.tree.map(
            lambda w, a, b: w - rate * a / (jnp.sqrt(b) * scale + eps), layers, m, v
        )
        return (layers, m, v, count), loss

    n = len(task.X)
    steps = n // task.batch

    def whole(state: Any, order: jax.Array) -> tuple[Any, jax.Array]:
        """An epoch; its last step takes what samples are left."""
        full = order[: steps * task.batch].reshape(steps, task.batch)
        state, losses = lax.scan(step, state, full)
        total = losses.sum() * task.batch
        if n % task.batch:
            state, loss = step(state, order[steps * task.batch :])
            total += loss * (n % task.batch)
        return state, total / n

    layers = jax.tree.map(jnp.array, task.layers)
    zeros = jax.tree.map(jnp.zeros_like, layers)
    state = (layers, zeros, jax.tree.map(jnp.zeros_like, layers), jnp.zeros((), jnp.float32))
    began = perf_counter()
    order = jnp.zeros(n, jnp.int32)
    compiled = jax.jit(whole, donate_argnums=0).lower(state, order).compile()
    compiling = perf_counter() - began
    means = []
    for number in range(task.epochs):
        state, mean = compiled(state, jnp.array(task.order(number).astype(np.int32)))
        means.append(float(mean))
    layers = state[0]

    def predict(X: np.ndarray) -> np.ndarray:
        return np.asarray(scores_of(layers, jnp.array(X, jnp.float32) / 255).argmax(axis=1))

    return Fitted(means, predict, compiling)
