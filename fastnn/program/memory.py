"""The memory of a program: blocks for arrays that live at different times."""

from __future__ import annotations

from collections import deque
from typing import Any, TypeAlias

import numpy as np

from fastnn._kernels import _doorway

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

ALIGNMENT = 64
PIECE = 16384  # bytes that are asked for at once
PRODUCTS = frozenset({"linear", "linear_backward"})


class Memory:
    """The memory of a program, for arrays that live at different times.

    What is freed around a product rests for one call: the next one may be made on the blocks of
    its result, while its operands are still read.

    Attributes:
        nbytes: how much there is.
        dead: the marks of arrays whose memory was given back.
    """

    def __init__(self, tape: _doorway.Tape) -> None:
        self.nbytes = 0
        self.dead: set[int] = set()
        self._tape = tape
        self._piece: Array = np.empty(0, np.uint8)  # of which small blocks are cut
        self._free: dict[int, list[Array]] = {}
        self._resting: deque[tuple[int, Array]] = deque()

    def take(self, wanted: int, mark: int) -> Block:
        """Aligned memory of at least so many bytes, a multiple of the alignment."""
        if self._resting:
            last = self._tape.calls[-1][0] if len(self._tape) else ""
            rests = len(self._tape) - 1 if last in PRODUCTS else len(self._tape) + 1
            while self._resting and self._resting[0][0] < rests:
                memory = self._resting.popleft()[1]
                self._free.setdefault(len(memory), []).append(memory)
        if self._free:
            fitting = [size for size, blocks in self._free.items() if blocks and size >= wanted]
            if fitting and min(fitting) <= 2 * wanted:
                return Block(self._free[min(fitting)].pop(), mark, self)
        self.nbytes += wanted
        if len(self._piece) < wanted:
            raw = np.empty(max(wanted, PIECE) + ALIGNMENT, np.uint8)
            start = -address_of(raw) % ALIGNMENT
            if wanted > PIECE:
                return Block(raw[start : start + wanted], mark, self)
            self._piece = raw[start : start + PIECE]
        memory, self._piece = self._piece[:wanted], self._piece[wanted:]
        return Block(memory, mark, self)

    def give_back(self, block: Block) -> None:
        """No array lies in it any more."""
        self.dead.add(block.mark)
        self._resting.append((len(self._tape), block.memory))


class Block:
    """A piece of a program's memory, which goes back to it with the last array in it."""

    __slots__ = ("_whole", "mark", "memory")

    def __init__(self, memory: Array, mark: int, whole: Memory) -> None:
        self.memory, self.mark, self._whole = memory, mark, whole

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
