"""print(program) and program.profile()."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from program.replaying import assert_same_bits
from training import classes

import fastnn
from fastnn import functional, models, optim

X, Y = classes()


def program() -> tuple[Any, Any]:
    model = models.mlp(5, (8,), 3, seed=1)
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9)

    def step(x: Any, y: Any, scale: float) -> Any:
        optimizer.zero_grad()
        loss = fastnn.cross_entropy(model(x), y) * scale
        loss.backward()
        optimizer.step()
        return loss

    return fastnn.capture(step), model


def test_a_program_that_was_not_called() -> None:
    made, _ = program()
    assert str(made) == "a program that was not called yet"
    assert made.nbytes == 0
    with pytest.raises(RuntimeError, match="not called yet"):
        made.profile()


def test_a_line_for_each_call_with_its_shapes() -> None:
    made, _ = program()
    made(X[:6], Y[:6], 2.0)
    made(X[:4], Y[:4], 2.0)
    first, second = str(made).split("\n\n")
    title, *lines = first.split("\n")
    assert re.fullmatch(r"arguments float32 6×5, int64 6: \d+ calls, [\d.]+ kB", title)
    assert "arguments float32 4×5, int64 4:" in second
    tape = made.recordings[0].tape
    # A call that another one makes on its blocks stands with that one.
    own = [number for number in range(len(tape)) if not tape.is_fused(number)]
    assert [int(line.split()[0]) for line in lines] == own
    assert len(own) < len(tape)
    for pattern in (
        r"linear\+relu +6×5  5×8  8  6×8", "cross_entropy +6×3  6",
        r"linear_backward\+sgd_update +6×8  6×5  5×8  5×8  8", r"sgd_update +8  8",
        r"multiply +\(\)  \(\)  \(\)",
    ):  # fmt: skip
        assert re.search(pattern, first), pattern


def test_a_profile_measures_and_changes_nothing() -> None:
    made, model = program()
    made(X[:6], Y[:6], 2.0)
    before = [p.data.copy() for p in model.parameters()]
    table = made.profile(steps=20)
    assert_same_bits([p.data for p in model.parameters()], before)
    title, header, *lines = table.split("\n")
    assert re.search(r"µs a step on \d+ threads?, peak \d+ GFLOP/s in float32", title)
    assert header.split() == ["call", "µs", "share", "GFLOP/s", "of", "peak", "GB/s"]
    shares = [float(each) for each in re.findall(r"([\d.]+) % ", "\n".join(lines))]
    of_calls = [float(re.search(r"([\d.]+) % ", line)[1]) for line in lines]
    assert abs(sum(of_calls) - 100) < 1
    assert len(shares) >= len(lines)
    products = [line for line in lines if "linear" in line]
    assert len(products) == 4
    for line in products:
        assert line.count("%") == 2
    twin, other = program()
    for run in (made, twin):
        run(X[:6], Y[:6], 2.0)
    twin(X[:6], Y[:6], 2.0)
    assert_same_bits([p.data for p in model.parameters()], [p.data for p in other.parameters()])


def test_a_profile_counts_the_products_of_convolutions() -> None:
    """As a convolution is defined, in whatever way it is computed, forward and backward."""
    x, W = np.ones((4, 16, 12, 12), np.float32), np.ones((24, 16, 3, 3), np.float32)
    made = fastnn.capture(
        lambda x, W: (
            functional.conv2d(x, W, padding=1),
            functional.conv2d_backward(functional.conv2d(x, W), x, W, db=False),
        )
    )
    made(x, W)
    table = made.profile(3)
    products = 4 * 24 * 16 * 9
    for pattern, work in (
        (r"conv2d +([\d.]+) +[\d.]+ % +([\d.]+) +\d+ % .*4×24×12×12", products * 144),
        (r"conv2d_backward +([\d.]+) +[\d.]+ % +([\d.]+) +\d+ % ", 2 * products * 100),
    ):
        microseconds, rate = map(float, re.search(pattern, table).groups())
        assert abs(rate * microseconds * 1e3 / (2 * work) - 1) < 0.05


def test_a_profile_in_both_types() -> None:
    made = fastnn.capture(lambda a, b: (a @ a, b @ b))
    made(np.ones((9, 9)), np.ones((9, 9), np.float32))
    assert re.search(r"GFLOP/s in float32, \d+ GFLOP/s in float64", made.profile(2))
