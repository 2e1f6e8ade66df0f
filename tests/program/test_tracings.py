"""A step is traced twice: what the second tracing finds, and what either leaves when it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from program.kept import line_of
from program.replaying import assert_same_bits

import fastnn
from fastnn import CaptureError, Tensor, layers, optim
from fastnn.program.compare import PIECE, same

x = np.array([3.0, 1.0, 2.0])
HERE = "test_tracings.py, line {}"


def turns() -> Callable[[], bool]:
    """True the first time, False afterwards."""
    left = [True]
    return lambda: left.pop() if left else False


def test_an_array_whose_memory_is_anothers_by_now() -> None:
    """The first tracing drops ``a``, so a replay does not keep its values to the end."""
    is_first, leaves = turns(), turns()

    def returned(x: Any) -> Any:
        a = x * 2
        b = a + 1
        if is_first():
            a = None
        c = b * 3
        d = c * b
        return d if a is None else a

    class Leaves(layers.Module):
        def forward(self, x: Any) -> Any:
            a = x.data * 2
            b = a + 1
            if leaves():
                a = None
            c = b * 3
            d = c * b
            self.left = d if a is None else a
            return Tensor(d)

    module = Leaves()
    for step, how in (
        (returned, "it returns another array;"),
        (lambda x: module(x), "it leaves another array behind;"),
    ):
        with pytest.raises(CaptureError, match=f"when it is run again: {how}"):
            fastnn.capture(step)(x)


def test_which_of_two_arrays_in_the_same_memory_is_used_may_not_change() -> None:
    is_first = turns()

    def step(x: Any) -> Any:
        a = x * 2
        b = a + 1
        held = None if is_first() else a
        del a
        c = b * 1  # rests
        d = c * 3  # in the memory of a, if nobody holds it
        e = d * 4
        return (e if held is None else held) + 1  # here

    with pytest.raises(CaptureError, match="the call of add differs") as found:
        fastnn.capture(step)(x)
    assert HERE.format(line_of(step)) in str(found.value)


def test_a_step_may_catch_what_cannot_be_captured() -> None:
    def caught(x: Any) -> Any:
        try:
            return np.sort(x)
        except CaptureError:
            return x * 2

    program = fastnn.capture(caught)
    for given in (x, x + 1):
        assert_same_bits(program(given), given * 2)


def test_a_difference_that_the_step_catches_is_told_nevertheless() -> None:
    rng = np.random.default_rng(0)

    def catches(x: Any) -> Any:
        y = x * 3
        try:
            return y * rng.random()  # here
        except CaptureError:
            return y

    with pytest.raises(CaptureError, match="a constant in the call of multiply differs") as found:
        fastnn.capture(catches)(x)
    assert HERE.format(line_of(catches)) in str(found.value)


def test_fewer_calls() -> None:
    is_first = turns()

    def step(x: Any) -> Any:
        y = x * 2
        if is_first():
            y + 1
        return y

    with pytest.raises(CaptureError, match="it made 2 calls, then 1"):
        fastnn.capture(step)(x)


def test_a_function_that_numpy_calls_is_traced_as_well() -> None:
    counter, mask = [0], np.array([True, False, True])

    def shifted(values: Any) -> Any:
        counter[0] += 1
        return values + counter[0]  # here

    def step(x: Any) -> Any:
        return np.piecewise(x, mask, [shifted, lambda v: v * 2])

    with pytest.raises(CaptureError, match="a constant in the call of add differs") as found:
        fastnn.capture(step)(x)
    assert HERE.format(line_of(shifted)) in str(found.value)
    program = fastnn.capture(lambda x: np.piecewise(x, mask, [lambda v: v + 1, np.negative]))
    for given in (x, x[::-1] + 0.2):
        assert_same_bits(program(given), np.where(mask, given + 1, -given))


def test_a_constant_in_the_memory_of_a_parameter() -> None:
    """Both tracings see it change; it is the same array for all that."""
    found = []
    for captured in (True, False):
        w = Tensor(np.ones(3))
        raw = w.data

        def step(x: Any, w: Tensor = w, raw: Any = raw) -> Any:
            w.data -= 0.1 * x
            return x * raw + w.data.sum()

        run = fastnn.capture(step) if captured else step
        found.append([run(x + i).copy() for i in range(4)] + [raw])
    assert_same_bits(found[0], found[1])


# --- what is left after a failure ---------------------------------------------------------------


class Net(layers.Module):
    """A net with all kinds of state."""

    def __init__(self) -> None:
        self.linear = layers.Linear(3, 4, seed=1)
        self.norm = layers.BatchNorm1d(4)
        self.dropout = layers.Dropout(0.5, seed=2)

    def forward(self, x: Any) -> Any:
        return self.dropout(self.norm(self.linear(x)))


def numpy_update(model: layers.Module) -> None:
    for p in model.parameters():
        p.data -= np.float32(0.1) * p.grad


@pytest.mark.parametrize("update", ["kernel", "numpy"])
@pytest.mark.parametrize("fault", ["labels", "second", "end", "constant"])
def test_all_is_as_it_was_before_a_recording_that_fails(update: str, fault: str) -> None:
    model = Net()
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9)
    rng = np.random.default_rng(0)
    data, y = rng.normal(size=(8, 3)).astype(np.float32), np.array([0, 1, 2, 3] * 2)
    traced: list[int] = []

    def step(x: Any, y: Any) -> Any:
        traced.append(1)
        optimizer.zero_grad()
        loss = fastnn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step() if update == "kernel" else numpy_update(model)
        x *= 2
        if fault == "second" and len(traced) == 2:
            raise KeyError
        if fault == "end":
            return loss * float(loss.detach())
        return loss * (len(traced) if fault == "constant" else 1)

    def state() -> Any:
        return (
            {name: value.copy() for name, value in model.state_dict().items()},
            [p.grad for p in model.parameters()],
            optimizer.state_dict()["state"],
        )

    before, given = state(), data.copy()
    labels = y if fault != "labels" else y + 1
    error = {"labels": ValueError, "second": KeyError}.get(fault, CaptureError)
    for _ in range(2):
        traced.clear()
        with pytest.raises(error):
            fastnn.capture(step)(given, labels)
        np.testing.assert_equal(state(), before)
        assert_same_bits(given, data)


@pytest.mark.parametrize("fault", ["labels", "weights", "targets", "batch of one"])
def test_a_value_that_is_found_bad_when_all_is_recorded(fault: str) -> None:
    """Nobody wants a value after the update, which waits then, and before what fails."""
    conv = layers.Sequential(layers.Conv2d(1, 3, 2, seed=1), layers.BatchNorm2d(3))
    head = layers.Sequential(layers.Flatten(), layers.Linear(12, 4, seed=1), layers.BatchNorm1d(4))
    optimizer = optim.Adam([*conv.parameters(), *head.parameters()], 0.1)
    rng = np.random.default_rng(0)
    size = 1 if fault == "batch of one" else 4
    data = rng.normal(size=(4, 1, 3, 3)).astype(np.float32)
    targets = rng.random((size, 4)).astype(np.float32)
    weights = np.ones(size)
    labels = np.arange(size)

    def step(x: Any, y: Any, weights: Any) -> Any:
        optimizer.zero_grad()
        fastnn.cross_entropy(head(conv(x)), np.arange(4)).backward()
        optimizer.step()
        scores = head(conv(x[:size]))
        if fault == "batch of one":
            return scores
        if fault == "targets":
            return fastnn.binary_cross_entropy(scores, y)
        return fastnn.cross_entropy(scores, y, sample_weight=weights)

    def state() -> Any:
        tensors = {**conv.state_dict(), **head.state_dict()}
        return (
            [{name: value.copy() for name, value in each.items()} for each in (tensors,)],
            [p.grad for p in conv.parameters()],
            optimizer.state_dict()["state"],
        )

    before = state()
    y = targets if fault == "targets" else labels
    y = y + 1 if fault in ("labels", "targets") else y
    weights[0] = -1 if fault == "weights" else 1
    for _ in range(2):
        with pytest.raises(ValueError, match=r"allowed|probabilities|not negative|at least 2"):
            fastnn.capture(step)(data, y, weights)
        np.testing.assert_equal(state(), before)


def test_leaves_that_share_memory_are_restored() -> None:
    whole = np.arange(4.0)
    a, b = fastnn.tensor.wrap(whole), fastnn.tensor.wrap(whole[1:])

    def step(x: Any) -> Any:
        a.data *= x
        b.data += x
        return float((a.data * 1).sum())

    with pytest.raises(CaptureError, match="float"):
        fastnn.capture(step)(np.array(3.0))
    assert_same_bits(whole, np.arange(4.0))


def test_a_recording_is_one_step() -> None:
    """However often it was traced, and whatever had to be made before the end."""
    found = []
    for captured in (True, False):
        model = Net()

        def step(x: Any, y: Any, model: Net = model) -> Any:
            for p in model.parameters():
                p.grad = None
            loss = fastnn.cross_entropy(model(x), y)
            loss.backward()
            numpy_update(model)
            return np.exp(model.linear.weight.data).sum() + loss.data

        run = fastnn.capture(step) if captured else step
        rng = np.random.default_rng(0)
        values = [run(rng.normal(size=(8, 3)).astype(np.float32), np.arange(8) % 4) for _ in "123"]
        found.append([*values, *model.state_dict().values()])
    assert_same_bits(found[0], found[1])


# --- the comparison of bits ---------------------------------------------------------------------


@pytest.mark.parametrize("n", [3, PIECE + 5])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_one_element_that_differs_is_seen(n: int, dtype: str) -> None:
    a = (np.arange(2 * n) % 2).astype(dtype)
    for view in (
        lambda a: a, lambda a: a[::2], lambda a: a[::-1], lambda a: a.reshape(2, n).T,
        lambda a: a.reshape(1, 2, n)[:, :, : n - 1], lambda a: a.reshape(2, n)[:, :-1].T,
    ):  # fmt: skip
        assert same(view(a), view(a.copy()))
        assert same(view(a), view(a).copy())
        for place in (0, -1):
            b = a.copy()
            index = np.unravel_index(place % view(b).size, view(b).shape)
            view(b)[index] = 1 - view(b)[index]
            assert not same(view(a), view(b))
            assert not same(view(b).copy(), view(a))
    assert not same(a, a.astype("int8"))
    assert not same(a, a[:-1])


def test_zeros_have_a_sign_and_nans_are_alike() -> None:
    assert not same(np.array([0.0, 1]), np.array([-0.0, 1]))
    other_nan = np.array([0x7FF8000000000001], np.uint64).view(np.float64)
    assert same(np.array([np.nan]), other_nan)
    assert same(np.array([-np.nan]), other_nan)
    assert not same(np.array([np.nan]), np.array([np.inf]))
    assert not same(np.array([np.nan, 0.0]), np.array([np.nan, -0.0]))
