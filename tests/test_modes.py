"""no_grad and enable_grad: in blocks, functions, generators and threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from fastnn.modes import enable_grad, no_grad
from fastnn.tensor import Tensor

X = Tensor([1.0], requires_grad=True)


def recording() -> bool:
    return (X * 2).requires_grad


def test_blocks_nest() -> None:
    assert recording()
    with no_grad():
        assert not recording()
        with enable_grad():
            assert recording()
            with no_grad():
                assert not recording()
            assert recording()
        assert not recording()
    assert recording()


def test_an_error_ends_a_block() -> None:
    with pytest.raises(ZeroDivisionError), no_grad():
        1 / 0  # noqa: B018
    assert recording()


def test_nothing_is_kept_alive() -> None:
    with no_grad():
        y = np.exp(X) * X
    assert y._node.args == ()
    with pytest.raises(RuntimeError, match=r"needs no gradient.*no_grad\(\)"):
        y.backward()


def test_tensors_that_are_made_inside_may_need_a_gradient() -> None:
    with no_grad():
        w = Tensor([2.0], requires_grad=True)
    (w * w).backward()
    assert w.grad.tolist() == [4]


def test_backward_inside_a_block() -> None:
    y = X * X
    with no_grad():
        y.backward()
    assert X.grad.tolist() == [2]
    X.grad = None
    y = X * X
    with no_grad():
        y.backward(create_graph=True)  # which asks for a graph by name
    assert X.grad.requires_grad
    X.grad = None


def test_decorated_functions() -> None:
    @no_grad()
    def inner(depth: int) -> list[bool]:
        """It calls itself."""
        return [recording(), *(inner(depth - 1) if depth else [])]

    @enable_grad()
    def outer() -> list[bool]:
        return [recording(), *inner(2), recording()]

    with no_grad():
        assert outer() == [True, False, False, False, True]
    assert recording()
    assert inner.__name__ == "inner"
    assert inner.__doc__ == "It calls itself."


def test_decorated_generators_keep_the_mode_to_themselves() -> None:
    @no_grad()
    def steps(n: int) -> Iterator[bool]:
        """Of a training loop."""
        try:
            for _ in range(n):
                yield recording()
        except ValueError:
            yield recording()
        finally:
            inside.append(recording())
        return "the end"

    inside: list[bool] = []
    for seen in steps(2):
        assert not seen
        assert recording()
    assert inside == [False]

    generator = steps(5)
    next(generator)
    assert generator.throw(ValueError) is False
    assert recording()
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == "the end"

    generator = steps(5)
    next(generator)
    generator.close()
    assert inside == [False, False, False]
    assert recording()
    assert steps.__name__ == "steps"


def test_decorated_generators_are_sent_values() -> None:
    @no_grad()
    def echo() -> Iterator[object]:
        got = yield "first"
        while True:
            got = yield (got, recording())

    generator = echo()
    assert next(generator) == "first"
    assert generator.send(3) == (3, False)
    assert generator.send("x") == ("x", False)


def test_every_thread_has_its_own() -> None:
    seen: list[bool] = []

    def work() -> None:
        seen.append(recording())
        with no_grad():
            inside.set()
            outside.wait(10)
            seen.append(recording())

    inside, outside = threading.Event(), threading.Event()
    with no_grad():
        thread = threading.Thread(target=work)
        thread.start()
        inside.wait(10)
    assert recording()
    outside.set()
    thread.join()
    assert seen == [True, False]
