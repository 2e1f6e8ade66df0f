"""Ctrl-C in the middle of a step waits for its end."""

from __future__ import annotations

import signal
import threading

import numpy as np
import pytest
from training import assert_same_weights, classes, net

from fastnn import optim
from fastnn.interrupts import Interrupts
from fastnn.train import Trainer

X, Y = classes()


class Interrupting(optim.SGD):
    """Presses Ctrl-C twice when it has updated the first parameter of step 3."""

    updates = 0

    def _update(self, parameter, group, state):
        super()._update(parameter, group, state)
        self.updates += 1
        if self.updates == 2 * 4 + 1:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)


def test_a_step_that_ctrl_c_falls_in_is_done_whole():
    model, plain = net(), net()
    made = Trainer(
        model, "cross_entropy", Interrupting(model.parameters(), lr=0.1), capture=False
    )
    with pytest.raises(KeyboardInterrupt):
        made.fit(X, Y, batch_size=16, progress=False)
    assert made.optimizer.updates == 3 * 4
    assert made.run.step == 3

    class StopAfterThree:
        def on_batch_end(self, trainer):
            if trainer.run.step == 3:
                raise ZeroDivisionError

    other = Trainer(plain, "cross_entropy", optim.SGD(plain.parameters(), lr=0.1))
    with pytest.raises(ZeroDivisionError):
        other.fit(X, Y, batch_size=16, progress=False, callbacks=[StopAfterThree()])
    assert_same_weights(model, plain)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_between_steps_is_answered_there():
    class Press:
        def on_batch_end(self, trainer):
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("the signal must be answered before this line")

    model = net()
    with pytest.raises(KeyboardInterrupt):
        Trainer(model, "cross_entropy", "sgd").fit(X, Y, progress=False, callbacks=[Press()])


def test_the_epochs_row_is_in_the_history_or_it_never_was(monkeypatch):
    from fastnn.run import Run

    end_epoch = Run.end_epoch

    def pressing(self, row):
        signal.raise_signal(signal.SIGINT)
        end_epoch(self, row)

    monkeypatch.setattr(Run, "end_epoch", pressing)
    made = Trainer(net(), "cross_entropy", "sgd")
    with pytest.raises(KeyboardInterrupt):
        made.fit(X, Y, progress=False)
    assert (made.run.epoch, made.run.position, len(made.run.history)) == (1, 0, 1)


def test_an_error_in_a_held_block_comes_through():
    interrupts = Interrupts()
    with interrupts, pytest.raises(ZeroDivisionError), interrupts.held:
        raise ZeroDivisionError


def test_a_handler_of_ones_own_stays_in_force():
    pressed = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        interrupts = Interrupts()
        with interrupts, interrupts.held:
            signal.raise_signal(signal.SIGINT)
            assert pressed == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_training_in_another_thread_leaves_signals_alone():
    results = []

    def train():
        made = Trainer(net(), "cross_entropy", "sgd")
        results.append(made.fit(X, Y, epochs=1, progress=False))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert len(results[0]) == 1
    assert np.isfinite(results[0]["loss"]).all()
