"""A training step that cannot be replayed: it runs in Python, after one warning that says why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from program.kept import Remembers, line_of
from program.replaying import assert_same_bits
from training import classes

import fastnn
from fastnn import Tensor, Trainer, layers, optim

x = np.array([3.0, 1.0, 2.0])


class Sorted(layers.Module):
    def __init__(self) -> None:
        self.linear = layers.Linear(5, 3, seed=1)

    def forward(self, x: Any) -> Any:
        return np.sort(self.linear(x), axis=0)  # here


class Keeps(optim.SGD):
    """An optimizer with state of its own, made by plain NumPy."""

    def _update(self, parameter: Any, group: Any, state: dict[str, Any]) -> None:
        state["m"] = 0.9 * state.get("m", 0.0) + parameter.grad
        parameter.data -= group["lr"] * state["m"]


class Reads(optim.SGD):
    """An optimizer that reads its learning rate itself."""

    def _update(self, parameter: Any, group: Any, state: dict[str, Any]) -> None:
        parameter.data -= group["lr"] * parameter.grad


@pytest.mark.parametrize(
    ("model", "optimizer", "options", "message"),
    [
        (Sorted, optim.SGD, {}, f"np.sort.*line {line_of(Sorted.forward)}"),
        (lambda: Remembers(True), optim.SGD, {}, "used after that"),
        (lambda: Remembers(False), Keeps, {}, "used after that"),
        (lambda: Remembers(False), Reads, {"schedule": "cosine"}, "Reads reads its learning rate"),
        (lambda: Remembers(False), optim.SGD,
         {"loss": lambda s, y: fastnn.cross_entropy(s, y) * len({s.data.tobytes()})}, "tobytes"),
        (lambda: Remembers(False), optim.SGD,
         {"loss": lambda s, y: fastnn.cross_entropy(s, y) * vars(s.data)["no"] if
          type(s.data) is not np.ndarray else fastnn.cross_entropy(s, y)}, "TypeError"),
    ],
)  # fmt: skip
def test_training_goes_on_in_python_after_one_warning(
    model: Any, optimizer: Any, options: dict[str, Any], message: str
) -> None:
    data, y = classes()
    found = []
    for capture in (True, False):
        made = model()
        rest = {key: value for key, value in options.items() if key != "loss"}
        trainer = Trainer(
            made, options.get("loss", "cross_entropy"), optimizer(made.parameters(), 0.1),
            capture=capture, **rest,
        )  # fmt: skip
        if capture:
            with pytest.warns(RuntimeWarning, match=f"runs in Python.*{message}") as warned:
                trainer.fit(data, y, epochs=2, batch_size=16, progress=False)
            assert len(warned) == 1
            assert warned[0].filename == __file__
        else:
            trainer.fit(data, y, epochs=2, batch_size=16, progress=False)
        found.append([*(p.data for p in made.parameters()), *trainer.run.history["loss"]])
    assert_same_bits(found[0], found[1])


def test_an_error_of_the_step_itself_comes_without_a_warning() -> None:
    data, y = classes()
    model = Remembers(False)
    for loss, error in (
        (lambda s, y: s, "must return a scalar Tensor"),
        (lambda s, y: Tensor(np.ones(())), "needs no gradient"),
        (lambda s, y: fastnn.cross_entropy(s, y + 7), "allowed are 0 to 2"),
    ):
        trainer = Trainer(model, loss, optim.SGD(model.parameters(), 0.1))
        with pytest.raises((TypeError, RuntimeError, ValueError), match=error):
            trainer.fit(data, y, epochs=1, progress=False)
        assert_same_bits(model.weight.data, np.ones((5, 3), np.float32))


def test_a_rate_that_an_optimizer_reads_itself_is_noticed() -> None:
    found = []
    for captured in (True, False):
        w = Tensor(np.ones(3), requires_grad=True)
        optimizer = Reads([w], 0.1)

        def step(x: Any, w: Tensor = w, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            (w * x).sum().backward()
            optimizer.step()

        run = fastnn.capture(step) if captured else step
        for i in range(4):
            optimizer.lr = 0.1 / (i + 1)
            run(x)
        found.append(w.data.copy())
    assert_same_bits(found[0], found[1])
