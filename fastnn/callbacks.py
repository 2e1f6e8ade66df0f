"""Objects that ``Trainer.fit`` tells how the training goes.

A callback is any object with some of these methods; none is required::

    on_fit_begin(trainer)       before the first step, also of a resumed run
    on_batch_end(trainer)       after each step
    on_epoch_end(trainer, row)  after each epoch, with the row of the history
    on_fit_end(trainer)         when a run has come to its end, not after an exception
    on_divergence(trainer)      before the FloatingPointError of a loss that is not finite

A callback whose behaviour depends on what it saw before also has ``state_dict()``
(nested dicts of JSON values and arrays) and ``load_state_dict(state)``; then a saved
run goes on where it was.  There to use are ``trainer.model``, ``trainer.optimizer``,
``trainer.save(path)`` and ``trainer.run``, a ``fastnn.run.Run``, with its ``epoch``,
``step``, ``history`` and ``stop()``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.checks import number, whole
from fastnn.serialize import StrPath

if TYPE_CHECKING:
    from fastnn.train import Trainer

__all__ = ["Checkpoint", "EarlyStopping", "Listeners"]


class EarlyStopping:
    """Stop when a column of the history no longer improves, and keep the best weights.

    An epoch improves when it is better than the best so far by more than
    ``min_delta``; after ``patience`` epochs in a row that do not, training stops.
    However a run ends, stopped, by its last epoch or by a loss that is not finite, the
    model then has the weights of its best epoch (see Prechelt, Early Stopping - But
    When?, 1998).  Only Ctrl-C leaves it as it is, for the run to be resumed.

    Args:
        monitor: a column of the history; of an accuracy the larger value is better, of
            anything else the smaller.
        patience: epochs, at least 1.
        min_delta: in units of the column, at least 0.

    Raises:
        ValueError: when the run begins, if its history has no such column.
    """

    def __init__(
        self, monitor: str = "val_loss", patience: int = 5, min_delta: float = 0.0
    ) -> None:
        if not isinstance(monitor, str):
            raise TypeError(f"monitor must be the name of a column, got {monitor!r}")
        self.monitor = monitor
        self.patience = whole("patience", patience, 1)
        self.min_delta = number("min_delta", min_delta, "[0, inf)")
        self._sign = -1.0 if monitor.endswith("accuracy") else 1.0
        self._forget()

    def _forget(self) -> None:
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.epochs_without_improvement = 0
        self._weights: dict[str, np.ndarray] = {}

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Forget earlier runs, and check that there is something to monitor."""
        if self.monitor not in trainer.run.history:
            raise ValueError(
                f"monitor: no column {self.monitor!r} in this run's history, which has "
                f"{', '.join(trainer.run.history)}; val_ columns want validation_data"
            )
        self._forget()

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        """Keep the weights of a better epoch; stop after too many that are none."""
        value = row[self.monitor]
        if self._improves(value):
            self.best, self.best_epoch = value, trainer.run.epoch
            self.epochs_without_improvement = 0
            self._weights = trainer.model.state_dict()
        else:
            self.epochs_without_improvement += 1
            if self.epochs_without_improvement >= self.patience:
                trainer.run.stop()

    def _improves(self, value: float) -> bool:
        if self.best is None:
            return not math.isnan(value)
        return self._sign * value < self._sign * self.best - self.min_delta

    def on_fit_end(self, trainer: Trainer) -> None:
        """Put the best weights back."""
        if self._weights:
            trainer.model.load_state_dict(self._weights)

    def on_divergence(self, trainer: Trainer) -> None:
        """Put the best weights back."""
        self.on_fit_end(trainer)

    def state_dict(self) -> dict[str, Any]:
        """What a saved run needs to go on: the best epoch, its value and weights."""
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "epochs_without_improvement": self.epochs_without_improvement,
            "weights": self._weights,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state_dict()``."""
        self.best = state["best"]
        self.best_epoch = state["best_epoch"]
        self.epochs_without_improvement = state["epochs_without_improvement"]
        self._weights = dict(state["weights"])


class Checkpoint:
    """Save the run every few epochs and after its last, for ``Trainer.resume``.

    Checkpoints are written after the other callbacks have heard of the epoch, so that
    what they remember is in the file.

    Args:
        path: the file; each checkpoint replaces the one before.
        every: epochs, at least 1.
        metadata: anything JSON can hold, see ``fastnn.save``.
    """

    def __init__(
        self,
        path: StrPath,
        every: int = 1,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = path
        self.every = whole("every", every, 1)
        self.metadata = metadata

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        """Save after every ``every``-th epoch, and after the last."""
        if trainer.run.epoch % self.every == 0 or trainer.run.finished:
            trainer.save(self.path, self.metadata)


class Listeners:
    """The callbacks of a run, in the order in which they are told.

    Raises:
        TypeError: callbacks is no list, or holds a class instead of an object.
    """

    def __init__(self, callbacks: Iterable[Any]) -> None:
        if isinstance(callbacks, str) or not isinstance(callbacks, Iterable):
            raise TypeError(f"callbacks must be a list of callbacks, got {callbacks!r}")
        callbacks = list(callbacks)
        for one in callbacks:
            if isinstance(one, type):
                name = one.__name__
                raise TypeError(f"callbacks: got the class {name}, wanted an object: {name}(...)")
        # Checkpoints last, to hold what the others make of an epoch.
        self._all = sorted(callbacks, key=lambda one: isinstance(one, Checkpoint))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._all)

    def hooks(self, name: str) -> list[Callable[..., object]]:
        """The methods of this name that there are."""
        return [getattr(one, name) for one in self._all if hasattr(one, name)]

    def tell(self, name: str, *args: Any) -> None:
        """Call them."""
        for hook in self.hooks(name):
            hook(*args)

    def states(self) -> list[dict[str, Any]]:
        """What those with a state remember."""
        return [{"type": type(one).__name__, "state": one.state_dict()} for one in self._stateful()]

    def restore(self, states: list[dict[str, Any]]) -> None:
        """Give back what ``states()`` gave.

        Raises:
            ValueError: if these are other callbacks than those were.
        """
        found = [type(one).__name__ for one in self._stateful()]
        wanted = [state["type"] for state in states]
        if found != wanted:
            raise ValueError(
                "callbacks: of those that remember something, the saved run had "
                f"{', '.join(wanted) or 'none'}; got {', '.join(found) or 'none'}"
            )
        for one, state in zip(self._stateful(), states, strict=True):
            one.load_state_dict(state["state"])

    def _stateful(self) -> list[Any]:
        return [one for one in self._all if hasattr(one, "state_dict")]
