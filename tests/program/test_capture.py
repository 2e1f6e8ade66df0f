"""capture: what a program takes, gives back, keeps, and records anew."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest
from program.replaying import assert_replays, assert_same_bits
from training import assert_same_weights, classes

import fastnn
from fastnn import Tensor, models, optim

X, Y = classes()


def graph_step(model: Any, optimizer: Any) -> Any:
    def step(x: Any, y: Any) -> Tensor:
        optimizer.zero_grad()
        loss = fastnn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def pairs(make: Any) -> list[tuple[Any, Any, Any]]:
    """Twice a model, its optimizer and its step."""
    found = []
    for _ in range(2):
        model = models.mlp(5, (8,), 3, seed=1)
        optimizer = make(model.parameters())
        found.append((model, optimizer, graph_step(model, optimizer)))
    return found


@pytest.mark.parametrize(
    "make",
    [lambda p: optim.SGD(p, 0.1, momentum=0.9), lambda p: optim.Adam(p, 0.01)],
    ids=["sgd", "adam"],
)
def test_a_step_of_the_graph(make: Any) -> None:
    (model, optimizer, step), (plain_model, plain_optimizer, plain_step) = pairs(make)
    program = fastnn.capture(step, keep_grad=True)
    for i in range(12):
        size = 10 if i % 3 else 7
        x, y = X[i : i + size], Y[i : i + size]
        if i == 5:
            optimizer.lr = plain_optimizer.lr = 0.03
        if i == 7:
            for each in (model, plain_model):
                next(each.parameters()).requires_grad = False
        if i == 9:
            for each in (optimizer, plain_optimizer):
                each.zero_grad()
                each.load_state_dict(each.state_dict())
        if i == 10:
            for each in (model, plain_model):
                each.load_state_dict({k: v * 0.5 for k, v in each.state_dict().items()})
        loss = program(x, y)
        assert_same_bits(loss, plain_step(x, y).data)
        assert_same_weights(model, plain_model)
        np.testing.assert_equal(optimizer.state_dict(), plain_optimizer.state_dict())
        for p, q in zip(model.parameters(), plain_model.parameters(), strict=True):
            assert (p.grad is None) == (q.grad is None)
            assert p.grad is None or np.array_equal(p.grad, q.grad)
    assert len(program.recordings) == 2


def test_gradients_are_there_after_each_replay() -> None:
    """Also where they were forgotten, or replaced, between two calls."""
    (model, optimizer, step), (plain_model, _, plain_step) = pairs(lambda p: optim.SGD(p, 0.1))
    program = fastnn.capture(step, keep_grad=True)
    for i in range(5):
        program(X[i : i + 9], Y[i : i + 9])
        plain_step(X[i : i + 9], Y[i : i + 9])
        for p, q in zip(model.parameters(), plain_model.parameters(), strict=True):
            assert_same_bits(p.grad, q.grad)
            if i == 2:
                p.grad = np.ones_like(p.grad)
        if i < 2:
            optimizer.zero_grad()
    assert len(program.recordings) == 1


def test_two_updates_in_a_step_are_counted_twice() -> None:
    found = []
    for captured in (True, False):
        w = Tensor(np.ones(3), requires_grad=True)
        optimizer = optim.Adam([w], 0.1)

        def step(x: Any, w: Tensor = w, optimizer: Any = optimizer) -> None:
            for _ in range(2):
                optimizer.zero_grad()
                (w * x).sum().backward()
                optimizer.step()

        run = fastnn.capture(step) if captured else step
        for i in range(4):
            run(np.arange(3.0) + i)
        found.append((w.data.copy(), optimizer.state[w]["step"]))
    assert_same_bits(found[0][0], found[1][0])
    assert found[0][1] == found[1][1] == 8


def test_gradients_that_are_added_up_on_purpose() -> None:
    """Where the gradient is there before, it is the step's state; without it, it is refused."""
    found = []
    for captured in (True, False):
        w = Tensor(np.ones(3), requires_grad=True)
        w.grad = np.zeros(3)

        def step(x: Any, w: Tensor = w) -> None:
            (w * w * x).sum().backward()

        run = fastnn.capture(step) if captured else step
        for i in range(3):
            run(np.arange(3.0) + i)
        w.grad = np.ones(3)
        run(np.arange(3.0))
        run(np.arange(3.0))
        found.append(w.grad)
    assert_same_bits(found[0], found[1])


def test_a_step_of_plain_numpy() -> None:
    def step(x: Any, w: Any) -> Any:
        hidden = np.tanh(x @ w)
        return hidden.sum(axis=0), {"mean": hidden.mean(), "both": [hidden, (w * 2,)]}

    program = fastnn.capture(step)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x, w = rng.normal(size=(4, 3)), rng.normal(size=(3, 2))
        total, named = program(x, w)
        expected, wanted = step(x, w)
        np.testing.assert_allclose(total, expected, rtol=1e-13)
        np.testing.assert_allclose(named["mean"], wanted["mean"], rtol=1e-12)
        np.testing.assert_allclose(named["both"][0], wanted["both"][0], rtol=1e-13)
        assert isinstance(named["both"][1], tuple)
        assert_same_bits(named["both"][1][0], w * 2)


def test_a_named_tuple_comes_back_as_one() -> None:
    Both = namedtuple("Both", "twice half")
    program = fastnn.capture(lambda x: Both(x * 2, x / 2))
    for x in (np.arange(3.0), np.ones(3)):
        found = program(x)
        assert isinstance(found, Both)
        assert_same_bits(found.half, x / 2)


def test_results_are_copies_unless_asked() -> None:
    program = fastnn.capture(lambda x: (x * 2, x))
    x = np.arange(3.0)
    first, second = program(x)[0], program(x + 1)[0]
    assert_same_bits(first, x * 2)
    first[:] = 7
    assert_same_bits(program(x)[0], x * 2)
    own, argument = program(x, copy=False)
    assert_same_bits(own, x * 2)
    assert not np.shares_memory(argument, x)
    assert np.shares_memory(own, program(x + 1, copy=False)[0])
    assert_same_bits(own, (x + 1) * 2)
    assert_same_bits(second, (x + 1) * 2)


def test_results_are_plain_arrays() -> None:
    """Also what is made of an array from outside, which the recording stands in for."""
    program = fastnn.capture(lambda x: (x + X, X * 2, X))
    for found in (*program(np.ones(5)), *program(np.ones(5))):
        assert type(found) is np.ndarray
        assert found.flags.writeable


def test_writes_to_arguments_reach_the_caller() -> None:
    def step(a: Any, b: Any, t: Tensor) -> Any:
        a += 1
        a[0] *= b
        b[...] = a.sum()
        t.data *= 2
        return a * 1

    def make(rng: np.random.Generator) -> list[Any]:
        return [rng.normal(size=(3, 4)), rng.normal(size=()), Tensor(rng.normal(size=2))]

    program = fastnn.capture(step)
    for seed in range(3):
        given, plain = (make(np.random.default_rng(seed)) for _ in range(2))
        assert_same_bits(program(*given), step(*plain))
        for found, expected in zip(given, plain, strict=True):
            assert_same_bits(getattr(found, "data", found), getattr(expected, "data", expected))
    big = np.arange(24.0).reshape(4, 6)
    program(big[::-2, :4][:, ::-1][:2], np.array(2.0), Tensor(np.ones(2)))
    assert np.array_equal(big[::2], np.arange(24.0).reshape(4, 6)[::2])


def test_a_step_does_not_write_to_arguments_that_it_only_reads() -> None:
    x = np.arange(3.0)
    x.flags.writeable = False
    program = fastnn.capture(lambda x: x * 2)
    for _ in range(2):
        assert_same_bits(program(x), x * 2)


def test_writing_to_a_read_only_argument() -> None:
    program = fastnn.capture(lambda x: np.add(x, 1, out=x))
    x = np.arange(3.0)
    program(x)
    x.flags.writeable = False
    for given in (x, np.broadcast_to(np.ones(1), 3)):
        with pytest.raises(
            ValueError, match=r"np.add would write.*read-only.*test_capture.py, line"
        ):
            program(given)
    assert_same_bits(x, np.arange(3.0) + 1)


def test_arguments_that_overlap() -> None:
    program = fastnn.capture(lambda a, b: np.add(a, b, out=a))
    x = np.arange(4.0)
    for _ in range(2):
        with pytest.raises(ValueError, match="argument 0, which shares memory with argument 1"):
            program(x[:3], x[1:])
    assert_same_bits(x, np.arange(4.0))
    program(x[:2], x[2:])
    with pytest.raises(ValueError, match="shares memory"):
        program(x[:2], x[:2])
    reading = fastnn.capture(lambda a, b: a + b)
    assert_same_bits(reading(x, x), x + x)


def test_gradients_of_arguments_reach_the_caller() -> None:
    def step(t: Tensor) -> None:
        (t * t).sum().backward()

    program = fastnn.capture(step)
    given, plain = (Tensor(np.arange(3.0), requires_grad=True) for _ in range(2))
    for _ in range(3):
        program(given)
        step(plain)
        assert_same_bits(given.grad, plain.grad)
    given.grad = None
    program(given)
    assert_same_bits(given.grad, 2 * np.arange(3.0))


def test_tensors_with_and_without_gradient_are_two_recordings() -> None:
    program = fastnn.capture(lambda t: (t * 2).requires_grad)
    for needed in (True, False, True):
        assert program(Tensor(np.ones(2), requires_grad=needed)) is needed
    assert len(program.recordings) == 2


def test_new_shapes_dtypes_and_layouts_are_recorded_anew() -> None:
    program = fastnn.capture(lambda x: np.exp(x).sum(axis=0))
    kinds = [np.ones((3, 4)), np.ones((2, 4)), np.ones((3, 4), np.float32),
             np.asfortranarray(np.ones((3, 4))), np.ones((3, 4))[::-1], np.ones(3)]  # fmt: skip
    for _ in range(2):
        for kind in kinds:
            kind += np.random.default_rng(0).normal(size=kind.shape).astype(kind.dtype)
            assert_same_bits(program(kind), np.exp(kind).sum(axis=0))
        assert len(program.recordings) == len(kinds)


def test_other_arguments_are_constants() -> None:
    def step(x: Any, power: Any, name: Any = None) -> Any:
        return x**power + (1 if name == "more" else 0)

    program = fastnn.capture(step)
    x = np.array([1.5, 2.5])
    for arguments in ((2,), (2.0,), (3,), (0.0,), (-0.0,), (2, "more"), (float("nan"),), (True,)):
        for _ in range(2):
            assert_same_bits(program(x, *arguments), step(x, *arguments))
    assert len(program.recordings) == 8
    signed = fastnn.capture(lambda x, zero: np.copysign(x, zero))
    assert_same_bits(signed(x, 0.0), x)
    assert_same_bits(signed(x, -0.0), -x)


def test_scalars_of_numpy_are_arguments() -> None:
    program = fastnn.capture(lambda x, rate: x * rate)
    for rate in (np.float64(0.5), np.float64(0.25)):
        assert_same_bits(program(np.ones(3, np.float32), rate), np.ones(3, np.float32) * rate)
    assert len(program.recordings) == 1


def test_too_many_kinds_of_arguments() -> None:
    program = fastnn.capture(lambda x, rate: x * rate)
    for i in range(64):
        program(np.ones(2), i / 7)
    with pytest.warns(RuntimeWarning, match="64 kinds of arguments.*pass numbers that change"):
        program(np.ones(2), 100.5)
    program(np.ones(2), 101.5)
    assert len(program.recordings) == 64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(([1, 2],), "argument 0 wants an array, a Tensor or a constant, got a list"),
     ((np.ones(2), {"a": 1}), "argument 1 wants.*got a dict"),
     ((np.array(["a"]),), "argument 0 wants real numbers, got dtype <U1"),
     ((np.ones(2) * 1j,), "argument 0 wants real numbers, got dtype complex128")],
)  # fmt: skip
def test_arguments_that_a_program_does_not_take(arguments: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        fastnn.capture(lambda *args: args[0])(*arguments)


def test_what_is_not_a_function() -> None:
    with pytest.raises(TypeError, match="step must be a function, got int"):
        fastnn.capture(3)


def test_byte_swapped_and_unaligned_arguments() -> None:
    packed = np.zeros(5, dtype=[("flag", "u1"), ("value", "<f8")])
    for x in (np.arange(5.0).astype(">f8"), packed["value"]):
        program = fastnn.capture(lambda x: (x * 2, x.sum()))
        for shift in range(3):
            x[...] = np.arange(5) + shift
            assert_same_bits(program(x), (np.arange(5.0) * 2 + shift * 2, x.sum()))


def test_a_program_in_a_step() -> None:
    inner = fastnn.capture(lambda x: np.tanh(x) * 2)
    assert_replays(lambda x: inner(x) + 1, lambda rng: [rng.normal(size=5)])
    x = np.arange(5.0)
    assert_same_bits(inner(x), np.tanh(x) * 2)


def test_constants_made_in_the_step() -> None:
    def step(x: Any) -> Any:
        total = np.zeros_like(x)
        mask = np.full_like(x, 2.0)
        for i in range(3):
            total += x * (i + np.eye(3))
            total[i] = mask[0] + np.ones(3)
        return total, np.argmax(x, axis=1), x.argmin(), (x > 0).any()

    assert_replays(step, lambda rng: [rng.normal(size=(3, 3))])


def test_methods_of_arrays() -> None:
    def step(x: Any) -> Any:
        return (
            x.sum(axis=1, dtype=np.float64), x.mean(), x.max(axis=0, keepdims=True), x.clip(-1, 1),
            x.T.copy(), x.ravel(), x.reshape(2, -1), x.astype(np.float64), x.cumsum(axis=0),
            x.swapaxes(0, 1), x.round(1), x.dot(x.T), x.trace(), x.flatten(), abs(x), -x, +x,
            x // 2, x % 2, divmod(x, 2), x**2, 2**x, x.take([0, 1], axis=0), x.repeat(2),
            len(x), x.itemsize, x.strides, x.size, x.ndim, x.nbytes,
        )  # fmt: skip

    def close(found: Any, expected: Any) -> None:
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(np.array(a), np.array(b), rtol=1e-5)

    assert_replays(step, lambda rng: [rng.normal(size=(4, 6)).astype("f4")], compare=close)
