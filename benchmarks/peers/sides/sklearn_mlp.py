"""scikit-learn: MLPClassifier, which has the softmax loss alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.peers.task import Fitted, Task
from benchmarks.peers.works import Layers, Work

TITLE = "scikit-learn"
LOSSES = ("cross_entropy",)
# Its Adam adds eps to the root of v before it corrects the bias; the others do so after.
FIT_TOLERANCE = 1e-2


def classifier(
    layers: Layers, y: np.ndarray, dtype: Any, batch: int, **options: Any
) -> MLPClassifier:
    """An MLPClassifier that goes on from these weights."""
    hidden = tuple(len(b) for _, b in layers[:-1])
    made = MLPClassifier(hidden, alpha=0, batch_size=batch, **options)
    classes = np.arange(len(layers[-1][1]))
    # It makes its arrays at the first call; then they can be given other values.
    made.partial_fit(
        np.zeros((batch, len(layers[0][0])), dtype), y.ravel()[:batch], classes=classes
    )
    made.coefs_ = [W.astype(dtype) for W, _ in layers]
    made.intercepts_ = [b.astype(dtype) for _, b in layers]
    del made._optimizer
    made.loss_curve_, made.t_, made.n_iter_ = [], 0, 0
    return made


def epoch(work: Work, layers: Layers, X: np.ndarray, y: np.ndarray) -> Callable[[], np.ndarray]:
    rows, labels = X.reshape(-1, X.shape[2]), y.ravel()
    made = classifier(
        layers,
        y,
        X.dtype,
        work.batch,
        solver="sgd",
        learning_rate_init=work.lr,
        momentum=0,
        nesterovs_momentum=False,
        shuffle=False,
    )

    def run() -> np.ndarray:
        made.partial_fit(rows, labels)
        return np.array(made.loss_)

    return run


def fit(task: Task) -> Fitted:
    images = task.X.astype(np.float32)
    images /= 255
    made = classifier(
        task.layers,
        task.y,
        np.float32,
        task.batch,
        solver="adam",
        learning_rate_init=task.lr,
        shuffle=task.shuffle,
        random_state=task.seed,
        max_iter=task.epochs,
        n_iter_no_change=task.epochs,
        tol=0,
        warm_start=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it stops when it was told to
        made.fit(images, task.y)

    def predict(X: np.ndarray) -> np.ndarray:
        return made.predict(X.astype(np.float32) / 255)

    return Fitted(list(made.loss_curve_), predict)
