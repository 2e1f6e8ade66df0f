"""Recording: the calls of a step for arguments of one kind, and their replay.

A step is traced twice, from the same state, and both tracings must be the same: so a random
draw or a counter in Python, which a replay would repeat as it was, is found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from fastnn._kernels._doorway import Fusion
from fastnn.modes import recorder, recording_by
from fastnn.program.constants import closed_over_as_constants
from fastnn.program.errors import CaptureError
from fastnn.program.follower import Follower
from fastnn.program.inputs import Input, values_of
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
        self._has_rates = False  # set for the next replay
        self.made = 0  # steps of the last replay
        first = Recorder(capacity)
        second = Follower(first)
        try:
            with closed_over_as_constants(step):
                inputs, self._left = self._trace(first, step, args, feedback)
                first.restore()
                for each, value in zip(inputs, args, strict=True):
                    each.take(value)
                _, left_again = self._trace(second, step, args, feedback, inputs)
            try:
                second.finish(self._left, left_again)
                if not first.calls and not self._left:
                    raise CaptureError(
                        "the step records nothing: it does not compute with its arguments, "
                        "Tensors or parameters"
                    )
                self._is_written = [
                    each.traced is not None and first.is_written(each.traced.array)
                    for each in inputs
                ]
                if not feedback:
                    self._refuse_aliases(args)
                given_up = self._fuse(first, keep_grad) if self.fuses else []
                first.complete()
                first.tell_flags()
            except BaseException:
                second.restore()
                raise
        except BaseException:
            first.restore_values()
            first.put_back()
            raise
        first.conclude()
        first.give_up(given_up)
        if not (feedback and first.is_self_contained):  # it will not be followed again
            first.forget_calls()
        self._inputs = inputs
        self.recorder = first
        self.tape = first.tape

    def _fuse(self, recorder: Recorder, keep_grad: bool) -> list[Array]:
        """Let calls make others; the gradients that are not computed any more."""
        results: list[Any] = []
        _mapped(self._returned, lambda each: results.append(values_of(each)))
        left = [each.array for each in recorder.left_in_objects()]
        held = [*recorder.held(keep_grad), *left, *results]
        given_up: list[Array] = Fusion(recorder.tape).run(held)
        if any(map(recorder.tape.is_fused, range(len(recorder.tape)))):
            recorder.begin_anew()
        return given_up

    def _trace(
        self,
        recorder: Recorder,
        step: Step,
        args: Sequence[Any],
        feedback: bool,
        before: Sequence[Input] = (),
    ) -> tuple[list[Input], list[Any]]:
        """Run the step on traced arrays: its arguments, and the marks of what it returns."""
        try:
            inputs = [
                Input(recorder, i, each, before[i] if before else None)
                for i, each in enumerate(args)
            ]
            with recording_by(recorder):
                returned = step(*(each.given for each in inputs))
                if feedback:
                    _feed_back(recorder, returned, inputs)
            recorder.settle()
        except BaseException:
            recorder.restore()
            raise
        finally:
            recorder.close()
        parts: list[Any] = []
        _mapped(returned, lambda each: parts.append(getattr(each, "data", None)))
        self._returned = _mapped(returned, values_of)
        return inputs, [each.identity() for each in parts if isinstance(each, Traced)]

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

    # --- replay -----------------------------------------------------------------------

    @property
    def is_self_contained(self) -> bool:
        """Whether it depends on its calls alone, not on Tensors or large arrays from outside."""
        return self.recorder.is_self_contained

    def serves(self, step: Step, args: Sequence[Any]) -> bool:
        """Whether this step, with these arguments, makes the calls of the recorded one.

        If it does, the arguments are where the calls read them.
        """
        if not self.recorder.constants_hold():
            return False
        second = Follower(self.recorder)
        try:
            with closed_over_as_constants(step):
                _, left = self._trace(second, step, args, True, self._inputs)
            second.finish(self._left, left)
        except Exception:  # noqa: BLE001  # what is wrong is said when it is recorded
            return False
        self.take(args)
        return True

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


def _feed_back(recorder: Recorder, returned: Any, inputs: Sequence[Input]) -> None:
    """Copy what the step returned to where its arguments are."""
    results = _results_like(returned, inputs)
    held: list[Any] = []
    for result, each in zip(results, inputs, strict=True):
        if isinstance(result, Traced) and result.array is each.traced.array:
            held.append(None)
        elif any(np.may_share_memory(values_of(result), other.traced.array) for other in inputs):
            held.append(result.copy())
        else:
            held.append(result)
    for result, each in zip(held, inputs, strict=True):
        if result is not None:
            recorder.copied(result, each.traced)


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
