"""The memory of a program: blocks that are alive lie apart, and it is near the peak of these."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn._kernels import _doorway
from fastnn.program.memory import ALIGNMENT, SMALL, Block, Memory, address_of

BIG = 1 << 20


def memory() -> Memory:
    return Memory(_doorway.Tape())


def values(block: Block) -> np.ndarray:
    return block.array((block.place.size,), np.dtype(np.uint8))


@pytest.mark.parametrize(("largest", "most"), [(SMALL, 1.5), (BIG, 1.3)])
def test_blocks_that_are_alive_lie_apart(largest: int, most: float) -> None:
    rng = np.random.default_rng(0)
    whole, alive, live, peak = memory(), [], 0, 0
    for mark in range(1, 2000):
        if alive and rng.random() < (0.3 if mark < 1000 else 0.6):
            block = alive.pop(int(rng.integers(len(alive))))
            assert (values(block) == block.mark % 251).all()
            live -= block.place.size
            del block
        else:
            wanted = int(rng.integers(1, largest // ALIGNMENT) ** rng.random() + 1) * ALIGNMENT
            block = whole.take(wanted, mark)
            found = values(block)
            assert found.size == wanted
            assert address_of(found) % ALIGNMENT == 0
            found[:] = mark % 251
            alive.append(block)
            live += wanted
            peak = max(peak, live)
            del block, found
    assert peak <= whole.nbytes <= most * peak


def test_what_is_free_is_joined_and_divided() -> None:
    whole = memory()
    first = whole.take(8 * BIG, 0)
    parts = [whole.take(BIG, mark) for mark in range(1, 9)]
    assert whole.nbytes == 16 * BIG
    del parts[2:4], parts[4]  # the third and fourth, and the seventh
    double = whole.take(2 * BIG, 9)
    single = whole.take(BIG, 10)
    assert whole.nbytes == 16 * BIG
    parts.clear()
    del double, single, first
    rest = [whole.take(4 * BIG, 11), whole.take(8 * BIG, 12), whole.take(4 * BIG, 13)]
    assert whole.nbytes == 16 * BIG
    assert whole.dead == set(range(11))
    del rest


def test_without_room_for_more_it_takes_what_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, new = memory(), Memory._new
    blocks = [whole.take(4 * BIG, 0)]

    def little(size: int) -> object:
        if size > 2 * BIG:
            raise MemoryError
        return new(size)

    monkeypatch.setattr(whole, "_new", little)
    blocks.append(whole.take(BIG, 1))
    assert whole.nbytes == 5 * BIG
    with pytest.raises(MemoryError):
        whole.take(3 * BIG, 2)
