"""iterate: a step on its own results, as often as wanted."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest
from program.replaying import assert_same_bits

from fastnn import CaptureError, Tensor, iterate

# The lecture's net: integers for data, and arrays from outside the step.
X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
y = np.array([[0, 1, 1, 0]]).T


def lecture(syn0: Any, syn1: Any) -> Any:
    l1 = 1 / (1 + np.exp(-(np.dot(X, syn0))))
    l2 = 1 / (1 + np.exp(-(np.dot(l1, syn1))))
    l2_delta = (y - l2) * (l2 * (1 - l2))
    l1_delta = l2_delta.dot(syn1.T) * (l1 * (1 - l1))
    syn1 += l1.T.dot(l2_delta)
    syn0 += X.T.dot(l1_delta)
    return syn0, syn1


def looped(step: Any, state: Any, n: int) -> Any:
    state = tuple(each.copy() for each in state)
    for _ in range(n):
        state = step(*state)
    return state


def test_the_lectures_net() -> None:
    rng = np.random.default_rng(1)
    start = 2 * rng.random((3, 4)) - 1, 2 * rng.random((4, 1)) - 1
    found, expected = iterate(lecture, start, n=5000), looped(lecture, start, 5000)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)
    assert abs(1 / (1 + np.exp(-(np.dot(X, found[0])))) @ found[1]).min() > 2  # it has learned
    assert type(X) is np.ndarray
    assert X.flags.writeable


@pytest.mark.parametrize("n", [0, 1, 2, 3, 50])
def test_state_returned_written_swapped_and_left_alone(n: int) -> None:
    start = np.arange(3.0), np.arange(3.0) ** 2, np.array(2.0)

    def returned(a: Any, b: Any, c: Any) -> Any:
        return a * 0.5 + b, np.tanh(a), c + 1

    def written(a: Any, b: Any, c: Any) -> Any:
        a *= 0.5
        b[1:] -= a[:-1]
        return a, b, c

    def swapped(a: Any, b: Any, c: Any) -> Any:
        return b, a, c * -1

    def views(a: Any, b: Any, c: Any) -> Any:
        return b[::-1], a[::-1] + 1, a[0]

    for step in (returned, written, swapped, views):
        assert_same_bits(iterate(step, start, n), looped(step, start, n))
    assert_same_bits(start[0], np.arange(3.0))


def test_the_form_of_the_state_is_kept() -> None:
    Both = namedtuple("Both", "a b")
    x = np.ones(2)
    assert isinstance(iterate(lambda a, b: (a, b + 1), [x, x], 3), list)
    found = iterate(lambda a, b: Both(a * 2, b), Both(x, x), 3)
    assert isinstance(found, Both)
    assert_same_bits(found.a, x * 8)
    assert_same_bits(iterate(lambda a: a * 2, x, 3), x * 8)
    assert_same_bits(iterate(lambda a: [a * 2], (x,), 3)[0], x * 8)
    assert_same_bits(iterate(lambda a: a + 1, 5, 3), np.array(8))
    assert_same_bits(iterate(lambda a: ~a, np.array([True, False]), 3), np.array([False, True]))


def test_a_step_of_tensors() -> None:
    def step(w: Any) -> Any:
        t = Tensor(w, requires_grad=True)
        ((t - 3) ** 2).sum().backward()
        return w - 0.1 * t.grad

    found = iterate(step, np.zeros(2), 200)
    np.testing.assert_allclose(found, 3, atol=1e-12)


def test_counters_as_state() -> None:
    def adam(w: Any, m: Any, t: Any) -> Any:
        t = t + 1
        m = 0.9 * m + 0.1 * w
        return w - 0.1 * m / (1 - 0.9**t), m, t

    start = np.ones(3), np.zeros(3), np.array(0)
    found, expected = iterate(adam, start, 20), looped(adam, start, 20)
    assert_same_bits(found, expected)
    assert found[2] == 20


@pytest.mark.parametrize(
    ("step", "got"),
    [(lambda a, b: a, r"got float64 \(2,\)"),
     (lambda a, b: (a, b, b), r"got float64 \(2,\), float64 \(2,\), float64 \(2,\)"),
     (lambda a, b: (a.sum(), b), r"got float64 \(\), float64 \(2,\)"),
     (lambda a, b: (a.astype(np.float32), b), "got float32"),
     (lambda a, b: None, "got .*NoneType"),
     (lambda a, b: (a, 1.0), "got .*float")],
)  # fmt: skip
def test_a_step_that_returns_something_else(step: Any, got: str) -> None:
    wanted = r"the step must return its state, float64 \(2,\), float64 \(2,\), " + got
    with pytest.raises(CaptureError, match=wanted):
        iterate(step, (np.ones(2), np.ones(2)), 3)


def test_arguments() -> None:
    with pytest.raises(TypeError, match="step must be a function, got int"):
        iterate(1, np.ones(2), 3)
    with pytest.raises(ValueError, match="n"):
        iterate(lambda a: a, np.ones(2), -1)
    with pytest.raises(TypeError, match="n"):
        iterate(lambda a: a, np.ones(2), 2.5)
    with pytest.raises(TypeError, match="state 1 wants an array of real numbers, got <U1"):
        iterate(lambda a, b: (a, b), (np.ones(2), "a"), 2)
