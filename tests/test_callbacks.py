"""Callbacks: who is told what, early stopping, checkpoints."""

from __future__ import annotations

import os

import numpy as np
import pytest
from training import CLASSES, assert_same_weights, classes, net, trainer

from fastnn import serialize
from fastnn.callbacks import Checkpoint, EarlyStopping
from fastnn.train import Trainer

X, Y = classes()


class Recorder:
    """Writes down what it is told."""

    def __init__(self):
        self.told = []

    def on_fit_begin(self, trainer):
        self.told.append("begin")

    def on_batch_end(self, trainer):
        self.told.append((trainer.run.epoch, trainer.run.position))

    def on_epoch_end(self, trainer, row):
        assert row is trainer.run.history.rows[-1]
        self.told.append(f"epoch {trainer.run.epoch}")

    def on_fit_end(self, trainer):
        self.told.append("end")


def fit(made, callbacks, **options):
    options = {"epochs": 2, "batch_size": 32, "progress": False, **options}
    return made.fit(X, Y, callbacks=callbacks, **options)


def test_callbacks_hear_of_everything_in_order():
    recorder = Recorder()
    fit(trainer(), [recorder])
    first, second = ([(epoch, step) for step in (1, 2, 3)] for epoch in (0, 1))
    assert recorder.told == ["begin", *first, "epoch 1", *second, "epoch 2", "end"]


@pytest.mark.parametrize("progress", [True, False])
def test_any_object_is_a_callback_and_any_iterable_holds_them(progress):
    recorder = Recorder()
    fit(trainer(), (one for one in (object(), recorder)), progress=progress)
    assert len(recorder.told) == 2 + 2 * 4


def test_callbacks_are_told_in_their_order_but_checkpoints_last(tmp_path):
    told = []

    class Named:
        def __init__(self, name):
            self.on_epoch_end = lambda trainer, row: told.append(name)

    class Saving(Checkpoint):
        def on_epoch_end(self, trainer, row):
            told.append("checkpoint")

    fit(trainer(), [Saving(tmp_path / "c"), Named("a"), Named("b")], epochs=1)
    assert told == ["a", "b", "checkpoint"]


def test_stop_ends_the_run_with_its_epoch():
    class Stopper(Recorder):
        def on_batch_end(self, trainer):
            super().on_batch_end(trainer)
            if trainer.run.step == 4:
                trainer.run.stop()

    recorder = Stopper()
    history = fit(trainer(), [recorder], epochs=9)
    assert len(history) == 2
    assert recorder.told[-2:] == ["epoch 2", "end"]


def test_an_exception_of_a_callback_ends_the_run_without_on_fit_end():
    class Failing(Recorder):
        def on_epoch_end(self, trainer, row):
            raise ZeroDivisionError

    recorder = Failing()
    made = trainer(schedule="cosine")
    with pytest.raises(ZeroDivisionError):
        fit(made, [recorder])
    assert "end" not in recorder.told
    assert made.optimizer.lr == 0.1


# --- early stopping -------------------------------------------------------------------


class Scripted(Trainer):
    """A trainer whose validation gives the numbers of a script."""

    def __init__(self, script, column="val_loss"):
        model = net()
        super().__init__(model, "cross_entropy", "sgd")
        self.script = iter(script)
        self.column = column
        self.weights = []

    def _row(self, run, validation):
        self.weights.append(self.model.state_dict())
        return {**super()._row(run, validation), self.column: next(self.script)}


def stopped_run(script, column="val_loss", **options):
    made = Scripted(script, column)
    early = EarlyStopping(column, **options)
    history = fit(made, [early], epochs=len(script), validation_data=(X, Y))
    return made, early, len(history)


@pytest.mark.parametrize(
    ("script", "options", "epochs", "best"),
    [
        ([5, 4, 3, 2, 1], {"patience": 1}, 5, 5),
        ([5, 4, 4.5, 4.2, 1], {"patience": 2}, 4, 2),
        ([5, 4, 4.5, 3.9, 4, 4, 1], {"patience": 2}, 6, 4),
        ([5, 4, 4, 1], {"patience": 1}, 3, 2),
        ([5, 4.6, 4.4, 4.3, 1], {"patience": 1, "min_delta": 0.5}, 2, 1),
        ([5, 4.6, 4.4, 4.3, 1], {"patience": 2, "min_delta": 0.5}, 5, 5),
        ([np.nan, 5, np.nan, np.nan, 1], {"patience": 2}, 4, 2),
        ([np.nan, np.nan, 1], {"patience": 2}, 2, None),
        ([np.inf, 4, 5, 1], {"patience": 1}, 3, 2),
        ([9, 8, 9, 9, 9, 9, 9, 1], {}, 7, 2),
    ],
)
def test_early_stopping_stops_after_patience_and_restores_the_best_weights(
    script, options, epochs, best
):
    made, early, ran = stopped_run(script, **options)
    assert ran == epochs
    assert early.best_epoch == best
    wanted = made.weights[(best or ran) - 1]
    for name, array in made.model.state_dict().items():
        np.testing.assert_array_equal(array, wanted[name])


def test_of_an_accuracy_more_is_better():
    _, early, ran = stopped_run([0.5, 0.6, 0.4, 0.55], "val_accuracy", patience=2)
    assert (ran, early.best_epoch, early.best) == (4, 2, 0.6)


def test_the_best_weights_come_back_when_the_epochs_run_out():
    made, early, ran = stopped_run([5, 4, 4.5, 4.6], patience=10)
    assert (ran, early.best_epoch) == (4, 2)
    for name, array in made.model.state_dict().items():
        np.testing.assert_array_equal(array, made.weights[1][name])


def test_each_run_is_watched_anew():
    early = EarlyStopping(patience=1)
    fit(Scripted([1, 2, 3]), [early], epochs=3, validation_data=(X, Y))
    assert early.best == 1
    fit(Scripted([7, 6, 5]), [early], epochs=3, validation_data=(X, Y))
    assert (early.best, early.best_epoch) == (5, 3)


def test_a_column_that_is_not_recorded_is_told_at_once():
    made = trainer()
    with pytest.raises(ValueError, match=r"no column 'val_loss'.*want validation_data"):
        fit(made, [EarlyStopping()])
    assert_same_weights(made.model, net())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"patience": 0}, ValueError, "patience must be at least 1"),
        ({"patience": 1.5}, TypeError, "patience must be an integer"),
        ({"min_delta": -1}, ValueError, "min_delta must be a number in .*, got -1"),
        ({"min_delta": np.nan}, ValueError, "min_delta"),
    ],
)
def test_arguments_of_early_stopping(options, error, message):
    with pytest.raises(error, match=message):
        EarlyStopping(**options)


# --- checkpoints ----------------------------------------------------------------------


def saved_epochs(monkeypatch, epochs, every, stop_at=None):
    saved = []
    monkeypatch.setattr(
        Trainer, "save", lambda self, path, metadata=None: saved.append(self.run.epoch)
    )

    class Stopper:
        def on_epoch_end(self, trainer, row):
            if trainer.run.epoch == stop_at:
                trainer.run.stop()

    fit(trainer(), [Checkpoint("unused", every), Stopper()], epochs=epochs)
    return saved


def test_checkpoints_come_every_few_epochs_and_at_the_end(monkeypatch):
    assert saved_epochs(monkeypatch, 7, 1) == [1, 2, 3, 4, 5, 6, 7]
    assert saved_epochs(monkeypatch, 7, 3) == [3, 6, 7]
    assert saved_epochs(monkeypatch, 7, 7) == [7]
    assert saved_epochs(monkeypatch, 7, 3, stop_at=4) == [3, 4]


def test_a_checkpoint_is_a_model_file_with_metadata(tmp_path):
    path = tmp_path / "run.safetensors"
    made = trainer()
    fit(made, [Checkpoint(path, metadata={"classes": CLASSES})])
    assert_same_weights(serialize.load(path), made.model)
    assert serialize.load_metadata(path) == {"classes": CLASSES}
    assert os.listdir(tmp_path) == ["run.safetensors"]


@pytest.mark.parametrize(("every", "error"), [(0, ValueError), (0.5, TypeError)])
def test_arguments_of_checkpoint(every, error):
    with pytest.raises(error, match="every must be"):
        Checkpoint("path", every)


def test_early_stopping_puts_the_best_weights_back_when_the_loss_diverges():
    class Poison:
        def on_epoch_end(self, trainer, row):
            if trainer.run.epoch == 1:
                self.best = trainer.model.state_dict()
            if trainer.run.epoch == 2:
                trainer.model[0].weight.data[:] = np.inf

    X, y = classes()
    poison, stopping = Poison(), EarlyStopping("loss", patience=9, min_delta=100.0)
    made = trainer()
    with pytest.raises(FloatingPointError, match=r"epoch 3, step 1 .* that step was not made"):
        made.fit(X, y, epochs=5, callbacks=[stopping, poison], progress=False)
    assert stopping.best_epoch == 1
    for name, array in made.model.state_dict().items():
        np.testing.assert_array_equal(array, poison.best[name])
