"""Trainer.fit with and without capture: the same run, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training import assert_same_weights, classes, trainer

import fastnn
from fastnn import Trainer, callbacks, layers, models, optim, schedules
from fastnn.layers.module import Module

X, Y = classes(n=90)
IMAGES = (X * 40 + 100).clip(0, 255).astype(np.uint8)
VALUES = (X @ np.arange(10.0).reshape(5, 2) / 5).astype(np.float32)
BITS = (VALUES > 0).astype(np.float32)
WEIGHTS = np.random.default_rng(0).random(90) * (np.arange(90) % 7 > 0)
PLAN = {"epochs": 3, "batch_size": 16, "progress": False, "seed": 5}  # 5 batches, and 10 left over

OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda p: optim.SGD(p, 0.1),
    "decay": lambda p: optim.SGD(p, 0.1, weight_decay=0.02),
    "momentum": lambda p: optim.SGD(p, 0.05, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, 0.01, weight_decay=0.1),
    "adamw": lambda p: optim.AdamW(p, 0.01, betas=(0.8, 0.99)),
    "rmsprop": lambda p: optim.RMSprop(p, 0.01),
    "rmsprop momentum": lambda p: optim.RMSprop(p, 0.01, momentum=0.5, weight_decay=0.1),
    "adagrad": lambda p: optim.Adagrad(p, 0.05),
    "groups": lambda p: optim.Adam(
        [{"params": next(p), "lr": 0.05, "weight_decay": 0.3}, {"params": list(p)}]
    ),
}
LOSSES: dict[str, Any] = {
    "cross_entropy": (Y, {}),
    "hinge": (Y, {}),
    "mse": (VALUES, {}),
    "l1": (VALUES, {}),
    "huber": (VALUES, {}),
    "binary_cross_entropy": (BITS, {}),
    "weighted classes": (
        Y, {"loss": lambda s, y: fastnn.cross_entropy(s, y, weight=np.array([1.0, 2.0, 0.5]))}),
    "weighted hinge": (
        Y, {"loss": lambda s, y: fastnn.hinge_loss(s, y, 0.5, weight=np.array([1.0, 2.0, 0.5]))}),
    "own": (VALUES, {"loss": lambda s, y: (np.exp(-s * 0.1) * (s - y) ** 2).mean()}),
    "own in float64": (VALUES, {"loss": lambda s, y: ((s - y) ** 2).mean() * np.array(1.1)}),
    "own of a shape": (VALUES, {"loss": lambda s, y: ((s - y) ** 2).mean(keepdims=True)}),
}  # fmt: skip


def run(capture: bool, data: Any = X, y: Any = Y, model: Any = None, **options: Any) -> Trainer:
    """A trainer after a fit; ``options`` are of the trainer, of the optimizer and of fit."""
    model = models.mlp(5, (8, 6), 3, seed=1) if model is None else model
    make = options.pop("optimizer", OPTIMIZERS["sgd"])
    of_trainer = ("schedule", "clip_norm", "clip_value", "scale", "shift")
    settings = {name: options.pop(name) for name in of_trainer if name in options}
    loss = options.pop("loss", "cross_entropy")
    made = Trainer(model, loss, make(model.parameters()), capture=capture, **settings)
    made.fit(data, y, **{**PLAN, **options})
    return made


def assert_same_run(a: Trainer, b: Trainer) -> None:
    assert_same_weights(a.model, b.model)
    assert list(a.run.history) == list(b.run.history)
    for column in set(a.run.history) - {"seconds"}:
        assert a.run.history[column].tobytes() == b.run.history[column].tobytes(), column
    left, right = a.optimizer.state_dict(), b.optimizer.state_dict()
    np.testing.assert_equal(right["state"], left["state"])
    for group, other in zip(left["param_groups"], right["param_groups"], strict=True):
        assert {key: np.ravel(value).tolist() for key, value in group.items()} == {
            key: np.ravel(value).tolist() for key, value in other.items()
        }
    for p, q in zip(a.model.parameters(), b.model.parameters(), strict=True):
        # A replay may give gradients up.
        assert p.grad is None or p.grad.tobytes() == q.grad.tobytes()


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Any:
    before = fastnn.get_num_threads()
    fastnn.set_num_threads(request.param)
    yield request.param
    fastnn.set_num_threads(before)


def outputs_of(name: str) -> int:
    return 3 if LOSSES[name][0] is Y else 2


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_optimizer(name: str, dtype: str, threads: int) -> None:
    runs = [
        run(capture, model=models.mlp(5, (8, 6), 3, seed=1, dtype=dtype),
            optimizer=OPTIMIZERS[name], validation_data=(X[:30], Y[:30]))
        for capture in (True, False)
    ]  # fmt: skip
    assert_same_run(*runs)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_loss(name: str, dtype: str, threads: int) -> None:
    y, options = LOSSES[name]
    options = {"loss": name, **options}
    runs = [
        run(capture, y=y, model=models.mlp(5, (8,), outputs_of(name), seed=1, dtype=dtype),
            **{**options, "optimizer": OPTIMIZERS["momentum"]})
        for capture in (True, False)
    ]  # fmt: skip
    assert_same_run(*runs)


@pytest.mark.parametrize("name", [each for each in LOSSES if "own" not in each and " " not in each])
def test_sample_weights(name: str) -> None:
    y = LOSSES[name][0]
    runs = [
        run(capture, y=y, model=models.mlp(5, (8,), outputs_of(name), seed=1), loss=name,
            sample_weight=WEIGHTS)
        for capture in (True, False)
    ]  # fmt: skip
    assert_same_run(*runs)


@pytest.mark.parametrize(
    "schedule",
    [schedules.step(4), schedules.exponential(0.9), "cosine", schedules.linear(0.2),
     schedules.one_cycle()],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("optimizer", ["momentum", "groups"])
def test_every_schedule(schedule: Any, optimizer: str) -> None:
    runs = [run(c, schedule=schedule, optimizer=OPTIMIZERS[optimizer]) for c in (True, False)]
    assert_same_run(*runs)


@pytest.mark.parametrize(
    "options",
    [{"clip_norm": 0.3}, {"clip_value": 0.01}, {"clip_norm": 0.1, "clip_value": 0.05},
     {"scale": 0.5, "shift": 0.25}, {"shuffle": False}, {"batch_size": 90}, {"batch_size": 200},
     {"batch_size": 1, "epochs": 1}, {"batch_size": 89, "epochs": 2}, {"epochs": 1}],
    ids=str,
)  # fmt: skip
def test_options(options: dict[str, Any]) -> None:
    runs = [run(c, optimizer=OPTIMIZERS["adam"], **options) for c in (True, False)]
    assert_same_run(*runs)


@pytest.mark.parametrize("hidden", [(), (4,), (16, 16, 16), (3,) * 8])
@pytest.mark.parametrize("size", [7, 32])
def test_depths(hidden: tuple[int, ...], size: int, threads: int) -> None:
    runs = [run(c, model=models.mlp(5, hidden, 3, seed=2), batch_size=size) for c in (True, False)]
    assert_same_run(*runs)


def test_large_enough_for_threads(threads: int) -> None:
    rng = np.random.default_rng(0)
    data, y = rng.normal(size=(700, 200)).astype(np.float32), rng.integers(0, 10, 700)
    runs = [
        run(c, data, y, models.mlp(200, (150, 90), 10, seed=1), optimizer=OPTIMIZERS["adam"],
            batch_size=256, epochs=2)
        for c in (True, False)
    ]  # fmt: skip
    assert_same_run(*runs)


def test_images(threads: int) -> None:
    def model() -> Module:
        return layers.Sequential(
            layers.Flatten(), layers.Linear(5, 7, seed=1), layers.Tanh(),
            layers.Linear(7, 6, seed=2, bias=False), layers.Sigmoid(), layers.Linear(6, 3, seed=3),
        )  # fmt: skip

    images = IMAGES.reshape(90, 5, 1)
    runs = [run(c, images, model=model(), scale=1 / 255) for c in (True, False)]
    assert_same_run(*runs)


class Residual(Module):
    """Layers that are called twice, NumPy code and a parameter of its own between them."""

    def __init__(self) -> None:
        self.inner = layers.Linear(5, 5, seed=1)
        self.out = layers.Linear(5, 3, seed=2)
        self.gain = layers.Parameter(np.ones(5, np.float32))

    def forward(self, x: Any) -> Any:
        for _ in range(2):
            x = x + np.maximum(self.inner(x), 0.01 * self.inner(x)) * self.gain
        x = x / np.sqrt((x * x).mean(axis=1, keepdims=True) + 1e-5)
        return self.out(x)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_model_of_ones_own(optimizer: str, threads: int) -> None:
    runs = [
        run(c, model=Residual(), optimizer=OPTIMIZERS[optimizer], clip_norm=1.0)
        for c in (True, False)
    ]
    assert_same_run(*runs)


def test_frozen_parameters() -> None:
    def frozen() -> Module:
        model = models.mlp(5, (8, 6), 3, seed=1)
        for parameter in list(model.parameters())[:2]:
            parameter.requires_grad = False
        return model

    first = next(frozen().parameters()).data
    runs = [run(c, model=frozen(), optimizer=OPTIMIZERS["decay"]) for c in (True, False)]
    assert_same_run(*runs)
    assert np.array_equal(next(runs[0].model.parameters()).data, first)


def test_an_optimizer_of_a_part_of_the_model() -> None:
    def head_only(parameters: Any) -> Any:
        return optim.SGD(list(parameters)[-2:], 0.1, momentum=0.9)

    runs = [run(c, optimizer=head_only, clip_norm=0.5) for c in (True, False)]
    assert_same_run(*runs)


# --- what changes between steps -------------------------------------------------------------


class Meddler:
    """Changes what a step depends on, after steps 3, 6, 9, ..., and tells what it sees."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_batch_end(self, trainer: Trainer) -> None:
        parameters = list(trainer.model.parameters())
        optimizer, step = trainer.optimizer, trainer.run.step
        gradients = [None if p.grad is None else p.grad.sum() for p in parameters]
        self.seen += [parameters[0].data.sum(), gradients, trainer.run.loss_sum]
        if step == 3:
            parameters[0].requires_grad = False
        elif step == 5:
            parameters[0].requires_grad = True
            optimizer.lr = 0.02
        elif step == 7:
            optimizer.param_groups[0]["momentum"] = 0.5
        elif step == 9:
            optimizer.param_groups[0]["weight_decay"] = 0.5
        elif step == 11:
            parameters[2].data = parameters[2].data * 0.5
            optimizer.load_state_dict(optimizer.state_dict())
        elif step == 13:
            optimizer.state[parameters[1]]["velocity"] = np.ones_like(parameters[1].data)


def test_what_callbacks_change_is_honoured() -> None:
    meddlers = [Meddler(), Meddler()]
    runs = [
        run(c, optimizer=OPTIMIZERS["momentum"], callbacks=[m])
        for c, m in zip((True, False), meddlers, strict=True)
    ]
    assert_same_run(*runs)
    assert len(meddlers[0].seen) == 3 * 18
    assert meddlers[0].seen == meddlers[1].seen


def test_gradients_are_given_up_where_no_callback_may_look_at_them() -> None:
    plain, watched = run(True), run(True, callbacks=[Meddler()], epochs=1)
    linear = [p for p in plain.model.parameters() if p.ndim == 2]
    assert [p.grad is None for p in linear] == [True, True, True]
    assert all(p.grad is not None for p in watched.model.parameters() if p.requires_grad)


def test_changes_between_fits() -> None:
    made = [trainer(model=models.mlp(5, (8,), 3, seed=1), capture=c) for c in (True, False)]
    for each in made:
        each.fit(X, Y, **PLAN)
        each.optimizer.lr = 0.01
        each.fit(X, Y, **{**PLAN, "batch_size": 20})
        list(each.model.parameters())[1].requires_grad = False
        each.clip_norm = 0.1
        each.fit(X[:50], Y[:50], **PLAN)
        each.model.eval()
        each.fit(X[:50], Y[:50], **PLAN)
    assert_same_run(*made)


def test_early_stopping_and_checkpoints(tmp_path: Path) -> None:
    runs = [
        run(c, optimizer=OPTIMIZERS["adam"], epochs=12, validation_data=(X[:20], Y[:20][::-1]),
            callbacks=[callbacks.EarlyStopping(patience=2),
                       callbacks.Checkpoint(tmp_path / f"{c}")])
        for c in (True, False)
    ]  # fmt: skip
    assert_same_run(*runs)
    assert len(runs[0].run.history) < 12
    resumed = [Trainer.resume(tmp_path / f"{c}") for c in (True, False)]
    assert_same_weights(resumed[0].model, resumed[1].model)


class Interrupt:
    def __init__(self, after: int) -> None:
        self.after = after

    def on_batch_end(self, trainer: Trainer) -> None:
        if trainer.run.step == self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [1, 4, 6, 13])
def test_resuming_with_and_without_capture(tmp_path: Path, after: int) -> None:
    """A run goes from captured to eager and back in the middle, and ends with the same bits."""
    options = {"optimizer": OPTIMIZERS["adam"], "schedule": "cosine"}
    whole = run(False, **options)
    for first in (True, False):
        model = models.mlp(5, (8, 6), 3, seed=1)
        made = Trainer(
            model, "cross_entropy", OPTIMIZERS["adam"](model.parameters()),
            schedule="cosine", capture=first,
        )  # fmt: skip
        with pytest.raises(KeyboardInterrupt):
            made.fit(X, Y, callbacks=[Interrupt(after)], **PLAN)
        made.save(tmp_path / "run")
        resumed = Trainer.resume(tmp_path / "run")
        resumed.capture = not first
        resumed.fit(X, Y, progress=False)
        assert_same_run(resumed, whole)
