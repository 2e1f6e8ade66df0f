"""The order of the items in each column, so that few connections cross.

Sugiyama, Tagawa and Toda, Methods for visual understanding of hierarchical system
structures, 1981: the columns are visited from the left to the right and back, and each is
sorted by the mean place of its neighbours; neighbours in a column are then exchanged
where that helps (Gansner and others, A technique for drawing directed graphs, 1993).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from random import Random

from fastnn.drawing.columns import Grid

_SWEEPS, _PATIENCE, _EXCHANGES = 24, 4, 8
# So many starts from a random order, for a grid of few items; fewer for many.
_STARTS, _ITEMS = 8, 1000

Columns = list[list[int]]


def sort_columns(grid: Grid) -> None:
    """Put the items of each column in an order with few crossings.

    The first start is from the order that there is, so that it stays where it is good.
    """
    best = _untangled(grid)
    random = Random(0)
    for _ in range(min(_STARTS, _ITEMS // len(grid.items))):
        if best[0] == 0:
            break
        for column in grid.columns:
            random.shuffle(column)
        best = min(best, _untangled(grid), key=lambda each: each[0])
    grid.columns[:] = best[1]


def _untangled(grid: Grid) -> tuple[int, Columns]:
    """The best order found by sweeps, and its number of crossings."""
    order = _Order(grid)
    best = order.crossings(), [list(column) for column in grid.columns]
    since = 0
    for sweep in range(_SWEEPS):
        if best[0] == 0 or since == _PATIENCE:
            break
        order.sweep(rightwards=sweep % 2 == 0)
        order.exchange()
        crossings = order.crossings()
        since += 1
        if crossings < best[0]:
            best = crossings, [list(column) for column in grid.columns]
            since = 0
    return best


class _Order:
    """The places of the items in their columns."""

    def __init__(self, grid: Grid) -> None:
        self.columns = grid.columns
        self.items = grid.items
        # Where an input arrives, in parts of its box; anywhere, if their order is free.
        self.arrivals = [
            [0.0] * len(box.ports)
            if box.is_symmetric
            else [(port + 1) / (len(box.ports) + 1) - 0.5 for port in range(len(box.ports))]
            for box in grid.boxes
        ]
        self.place = [0] * len(self.items)
        for column in self.columns:
            self._number(column)

    def _number(self, column: list[int]) -> None:
        for place, item in enumerate(column):
            self.place[item] = place

    def _arrival(self, item: int, port: int) -> float:
        part = 0.0 if self.items[item].is_lane else self.arrivals[self.items[item].box][port]
        return self.place[item] + part

    def sweep(self, rightwards: bool) -> None:
        """Sort each column by the places of its neighbours in the one before."""
        for column in self.columns if rightwards else reversed(self.columns):
            wanted = {item: self._wanted(item, rightwards) for item in column}
            column.sort(key=lambda item: wanted[item])
            self._number(column)

    def _wanted(self, item: int, rightwards: bool) -> float:
        places = self._sources(item) if rightwards else self._targets(item)
        return sum(places) / len(places) if places else float(self.place[item])

    def _sources(self, item: int) -> list[float]:
        return [float(self.place[source]) for source, _ in self.items[item].sources]

    def _targets(self, item: int) -> list[float]:
        return [self._arrival(target, port) for target, port in self.items[item].targets]

    def exchange(self) -> None:
        """Exchange neighbours as long as that leaves fewer crossings."""
        for _ in range(_EXCHANGES):
            if not sum(self._exchange(column) for column in self.columns):
                break

    def _exchange(self, column: list[int]) -> bool:
        """One pass over a column; whether it exchanged anything."""
        sources = {item: sorted(self._sources(item)) for item in column}
        targets = {item: sorted(self._targets(item)) for item in column}
        improved = False
        for i in range(len(column) - 1):
            upper, lower = column[i], column[i + 1]
            now = _inversions(sources[upper], sources[lower])
            now += _inversions(targets[upper], targets[lower])
            if not now:
                continue
            then = _inversions(sources[lower], sources[upper])
            then += _inversions(targets[lower], targets[upper])
            if then < now:
                column[i], column[i + 1] = lower, upper
                improved = True
        self._number(column)
        return improved

    def crossings(self) -> int:
        """How many pairs of connections cross."""
        total = 0
        for column in self.columns:
            seen: list[float] = []
            for item in column:
                ends = sorted(self._targets(item))
                total += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    insort(seen, end)
        return total


def _inversions(upper: Sequence[float], lower: Sequence[float]) -> int:
    """How many pairs of an upper and a lower place, both sorted, are in the wrong order."""
    if not upper or not lower or upper[-1] <= lower[0]:
        return 0
    return sum(bisect_left(lower, each) for each in upper)
