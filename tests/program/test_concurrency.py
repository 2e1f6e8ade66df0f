"""Programs in several threads, after a fork, with other thread counts, and under Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from program.replaying import assert_same_bits
from training import assert_same_weights, classes

import fastnn
from fastnn import Trainer, models, optim

X, Y = classes()


@pytest.fixture(autouse=True)
def _thread_count() -> Any:
    before = fastnn.get_num_threads()
    yield
    fastnn.set_num_threads(before)


def trained(seed: int, capture: bool = True) -> Any:
    model = models.mlp(5, (16, 8), 3, seed=seed)
    trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters()), capture=capture)
    trainer.fit(X, Y, epochs=5, batch_size=8, progress=False, seed=seed)
    return model


def large(x: Any, w: Any) -> Any:
    hidden = np.maximum(x @ w, 0)
    return np.exp(-hidden) @ w.T + x.sum(axis=0)


def test_several_programs_in_several_threads() -> None:
    expected = [trained(seed, capture=False) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        for found, wanted in zip(pool.map(trained, range(6)), expected, strict=True):
            assert_same_weights(found, wanted)


def test_one_program_in_several_threads() -> None:
    """It is locked: each call gets the results of its own arguments."""
    program = fastnn.capture(large)
    rng = np.random.default_rng(0)
    w = rng.normal(size=(60, 300))
    arguments = [rng.normal(size=(n, 60)) for n in (500, 500, 500, 900, 500, 900) * 8]
    expected = [program(x, w) for x in arguments]
    with ThreadPoolExecutor(6) as pool:
        for found, wanted in zip(
            pool.map(lambda x: program(x, w), arguments), expected, strict=True
        ):
            assert_same_bits(found, wanted)
    assert len(program.recordings) == 2


def test_recording_the_same_function_in_several_threads() -> None:
    """The arrays that it closes over are back in their place when all are done."""
    constant = np.arange(30.0).reshape(5, 6)
    barrier = threading.Barrier(4)

    def step(w: Any) -> Any:
        barrier.wait(20)
        return constant.T.dot(w) + constant.sum()

    def captured(seed: int) -> Any:
        w = np.random.default_rng(seed).normal(size=(5, 2))
        found = fastnn.capture(step)(w)
        np.testing.assert_allclose(found, constant.T @ w + constant.sum(), rtol=1e-12)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(captured, range(4)))
    assert type(constant) is np.ndarray
    assert constant.flags.writeable


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_number_of_threads_gives_the_same_bits(dtype: str) -> None:
    program = fastnn.capture(large)
    rng = np.random.default_rng(0)
    w = rng.normal(size=(150, 300)).astype(dtype)
    found = []
    for seed in (0, 1):
        x = np.random.default_rng(seed).normal(size=(300, 150)).astype(dtype)
        for count in (1, 2, 3, 1):
            fastnn.set_num_threads(count)
            found.append(program(x, w))
    for seed in (0, 1):
        for other in found[4 * seed + 1 : 4 * seed + 4]:
            assert_same_bits(other, found[4 * seed])
    assert len(program.recordings) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a platform without fork")
def test_a_fork_after_the_capture() -> None:
    code = """
        import os, numpy as np, fastnn
        fastnn.set_num_threads(2)
        w = np.random.default_rng(0).normal(size=(300, 300))
        program = fastnn.capture(lambda x: np.exp(-np.maximum(x @ w, 0)) @ w)
        x = np.random.default_rng(1).normal(size=(300, 300))
        expected = program(x)
        child = os.fork()
        same = all(np.array_equal(program(x), expected) for _ in range(3))
        if child == 0:
            again = fastnn.capture(lambda x: np.exp(-np.maximum(x @ w, 0)) @ w)
            os._exit(0 if same and np.array_equal(again(x), expected) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert same
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        timeout=120, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


ITERATING = """
    def step(w, t):
        return np.tanh(w @ w.T) * 0.5, t + 1
    started()
    fastnn.iterate(step, (np.eye(40), np.array(0)), n=10**9)
"""
FITTING = """
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(4000, 100)).astype("f4"), rng.integers(0, 3, 4000)
    def trainer():
        model = fastnn.models.mlp(100, (400,), 3, seed=0)
        return fastnn.Trainer(model, "cross_entropy", fastnn.Adam(model.parameters()))
    made = trainer()
    started()
    plan = dict(batch_size=200, epochs=10**6, progress=False, shuffle=False)
    try:
        made.fit(X, Y, **plan)
    finally:
        # What was made are whole steps: as many as the run and the optimizer have counted.
        run = made.run
        counts = {state["step"] for state in made.optimizer.state.values()}
        assert counts == {run.step}, (counts, run.step)
        class Stop:
            def on_batch_end(self, trainer):
                if trainer.run.step == run.step:
                    raise ZeroDivisionError
        again = trainer()
        try:
            again.fit(X, Y, callbacks=[Stop()], **plan)
        except ZeroDivisionError:
            pass
        for p, q in zip(made.model.parameters(), again.model.parameters()):
            assert p.data.tobytes() == q.data.tobytes()
        # Between two epochs the sum is 0 here, and that of the whole epoch there.
        assert run.loss_sum == again.run.loss_sum or not run.position
        print("whole steps", flush=True)
"""


@pytest.mark.parametrize(("code", "told"), [(ITERATING, ""), (FITTING, "whole steps")])
def test_ctrl_c_is_answered(code: str, told: str) -> None:
    prelude = """
        import sys, time, numpy as np, fastnn
        def started():
            print("started", flush=True)
        def hook(kind, error, trace, show=sys.excepthook):
            print(kind.__name__, flush=True)
            show(kind, error, trace)
        sys.excepthook = hook
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(prelude) + textwrap.dedent(code)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "started"
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert out.split("\n")[-2] == "KeyboardInterrupt", errors
    assert told in out
    assert "AssertionError" not in errors


def test_a_long_replay_looks_at_signals_in_time() -> None:
    """A replay comes back to Python after each 0.1 s: seen by what a timer's handler can do."""

    class Rang(Exception):
        pass

    def ring(number: int, frame: Any) -> None:
        raise Rang

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(Rang):
            fastnn.iterate(lambda w: np.tanh(w) * 0.999, np.ones((50, 50)), n=10**9)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
