"""Where a training run is: its plan, its position, the sums of the current epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fastnn.augment import Augment
from fastnn.checks import whole
from fastnn.history import History

__all__ = ["Run", "make_plan"]

_DEFAULTS: dict[str, Any] = {
    "epochs": 10,
    "batch_size": 128,
    "shuffle": True,
    "seed": 0,
    "augment": None,
}


class Run:
    """One run of ``Trainer.fit``: together with weights and optimizer, all its state.

    Attributes:
        samples: how many samples take part in an epoch.
        epochs, batch_size, shuffle, seed, augment: the plan, as given to ``fit``.
        base_lrs: the learning rate of each parameter group, before the schedule.
        epoch: how many epochs are whole.
        position: how many steps of the current epoch are done.
        stopped: whether ``stop()`` was called.
        seconds, loss_sum, weight_sum, hits, chances: of the current epoch so far.
        history: one row for each whole epoch.
    """

    def __init__(
        self,
        *,
        samples: int,
        epochs: int,
        batch_size: int,
        shuffle: bool,
        seed: int,
        augment: Augment | None,
        base_lrs: list[float],
        columns: Iterable[str],
    ) -> None:
        self.samples = samples
        self.epochs = epochs
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.augment = augment
        self.base_lrs = base_lrs
        self.epoch = 0
        self.stopped = False
        self.history = History(columns)
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.position = 0
        self.seconds = 0.0
        self.loss_sum = self.weight_sum = 0.0
        self.hits = self.chances = 0

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch; the last takes what samples are left."""
        return -(-self.samples // self.batch_size)

    @property
    def step(self) -> int:
        """How many steps are done since the run began."""
        return self.epoch * self.steps_per_epoch + self.position

    @property
    def finished(self) -> bool:
        """Whether no step is left to do."""
        return self.epoch >= self.epochs or (self.stopped and not self.position)

    def stop(self) -> None:
        """End the run with the current epoch, or now, between two epochs."""
        self.stopped = True

    def order(self) -> np.ndarray:
        """The samples (samples,) in the order of the current epoch, int64.

        The generator is seeded with the run's seed and the epoch's number, so that the
        order is known again after a resume, in the middle of the epoch too.
        """
        if not self.shuffle:
            return np.arange(self.samples)
        seed = np.random.SeedSequence(self.seed, spawn_key=(self.epoch,))
        return np.random.default_rng(seed).permutation(self.samples)

    def check(self, *, samples: int, columns: list[str]) -> None:
        """Raise a ValueError unless the run can go on with such data."""
        if samples != self.samples:
            raise ValueError(f"X: the saved run trains on {self.samples} samples, got {samples}")
        if tuple(columns) != self.history.columns:
            raise ValueError(
                "validation_data: the saved run records "
                f"{', '.join(self.history.columns)}; with this data there would be "
                f"{', '.join(columns)}"
            )

    def add(self, loss: float, weight: float, hits: int, chances: int) -> None:
        """Count a step: mean loss over samples of total ``weight``, and the hits."""
        self.loss_sum += loss * weight
        self.weight_sum += weight
        self.hits += hits
        self.chances += chances
        self.position += 1

    def add_steps(self, losses: np.ndarray, weights: np.ndarray, hits: int, chances: int) -> None:
        """Count several steps, to the same bits as one by one."""
        terms = np.concatenate([[self.loss_sum], losses * weights])
        self.loss_sum = float(np.add.accumulate(terms)[-1])
        terms = np.concatenate([[self.weight_sum], weights])
        self.weight_sum = float(np.add.accumulate(terms)[-1])
        self.hits += hits
        self.chances += chances
        self.position += len(losses)

    def means(self) -> dict[str, float]:
        """Mean loss, and accuracy if counted, over the current epoch's steps so far."""
        means = {"loss": self.loss_sum / self.weight_sum}
        if self.chances:
            means["accuracy"] = self.hits / self.chances
        return means

    def not_finite(self, what: str, value: float) -> FloatingPointError:
        """The error that stops the run before the step at hand."""
        return FloatingPointError(
            f"the {what} is {value} at epoch {self.epoch + 1}, step "
            f"{self.position + 1} of {self.steps_per_epoch}; that step was not made. "
            "A lower learning rate or clip_norm may help"
        )

    def end_epoch(self, row: Mapping[str, float]) -> None:
        """Record the current epoch and go on to the next."""
        self.history.append(row)
        self.epoch += 1
        self._begin_epoch()

    def state_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        state = dict(vars(self))
        history = state.pop("history")
        if self.augment is not None:
            state["augment"] = self.augment.config()
        return {**state, "columns": list(history.columns), "rows": history.rows}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> Run:
        """A run that goes on from a ``state_dict()``.

        Raises:
            ValueError: if something in it is missing, of another type or too much.
        """
        state = dict(state)
        columns, rows = state.pop("columns", ()), state.pop("rows", ())
        config = state.pop("augment", None)  # files of older versions have none
        run = cls(samples=1, base_lrs=[], columns=columns, **_DEFAULTS)
        fields = vars(run)
        if state.keys() != fields.keys() - {"history", "augment"}:
            raise ValueError(f"a run does not have the fields {', '.join(state)}")
        for name, value in state.items():
            if type(value) is not type(fields[name]):
                raise ValueError(f"a run's {name} cannot be {value!r}")
        fields.update(state)
        run.augment = None if config is None else Augment(**config)
        for row in rows:
            run.history.append(row)
        if len(rows) != run.epoch:
            raise ValueError(f"{len(rows)} rows do not make {run.epoch} epochs")
        return run


def make_plan(
    saved: Run | None,
    epochs: int | None,
    batch_size: int | None,
    shuffle: bool | None,
    seed: int | None,
    augment: Augment | None,
) -> dict[str, Any]:
    """The arguments of a run; None stands for those of ``saved``, or the defaults.

    A saved run can be given other ``epochs``; all else must be as it was.

    Raises:
        TypeError, ValueError: naming the argument.
    """
    given: dict[str, Any] = {
        "epochs": None if epochs is None else whole("epochs", epochs, 1),
        "batch_size": None if batch_size is None else whole("batch_size", batch_size, 1),
        "shuffle": None if shuffle is None else bool(shuffle),
        "seed": None if seed is None else whole("seed", seed, 0),
        "augment": augment,
    }
    if not (augment is None or isinstance(augment, Augment)):
        raise TypeError(f"augment must be a fastnn.Augment or None, got {augment!r}")
    if saved is None:
        planned = _DEFAULTS
    else:
        planned = {name: getattr(saved, name) for name in given}
        for name in ("batch_size", "shuffle", "seed", "augment"):
            if given[name] not in (None, planned[name]):
                raise ValueError(f"{name}: the saved run has {planned[name]}, got {given[name]}")
    plan = {name: planned[name] if value is None else value for name, value in given.items()}
    if saved is not None and plan["epochs"] < saved.epoch + bool(saved.position):
        raise ValueError(
            f"epochs: the saved run is in epoch {saved.epoch + 1}, got {plan['epochs']}"
        )
    return plan
