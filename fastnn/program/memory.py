"""The memory of a program: blocks for arrays that live at different times."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from fastnn._kernels import _doorway

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

ALIGNMENT = 64
SMALL = 4096  # bytes of a block that is cut from what serves for several of them
SEVERAL = 16384


class Memory:
    """The memory of a program, for arrays that live at different times.

    Small blocks are of few sizes, and serve again for one of the same.  Large ones are cut from
    what is free, and joined with it again.

    What is freed around a product rests while the result of a call is placed that may be made on
    the product's blocks, while its operands are still read.

    Attributes:
        nbytes: how much of it is used at one time or another.
        dead: the marks of arrays whose memory was given back.
    """

    def __init__(self, tape: _doorway.Tape) -> None:
        self.nbytes = 0
        self.dead: set[int] = set()
        self._tape = tape
        self._rest = self._new(0)  # of which small blocks are cut
        self._small: dict[int, list[Place]] = {}
        self._large: list[Place] = []
        self._resting: deque[tuple[int, Place]] = deque()

    def take(self, wanted: int, mark: int, name: str = "") -> Block:
        """Aligned memory of so many bytes, a multiple of the alignment, for what a kernel makes."""
        if self._resting:
            last = self._tape.calls[-1][0] if len(self._tape) else ""
            follows = name in _doorway.FOLLOWERS.get(last, ())
            rests = len(self._tape) - 1 if follows else len(self._tape) + 1
            while self._resting and self._resting[0][0] < rests:
                self._free(self._resting.popleft()[1])
        return Block(
            self._small_place(wanted) if wanted <= SMALL else self._place(wanted), mark, self
        )

    def give_back(self, block: Block) -> None:
        """No array lies in it any more."""
        self.dead.add(block.mark)
        self._resting.append((len(self._tape), block.place))

    def _small_place(self, wanted: int) -> Place:
        """One of the same size that is free, or a part of a piece for several."""
        free = self._small.get(wanted)
        if free:
            return free.pop()
        if self._rest.size < wanted:
            self._rest = self._new(SEVERAL)
        place, self._rest = self._rest.parted(wanted)
        self.nbytes += wanted
        return place

    def _place(self, wanted: int) -> Place:
        """Of a free one that is large enough; what is left of it stays free."""
        fitting = min(
            (each for each in self._large if each.size >= wanted),
            key=lambda each: (each.unused(wanted), each.size), default=None,
        )  # fmt: skip
        if fitting is None:
            fitting = self._large_piece(wanted)
        else:
            self._large.remove(fitting)
        self.nbytes += fitting.use(wanted)
        place, rest = fitting.parted(wanted)
        if rest.size:
            self._large.append(rest)
        return place

    def _large_piece(self, wanted: int) -> Place:
        """As much again as there is, for the more is in one piece, the better it can be shared;
        what is never used of it takes no memory."""
        try:
            return self._new(max(wanted, self.nbytes))
        except MemoryError:
            return self._new(wanted)

    def _free(self, place: Place) -> None:
        if place.size <= SMALL:
            self._small.setdefault(place.size, []).append(place)
            return
        neighbours = (place.start + place.size, place.start)
        for each in list(self._large):
            if each.piece is place.piece and (
                each.start == neighbours[0] or each.start + each.size == neighbours[1]
            ):
                self._large.remove(each)
                place = Place(place.piece, min(each.start, place.start), each.size + place.size)
        self._large.append(place)

    @staticmethod
    def _new(size: int) -> Place:
        memory = np.empty(size + ALIGNMENT, np.uint8)
        start = -address_of(memory) % ALIGNMENT
        return Place(Piece(memory, start), start, size)


class Piece:
    """Memory that was asked for at once, and where what was never used of it begins."""

    __slots__ = ("memory", "used")

    def __init__(self, memory: Array, used: int) -> None:
        self.memory, self.used = memory, used


class Place:
    """Bytes of a piece, from ``start`` on."""

    __slots__ = ("piece", "size", "start")

    def __init__(self, piece: Piece, start: int, size: int) -> None:
        self.piece, self.start, self.size = piece, start, size

    def unused(self, size: int) -> int:
        """How many of its first bytes were never used."""
        return max(self.start + size - self.piece.used, 0)

    def use(self, size: int) -> int:
        """Use its first bytes; how many were never used before."""
        unused = self.unused(size)
        self.piece.used += unused
        return unused

    def parted(self, size: int) -> tuple[Place, Place]:
        """Its first bytes, and the rest."""
        return (
            Place(self.piece, self.start, size),
            Place(self.piece, self.start + size, self.size - size),
        )


class Block:
    """A place in a program's memory, which goes back to it with the last array in it."""

    __slots__ = ("_whole", "mark", "place")

    def __init__(self, place: Place, mark: int, whole: Memory) -> None:
        self.place, self.mark, self._whole = place, mark, whole

    def array(self, shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
        """An array that begins where the block does, in C order."""
        return np.ndarray(shape, dtype, self.place.piece.memory, self.place.start)

    def __del__(self) -> None:
        self._whole.give_back(self)


def address_of(array: Array) -> int:
    """Where the first element lies."""
    address: int = array.__array_interface__["data"][0]
    return address


def owner_of(array: Any) -> Any:
    """The array whose memory this one looks at."""
    base = array.base
    while base is not None:
        if not isinstance(base, np.ndarray):
            base = getattr(base, "base", None)  # as_strided puts something between
            if not isinstance(base, np.ndarray):
                break
        array, base = base, base.base
    return array
