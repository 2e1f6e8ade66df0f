"""The steps of an epoch: replayed from a program, or in Python where they cannot be."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import _kernels as k
from fastnn import functional as F
from fastnn.batches import Batches
from fastnn.modes import recorder, tracked
from fastnn.program.errors import CaptureError, NotFiniteError
from fastnn.run import Run
from fastnn.tensor import wrap

if TYPE_CHECKING:
    from fastnn.program.recording import Recording
    from fastnn.train import Trainer

__all__ = ["PythonSteps", "ReplayedSteps"]


class _Steps:
    """The steps of a run."""

    def __init__(self, trainer: Trainer, run: Run, data: Batches) -> None:
        self.trainer, self.run, self.data = trainer, run, data
        known = trainer.optimizer.state
        self._others = [each for each in trainer.model.parameters() if each not in known]

    def _zero_grad(self) -> None:
        self.trainer.optimizer.zero_grad()
        for parameter in self._others:  # or their gradients would add up
            parameter.grad = None


class PythonSteps(_Steps):
    """Steps made one by one, by the model's own Python."""

    def __init__(self, trainer: Trainer, run: Run, data: Batches) -> None:
        super().__init__(trainer, run, data)
        self.order = np.empty(0, np.int64)

    def begin_epoch(self, order: np.ndarray) -> None:
        """The samples of the epoch, in the order in which they are met."""
        self.order = order

    def advance(self, most: int) -> None:
        """Make a step of the epoch.

        Raises:
            FloatingPointError: the loss, or the norm of the gradients, is not finite; that
                step was not made.
        """
        run, trainer = self.run, self.trainer
        start = run.position * run.batch_size
        x, y, weight = self.data.gather(self.order[start : start + run.batch_size])
        trainer.set_learning_rates(run, run.step)
        scores = trainer.model(wrap(x))
        loss = trainer.objective(scores, y, weight)
        value: float = loss.item()
        if not math.isfinite(value):
            raise run.not_finite("loss", value)
        self._zero_grad()
        loss.backward()
        self._clip()
        trainer.optimizer.step()
        total = len(x) if weight is None else float(weight.sum())
        run.add(value, total, *self.data.hits(scores.data, y))

    def _clip(self) -> None:
        trainer = self.trainer
        if trainer.clip_value is None and trainer.clip_norm is None:
            return
        gradients = _gradients(trainer)
        if trainer.clip_value is not None:
            F.clip_value(gradients, trainer.clip_value)
        if trainer.clip_norm is not None:
            norm = F.clip_norm(gradients, trainer.clip_norm)
            if not math.isfinite(norm):
                raise self.run.not_finite("norm of the gradients", norm)


class ReplayedSteps(_Steps):
    """Steps replayed from programs: one for whole batches, one for what an epoch leaves over.

    Each step leaves its loss and its hits in an array; an epoch's sums are made of these in
    the order of the steps, as they are when each step is made in Python.  The gradients are
    left in the parameters if ``keep_grad``.
    """

    def __init__(self, trainer: Trainer, run: Run, data: Batches, keep_grad: bool) -> None:
        super().__init__(trainer, run, data)
        self._keep_grad = keep_grad
        self._order = np.zeros(run.samples, np.int64)
        self._losses = np.zeros(run.steps_per_epoch)  # float64 holds a loss of any dtype
        self._hits = np.zeros(run.steps_per_epoch, np.int64)
        self._recordings: dict[int, Recording] = {}
        self._python: PythonSteps | None = None

    def begin_epoch(self, order: np.ndarray) -> None:
        """As of :class:`PythonSteps`."""
        self._order[:] = order
        if self._python is not None:
            self._python.begin_epoch(order)

    def advance(self, most: int) -> None:
        """Make up to ``most`` steps, as many as a twentieth of a second allows.

        Raises: as of :class:`PythonSteps`.
        """
        if self._python is not None:
            self._python.advance(most)
            return
        run = self.run
        first = run.position
        whole = run.samples // run.batch_size
        size, last = run.batch_size, min(whole, first + most)
        if first >= whole:
            size, last = run.samples - whole * run.batch_size, first + 1
        recording = self._recordings.get(size)
        if recording is None or not recording.holds():
            self._recordings.pop(size, None)
            self._record(size, first)
            return
        try:
            self._replay(recording, first, last)
        except NotFiniteError as error:
            self._add(size, first, recording.made)
            raise run.not_finite(error.what, error.value) from None
        except BaseException:
            self._add(size, first, recording.made)
            raise
        self._add(size, first, recording.made)

    def _record(self, size: int, position: int) -> None:
        """Make a step, and a recording of it; or go on in Python, with a warning."""
        self.trainer.set_learning_rates(self.run, self.run.step)
        try:
            self._recordings[size] = self._recorded(size, position)
        except NotFiniteError as error:
            raise self.run.not_finite(error.what, error.value) from None
        except Exception as error:  # noqa: BLE001  also what traced arrays do not know
            self._python = PythonSteps(self.trainer, self.run, self.data)
            self._python.begin_epoch(self._order.copy())
            self._python.advance(1)  # which raises what is wrong with the step itself
            reason = str(error) if isinstance(error, CaptureError) else repr(error)
            warnings.warn(
                "the training step runs in Python, step by step, because it cannot be replayed: "
                f"{reason}",
                RuntimeWarning,
                stacklevel=5,
            )
        else:
            self._add(size, position, 1)

    def _replay(self, recording: Recording, first: int, last: int) -> None:
        """Make steps first to last - 1 of the epoch, as many as the time allows."""
        trainer, run = self.trainer, self.run
        if trainer.schedule is not None:
            rates = []
            for step in range(run.step, run.step + last - first):
                trainer.set_learning_rates(run, step)
                rates.append([group["lr"] for group in trainer.optimizer.param_groups])
            recording.set_rates(first, trainer.optimizer.param_groups, np.array(rates))
        made = recording.advance(first, last, 0.05)
        if trainer.schedule is not None:
            trainer.set_learning_rates(run, run.step + made - 1)

    def _recorded(self, size: int, position: int) -> Recording:
        """A recording of the step, which is made by it; it goes through the epoch's arrays."""
        from fastnn.program.recording import Recording  # when first needed: it is large

        start = position * self.run.batch_size
        indices = self._order[start : start + size]
        recording = Recording(
            lambda: self._step(indices, self._losses[position:], self._hits[position:]),
            (),
            capacity=self.run.steps_per_epoch,
            keep_grad=self._keep_grad,
        )
        recording.move(indices, self.run.batch_size * 8, position)
        recording.move(self._losses[position : position + 1], self._losses.itemsize, position)
        recording.move(self._hits[position : position + 1], 8, position)
        return recording

    def _step(self, indices: np.ndarray, losses: np.ndarray, hits: np.ndarray) -> None:
        trainer, record = self.trainer, recorder()
        x, y, weight = self.data.gather(tracked(indices))
        scores = trainer.model(wrap(x))
        loss = trainer.objective(scores, y, weight)
        record.check_finite("loss", loss.data)
        self._zero_grad()
        loss.backward()
        if trainer.clip_value is not None or trainer.clip_norm is not None:
            _clip_in_program(trainer)
        trainer.optimizer.step()
        if trainer.schedule is not None:
            _refuse_fixed_rates(trainer)
        tracked(losses[:1])[...] = loss.data.reshape(1)
        if self.data.count is not None:
            self.data.count_in_program(record, scores.data, y, tracked(hits[:1]))

    def _add(self, size: int, first: int, made: int) -> None:
        if not made:
            return
        steps = slice(first, first + made)
        totals = np.full(made, float(size))
        chances = size if self.data.y.ndim == 1 else size * int(np.prod(self.data.y.shape[1:]))
        if self.data.weight is not None:
            start = first * self.run.batch_size
            weights = [
                self.data.weight[self._order[start + i * size : start + (i + 1) * size]]
                for i in range(made)
            ]
            totals = np.array([each.sum() for each in weights])
        counted = self.data.count is not None
        self.run.add_steps(
            self._losses[steps],
            totals,
            int(self._hits[steps].sum()) if counted else 0,
            made * chances if counted else 0,
        )


def _gradients(trainer: Trainer) -> list[Any]:
    groups = trainer.optimizer.param_groups
    gradients = [p.grad for group in groups for p in group["params"]]
    return [g for g in gradients if g is not None]


def _refuse_fixed_rates(trainer: Trainer) -> None:
    """Raise where the optimizer has not asked the recorder for a learning rate."""
    for group in trainer.optimizer.param_groups:
        is_used = any(p.requires_grad and p.grad is not None for p in group["params"])
        if is_used and not recorder().has_rate(group):
            raise CaptureError(
                f"{type(trainer.optimizer).__name__} reads its learning rate in Python, where a "
                "schedule changes it: read it by fastnn.optim.optimizer.rate(group)"
            )


def _clip_in_program(trainer: Trainer) -> None:
    """What ``PythonSteps`` does by functions that look at the norm, without looking."""
    gradients = _gradients(trainer)
    if trainer.clip_value is not None:
        for g in gradients:
            k.clip_value(g, trainer.clip_value)
    if trainer.clip_norm is not None:
        total: Any = 0
        for g in gradients:
            total = total + k.sum_of_squares(g)
        norm = np.sqrt(total)
        recorder().check_finite("norm of the gradients", norm)
        factor = np.where(norm > trainer.clip_norm, trainer.clip_norm / norm, 1.0)
        for g in gradients:
            g *= factor.astype(g.dtype)
