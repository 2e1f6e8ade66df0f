"""MyGrad: its graph over NumPy, with the update written by hand."""

from __future__ import annotations

from collections.abc import Callable

import mygrad as mg
import numpy as np
from mygrad.nnet.activations import relu
from mygrad.nnet.losses import multiclass_hinge, softmax_crossentropy

from benchmarks.peers.works import Layers, Work

TITLE = "MyGrad"
LOSSES = {"cross_entropy": softmax_crossentropy, "hinge": multiclass_hinge}


def epoch(work: Work, layers: Layers, X: np.ndarray, y: np.ndarray) -> Callable[[], np.ndarray]:
    weights = [(mg.tensor(W), mg.tensor(b)) for W, b in layers]
    loss_of = LOSSES[work.loss]

    def run() -> np.ndarray:
        losses = []
        for x, labels in zip(X, y, strict=True):
            value = x
            for W, b in weights[:-1]:
                value = relu(mg.matmul(value, W) + b)
            W, b = weights[-1]
            loss = loss_of(mg.matmul(value, W) + b, labels)
            loss.backward()
            for layer in weights:
                for each in layer:
                    each.data -= work.lr * each.grad
            losses.append(loss.item())
        return np.array(losses)

    return run
