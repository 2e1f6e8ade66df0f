"""capture: a step that Python runs once and C replays; iterate: one on its own results."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from fastnn.checks import whole
from fastnn.modes import recorder
from fastnn.program.again import Kept
from fastnn.program.errors import CaptureError
from fastnn.program.inputs import signature
from fastnn.program.recording import Recording
from fastnn.program.report import call_table, profile_table

__all__ = ["CaptureError", "Program", "capture", "iterate"]

Step: TypeAlias = "Callable[..., Any]"

MOST_RECORDINGS = 64  # that a program keeps

_kept = Kept()  # of iterate


def capture(step: Step, *, keep_grad: bool = False) -> Program:
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
    array from outside the step is a constant.  Random numbers come from ``fastnn.random``, which
    draws new ones at each replay.

    Args:
        step: a function of arrays, made of NumPy's functions and fastnn's; it may change its
            arguments and parameters in place, and returns arrays or Tensors, alone or in
            lists, tuples and dicts.
        keep_grad: True leaves each gradient in its parameter's ``.grad``, as the step does.
            Otherwise one that only the optimizer reads goes straight to the update, block by
            block, and ``.grad`` is None afterwards: this saves memory, and time.

    Returns:
        A :class:`Program`.

    Raises:
        CaptureError: (by the program) the step does what cannot be replayed: it reads a
            value in Python (``float(loss)``, ``if t > 0``), writes to an array from outside,
            calls what has no form in C, or does not do the same when it is run again.
    """
    if not callable(step):
        raise TypeError(f"step must be a function, got {type(step).__name__}")
    return Program(step, keep_grad=keep_grad)


class Program:
    """What :func:`capture` returns: called as the step, it replays the step's calls."""

    def __init__(self, step: Step, *, keep_grad: bool = False) -> None:
        self._step = step
        self._keep_grad = keep_grad
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
        key = tuple(signature(i, each) for i, each in enumerate(args))
        with self._lock:
            recording = self._recordings.get(key)
            if recording is None or not recording.holds():
                self._recordings.pop(key, None)
                recording = Recording(self._step, args, keep_grad=self._keep_grad)
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


def iterate(step: Step, state: Any, n: int) -> Any:
    """Call step n times on its own results: ``state = step(*state)``, without Python.

    ::

        def step(W0, W1):
            ...                        # plain NumPy, which may also change W0 and W1 in place
            return W0, W1

        W0, W1 = fastnn.iterate(step, (W0, W1), n=5000)

    Python runs the step twice, to record its calls.  Small recordings are kept: where a step of
    the same code, on arrays of the same kind, makes the same calls with equal constants, once is
    enough.

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
        recording = _kept.take(step, arrays)
        made = 0
        if recording is None:
            recording, made = Recording(step, arrays, feedback=True, capacity=n), 1
        recording.run(n - made)
        results = recording.state()
        _kept.put(step, arrays, recording)
    if not several:
        return results[0]
    if hasattr(state, "_fields"):
        return type(state)(*results)
    return type(state)(results)
