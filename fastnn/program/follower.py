"""The second tracing of a step: nothing is computed, every call must be the first tracing's."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.program.calls import key_of, rebuilt
from fastnn.program.errors import CaptureError
from fastnn.program.outside import rate_changes
from fastnn.program.recorder import Recorder
from fastnn.program.traced import Traced
from fastnn.program.where import where


class Follower(Recorder):
    """Follows a recorder, call by call.

    So what changes from step to step, as a random draw or a counter in Python does, is found:
    a replay would repeat it as it was.  What a call gives is the array that the first tracing
    has made, for the memory of both is one.

    Args:
        first: what is followed.

    Raises:
        CaptureError: (by any method) the step does not do the same as before.
    """

    def __init__(self, first: Recorder) -> None:
        super().__init__(1)
        self._first = first
        self._position = 0
        self._difference: str | None = None

    def call(self, name: str, make: Callable[..., Any], *given: Any) -> Any:
        """What the first tracing's call gave."""
        if self._position == len(self._first.calls):
            count = self._position
            raise self._differs(f"it made {count} calls, then {count + 1} or more{where()}")
        expected = self._first.calls[self._position]
        self._position += 1
        read: list[Traced] = []
        key = key_of(given, self, read)
        if expected.name != name or expected.key != key:
            is_constant = expected.name == name and expected.read == tuple(
                each.mark for each in read
            )
            what = "a constant in the call" if is_constant else "the call"
            raise self._differs(f"{what} of {name} differs{where()}")
        if expected.errstate != tuple(np.geterr().values()):
            raise self._differs(f"NumPy's errstate in the call of {name} differs{where()}")
        if expected.error is not None:
            raise copy.copy(expected.error)
        return rebuilt(expected.result, read, self.link)

    def leave(self, traced: Traced) -> None:
        """The step leaves an array behind, which the first tracing must have left as well."""
        if traced.root().mark in self._first.dead_at_the_end:
            raise self._differs("it leaves another array behind")

    def check(self, name: str, found: Traced, expected: Any) -> None:
        """The first tracing has checked."""

    def finish(self, had_returned: list[Any], returned: list[Any]) -> None:
        """Raise unless the step has ended as it did the first time.

        Args:
            had_returned, returned: the marks of the arrays that it returned.
        """
        if self._difference is not None:  # which the step has caught
            raise CaptureError(self._difference)
        for found, again in zip(self._first.rates_read(), self.rates_read(), strict=False):
            if found != again:
                raise rate_changes(found, again)
        if self._position != len(self._first.calls):
            raise self._differs(f"it made {len(self._first.calls)} calls, then {self._position}")
        for each in self.left_in_objects():
            self.leave(each)
        if had_returned != returned:
            raise self._differs("it returns another array")

    def _differs(self, how: str) -> CaptureError:
        self._difference = (
            f"the step does not do the same when it is run again: {how}; what "
            "changes from step to step (a counter) must be an argument, and random numbers must be "
            "drawn by a fastnn.random.Generator, which is recorded"
        )
        return CaptureError(self._difference)
