"""iterate uses a recording again where a step makes the same calls, and only there."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from program.replaying import assert_same_bits

from fastnn import CaptureError, iterate
from fastnn.program import again, recording, replay

START = np.arange(3.0)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The steps that were recorded, by a function that has kept none so far."""
    steps: list[Any] = []

    class Watched(recording.Recording):
        def __new__(cls, step: Any, *args: Any, **options: Any) -> Any:
            steps.append(step)
            return super().__new__(cls)

    monkeypatch.setattr(replay, "Recording", Watched)
    monkeypatch.setattr(replay, "_kept", again.Kept())
    return steps


def assert_iterates(step: Callable[..., Any], start: np.ndarray = START, n: int = 4) -> None:
    expected = start.copy()
    with np.errstate(all="ignore"):
        for _ in range(n):
            expected = step(expected)
    assert_same_bits(iterate(step, start, n), expected)


def scaled(factor: Any) -> Callable[..., Any]:
    def step(x: Any) -> Any:
        return x * factor + 1

    return step


def test_the_same_step_and_another_one_of_the_same_code(recorded: list[Any]) -> None:
    for n in (1, 2, 5):
        assert_iterates(scaled(0.5), n=n)
        assert_iterates(scaled(np.array([1.0, 2.0, 3.0])), n=n)
    assert_iterates(scaled(0.5), START[::-1] * 7)
    assert_iterates(scaled(0.5), START * 7)
    # The two kinds of factor took turns, so each was recorded; then two kinds of strides.
    assert len(recorded) == 7
    step = scaled(0.5)
    for _ in range(3):
        assert_iterates(step)
    assert len(recorded) == 7
    for other in (0.25, 1, np.float32(0.5), True, -0.0, 0.0):
        assert_iterates(scaled(other))
    assert len(recorded) == 13


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_a_constant_that_was_changed_in_place(recorded: list[Any], dtype: Any) -> None:
    factor = np.array([1, 2, 3], dtype)
    for i in range(3):
        assert_iterates(scaled(factor))
        assert_iterates(scaled(factor.copy()))
        factor[1] = 5 + i
        assert_iterates(scaled(np.array([1, 2 if i == 0 else 4 + i, 3], dtype)))
    assert_iterates(scaled(factor))


def test_a_large_constant_is_not_relied_on(recorded: list[Any]) -> None:
    factor, start = np.full(5000, 2), np.arange(5000.0)
    for i in range(3):
        factor[7] = i
        assert_iterates(scaled(factor), start)
    assert len(recorded) == 3


def test_what_a_large_step_needs_is_not_kept(recorded: list[Any]) -> None:
    start = np.arange(100_000.0)
    for _ in range(2):
        assert_iterates(scaled(0.5), start)
    assert len(recorded) == 2


def test_only_so_many_are_kept(recorded: list[Any]) -> None:
    for n in range(1, 40):
        assert_iterates(scaled(0.5), np.arange(float(n)))
    assert len(replay._kept._recordings) == 16
    assert_iterates(scaled(0.5), np.arange(39.0))
    assert len(recorded) == 39
    assert_iterates(scaled(0.5), np.arange(1.0))
    assert len(recorded) == 40


def test_what_differs_from_step_to_step_is_found_each_time(recorded: list[Any]) -> None:
    rng, counter = np.random.default_rng(0), [0]

    def drawn(x: Any) -> Any:
        return x * rng.random(3)

    def counted(x: Any) -> Any:
        counter[0] += 1
        return x * counter[0]

    for step in (drawn, counted, drawn, counted):
        with pytest.raises(CaptureError, match="does not do the same when it is run again"):
            iterate(step, START, 3)


def test_a_counter_that_moves_between_the_calls(recorded: list[Any]) -> None:
    """Each tracing of a call sees the same number, the next call another one."""
    counter = [1]

    def step(x: Any) -> Any:
        return x * counter[0]

    for _ in range(3):
        assert_iterates(step)
        counter[0] += 1
    assert len(recorded) == 3


def test_the_handling_of_floating_point_errors(recorded: list[Any]) -> None:
    def dividing(mode: Any) -> Callable[..., Any]:
        def step(x: Any) -> Any:
            with np.errstate(divide=mode):
                return 1 / x

        return step

    for _ in range(2):
        iterate(dividing("ignore"), START, 1)
        with pytest.raises(FloatingPointError, match="divide by zero"):
            iterate(dividing("raise"), START, 1)
        with pytest.warns(RuntimeWarning, match="divide by zero") as found:
            iterate(dividing("warn"), START, 1)
        assert found[0].filename == __file__
    plain = lambda x: 1 / x  # noqa: E731
    iterate(plain, START + 1, 1)
    with pytest.warns(RuntimeWarning, match="divide by zero") as found:
        iterate(plain, START, 1)
    assert found[0].filename == __file__
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        iterate(plain, START, 1)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        iterate(plain, START, 1)


def test_an_error_of_the_step_is_the_users(recorded: list[Any]) -> None:
    fails = [False]

    def step(x: Any) -> Any:
        if fails[0]:
            raise KeyError("mine")
        return x * 2

    assert_iterates(step)
    fails[0] = True
    with pytest.raises(KeyError, match="mine"):
        iterate(step, START, 2)
    fails[0] = False
    assert_iterates(step)


def test_threads_do_not_share_a_recording(recorded: list[Any]) -> None:
    failed: list[Any] = []

    def work(seed: int) -> None:
        start = np.random.default_rng(seed).random(3)
        expected = start.copy()
        for _ in range(50):
            expected = expected * 0.5 + 1
        found = [iterate(scaled(0.5), start, 50) for _ in range(100)]
        failed.extend(seed for each in found if not np.array_equal(each, expected))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not failed
