"""Recording: the calls of a step for arguments of one kind, and their replay.

A step is recorded twice, from the same state, and both recordings must be the same: so a
random draw or a counter in Python, which a replay would repeat as it was, is found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from fastnn._kernels._doorway import Fusion
from fastnn.modes import recorder, recording_by
from fastnn.program.constants import closed_over_as_constants
from fastnn.program.errors import CaptureError
from fastnn.program.inputs import Input, values_of
from fastnn.program.outside import rate_changes
from fastnn.program.recorder import Recorder
from fastnn.program.traced import Traced
from fastnn.program.where import where
from fastnn.tensor import Tensor

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
Step: TypeAlias = "Callable[..., Any]"


class Recording:
    """The calls of a step for arguments of one kind.

    Attributes:
        tape: the calls.
        recorder: what recorded them.
        fuses: whether elementwise calls are made on each block of the product before them.
    """

    fuses = True

    def __init__(
        self,
        step: Step,
        args: Sequence[Any],
        feedback: bool = False,
        capacity: int = 1,
        keep_grad: bool = False,
    ) -> None:
        if recorder() is not None:
            raise CaptureError(
                f"a step cannot be recorded while another one is, in the same thread{where()}"
            )
        self._capacity = capacity
        self._has_rates = False  # set for the next replay
        self.made = 0  # steps of the last replay
        first = Recorder(self._capacity)
        second = Recorder(self._capacity)
        try:
            self._record(first, step, args, feedback)
            first.restore()
            self._record(second, step, args, feedback)
            try:
                _compare(first, second, self._has_results)
                if not feedback:
                    self._refuse_aliases(args)
                second.tell_flags()
            except BaseException:
                second.restore()
                raise
        except BaseException:
            second.put_back()
            first.put_back()
            raise
        second.conclude()
        self.recorder = second
        self.tape = second.tape
        if self.fuses:
            results: list[Any] = []
            _mapped(self._returned, lambda each: results.append(values_of(each)))
            held = [*second.held(keep_grad), *results]
            second.give_up(Fusion(self.tape).run(held))

    def _record(self, recorder: Recorder, step: Step, args: Sequence[Any], feedback: bool) -> None:
        try:
            self._inputs = [Input(recorder, i, each) for i, each in enumerate(args)]
            with recording_by(recorder), closed_over_as_constants(step):
                returned = step(*(each.given for each in self._inputs))
                if feedback:
                    self._feed_back(recorder, returned)
            recorder.settle()
        except BaseException:
            recorder.restore()
            raise
        finally:
            recorder.close()
        parts: list[Any] = []
        _mapped(returned, lambda each: parts.append(getattr(each, "data", None)))
        self._has_results = any(isinstance(each, Traced) for each in parts)
        self._returned = _mapped(returned, values_of)
        self._is_written = [
            each.traced is not None and recorder.is_written(each.traced.array)
            for each in self._inputs
        ]

    def _refuse_aliases(self, args: Sequence[Any]) -> None:
        """Raise where a write to an argument would not do what it does in NumPy."""
        for i, is_written in enumerate(self._is_written):
            array = values_of(args[i])
            if not is_written or not isinstance(array, np.ndarray):
                continue
            for j, other in enumerate(map(values_of, args)):
                if j != i and isinstance(other, np.ndarray) and np.shares_memory(array, other):
                    raise ValueError(
                        f"the step writes to argument {i}, which shares memory with argument {j}: "
                        "pass a copy of one of them"
                    )

    def _feed_back(self, recorder: Recorder, returned: Any) -> None:
        """Copy what the step returned to where its arguments are."""
        results = _results_like(returned, self._inputs)
        held: list[Any] = []
        for result, each in zip(results, self._inputs, strict=True):
            if isinstance(result, Traced) and result.array is each.traced.array:
                held.append(None)
            elif any(
                np.may_share_memory(values_of(result), other.traced.array) for other in self._inputs
            ):
                held.append(recorder.copied(result, recorder.empty(result.shape, result.dtype)))
            else:
                held.append(result)
        for result, each in zip(held, self._inputs, strict=True):
            if result is not None:
                recorder.copied(result, each.traced)

    # --- replay -----------------------------------------------------------------------

    def holds(self) -> bool:
        """Whether what was recorded is still what the step would do."""
        return self.recorder.holds()

    def take(self, args: Sequence[Any]) -> None:
        """Put the arguments where the calls read them."""
        if any(self._is_written):
            self._refuse_aliases(args)
        for each, value in zip(self._inputs, args, strict=True):
            each.take(value)

    def give_back(self, args: Sequence[Any]) -> None:
        """Put what the step wrote into its arguments into the caller's arrays."""
        for each, value, is_written in zip(self._inputs, args, self._is_written, strict=True):
            each.give_back(value, is_written)

    def run(self, steps: int, seconds: float = 0.1) -> None:
        """Make steps, with a look at signals in between."""
        recorder = self.recorder
        recorder.load_cells(0, steps)
        made = 0
        try:
            while made < steps:
                done, why = self.tape.run(made, steps, seconds)
                recorder.count(done)
                made += done
                if why not in ("done", "late"):
                    recorder.tell_flags()
                    recorder.fail()
            recorder.tell_flags()
        finally:
            recorder.overwrite()

    def advance(self, first: int, last: int, seconds: float) -> int:
        """Make steps first to last - 1, as many as the time allows; how many were made."""
        recorder = self.recorder
        self.made = 0
        if not self._has_rates:
            recorder.load_cells(first, last - first)
        self._has_rates = False
        self.made, why = self.tape.run(first, last, seconds)
        recorder.count(self.made)
        recorder.overwrite()
        recorder.tell_flags()
        if why not in ("done", "late"):
            recorder.fail()
        return self.made

    def set_rates(self, first: int, groups: Sequence[Any], rates: Array) -> None:
        """Learning rates (steps, groups) of the steps from ``first`` on."""
        self.recorder.load_cells(first, len(rates))
        self._has_rates = True
        for group, column in zip(groups, rates.T, strict=True):
            self.recorder.set_rate(group, first, column)

    def move(self, array: Array, stride: int, position: int) -> None:
        """What lies in the array at step ``position`` lies ``stride`` bytes further at the next."""
        self.tape.move(array, stride, position)

    def results(self, copy: bool) -> Any:
        """What the step returned, as arrays."""
        return _mapped(self._returned, lambda each: _result(each, copy))

    def state(self) -> list[Array]:
        """Copies of the arguments as the last step left them."""
        return [each.traced.array.copy() for each in self._inputs]

    @property
    def arguments(self) -> list[Array]:
        """The program's own arrays of the arguments."""
        return [each.traced.array for each in self._inputs if each.traced is not None]

    @property
    def nbytes(self) -> int:
        """Bytes for intermediate results and working memory."""
        return self.recorder.nbytes + self.tape.working_bytes


def _mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _mapped(each, function) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [_mapped(each, function) for each in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return function(value)


def _result(value: Any, copy: bool) -> Any:
    array = values_of(value)
    return np.array(array) if copy and isinstance(array, np.ndarray) else array


def _results_like(returned: Any, inputs: Sequence[Input]) -> list[Any]:
    results = list(returned) if isinstance(returned, (tuple, list)) else [returned]
    results = [each.data if isinstance(each, Tensor) else each for each in results]
    wanted = [(each.traced.shape, each.traced.dtype) for each in inputs]
    found = [(np.shape(values_of(each)), getattr(each, "dtype", type(each))) for each in results]
    if found != wanted:
        raise CaptureError(
            f"the step must return its state, {_described(wanted)}, got {_described(found)}"
        )
    return results


def _described(kinds: list[tuple[Any, Any]]) -> str:
    return ", ".join(f"{dtype} {shape}" for shape, dtype in kinds)


def _compare(first: Recorder, second: Recorder, has_results: bool) -> None:
    """Raise unless two recordings of a step are the same."""
    for one, other in zip(first.log, second.log, strict=False):
        if one[:2] != other[:2]:
            what = "a constant" if "constant" in (one[0], other[0]) else f"the call of {other[0]}"
            raise CaptureError(
                f"the step does not do the same when it is run again: {what} differs"
                f"{other[2]}; what changes from step to step (a counter) must be an argument, and "
                "random numbers must be drawn by a fastnn.random.Generator, which is recorded"
            )
    for found, again in zip(first.rates_read(), second.rates_read(), strict=False):
        if found != again:
            raise rate_changes(found, again)
    if not has_results and all(each[0] == "constant" for each in second.log):
        raise CaptureError(
            "the step records nothing: it does not compute with its arguments, Tensors or "
            "parameters"
        )
    if len(first.log) != len(second.log):
        raise CaptureError(
            f"the step does not do the same when it is run again: it made {len(first.log)} "
            f"calls, then {len(second.log)}"
        )
