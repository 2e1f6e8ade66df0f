"""capture: a step that Python runs once and C replays.

``iterate`` replays a step on its own results.  A step is recorded twice, from the same state,
and both recordings must be the same: so a random draw or a counter in Python, which a
replay would repeat as it was, is found.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from fastnn._kernels._doorway import Fusion
from fastnn.checks import whole
from fastnn.modes import recorder, recording_by
from fastnn.node import Node
from fastnn.program.constants import closed_over_as_constants
from fastnn.program.errors import CaptureError
from fastnn.program.outside import rate_changes
from fastnn.program.recorder import Recorder
from fastnn.program.report import call_table, profile_table
from fastnn.program.traced import Traced
from fastnn.program.where import where
from fastnn.tensor import Tensor, handle

__all__ = ["CaptureError", "Program", "capture", "iterate"]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
Step: TypeAlias = "Callable[..., Any]"

MOST_RECORDINGS = 64  # that a program keeps


def capture(step: Step) -> Program:
    """A program that does what step does, without Python.

    ::

        def step(X, y):
            optimizer.zero_grad()
            loss = fastnn.cross_entropy(model(X), y)
            loss.backward()
            optimizer.step()
            return loss

        program = fastnn.capture(step)
        for X, y in batches:
            loss = program(X, y)

    The first call with arguments of new shapes or dtypes runs the step in Python, and
    records the calls that it makes; later ones replay them, in C.  Recorded are the
    arguments, Tensors and parameters, and what optimizers keep: all that may change.  An
    array from outside the step is a constant.

    Args:
        step: a function of arrays, made of NumPy's functions and fastnn's; it may change its
            arguments and parameters in place, and returns arrays or Tensors, alone or in
            lists, tuples and dicts.

    Returns:
        A :class:`Program`.

    Raises:
        CaptureError: (by the program) the step does what cannot be replayed: it reads a
            value in Python (``float(loss)``, ``if t > 0``), writes to an array from outside,
            calls what has no form in C, or does not do the same when it is run again.
    """
    if not callable(step):
        raise TypeError(f"step must be a function, got {type(step).__name__}")
    return Program(step)


class Program:
    """What :func:`capture` returns: called as the step, it replays the step's calls."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._recordings: dict[Any, Recording] = {}
        self._lock = threading.Lock()
        self._has_warned = False

    def __call__(self, *args: Any, copy: bool = True) -> Any:
        """Make the step.

        Args:
            args: arrays, NumPy's scalars or Tensors, as the step takes them.  Other values
                are constants, of which each asks for a recording of its own.
            copy: False returns the program's own arrays, which the next call overwrites.

        Returns:
            What the step returns, with arrays in the place of Tensors.

        Raises:
            CaptureError: see :func:`capture`.
            TypeError: an argument is a list or another thing that can change.
            ValueError: the step writes to an argument that is read-only, or that shares
                memory with another one.
        """
        if recorder() is not None:
            return self._step(*args)  # a part of the step that is being recorded
        key = tuple(_signature(i, each) for i, each in enumerate(args))
        with self._lock:
            recording = self._recordings.get(key)
            if recording is None or not recording.holds():
                self._recordings.pop(key, None)
                recording = Recording(self._step, args)
                self._keep(key, recording)
            else:
                recording.take(args)
                recording.run(1)
            recording.give_back(args)
            return recording.results(copy)

    def _keep(self, key: Any, recording: Recording) -> None:
        if len(self._recordings) == MOST_RECORDINGS:
            if not self._has_warned:
                warnings.warn(
                    f"a program was recorded for {MOST_RECORDINGS} kinds of arguments, and forgets "
                    "the oldest: pass numbers that change as arrays, such as np.float64(x)",
                    RuntimeWarning,
                    stacklevel=3,
                )
            self._has_warned = True
            del self._recordings[next(iter(self._recordings))]
        self._recordings[key] = recording

    @property
    def recordings(self) -> list[Recording]:
        """The recordings made so far, one for each kind of arguments."""
        return list(self._recordings.values())

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the program holds for its intermediate results."""
        return sum(each.nbytes for each in self._recordings.values())

    def __str__(self) -> str:
        if not self._recordings:
            return "a program that was not called yet"
        return "\n\n".join(call_table(each) for each in self._recordings.values())

    def profile(self, steps: int = 100) -> str:
        """A table of where the time goes, call by call, in replays of the last recording.

        Each step is made from the state at hand, which is put back.

        Args:
            steps: how many replays to measure.

        Raises:
            RuntimeError: the program was not called yet.
        """
        if not self._recordings:
            raise RuntimeError("the program was not called yet: there is nothing to measure")
        with self._lock:
            return profile_table(self.recordings[-1], whole("steps", steps, 1))


class Recording:
    """The calls of a step for arguments of one kind.

    Attributes:
        tape: the calls.
        recorder: what recorded them.
        fuses: whether elementwise calls are made on each block of the product before them.
    """

    fuses = True

    def __init__(
        self, step: Step, args: Sequence[Any], feedback: bool = False, capacity: int = 1
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
            Fusion(self.tape).run()

    def _record(self, recorder: Recorder, step: Step, args: Sequence[Any], feedback: bool) -> None:
        try:
            self._inputs = [_Input(recorder, i, each) for i, each in enumerate(args)]
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
        self._returned = _mapped(returned, _array)
        self._is_written = [
            each.traced is not None and recorder.is_written(each.traced.array)
            for each in self._inputs
        ]

    def _refuse_aliases(self, args: Sequence[Any]) -> None:
        """Raise where a write to an argument would not do what it does in NumPy."""
        for i, is_written in enumerate(self._is_written):
            array = _array(args[i])
            if not is_written or not isinstance(array, np.ndarray):
                continue
            for j, other in enumerate(map(_array, args)):
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
                np.may_share_memory(_array(result), other.traced.array) for other in self._inputs
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


class _Input:
    """An argument of a step: its memory in the program, and what the step is given."""

    def __init__(self, recorder: Recorder, number: int, value: Any) -> None:
        self.traced: Any = None
        self.given = value
        self._recorder = recorder
        self._node: Node | None = None
        array = _array(value)
        if isinstance(array, (np.ndarray, np.generic)):
            self._memory = own = _memory_like(np.asarray(array))
            if isinstance(array, np.ndarray) and not array.flags.writeable:
                own = own.view()
                own.flags.writeable = False
            self.traced = recorder.lift(own, number)
            self.given = self.traced
            self.take(value)
            if isinstance(value, Tensor):
                self._node = node = Node(self.traced, value.requires_grad)
                self.given = handle(node)
                recorder.adopted[node] = (own, None)
                recorder.arguments.add(node)

    def take(self, value: Any) -> None:
        if self.traced is not None:
            np.copyto(self._memory, _array(value))

    def give_back(self, value: Any, is_written: bool) -> None:
        if isinstance(value, Tensor):
            if is_written:
                value.data = self.traced.array
            node = self._node
            if node is not None and isinstance(node.grad, np.ndarray):
                gradient = node.grad.copy()
                is_added = value.grad is not None and node not in self._recorder.reset
                value.grad = value.grad + gradient if is_added else gradient
        elif is_written and isinstance(value, np.ndarray):
            value[...] = self.traced.array


def iterate(step: Step, state: Any, n: int) -> Any:
    """Call step n times on its own results: ``state = step(*state)``, without Python.

    ::

        def step(W0, W1):
            ...                        # plain NumPy, which may also change W0 and W1 in place
            return W0, W1

        W0, W1 = fastnn.iterate(step, (W0, W1), n=5000)

    Args:
        step: a function of the state's arrays that returns them, in their order, with their
            shapes and dtypes; see :func:`capture` for what it may do.
        state: an array, or a tuple or list of arrays; they are not changed.
        n: how often, at least 0.

    Returns:
        The state after n steps, in the form of the argument.

    Raises:
        CaptureError: as by :func:`capture`, or step returns something else than its state.
        TypeError, ValueError: naming the argument.
    """
    if not callable(step):
        raise TypeError(f"step must be a function, got {type(step).__name__}")
    n = whole("n", n, 0)
    several = isinstance(state, (tuple, list))
    arrays = [np.asarray(each) for each in (state if several else (state,))]
    for i, array in enumerate(arrays):
        if array.dtype.kind not in "fiub":
            raise TypeError(f"state {i} wants an array of real numbers, got {array.dtype}")
    if n == 0:
        results = [array.copy() for array in arrays]
    else:
        recording = Recording(step, arrays, feedback=True, capacity=n)
        recording.run(n - 1)
        results = recording.state()
    if not several:
        return results[0]
    if hasattr(state, "_fields"):
        return type(state)(*results)
    return type(state)(results)


def _array(value: Any) -> Any:
    if isinstance(value, Traced):
        return value.array
    return value.data if isinstance(value, Tensor) else value


def _signature(position: int, value: Any) -> Any:
    """What a recording for this argument serves for."""
    array = _array(value)
    if isinstance(array, (np.ndarray, np.generic)):
        if array.dtype.kind not in "fiub":
            raise TypeError(f"argument {position} wants real numbers, got dtype {array.dtype}")
        needs_grad = value.requires_grad if isinstance(value, Tensor) else None
        may_be_written = isinstance(array, np.ndarray) and array.flags.writeable
        return (needs_grad, may_be_written, array.shape, array.dtype, array.strides)
    if isinstance(value, float):
        return (float, value.hex())  # which tells -0.0 from 0.0
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"argument {position} wants an array, a Tensor or a constant, got a "
            f"{type(value).__name__}: pass its arrays one by one"
        ) from None
    return (type(value), value)


def _memory_like(array: Array) -> Array:
    """An array in new memory that is walked over as the given one is: with its strides.

    NumPy's functions choose how they compute, and their bits with it, by the strides.
    """
    dtype = array.dtype.newbyteorder("=")
    if any(stride % dtype.alignment for stride in array.strides):
        return np.array(array, dtype, order="K", subok=False)
    ends = [(n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True)]
    before = -sum(end for end in ends if end < 0)
    after = sum(end for end in ends if end > 0)
    count = (before + after) // dtype.itemsize + 1 if array.size else 0
    memory = np.zeros(count, dtype)[before // dtype.itemsize :]
    return np.lib.stride_tricks.as_strided(memory, array.shape, array.strides)


def _mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _mapped(each, function) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [_mapped(each, function) for each in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return function(value)


def _result(value: Any, copy: bool) -> Any:
    array = _array(value)
    return np.array(array) if copy and isinstance(array, np.ndarray) else array


def _results_like(returned: Any, inputs: Sequence[_Input]) -> list[Any]:
    results = list(returned) if isinstance(returned, (tuple, list)) else [returned]
    results = [each.data if isinstance(each, Tensor) else each for each in results]
    wanted = [(each.traced.shape, each.traced.dtype) for each in inputs]
    found = [(np.shape(_array(each)), getattr(each, "dtype", type(each))) for each in results]
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
                f"{other[2]}; what changes from step to step (random numbers, counters) must be "
                "an argument"
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
