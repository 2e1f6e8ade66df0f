"""fastnn: the step captured once, and replayed."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

import fastnn
from benchmarks.peers.nets import Conv, Net, Pool
from benchmarks.peers.task import Fitted, Task
from benchmarks.peers.works import Layers, Work
from fastnn.modes import tracked
from fastnn.program.replay import Recording
from fastnn.tensor import wrap

from .numpy_by_hand import eleven_lines_step

TITLE = "fastnn"
LOSSES = {"cross_entropy": fastnn.cross_entropy, "hinge": fastnn.hinge_loss}


def model_of(layers: Layers) -> fastnn.Sequential:
    """The net with copies of these weights."""
    widths = [len(layers[0][0]), *(len(b) for _, b in layers)]
    model = fastnn.models.mlp(widths[0], widths[1:-1], widths[-1])
    set_weights(model, layers)
    return model


def set_weights(model: fastnn.Sequential, layers: Layers) -> None:
    """Copy the weights into the model."""
    values = [each for layer in layers for each in layer]
    for parameter, value in zip(model.parameters(), values, strict=True):
        parameter.data = value


def recording_of(
    work: Work, layers: Layers, X: np.ndarray, y: np.ndarray
) -> tuple[Recording, np.ndarray]:
    """The step's recording, which goes through X and y, and where it leaves its losses.

    It is what ``Trainer.fit`` replays, without the gathering of a batch from shuffled rows
    and the counting of hits, neither of which the other sides do.
    """
    return _recorded(
        model_of(layers), work.lr, LOSSES[work.loss], X, y, lambda model: set_weights(model, layers)
    )


def _recorded(
    model: fastnn.Sequential,
    lr: float,
    loss_of: Callable[[fastnn.Tensor, np.ndarray], fastnn.Tensor],
    X: np.ndarray,
    y: np.ndarray,
    begin_again: Callable[[fastnn.Sequential], None],
) -> tuple[Recording, np.ndarray]:
    optimizer = fastnn.SGD(model.parameters(), lr=lr)
    data = SimpleNamespace(x=X[0], y=y[0], losses=np.zeros(len(X), np.float32))

    def step() -> None:
        loss = loss_of(model(wrap(tracked(data.x))), tracked(data.y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        tracked(data.losses[:1])[...] = loss.data.reshape(1)

    recording = Recording(step, (), capacity=len(X))
    begin_again(model)  # the recording has made a step
    for array, whole in ((data.x, X), (data.y, y), (data.losses[:1], data.losses)):
        recording.move(array, whole.strides[0], 0)
    return recording, data.losses


def epoch(work: Work, layers: Layers, X: np.ndarray, y: np.ndarray) -> Callable[[], np.ndarray]:
    return replayed(*recording_of(work, layers, X, y))


def replayed(recording: Recording, losses: np.ndarray) -> Callable[[], np.ndarray]:
    """An epoch's steps, and the losses that they leave."""
    steps = len(losses)

    def run() -> np.ndarray:
        made = 0
        while made < steps:
            made += recording.advance(made, steps, 0.1)
        return losses

    return run


def net_of(net: Net) -> fastnn.Sequential:
    """The net with its first weights."""
    parts: list[fastnn.Module] = []
    for part, before, _ in net.shapes():
        if isinstance(part, Conv):
            made = fastnn.Conv2d(
                before[0], part.filters, part.size, stride=part.stride, padding=part.padding
            )
            parts += [made, fastnn.ReLU()]
        elif isinstance(part, Pool):
            parts.append(fastnn.MaxPool2d(part.size, part.stride))
        else:
            if len(before) == 3:
                parts.append(fastnn.Flatten())
            parts += [fastnn.Linear(int(np.prod(before)), part.width), fastnn.ReLU()]
    model = fastnn.Sequential(*parts[:-1])
    _set_arrays(model, net.weights())
    return model


def _set_arrays(model: fastnn.Sequential, arrays: list[np.ndarray]) -> None:
    for parameter, value in zip(model.parameters(), arrays, strict=True):
        parameter.data = value


def images(net: Net, X: np.ndarray, y: np.ndarray) -> Callable[[], np.ndarray]:
    def begin_again(model: fastnn.Sequential) -> None:
        _set_arrays(model, net.weights())

    return replayed(*_recorded(net_of(net), net.lr, fastnn.cross_entropy, X, y, begin_again))


def eleven_lines(
    X: np.ndarray, y: np.ndarray, w0: np.ndarray, w1: np.ndarray, n: int
) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    step = eleven_lines_step(X, y)
    return lambda: fastnn.iterate(step, (w0, w1), n=n)


def fit(task: Task) -> Fitted:
    model = model_of(task.layers)
    optimizer = fastnn.Adam(model.parameters(), lr=task.lr)
    trainer = fastnn.Trainer(model, "cross_entropy", optimizer, scale=1 / 255)
    history = trainer.fit(
        task.X,
        task.y,
        epochs=task.epochs,
        batch_size=task.batch,
        shuffle=task.shuffle,
        seed=task.seed,
        progress=False,
    )

    def predict(X: np.ndarray) -> np.ndarray:
        return model.predict(X.astype(np.float32) / 255)

    return Fitted(list(history["loss"]), predict)
