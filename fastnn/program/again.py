"""Recordings of iterate that are used again, for a step that makes the same calls.

A step of the same code is traced once, against a recording that was kept.  If it makes the very
calls, with equal constants, that recording is its program; if not, it is recorded anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, TypeAlias

import numpy as np

from fastnn.program.inputs import signature
from fastnn.program.recording import Recording

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


class Kept:
    """Recordings by the code of their step and the kind of its arguments.

    One that is in use is taken out, so no two threads share it.

    Args:
        most: how many are kept; the oldest goes.
        most_bytes: of memory for one that is kept.
    """

    def __init__(self, most: int = 16, most_bytes: int = 1 << 18) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._recordings: dict[Any, Recording] = {}
        self._lock = threading.Lock()

    def take(self, step: Callable[..., Any], arrays: Sequence[Array]) -> Recording | None:
        """The recording for this step, with the arrays as its arguments; or None."""
        key = _key(step, arrays)
        with self._lock:
            recording = self._recordings.pop(key, None)
        if recording is not None and recording.serves(step, arrays):
            return recording
        return None

    def put(self, step: Callable[..., Any], arrays: Sequence[Array], recording: Recording) -> None:
        """Keep a recording of this step, if it depends on nothing but its calls."""
        key = _key(step, arrays)
        if key is None or not recording.is_self_contained or recording.nbytes > self._most_bytes:
            return
        with self._lock:
            self._recordings.pop(key, None)
            if len(self._recordings) == self._most:
                del self._recordings[next(iter(self._recordings))]
            self._recordings[key] = recording


def _key(step: Callable[..., Any], arrays: Sequence[Array]) -> Any:
    if not isinstance(step, FunctionType):
        return None
    kinds = tuple(signature(i, each) for i, each in enumerate(arrays))
    return step.__code__, kinds
