"""A recording that fails leaves all as it was, and is its own thread's matter."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from program.kept import line_of
from program.replaying import assert_same_bits
from training import classes

import fastnn
from fastnn import CaptureError, Tensor, models, optim

outside = np.arange(3.0)
x = np.array([3.0, 1.0, 2.0])


class Trouble(Exception):
    pass


@pytest.mark.parametrize("at", [1, 2])
def test_an_exception_in_the_middle(at: int) -> None:
    """Raised in the first or the second run of a recording: all is as it was before."""
    model = models.mlp(5, (4,), 3, seed=1)
    optimizer = optim.Adam(model.parameters(), 0.01, weight_decay=0.1)
    data, y = classes()
    fails = [False]
    runs = [0]

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = fastnn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        x *= 2
        runs[0] += 1
        if fails[0] and runs[0] == at:
            raise Trouble
        return loss

    def state() -> Any:
        return (
            [p.data.copy() for p in model.parameters()],
            [None if p.grad is None else p.grad.copy() for p in model.parameters()],
            [list(each.values()) for each in optimizer.state_dict()["state"].values()],
        )

    program = fastnn.capture(step)
    for is_first in (True, False):
        given = data[:6].copy()
        before = state()
        runs[0], fails[0] = 0, True
        with pytest.raises(Trouble):
            (program if is_first else fastnn.capture(step))(given, y[:6])
        np.testing.assert_equal(state(), before)
        assert_same_bits(given, data[:6])
        fails[0] = False
        for p in model.parameters():
            assert type(p.data) is np.ndarray
        program(given, y[:6])
    step(data[:6].copy(), y[:6])
    program(data[:6].copy(), y[:6])


def test_nested_recordings() -> None:
    def step(x: Any) -> Any:
        fastnn.iterate(lambda a: a + 1, np.ones(2), 3)  # here
        return x * 2

    with pytest.raises(CaptureError, match="cannot be recorded while another one is") as found:
        fastnn.capture(step)(x)
    assert f"test_undone.py, line {line_of(step)})" in str(found.value)


def test_another_thread_runs_eagerly_meanwhile() -> None:
    """Recording is this thread's matter; only what it records with is refused to others."""
    weight, other = Tensor(np.ones(3), requires_grad=True), Tensor(np.ones(3), requires_grad=True)
    inside, done = threading.Event(), threading.Event()
    found: list[Any] = []

    def eagerly() -> None:
        inside.wait(10)
        (other * 2).sum().backward()
        found.append(other.grad)
        found.append(outside.dot(outside + 1))
        try:
            (weight * 2).sum()
        except CaptureError as error:
            found.append(str(error))
        done.set()

    def step(x: Any) -> Any:
        y = weight * x + outside
        inside.set()
        assert done.wait(10)
        return y * 2

    thread = threading.Thread(target=eagerly)
    thread.start()
    program = fastnn.capture(step)
    for given in (x, x + 1):
        assert_same_bits(program(given), (given + outside) * 2)
    thread.join()
    assert_same_bits(found[0], np.full(3, 2.0))
    assert found[1] == 8
    assert "another thread records" in found[2]
    (weight * 2).sum().backward()
