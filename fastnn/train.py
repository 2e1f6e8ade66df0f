"""Trainer: mini-batch training of a Module, and the runs it can save and resume."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from time import perf_counter
from typing import Any

from fastnn import optim, resuming, schedules
from fastnn.augment import Augment
from fastnn.batches import Batches
from fastnn.callbacks import Listeners
from fastnn.checks import number
from fastnn.history import History
from fastnn.interrupts import Interrupts
from fastnn.layers.module import Module, in_mode
from fastnn.modes import no_grad
from fastnn.objective import Objective
from fastnn.progress import ProgressBar
from fastnn.run import Run, make_plan
from fastnn.serialize import StrPath, explaining
from fastnn.steps import PythonSteps, ReplayedSteps
from fastnn.tensor import Tensor, wrap

__all__ = ["Trainer"]


class Trainer:
    """Trains a model: one object holds all that a training run consists of.

    Args:
        model: a Module.  Its dtype is the one everything is computed in.
        loss: ``"cross_entropy"`` or ``"hinge"``, of raw scores (N, C) and class labels
            (N,); ``"mse"``, ``"l1"``, ``"huber"`` or ``"binary_cross_entropy"`` (of
            logits), with real targets of the output's shape; or a function of two
            Tensors, output and targets, to a scalar Tensor: the mean over the batch
            (for weights by class, one that calls ``fastnn.cross_entropy``).
        optimizer: an Optimizer of the model's parameters (frozen ones, without
            ``requires_grad``, it leaves as they are), or ``"adam"``, ``"adamw"``,
            ``"rmsprop"``, ``"adagrad"`` (with their default options) or ``"sgd"``
            (lr 0.01).
        schedule: a schedule or its name: what each step multiplies the learning rates
            of the optimizer by.  They are set back at the end of a run.
        clip_norm: scale the gradients down to this norm, taken over all parameters
            together, where they exceed it (Pascanu, Mikolov, Bengio, 2013).
        clip_value: clip each element of the gradients to [-clip_value, clip_value],
            before ``clip_norm``.
        scale, shift: the model gets ``X * scale + shift``, batch by batch, in training
            and in ``evaluate``; so uint8 images stay uint8 in memory.
        capture: run the training step once in Python, and then replay it in C (see
            ``fastnn.capture``).  False runs every step in Python, for a model or a loss
            that looks at values; so does, after one warning, a step that cannot be replayed.
            The results have the same bits.  A replayed step leaves gradients in ``.grad`` only
            if a callback has an ``on_batch_end``, which may look at them.

    Attributes:
        model, optimizer, schedule, clip_norm, clip_value, scale, shift: as above.

    Raises:
        TypeError, ValueError: naming the argument.
    """

    def __init__(
        self,
        model: Module,
        loss: str | Callable[[Tensor, Tensor], Tensor],
        optimizer: optim.Optimizer | str,
        *,
        schedule: schedules.Schedule | str | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        scale: float = 1.0,
        shift: float = 0.0,
        capture: bool = True,
    ) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"model must be a Module, got {type(model).__name__}")
        self.model = model
        self.optimizer = resuming.make_optimizer(optimizer, model)
        self.schedule = None if schedule is None else schedules.get(schedule)
        self.clip_norm = None if clip_norm is None else number("clip_norm", clip_norm, "(0, inf)")
        self.clip_value = (
            None if clip_value is None else number("clip_value", clip_value, "(0, inf)")
        )
        self.scale = number("scale", scale, "(-inf, inf)")
        self.shift = number("shift", shift, "(-inf, inf)")
        self.capture = bool(capture)
        self._run: Run | None = None
        self.objective = Objective(loss)
        self._listeners = Listeners(())
        # What the callbacks of a resumed run remember, until fit() gives it to them.
        self._callback_states: list[dict[str, Any]] | None = None

    @property
    def run(self) -> Run:
        """The run that is going on, or the last one.

        Raises:
            RuntimeError: before the first ``fit``.
        """
        if self._run is None:
            raise RuntimeError("this trainer has no run yet: call fit first")
        return self._run

    # --- training -------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        shuffle: bool | None = None,
        validation_data: tuple[Any, Any] | None = None,
        seed: int | None = None,
        callbacks: Iterable[Any] = (),
        progress: bool = True,
        sample_weight: Any = None,
        augment: Augment | None = None,
    ) -> History:
        """Train for some epochs, and return what was recorded.

        Each call is a run of its own, which begins with the weights and the optimizer
        as they are.  Only on a trainer that comes from ``Trainer.resume`` does the
        first call go on with the saved run, and end with the bits of a run that was
        never interrupted; it wants the same data and callbacks again.

        The history has a row an epoch: ``data_loss``, the mean loss over the samples
        as they were met; ``regularization``, R(W) of the weights at the epoch's end;
        ``loss``, their sum; for class labels and binary targets ``accuracy``, a
        fraction; with validation data ``val_loss`` (without R) and ``val_accuracy``,
        of the weights at the epoch's end; ``lr``, the first group's learning rate in
        the epoch's last step; ``seconds``, validation included.

        Args:
            X: samples (N, ...) of any real dtype, never modified.  uint8 is kept as it
                is, anything else is brought to the model's dtype once.
            y: labels (N,) of any integer dtype, or targets (N, ...).  Targets (N,) of
                a named loss stand for (N, 1) where that is the output's shape; a
                function gets them as they are.
            epochs: passes through the data; 10, or as the saved run has it.
            batch_size: samples a step, of which an epoch's last may have fewer; 128.
            shuffle: whether each epoch has an order of its own; True.
            validation_data: (X, y) to evaluate after each epoch.
            seed: of the shuffling and of ``augment``, a non-negative int; 0.
            callbacks: see ``fastnn.callbacks``.  They are told in this order, but
                Checkpoints last.
            progress: show a bar on standard error.
            sample_weight: (N,), at least 0: a named loss becomes a weighted mean.
                Samples of weight 0 are left out, of the accuracy too.
            augment: how the images X (N, C, H, W) are varied, anew in each epoch, see
                ``fastnn.Augment``; None, not at all, or as the saved run has it.  What is
                evaluated never is; with ``Augment(crop=...)`` it is the images' middle.

        Raises:
            TypeError, ValueError: naming the argument and what is wrong with it.
            FloatingPointError: when the loss, or the norm that clip_norm takes, is not
                finite.  The weights are those before that step, or with EarlyStopping
                those of the best epoch.
            KeyboardInterrupt: on Ctrl-C, when the step that it falls in is done.
                Everything is as that step left it, ready for ``save``.
        """
        listeners = Listeners(callbacks)
        saved = None if self._callback_states is None else self._run
        plan = make_plan(saved, epochs, batch_size, shuffle, seed, augment)
        augment = plan["augment"]
        data = self._batches(
            X,
            y,
            plan["batch_size"],
            sample_weight=sample_weight,
            augment=augment,
            seed=plan["seed"],
        )
        validation = None
        if validation_data is not None:
            Xv, yv = _pair(validation_data)
            validation = self._evaluated(Xv, yv, augment, of="validation_data: ")
        columns = _columns(data, validation)
        if saved is None:
            rates = [group["lr"] for group in self.optimizer.param_groups]
            run = Run(samples=len(data), base_lrs=rates, columns=columns, **plan)
        else:
            saved.check(samples=len(data), columns=columns)
            saved.epochs = plan["epochs"]
            run = saved
        self._run = run
        self._listeners = listeners
        listeners.tell("on_fit_begin", self)
        if self._callback_states is not None:
            listeners.restore(self._callback_states)
            self._callback_states = None
        bar = ProgressBar(run) if progress else None
        told = Listeners([*listeners, bar]) if bar else listeners
        interrupts = Interrupts()
        looked_at = bool(listeners.hooks("on_batch_end"))
        steps = (
            ReplayedSteps(self, run, data, keep_grad=looked_at)
            if self.capture
            else PythonSteps(self, run, data)
        )
        try:
            with interrupts, in_mode(self.model, training=True):
                while not run.finished:
                    self._epoch(steps, validation, told, interrupts)
        except FloatingPointError:
            listeners.tell("on_divergence", self)
            raise
        finally:
            if bar:
                bar.close()
            if self.schedule is not None:
                for group, rate in self._base_rates(run):
                    group["lr"] = rate
        listeners.tell("on_fit_end", self)
        return run.history

    def _epoch(
        self,
        steps: PythonSteps | ReplayedSteps,
        validation: Batches | None,
        listeners: Listeners,
        interrupts: Interrupts,
    ) -> None:
        """What is left of an epoch, and its row in the history."""
        run = steps.run
        after_step = listeners.hooks("on_batch_end")
        on_progress = listeners.hooks("on_progress")
        most = 1 if after_step else run.steps_per_epoch
        began = perf_counter() - run.seconds
        steps.data.begin_epoch(run.epoch)
        steps.begin_epoch(steps.data.rows[run.order()])
        while run.position < run.steps_per_epoch:
            with interrupts.held:
                steps.advance(most)
                run.seconds = perf_counter() - began
            for hook in after_step:
                hook(self)
            for hook in on_progress:
                hook()
        row = self._row(run, validation)
        with interrupts.held:
            run.end_epoch({**row, "seconds": perf_counter() - began})
        listeners.tell("on_epoch_end", self, run.history.rows[-1])

    def set_learning_rates(self, run: Run, step: int) -> None:
        """Those of this step of the run, where there is a schedule."""
        if self.schedule is not None:
            steps = run.steps_per_epoch
            factor = self.schedule.factor(step, run.epochs * steps, steps)
            for group, rate in self._base_rates(run):
                group["lr"] = rate * factor

    def _base_rates(self, run: Run) -> Iterator[tuple[dict[str, Any], float]]:
        return zip(self.optimizer.param_groups, run.base_lrs, strict=True)

    def _row(self, run: Run, validation: Batches | None) -> dict[str, float]:
        means = run.means()
        # Again, for a run resumed after the last step of the epoch.
        self.set_learning_rates(run, run.step - 1)
        regularization = self.optimizer.regularization()
        row = {
            "data_loss": means["loss"],
            "regularization": regularization,
            "loss": means["loss"] + regularization,
            "lr": self.optimizer.param_groups[0]["lr"],
        }
        if "accuracy" in means:
            row["accuracy"] = means["accuracy"]
        if validation is not None:
            for name, value in self._measure(validation).items():
                row[f"val_{name}"] = value
        return row

    # --- evaluation -----------------------------------------------------------------

    def evaluate(self, X: Any, y: Any) -> dict[str, float]:
        """Mean loss, and accuracy where there is a right and wrong, in evaluation mode.

        Args:
            X, y: as in ``fit``.  Of a run with ``Augment(crop=...)``, the images' middle is
                evaluated.

        Returns:
            ``{"loss": ..., "accuracy": ...}``; the loss is without R(W).

        Raises:
            TypeError, ValueError: naming the argument and what is wrong with it.
        """
        augment = None if self._run is None else self._run.augment
        return self._measure(self._evaluated(X, y, augment))

    def _measure(self, data: Batches) -> dict[str, float]:
        loss, hits, chances = 0.0, 0, 0
        with in_mode(self.model, training=False), no_grad():
            for start in range(0, len(data), data.size):
                x, y, _ = data.gather(data.rows[start : start + data.size])
                scores = self.model(wrap(x))
                loss += self.objective(scores, y, None).item() * len(x)
                batch_hits, batch_chances = data.hits(scores.data, y)
                hits += batch_hits
                chances += batch_chances
        measures = {"loss": loss / len(data)}
        if chances:
            measures["accuracy"] = hits / chances
        return measures

    def _evaluated(self, X: Any, y: Any, augment: Augment | None, of: str = "") -> Batches:
        """What a model that was trained on such images is measured on."""
        if augment is not None:
            X = augment.center_crop(X, f"{of}X")
        return self._batches(X, y, of=of)

    def _batches(
        self,
        X: Any,
        y: Any,
        size: int | None = None,
        *,
        of: str = "",
        sample_weight: Any = None,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> Batches:
        return self.objective.batches(
            self.model,
            X,
            y,
            sample_weight,
            size=size,
            scale=self.scale,
            shift=self.shift,
            of=of,
            augment=augment,
            seed=seed,
        )

    # --- saving and resuming --------------------------------------------------------

    def save(self, path: StrPath, metadata: Mapping[str, Any] | None = None) -> None:
        """Save model, optimizer, schedule, callbacks and run in one safetensors file.

        It can be called at any time, by callbacks too, and after Ctrl-C.
        ``fastnn.load(path)`` reads the model alone.

        Raises:
            TypeError: if the optimizer is not fastnn's own, or see ``fastnn.save``.
            ValueError: if the schedule is a formula of yours, or see ``fastnn.save``.
            OSError: naming ``path``, if it cannot be written.
        """
        resuming.save(self.model, self._state(), path, metadata)

    def _state(self) -> dict[str, Any]:
        schedule = None if self.schedule is None else self.schedule.config()
        if schedule is not None:
            schedules.from_config(schedule)  # a formula is refused now, not on resume
        states = self._callback_states
        return {
            "loss": self.objective.name,
            "optimizer": resuming.save_optimizer(self.optimizer, self.model),
            "schedule": schedule,
            "options": {
                "clip_norm": self.clip_norm,
                "clip_value": self.clip_value,
                "scale": self.scale,
                "shift": self.shift,
            },
            "run": None if self._run is None else self._run.state_dict(),
            "callbacks": self._listeners.states() if states is None else states,
        }

    @classmethod
    def resume(
        cls, path: StrPath, *, loss: Callable[[Tensor, Tensor], Tensor] | None = None
    ) -> Trainer:
        """The trainer that ``save`` wrote; its next ``fit`` goes on with the saved run.

        Args:
            path: a file of ``Trainer.save`` or ``Checkpoint``.
            loss: the function that was the loss, since a file cannot hold it.

        Raises:
            OSError: if the file cannot be read.
            ValueError: naming ``path``, if it is damaged or holds no run, or if
                ``loss`` is missing or not wanted.
        """
        model, state = resuming.read(path, loss is not None)
        with explaining(path):
            trainer = cls(
                model,
                loss or state["loss"],
                resuming.load_optimizer(state["optimizer"], model),
                schedule=state["schedule"] and schedules.from_config(state["schedule"]),
                **state["options"],
            )
            if state["run"] is not None:
                trainer._run = Run.from_state_dict(state["run"])
                trainer._callback_states = state["callbacks"]
        return trainer


def _pair(validation_data: Any) -> tuple[Any, Any]:
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        raise TypeError("validation_data must be a pair (X, y)")
    X, y = validation_data
    return X, y


def _columns(data: Batches, validation: Batches | None) -> list[str]:
    """What a run records, in the order of the history's columns."""
    names = ["loss", "data_loss", "regularization"]
    names += ["accuracy"] if data.count else []
    if validation is not None:
        names += ["val_loss"] + (["val_accuracy"] if validation.count else [])
    return [*names, "lr", "seconds"]
