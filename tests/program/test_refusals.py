"""What cannot be replayed: a CaptureError that says what and where, and nothing is changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from program.kept import Remembers, line_of
from program.replaying import assert_same_bits
from training import classes

import fastnn
from fastnn import CaptureError, Tensor, optim

outside = np.arange(3.0)
buffers = {"total": np.zeros(3)}
kept: list[Any] = []
HERE = r"test_refusals.py, line {line}\)"


def refused(step: Callable[..., Any], *args: Any, match: str) -> None:
    """The message matches, names the marked line, and what the step changed is as before."""
    before = [each.copy() for each in args if isinstance(each, np.ndarray)]
    program = fastnn.capture(step)
    for _ in range(2):
        with pytest.raises(CaptureError, match=match) as found:
            program(*args)
        assert f"test_refusals.py, line {line_of(step)})" in str(found.value)
    assert_same_bits([each for each in args if isinstance(each, np.ndarray)], before)
    assert not program.recordings
    assert fastnn.modes.recorder() is None


x = np.array([3.0, 1.0, 2.0])


def test_values_read_in_python() -> None:
    def as_float(x: Any) -> Any:
        return x * float(x.sum())  # here

    def item(x: Any) -> Any:
        loss = (Tensor(x, requires_grad=True) ** 2).sum()
        return loss.item() * x  # here

    def condition(x: Any) -> Any:
        if x.sum() > 0:  # here
            return x * 2
        return x

    def converted(x: Any) -> Any:
        return np.asarray(x * 2)  # here

    def index(x: Any) -> Any:
        return [1, 2, 3][x.astype(int)[1]]  # here

    def formatted(x: Any) -> Any:
        return f"{x.sum():.3f}"  # here

    def logarithm(x: Any) -> Any:
        return math.log(x.sum())  # here

    def contained(x: Any) -> Any:
        return 3.0 in x  # here

    def listed(x: Any) -> Any:
        return x.tolist()  # here

    def rounded(x: Any) -> Any:
        return range(x.astype(int)[0])  # here

    for step, how in (
        (as_float, r"float\(\)"), (item, r"item\(\)"), (condition, r"bool\(\) \(an `if`"),
        (converted, "conversion to an array"), (index, "an index"), (formatted, "a format"),
        (logarithm, r"float\(\)"), (contained, r"bool\(\)"), (listed, r"tolist\(\)"),
        (rounded, "an index"),
    ):  # fmt: skip
        refused(step, x, match=f"{how}.*reads a value of the step in Python.*return it from")


def test_printing_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    def step(x: Any) -> Any:
        print(x, Tensor(x), f"{x}")
        return x * 2

    program = fastnn.capture(step)
    assert_same_bits(program(x), x * 2)
    assert_same_bits(program(x + 1), (x + 1) * 2)
    assert "<float64 array of shape (3,) of a program>" in capsys.readouterr().out


def test_writes_to_arrays_from_outside() -> None:
    closed = np.arange(3.0)

    def added(x: Any) -> Any:
        global outside
        outside += x  # here
        return outside * x

    def added_constant(x: Any) -> Any:
        global outside
        outside += 1  # here
        return outside * x

    def assigned(x: Any) -> Any:
        closed[...] = x  # here
        return closed * x

    def assigned_constant(x: Any) -> Any:
        closed[0] = 7  # here
        return closed * x

    def out(x: Any) -> Any:
        np.multiply(x, 2, out=closed)  # here
        return closed * x

    def out_of_a_function(x: Any) -> Any:
        return np.dot(x, x, out=closed)  # here

    def in_a_dict(x: Any) -> Any:
        buffers["total"] += x  # here
        return buffers["total"] * 1

    def in_a_dict_assigned(x: Any) -> Any:
        buffers["total"][:] = x  # here
        return buffers["total"] * x

    def add_at(x: Any) -> Any:
        np.add.at(closed, [0, 0], x[:2])  # here
        return closed * x

    def filled(x: Any) -> Any:
        closed.fill(0)  # here
        return closed * x

    def sorted_(x: Any) -> Any:
        closed.sort()  # here
        return closed * x

    def by_a_kernel(x: Any) -> Any:
        return fastnn.functional.relu(x, out=closed)  # here

    for step in (
        added, added_constant, assigned, assigned_constant, out, in_a_dict, in_a_dict_assigned,
        add_at, filled, sorted_, by_a_kernel, out_of_a_function,
    ):  # fmt: skip
        refused(step, x, match="outside the step|with these arguments")
        assert_same_bits(closed, np.arange(3.0))
        assert_same_bits(outside, np.arange(3.0))
        assert_same_bits(buffers["total"], np.zeros(3))
        assert closed.flags.writeable
        assert type(outside) is np.ndarray


def test_nothing_to_record() -> None:
    for step in (lambda x: None, lambda x: outside * 2, lambda x: 3):
        with pytest.raises(CaptureError, match="the step records nothing"):
            fastnn.capture(step)(x)


def test_what_differs_from_step_to_step() -> None:
    counter = {"n": 0, "toggle": False}
    rng = np.random.default_rng(0)

    def drawn(x: Any) -> Any:
        return x * np.random.random(3)  # here  # noqa: NPY002

    def drawn_large(x: Any) -> Any:
        return x.sum() + rng.normal(size=10000)  # here

    def drawn_for_a_product(x: Any) -> Any:
        return x[None] @ rng.normal(size=(3, 2))  # here

    def drawn_for_a_kernel(x: Any) -> Any:
        return fastnn.functional.linear(x[None], rng.normal(size=(3, 2)))  # here

    def drawn_index(x: Any) -> Any:
        return x[rng.permutation(30) % 3]  # here

    def counted(x: Any) -> Any:
        counter["n"] += 1
        return x * counter["n"]  # here

    def power(x: Any) -> Any:
        counter["n"] += 1
        return x ** (1 / counter["n"])  # here

    def sliced(x: Any) -> Any:
        counter["n"] += 1
        return x[counter["n"] % 2 :] + 1  # here

    def toggled(x: Any, z: Any = None) -> Any:
        a, b = x * 2, x * 3
        counter["toggle"] = not counter["toggle"]
        return (a if counter["toggle"] else b) + 1  # here

    for step in (
        drawn, drawn_large, drawn_for_a_product, drawn_for_a_kernel, drawn_index, counted, power,
        sliced, toggled,
    ):  # fmt: skip
        refused(step, x, match="does not do the same when it is run again.*must be an argument")


def test_another_number_of_calls() -> None:
    counter = [0]

    def step(x: Any) -> Any:
        counter[0] += 1
        for _ in range(counter[0]):
            x = x + 1
        return x

    with pytest.raises(CaptureError, match=r"it made \d+ calls, then \d+"):
        fastnn.capture(step)(x)


def test_which_argument_is_used_may_not_change() -> None:
    turns = [0]

    def step(a: Any, b: Any) -> Any:
        turns[0] += 1
        return (a, b)[turns[0] % 2] * 2  # here

    refused(step, x, x + 1, match="the call of multiply differs")


def test_which_parameter_is_used_may_not_change() -> None:
    turns, weights = [0], [Tensor(np.ones(3)), Tensor(np.ones(3))]

    def step(a: Any) -> Any:
        turns[0] += 1
        return (weights[turns[0] % 2] * a).sum().data  # here

    refused(step, x, match="the call of multiply differs")


def test_learning_rates_that_the_step_changes() -> None:
    w = Tensor(np.ones(3), requires_grad=True)
    optimizer = optim.SGD([w], 0.1)

    def before(x: Any) -> None:
        optimizer.lr *= 0.9
        after(x)

    def after(x: Any) -> None:
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()

    def afterwards(x: Any) -> None:
        after(x)
        optimizer.lr *= 0.9

    for step in (before, afterwards):
        with pytest.raises(
            CaptureError, match=r"changes a learning rate, from .* between the steps"
        ):
            fastnn.capture(step)(x)
    assert_same_bits(w.data, np.ones(3))


def test_gradients_that_add_up() -> None:
    w = Tensor(np.ones(3), requires_grad=True)

    def step(x: Any) -> None:
        (w * x).sum().backward()

    for _ in range(2):
        with pytest.raises(
            CaptureError, match=r"call optimizer.zero_grad\(\), or set .grad = None"
        ):
            fastnn.capture(step)(x)
        assert w.grad is None


def test_arrays_that_escape() -> None:
    def step(x: Any) -> Any:
        kept.append(x * 2)
        return x * 3

    program = fastnn.capture(step)
    for given in (x, x + 1):
        assert_same_bits(program(given), given * 3)
    for use in (lambda t: t + 1, lambda t: np.exp(t), lambda t: t[0], lambda t: t.sum(), Tensor):
        with pytest.raises(CaptureError, match=r"used after that.*test_refusals.py, line"):
            use(kept[0])

    def carried(x: Any) -> Any:
        kept.append(kept[-1] + x)  # here
        return kept[-1]

    kept[:] = [np.zeros(3)]
    with pytest.raises(CaptureError, match=f"used after that.*line {line_of(carried)}"):
        fastnn.capture(carried)(x)


def test_what_modules_keep() -> None:
    """What a step leaves in a module is there after each replay; it cannot be carried on."""
    data = classes()[0]
    model = Remembers(carries=False)
    program = fastnn.capture(lambda x: model(x))
    for size in (3, 3, 3):
        shift = program(data[:size]) * 0 + data[:1, :3] * 0
        del shift
        found = program(data[5:8])
        assert_same_bits(model.last, found)
        assert_same_bits(model.graph.data, found)
    assert len(program.recordings) == 1
    model.mean = np.ones(3, np.float32)
    assert_same_bits(program(data[5:8]), found + 1)

    carrying = Remembers(carries=True)
    with pytest.raises(CaptureError, match="used after that"):
        fastnn.capture(lambda x: carrying(x))(data[:3])
    assert_same_bits(carrying.mean, np.zeros(3, np.float32))
    assert carrying.last is None
    carrying(data[:3])
    assert carrying.mean.any()


def test_functions_without_a_form_in_c() -> None:
    def inverse(x: Any) -> Any:
        return np.linalg.inv(x[None] * np.eye(3))  # here

    def sort(x: Any) -> Any:
        return np.sort(x)  # here

    def sort_method(x: Any) -> Any:
        y = x.copy()
        y.sort()  # here
        return y

    def mask(x: Any) -> Any:
        return x[x > 1]  # here

    def mask_assigned(x: Any) -> Any:
        x[x > 1] = 0  # here

    def where(x: Any) -> Any:
        return np.where(x > 1)  # here

    def unique(x: Any) -> Any:
        return np.unique(x)  # here

    def vectorized(x: Any) -> Any:
        return np.vectorize(lambda v: v + 1)(x)  # here

    def python_ufunc(x: Any) -> Any:
        return np.frompyfunc(lambda v: v + 1, 1, 1)(x)  # here

    def masked_ufunc(x: Any) -> Any:
        return np.add(x, 1, where=np.array([True, False, True]))  # here

    def half(x: Any) -> Any:
        return x.astype(np.float16)  # here

    def with_initial(x: Any) -> Any:
        return x.max(initial=2)  # here

    def reduceat(x: Any) -> Any:
        return np.add.reduceat(x, [0, 2])  # here

    for step, message in (
        (inverse, "np.linalg.inv"), (sort, "np.sort"), (sort_method, r"\.sort"),
        (mask, "boolean mask"), (mask_assigned, "boolean mask"), (where, "np.where"),
        (unique, "np.unique"), (vectorized, "."), (python_ufunc, "."),
        (masked_ufunc, "np.add with where="), (half, "float16"), (with_initial, "np.max"),
        (reduceat, "np.add.reduceat"),
    ):  # fmt: skip
        refused(step, x, match=message)


def test_an_op_of_ones_own() -> None:
    sort = fastnn.op(lambda a: np.sort(a), lambda g, y, a: g, name="my_sort")
    double = fastnn.op(lambda a: a * 2 + np.tanh(a), lambda g, y, a: g * (3 - np.tanh(a) ** 2))

    def step(x: Any) -> Any:
        t = Tensor(x, requires_grad=True)
        double(t).sum().backward()
        return t.grad

    program = fastnn.capture(step)
    for given in (x, x + 1):
        assert_same_bits(program(given), step(given))
    with pytest.raises(CaptureError, match=r"the op my_sort: np\.sort"):
        fastnn.capture(lambda x: sort(Tensor(x, requires_grad=True)))(x)
