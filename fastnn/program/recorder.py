"""The recorder: it makes the calls of a step once, and writes them on a tape.

Each call is made twice while recording: by NumPy itself, which tells the dtype and the memory
layout of the result, and from the tape.  Both must agree to the bit, so that a program never
computes anything else than NumPy would.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeAlias

import numpy as np

from fastnn._kernels import _doorway
from fastnn.program.errors import CaptureError, NotFiniteError
from fastnn.program.outside import Outside, owner_of
from fastnn.program.traced import Traced
from fastnn.program.where import where

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

ALIGNMENT = 64
PRODUCTS = frozenset({"linear", "linear_backward"})


class Memory:
    """The memory of a program, for arrays that live at different times.

    What is freed around a product rests for one call: the next one may be made on the blocks of
    its result, while its operands are still read.

    Attributes:
        nbytes: how much there is.
    """

    def __init__(self, tape: _doorway.Tape) -> None:
        self.nbytes = 0
        self._tape = tape
        self._free: dict[int, list[Array]] = {}
        self._resting: deque[tuple[int, Array]] = deque()

    def take(self, wanted: int) -> Block:
        """Aligned memory of at least so many bytes, a multiple of the alignment."""
        last = self._tape.calls[-1][0] if len(self._tape) else ""
        rests = len(self._tape) - 1 if last in PRODUCTS else len(self._tape) + 1
        while self._resting and self._resting[0][0] < rests:
            memory = self._resting.popleft()[1]
            self._free.setdefault(len(memory), []).append(memory)
        fitting = [size for size, blocks in self._free.items() if blocks and size >= wanted]
        if fitting and min(fitting) <= 2 * wanted:
            return Block(self._free[min(fitting)].pop(), self)
        self.nbytes += wanted
        raw = np.empty(wanted + ALIGNMENT, np.uint8)
        start = -raw.ctypes.data % ALIGNMENT
        return Block(raw[start : start + wanted], self)

    def give_back(self, memory: Array) -> None:
        """No array lies in it any more."""
        self._resting.append((len(self._tape), memory))


class Block:
    """A piece of a program's memory, which goes back to it with the last array in it."""

    __slots__ = ("_whole", "memory")

    def __init__(self, memory: Array, whole: Memory) -> None:
        self.memory, self._whole = memory, whole

    def __del__(self) -> None:
        self._whole.give_back(self.memory)


class Constants:
    """Values of the caller's, to compare two recordings by."""

    def __init__(self, array: Array) -> None:
        self.array = array if array.nbytes > 16384 else array.copy()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Constants):
            return NotImplemented
        a, b = self.array, other.array
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        is_same_memory = a.ctypes.data == b.ctypes.data and a.strides == b.strides
        return is_same_memory or a.tobytes() == b.tobytes()

    __hash__ = None  # type: ignore[assignment]


class Recorder(Outside):
    """Records calls on a tape.

    Args:
        capacity: the most steps that one replay makes, of which each may have numbers (rates,
            counts) of its own.

    Attributes:
        tape: what is recorded so far.
    """

    def __init__(self, capacity: int = 1) -> None:
        super().__init__(capacity)
        self.tape = _doorway.Tape()
        self.finite: dict[int, tuple[str, Array]] = {}
        self.indexed_axes: dict[int, int] = {}
        self._errstates: dict[int, dict[str, Any]] = {}
        self._numbers: dict[int, tuple[Any, int]] = {}
        self._memory = Memory(self.tape)
        self._depth: list[Any] = []

    # --- memory -----------------------------------------------------------------------

    @property
    def nbytes(self) -> int:
        """Bytes of the program's memory."""
        return self._memory.nbytes

    def empty(self, shape: Sequence[int], dtype: Any, like: Array | None = None) -> Traced:
        """An array of the program, in C order or in the memory order of another."""
        dtype = np.dtype(dtype)
        size = 1
        for length in shape:
            size *= length
        wanted = max(-(-size * dtype.itemsize // ALIGNMENT), 1) * ALIGNMENT
        block = self._memory.take(wanted)
        flat = block.memory[: size * dtype.itemsize].view(dtype)
        array = flat.reshape(shape)
        if like is not None and like.ndim > 1:
            order = sorted(range(like.ndim), key=lambda axis: -abs(like.strides[axis]))
            array = flat.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))
        self.name(block.memory, len(self._numbers))
        return Traced(array, block, self.link)

    def loose(self, array: Array) -> Traced:
        """A traced array that holds no memory: for one call, while another holds it."""
        return Traced(array, None, self.link)

    def fresh(self, value: Any) -> Traced:
        """A new array of the program with these values, at each replay."""
        if isinstance(value, Traced):
            return value
        return self.copied(value, self.empty(value.shape, value.dtype))

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
        errstate = dict(np.geterr())
        heed = fatal = 0
        for kind, flag in _doorway.FLOATING_POINT_FLAGS.items():
            heed |= flag if errstate[kind] != "ignore" else 0
            fatal |= flag if errstate[kind] == "raise" else 0
        self.tape.loop(name, *function, operands, calls, heed, fatal, shared, bound, source=where())
        for item in range(since, len(self.tape)):
            self._errstates[item] = errstate
        if name not in _CHECKS:
            self._written.append(written)
        self.note(
            name,
            [(self.number(each), each.shape, each.strides, each.dtype.str) for each in operands],
        )
        self.run(since)

    def refuse_read_only(self, name: str, target: Traced) -> None:
        """Raise if the array is read-only, as arguments and broadcast arrays may be."""
        if not target.array.flags.writeable:
            raise ValueError(f"{name} would write to an array that is read-only{where()}")

    def run(self, since: int) -> None:
        """Make the calls recorded since then."""
        why = self.tape.run(0, 1, since=since)[1]
        if why == "flags":
            self.tell_flags()
        if why != "done":
            self._raise()

    def writes(self, arrays: list[Array]) -> None:
        """Note that a call writes to these."""
        self._written += arrays

    def note(self, name: str, details: Any) -> None:
        """Note a call for the comparison of two recordings."""
        self.log.append((name, details, where()))

    def name(self, memory: Array, number: Any) -> None:
        """Give memory a name by which two recordings can be compared."""
        self._numbers[id(owner_of(memory))] = (number, memory.ctypes.data)

    def number(self, array: Array) -> Any:
        """The name of the memory that an array lies in, and where in it."""
        number, start = self._numbers.get(id(owner_of(array)), (None, 0))
        return None if number is None else (number, array.ctypes.data - start)

    def constant(self, value: Any, dtype: Any) -> Array:
        """A value of the caller's as a constant of the program."""
        array = np.asarray(value, dtype)
        self.log.append(("constant", Constants(array), where()))
        return array

    def plain(self, value: Any, dtype: Any) -> Any:
        """An operand in this dtype: a constant array, or a traced one, by a recorded cast."""
        if not isinstance(value, Traced):
            return self.constant(value, dtype)
        return self.cast(value, dtype)

    def cast(self, value: Traced, dtype: Any) -> Traced:
        """The values in another dtype: the same array if it has it already."""
        if value.dtype == dtype:
            return value
        with np.errstate(all="ignore"):
            expected = value.array.astype(dtype)
        found = self.copied(value, self.empty(value.shape, dtype, expected))
        return found.scalar() if value.is_scalar else found

    def copied(self, source: Any, target: Traced) -> Traced:
        """Copy an array into another, broadcast and cast."""
        array = source.array if isinstance(source, Traced) else self.constant(source, target.dtype)
        kinds = [f"{each.dtype.kind}{each.dtype.itemsize}" for each in (array, target.array)]
        function = _doorway.OWN_LOOPS.get(("cast", *kinds))
        if function is None:
            raise CaptureError(f"a cast from {array.dtype} to {target.dtype} has no loop{where()}")
        self.refuse_read_only("a copy", target)
        while array.ndim > target.ndim and len(array) == 1:
            array = array[0, ...]  # which an assignment lets pass
        operands = [array, target.array]
        calls = list(_doorway.iterated(operands, True, False))
        self.loop("copy", (function, 0), operands, calls=calls)
        return target

    def laid_out(self, value: Traced, like: Array) -> Traced:
        """The values in the memory order of another array."""
        if value.strides == like.strides or value.ndim < 2:
            return value
        return self.copied(value, self.empty(value.shape, value.dtype, like))

    def in_order(self, array: Array, position: int, walk: Any, dtype: Any = None) -> Traced:
        """A copy of an operand, on one axis, in the order in which inner loops walk over it."""
        result = self.empty((sum(n for _, n, _ in walk),), dtype or array.dtype)
        self._copied_in_order(array, position, walk, result.array, False)
        return result

    def _copied_in_order(
        self, array: Array, position: int, walk: Any, ordered: Array, back: bool
    ) -> None:
        """Copy an operand to, or back from, an array in the order of inner loops."""
        at, size = ordered.ctypes.data, ordered.itemsize
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
        kind = f"{value.dtype.kind}{value.dtype.itemsize}"
        function = (_doorway.OWN_LOOPS["check_finite", kind], 0)
        self.finite[len(self.tape)] = (what, value.array)
        self._kept.append(value)
        self.loop("check_finite", function, [value.array], shared=False, bound=0)

    def label_hits(self, scores: Traced, labels: Traced, hits: Traced) -> None:
        """Record the count of labels (N,) that the largest of the scores (N, C) hit."""
        kind = f"{scores.dtype.kind}{scores.dtype.itemsize}"
        operands = [scores.copy() if not scores.flags.c_contiguous else scores, labels, hits]
        arrays = [each.array for each in operands]
        since = len(self.tape)
        self.tape.core(
            "label_hits", _doorway.OWN_LOOPS["label_hits", kind], 0, arrays,
            [each.ctypes.data for each in arrays], list(scores.shape), [], where(),
        )  # fmt: skip
        self._written.append(hits.array)
        self.note("label_hits", [(self.number(each), each.shape) for each in arrays])
        self.run(since)

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
        if not _same(found.array, np.asarray(expected)):
            raise CaptureError(
                f"{name} has other bits when it is replayed than NumPy gives, for the memory "
                f"layout at hand: pass it a .copy(){where()}"
            )


def _same(found: Array, expected: Array) -> bool:
    if found.dtype != expected.dtype or found.shape != expected.shape:
        return False
    if found.dtype.kind != "f":
        return bool(np.array_equal(found, expected))
    same = (found == expected) & (np.signbit(found) == np.signbit(expected))
    return bool(np.all(same | (np.isnan(found) & np.isnan(expected))))


_CHECKS = ("check_finite",)  # which write to nothing


def _numpy_name(name: str) -> str:
    """What NumPy's warnings call it."""
    return "cast" if name == "copy" else name.rpartition(".")[2]


_FLAG_TEXTS = {
    "divide": "divide by zero", "over": "overflow", "under": "underflow",
    "invalid": "invalid value",
}  # fmt: skip
