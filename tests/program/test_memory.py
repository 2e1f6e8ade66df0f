"""What programs hold: near the peak of the live values while they live, nothing afterwards."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import weakref
from typing import Any

import numpy as np
import pytest
from program.replaying import assert_same_bits
from training import assert_same_weights, classes

import fastnn
from fastnn import Tensor, models, optim

N = 200_000


def test_a_chain_needs_the_memory_of_a_few_arrays() -> None:
    def chain(x: Any) -> Any:
        for i in range(25):
            x = np.tanh(x * 0.5 + i)
        return x

    program = fastnn.capture(chain)
    x = np.linspace(-1, 1, N)
    for shift in (0, 1, 2):
        assert_same_bits(program(x + shift), chain(x + shift))
    assert program.nbytes <= 4 * x.nbytes + 10_000
    assert len(program.recordings[0].tape) >= 75


def test_values_that_live_on_are_held() -> None:
    def fan(x: Any) -> Any:
        return sum([x * i for i in range(10)][::-1])

    program = fastnn.capture(fan)
    x = np.linspace(-1, 1, N)
    for shift in (0, 1):
        assert_same_bits(program(x + shift), fan(x + shift))
    assert 10 * x.nbytes <= program.nbytes <= 13 * x.nbytes


def test_memory_is_shared_by_arrays_of_other_sizes() -> None:
    def step(x: Any) -> Any:
        for size in (N, N // 2, N // 3, N, 10, N // 2):
            x = np.concatenate([np.exp(-(x[:size] ** 2)), x[size:]])
        return x

    program = fastnn.capture(step)
    x = np.linspace(-1, 1, N)
    for shift in (0, 1):
        assert_same_bits(program(x + shift), step(x + shift))
    assert program.nbytes <= 8 * x.nbytes


def graph_program(width: int = 8) -> tuple[Any, Any]:
    model = models.mlp(5, (width,), 3, seed=1)
    optimizer = optim.Adam(model.parameters())

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = fastnn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss, model(x)

    return fastnn.capture(step), model


def numpy_program() -> Any:
    big = np.ones((200, 50), int)

    def step(x: Any) -> Any:
        x[0] = 1
        hidden = np.tanh(x[:, :50]) + x[:, :50] + big.mean(axis=0)
        return hidden[:, [0, 1, 1]].std(axis=0), hidden

    return fastnn.capture(step)


def test_no_cycle_keeps_a_dropped_program() -> None:
    X, Y = classes()
    graph_program()[0](X[:4], Y[:4])  # which imports what leaves cycles itself
    gc.collect()
    gc.disable()
    try:
        program, model = graph_program()
        program(X[:4], Y[:4])
        program(X[:6], Y[:6])
        plain = numpy_program()
        plain(np.zeros((3, 200)))
        iterated = fastnn.iterate(lambda a: a * 0.5, np.ones(3), 5)
        recordings = [*program.recordings, *plain.recordings]
        dead = [weakref.ref(each) for each in recordings]
        dead += [weakref.ref(each.recorder) for each in recordings]
        dead += [weakref.ref(program), weakref.ref(plain)]
        recordings.clear()
        del program, plain
        assert [each() for each in dead] == [None] * len(dead)
        del model, iterated
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("trouble", [ValueError, fastnn.CaptureError])
def test_no_cycle_keeps_a_recording_that_failed(trouble: type[Exception]) -> None:
    gc.collect()
    gc.disable()
    try:
        w = Tensor(np.ones(3), requires_grad=True)

        def step(x: Any) -> Any:
            loss = (w * x).sum()
            loss.backward()
            if trouble is ValueError:
                raise ValueError
            return float(loss.detach())

        program = fastnn.capture(step)
        with pytest.raises(trouble):
            program(np.ones(3))
        del program, step
        w.grad = None
        assert type(w.data) is np.ndarray
    finally:
        gc.enable()
        gc.collect()


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")
def test_programs_made_and_dropped_return_their_memory() -> None:
    X, Y = classes()

    def made(count: int) -> None:
        for _ in range(count):
            program, _ = graph_program(64)
            program(X, Y)
            plain = numpy_program()
            plain(np.zeros((1000, 200)))

    made(10)
    before = resident()
    made(100)  # 200 programs, of which every other one holds more than 2 MB
    assert resident() - before < 20e6


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")
def test_replays_do_not_grow() -> None:
    program = fastnn.capture(lambda x, i: (np.log(x * 2), x[i]))
    x, i = np.ones(3), np.array([0, 2])
    for _ in range(1000):
        program(x, i)
    before = resident()
    blocks = sys.getallocatedblocks()
    for _ in range(100_000):
        program(x, i)
    assert resident() - before < 2e6
    assert sys.getallocatedblocks() - blocks < 1000


def test_replays_in_several_programs_do_not_touch_each_other() -> None:
    """Programs of all sizes made, called and dropped in turn, with garbage between them."""
    rng = np.random.default_rng(0)
    programs: dict[int, tuple[Any, Any]] = {}

    def made(n: int) -> tuple[Any, Any]:
        w = rng.normal(size=(n, 7))

        def step(x: Any) -> Any:
            total = x.T @ w
            parts = [np.exp(-(total[i % 5] ** 2)) * w.sum() for i in range(n % 9 + 1)]
            total[1] = parts[-1]
            total[[0, 2]] += parts[0]
            return np.stack(parts).mean(axis=0), total, x[:, ::-1].max(axis=1)

        return fastnn.capture(step), step

    for _ in range(400):
        n = int(rng.integers(1, 40))
        if n in programs and rng.random() < 0.3:
            del programs[n]
        program, step = programs.setdefault(n, made(n))
        x = rng.normal(size=(n, 5))
        given = np.asfortranarray(x) if rng.random() < 0.3 else x
        found = program(given)
        del given
        garbage = [np.full(int(size), np.nan) for size in rng.integers(1, 400, 5)]
        expected = step(x)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
        del garbage


def test_arguments_and_parameters_may_go() -> None:
    """A program holds what its calls point to, when its owner does not any more."""
    X, Y = classes()
    program, model = graph_program()
    program(X[:4].copy(), Y[:4].copy())
    kept, _ = graph_program()
    twin = models.mlp(5, (8,), 3, seed=1)
    before = {name: value.copy() for name, value in model.state_dict().items()}
    del kept
    gc.collect()
    for _ in range(3):
        np.full(5000, np.nan)
        program(X[:4].copy(), Y[:4].copy())
    after = model.state_dict()
    assert all(not np.array_equal(before[name], after[name]) for name in before)
    model.astype("float64")  # which puts other arrays into the parameters
    gc.collect()
    with pytest.raises(TypeError):
        program(X[:4], Y[:4])
    twin.load_state_dict(before)
    assert_same_weights(twin, twin)


GRAPH = """
model = fastnn.models.mlp(1000, (1500, 1500), 10, seed=1)
optimizer = fastnn.SGD(model.parameters(), 0.1, momentum=0.9)
x, y = np.ones((64, 1000), np.float32), np.arange(64) % 10

def step(x, y):
    optimizer.zero_grad()
    loss = fastnn.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss

args = x, y
"""
CHAIN = """
def step(x):
    for i in range(20):
        x = np.tanh(x * 0.5 + i)
    return x

args = (np.ones(2_000_000),)
"""
PEAK = """
import sys
import numpy as np
import fastnn

def resident(what):
    lines = open("/proc/self/status").read().splitlines()
    return next(1000 * int(line.split()[1]) for line in lines if line.startswith(what))

{setup}
small = fastnn.capture(lambda x: x * 2)
small(np.ones(3))  # which imports
run = fastnn.capture(step)
before = resident("VmRSS")
for _ in range(2):
    run(*args)
print(resident("VmHWM") - before)
"""


def peak(setup: str) -> int:
    """The most memory that a recording and a replay take, in a process of their own."""
    code = PEAK.format(setup=setup)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")
def test_a_recording_takes_hardly_more_memory_than_the_step() -> None:
    weights = 4 * (1000 * 1500 + 1500 * 1500 + 1500 * 10)
    assert peak(GRAPH) < 1.3 * 2 * weights  # the step leaves a velocity and a gradient of each
    # The argument, four arrays of the program, and what NumPy gives; the step itself takes two.
    assert peak(CHAIN) < 6.5 * 16e6
