"""Modes of a thread: whether ops make a graph, and who records their calls for a program."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from contextlib import ContextDecorator, contextmanager
from functools import partial, wraps
from typing import Any


class _Mode(threading.local):
    """What a thread does with ops: whether they make a graph, and who records their calls."""

    recording = True
    recorder: Any = None


mode = _Mode()


class _Recording(ContextDecorator):
    """A context, and a decorator, in which ops are recorded or not."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(mode.recording)
        mode.recording = self._wanted

    def __exit__(self, *_: object) -> None:
        mode.recording = self._before.pop()

    def __call__(self, function: Any) -> Any:
        if inspect.isgeneratorfunction(function):
            return _step_by_step(function, self._wanted)
        return super().__call__(function)

    def _recreate_cm(self) -> _Recording:
        return _Recording(self._wanted)  # each call its own: functions recur, and threads share


def _step_by_step(function: Any, wanted: bool) -> Any:
    """A generator function whose body alone runs in the mode, not those who take its values."""

    @wraps(function)
    def generator(*args: Any, **kwargs: Any) -> Any:
        inner = function(*args, **kwargs)
        step = partial(next, inner)
        while True:
            with _Recording(wanted):
                try:
                    value = step()
                except StopIteration as stop:
                    return stop.value
            try:
                step = partial(inner.send, (yield value))
            except GeneratorExit:
                with _Recording(wanted):
                    inner.close()
                raise
            except BaseException as error:  # noqa: BLE001  # the generator's own to handle
                step = partial(inner.throw, error)

    return generator


def is_recording() -> bool:
    """Whether ops build the graph in this thread."""
    return mode.recording


def no_grad() -> _Recording:
    """Build no graph in this thread: a context manager, and a decorator.

    Tensors computed inside need no gradient and keep nothing alive.  A generator function
    that is decorated builds no graph; those who take its values may.
    """
    return _Recording(False)


def enable_grad() -> _Recording:
    """Build the graph in this thread, also inside ``no_grad``; as :func:`no_grad`."""
    return _Recording(True)


@contextmanager
def recording_by(recorder: Any) -> Iterator[None]:
    """Whatever is done to Tensors in this thread is recorded for a program."""
    before = mode.recorder
    mode.recorder = recorder
    try:
        yield
    finally:
        mode.recorder = before


def recorder() -> Any:
    """Who records the calls of this thread for a program, or None."""
    return mode.recorder


def tracked(array: Any) -> Any:
    """The array; while a program is recorded, as one whose values may change."""
    return array if mode.recorder is None else mode.recorder.lift(array)
