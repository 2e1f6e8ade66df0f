"""The recorder: it makes the calls of a step once, and writes them on a tape.

Each of NumPy's calls is made twice while recording: by NumPy itself, which tells the dtype and
the memory layout of the result, and from the tape.  Both must agree to the bit, so that a program
never computes anything else than NumPy would.  What only C computes waits until somebody wants
its values: an update at the end of a step is made once it is known that the step can be replayed.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NoReturn, TypeAlias, TypeVar

import numpy as np

from fastnn._kernels import _doorway
from fastnn.program import copies
from fastnn.program.calls import Call, described, key_of
from fastnn.program.compare import same
from fastnn.program.errors import CaptureError, NotFiniteError
from fastnn.program.memory import ALIGNMENT, Memory, address_of, owner_of
from fastnn.program.outside import Outside
from fastnn.program.traced import Traced, array_of
from fastnn.program.where import where

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
_R = TypeVar("_R")


class Recorder(Outside):
    """Records calls on a tape.

    Args:
        capacity: the most steps that one replay makes, of which each may have numbers (rates,
            counts) of its own.

    Attributes:
        tape: what is recorded so far.
        calls: those of the step, each of which may be several on the tape.
        has_changed: whether a call was made that changes what is outside the step.
        dead_at_the_end: the marks of arrays whose memory was another one's in the end.
    """

    def __init__(self, capacity: int = 1) -> None:
        super().__init__(capacity)
        self.tape = _doorway.Tape()
        self.calls: list[Call] = []
        self.has_changed = False
        self.dead_at_the_end: frozenset[int] = frozenset()
        self.finite: dict[int, tuple[str, Array]] = {}
        self.indexed_axes: dict[int, int] = {}
        self._errstates: dict[int, dict[str, Any]] = {}
        self._marks = 0
        self._made = 0  # of the calls on the tape
        self._last_risk = -1  # the last one that may fail
        self._unmade_writes: list[tuple[int, Array]] = []
        self._memory = Memory(self.tape)
        self._depth: list[Any] = []
        self._is_inside = False

    # --- calls of the step --------------------------------------------------------------

    def call(self, name: str, make: Callable[..., _R], *given: Any) -> _R:
        """What ``make(self, *given)`` gives: a call of the step, unless it is a part of one."""
        if self._is_inside:
            return make(self, *given)
        read: list[Traced] = []
        key, errstate = key_of(given, self, read), tuple(np.geterr().values())
        self._is_inside = True
        try:
            result = make(self, *given)
        except Exception as error:
            # The step may go on after it; without the traceback, which refers to all of this.
            self.calls.append(Call(name, key, errstate, _marks(read), None, copy.copy(error)))
            raise
        finally:
            self._is_inside = False
        self.calls.append(Call(name, key, errstate, _marks(read), described(result, read)))
        return result

    def close(self) -> None:
        """Nothing more is recorded."""
        super().close()
        self.dead_at_the_end = frozenset(self._memory.dead)

    def forget_calls(self) -> None:
        """Nobody follows this recorder any more."""
        self.calls.clear()
        self.constants.clear()

    # --- memory -----------------------------------------------------------------------

    @property
    def nbytes(self) -> int:
        """Bytes of the program's memory."""
        return self._memory.nbytes

    def empty(
        self, shape: Sequence[int], dtype: Any, like: Array | None = None, name: str = ""
    ) -> Traced:
        """An array of the program, in C order or in the memory order of another, for what the
        kernel of a name makes."""
        dtype = np.dtype(dtype)
        if not self._is_inside:  # by somebody who goes on to write to it
            return self.call("empty", copies.empty, tuple(shape), dtype)
        size = 1
        for length in shape:
            size *= length
        wanted = max(-(-size * dtype.itemsize // ALIGNMENT), 1) * ALIGNMENT
        self._marks += 1
        block = self._memory.take(wanted, self._marks, name)
        array = block.array(shape, dtype)
        if like is not None and like.ndim > 1 and like.strides != array.strides:
            order = sorted(range(like.ndim), key=lambda axis: -abs(like.strides[axis]))
            array = array.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))
        return Traced(array, block, self.link, None, self._marks)

    def loose(self, array: Array) -> Traced:
        """A traced array that holds no memory: for one call, while another holds it."""
        return Traced(array, None, self.link)

    def fresh(self, value: Any) -> Traced:
        """A new array of the program with these values, at each replay."""
        if isinstance(value, Traced):
            return value
        return self.call("copy", copies.fresh, value)

    def zeros(self, shape: Sequence[int], dtype: Any) -> Traced:
        """A new array of zeros, at each replay."""
        return self.call("copy", copies.zeros, tuple(shape), np.dtype(dtype))

    # --- floating-point errors and others ---------------------------------------------------

    def tell_flags(self) -> None:
        """Warn of, or raise, the floating-point errors of the last steps, as NumPy would."""
        for item, flags in self.tape.raised():
            name = self.tape.calls[item][0]
            for kind, flag in _doorway.FLOATING_POINT_FLAGS.items():
                mode = self._errstates[item][kind]
                if not flags & flag or mode == "ignore":
                    continue
                message = f"{_FLAG_TEXTS[kind]} encountered in {_numpy_name(name)}"
                if mode == "raise":
                    raise FloatingPointError(message)
                warnings.warn(message, RuntimeWarning, stacklevel=4)

    def fail(self) -> NoReturn:
        """Raise the error that ended a replay."""
        self._raise()

    def _raise(self) -> NoReturn:
        item, bad, bound = self.tape.trouble()
        if item in self.finite:
            what, value = self.finite[item]
            raise NotFiniteError(what, float(value))
        if self.tape.calls[item][0] == "check_index":
            axis = self.indexed_axes[item]
            raise IndexError(f"index {bad} is out of bounds for axis {axis} with size {bound}")
        self.tape.explain()
        raise AssertionError("a replay ended without a reason; please report this")

    # --- recording --------------------------------------------------------------------

    def loop(
        self,
        name: str,
        function: tuple[int, int],
        operands: Sequence[Array],
        *,
        calls: list[Any] | None = None,
        given: bool = False,
        shared: bool = True,
        bound: int | None = None,
        written: Array | None = None,
    ) -> None:
        """Record an inner loop over arrays, by default the last is written to, and run it."""
        since = len(self.tape)
        operands = list(operands)
        if calls is None:
            walk = _doorway.iterated(operands, given)
            calls = None if isinstance(walk, tuple) else walk
        if calls is None:
            raise CaptureError(
                f"np.{name} walks over these memory layouts in pieces, which cannot be replayed: "
                f"pass it a .copy(){where()}"
            )
        written = operands[-1] if written is None else written
        errstate, heed, fatal = _heeded(tuple(np.geterr().values()))
        self.tape.loop(name, *function, operands, calls, heed, fatal, shared, bound)
        for item in range(since, len(self.tape)):
            self._errstates[item] = errstate
        self.recorded([] if name in _CHECKS else [written], bool(fatal) or bound is not None)

    def refuse_read_only(self, name: str, target: Traced) -> None:
        """Raise if the array is read-only, as arguments and broadcast arrays may be."""
        if not target.array.flags.writeable:
            raise ValueError(f"{name} would write to an array that is read-only{where()}")

    def by_numpy(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """What NumPy gives, of the values that the calls before it have computed."""
        self.make()
        with np.errstate(all="ignore"):
            return function(*map(array_of, args), **options)

    def recorded(self, written: Sequence[Array], may_fail: bool) -> None:
        """Note what the last call on the tape writes to, and whether it may end a replay."""
        last = len(self.tape) - 1
        self._written += written
        self._unmade_writes += [(last, array) for array in written]
        if may_fail:
            self._last_risk = last

    def make(self, is_certain: bool = False) -> None:
        """Make the calls that are recorded and not made yet.

        Before what is outside the step is changed, it is saved; where the recording is
        certain, only if a call that may fail comes after it.
        """
        since, self._made = self._made, len(self.tape)
        if since == self._made:
            return
        for item, array in self._unmade_writes:
            owner = owner_of(array)
            if self.is_changeable(owner):
                self.has_changed = True
                if not is_certain or item <= self._last_risk:
                    self.save(owner)
        self._unmade_writes.clear()
        why = self.tape.run(0, 1, since=since)[1]
        if why == "flags":
            self.tell_flags()
        if why != "done":
            self._raise()

    def begin_anew(self) -> None:
        """Make the step from its start when it is completed, for the calls are others now."""
        self._made = 0

    def complete(self) -> None:
        """Make the step, after it was recorded: all of it, or what was not made yet."""
        if self.has_changed:
            self._made = 0
        self.make(is_certain=True)

    def constant(self, value: Any, dtype: Any) -> Array:
        """A value of the caller's as a constant of the program."""
        return np.asarray(value, dtype)

    def plain(self, value: Any, dtype: Any) -> Any:
        """An operand in this dtype: a constant array, or a traced one, by a recorded cast."""
        if not isinstance(value, Traced):
            return self.constant(value, dtype)
        return value if value.array.dtype == dtype else self.cast(value, dtype)

    def cast(self, value: Traced, dtype: Any) -> Traced:
        """The values in another dtype: the same array if it has it already."""
        if value.dtype == dtype:
            return value
        return self.call("copy", copies.cast, value, np.dtype(dtype))

    def copied(self, source: Any, target: Traced) -> Traced:
        """Copy an array into another, broadcast and cast."""
        return self.call("copy", copies.copied, source, target)

    def copy(self, value: Traced, order: Any) -> Traced:
        """A copy of an array, as ``numpy.ndarray.copy``."""
        return self.call("copy", copies.copy, value, order)

    def laid_out(self, value: Traced, like: Array) -> Traced:
        """The values in the memory order of another array."""
        if value.strides == like.strides or value.ndim < 2:
            return value
        return self.call("copy", copies.laid_out, value, like.strides)

    def in_order(self, array: Array, position: int, walk: Any, dtype: Any = None) -> Traced:
        """A copy of an operand, on one axis, in the order in which inner loops walk over it."""
        result = self.empty((sum(n for _, n, _ in walk),), dtype or array.dtype)
        self._copied_in_order(array, position, walk, result.array, False)
        return result

    def _copied_in_order(
        self, array: Array, position: int, walk: Any, ordered: Array, back: bool
    ) -> None:
        """Copy an operand to, or back from, an array in the order of inner loops."""
        at, size = address_of(ordered), ordered.itemsize
        calls = []
        for starts, n, steps in walk:
            ends = [(starts[position], steps[position]), (at, size)]
            (source, source_step), (target, target_step) = reversed(ends) if back else ends
            calls.append(([source, target], n, [source_step, target_step]))
            at += n * size
        operands = [ordered, array] if back else [array, ordered]
        kinds = [f"{each.dtype.kind}{each.dtype.itemsize}" for each in operands]
        function = _doorway.OWN_LOOPS.get(("cast", *kinds))
        if function is None:
            raise CaptureError(f"a cast from {array.dtype} to {ordered.dtype} has no loop{where()}")
        self.loop("copy", (function, 0), operands, calls=calls, shared=False)

    def loop_in_pieces(
        self,
        name: str,
        function: tuple[int, int],
        operands: list[Array],
        buffered: tuple[int, ...],
        inputs: int,
        given: bool,
    ) -> None:
        """Record an elementwise inner loop, of which NumPy buffers some operands."""
        walk = _doorway.iterated(operands, given, False)
        stand_ins: list[Any] = [None] * len(operands)
        for position in buffered:
            stand_ins[position] = self.in_order(operands[position], position, walk)
        arrays = [None if each is None else each.array for each in stand_ins]
        calls = _doorway.iterated(operands, given, in_order=arrays)
        self.loop(name, function, operands, calls=list(calls))
        for position in buffered:
            if position >= inputs:
                ordered = stand_ins[position].array
                self._copied_in_order(operands[position], position, walk, ordered, True)

    def check_finite(self, what: str, value: Traced) -> None:
        """Record a check that ends the replay, with an error that names ``what``."""
        self.call("check_finite", copies.check_finite, what, value)

    def label_hits(self, scores: Traced, labels: Traced, hits: Traced) -> None:
        """Record the count of labels (N,) that the largest of the scores (N, C) hit."""
        self.call("label_hits", copies.label_hits, scores, labels, hits)

    # --- functions in progress ----------------------------------------------------------

    @contextmanager
    def inside(self, function: Any, name: str) -> Iterator[None]:
        """Answering this function; that it comes again means that it is not made of primitives."""
        if function in self._depth:
            raise CaptureError(f"{name} cannot be captured: it is not made of calls in C{where()}")
        self._depth.append(function)
        try:
            yield
        finally:
            self._depth.pop()

    def check(self, name: str, found: Traced, expected: Any) -> None:
        """Raise unless the tape computed what NumPy did."""
        self.make()
        if not same(found.array, np.asarray(expected)):
            raise CaptureError(
                f"{name} has other bits when it is replayed than NumPy gives, for the memory "
                f"layout at hand: pass it a .copy(){where()}"
            )


@cache
def _heeded(modes: tuple[Any, ...]) -> tuple[dict[str, Any], int, int]:
    """What NumPy does with floating-point errors, the flags it heeds, and those that end all."""
    errstate: dict[str, Any] = dict(zip(np.geterr(), modes, strict=True))
    heed = fatal = 0
    for kind, flag in _doorway.FLOATING_POINT_FLAGS.items():
        heed |= flag if errstate[kind] != "ignore" else 0
        fatal |= flag if errstate[kind] == "raise" else 0
    return errstate, heed, fatal


def _marks(read: list[Traced]) -> tuple[Any, ...]:
    return tuple([each.mark for each in read])


_CHECKS = ("check_finite",)  # which write to nothing


def _numpy_name(name: str) -> str:
    """What NumPy's warnings call it."""
    return "cast" if name == "copy" else name.rpartition(".")[2]


_FLAG_TEXTS = {
    "divide": "divide by zero", "over": "overflow", "under": "underflow",
    "invalid": "invalid value",
}  # fmt: skip
