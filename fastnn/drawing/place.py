"""How high each item of a row of columns lies, so that connections are straight.

Brandes and Koepf, Fast and simple horizontal coordinate assignment, 2002 (turned by 90
degrees): four times, from the left or the right and from the top or the bottom, items are
aligned with the middle one of their neighbours and then moved together; each item lies at
the mean of the middle two of its four places.  Lanes are aligned first of all, so that a
long connection is straight.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from fastnn.drawing.columns import Grid

SEPARATION = 10.0

Link = tuple[int, int, float]  # source, target, and how far below its anchor it arrives there


def heights(grid: Grid, row: range, ports: Callable[[int, int], float]) -> dict[int, float]:
    """The y of each item's anchor in these columns, the top edge of the highest at 0.

    Args:
        ports: how far below a target's anchor a link arrives, from the target and the port.
    """
    columns = [grid.columns[column] for column in row]
    half = {item: grid.items[item].extent[2] / 2 for column in columns for item in column}
    lanes = {item for item in half if grid.items[item].is_lane}
    links = [
        _to_align(
            [
                (source, target, ports(target, port))
                for source in column
                for target, port in grid.items[source].targets
            ],
            lanes,
        )
        for column in columns[:-1]
    ]
    layouts = []
    for downwards in (True, False):
        sign = 1 if downwards else -1
        turned = columns if downwards else [column[::-1] for column in columns]
        turned_links = [[(a, b, sign * dy) for a, b, dy in column] for column in links]
        for rightwards in (True, False):
            y = _Alignment(turned, turned_links, half, lanes, rightwards).places()
            layouts.append({item: sign * each for item, each in y.items()})
    return _balanced(layouts, half)


def _to_align(links: list[Link], lanes: set[int]) -> list[Link]:
    """The links without branches of a lane that goes on: the lane is to be straight."""
    going_on = {source for source, target, _ in links if source in lanes and target in lanes}
    return [link for link in links if link[0] not in going_on or link[1] in lanes]


class _Alignment:
    """Blocks of items on straight lines, for one of the four directions."""

    def __init__(
        self,
        columns: list[list[int]],
        links: list[list[Link]],
        half: dict[int, float],
        lanes: set[int],
        rightwards: bool,
    ) -> None:
        self.columns = columns
        self.half = half
        self.place = {item: place for column in columns for place, item in enumerate(column)}
        self.root = {item: item for item in half}
        self.shift = dict.fromkeys(half, 0.0)  # below the root's anchor
        conflicts = set()
        for each in links:
            conflicts |= _conflicts(each, self.place, lanes)
        if rightwards:
            for column, each in zip(columns[1:], links, strict=True):
                self._align(column, each, conflicts, rightwards)
        else:
            for column, each in zip(columns[-2::-1], links[::-1], strict=True):
                self._align(column, each, conflicts, rightwards)

    def _align(
        self, column: list[int], links: list[Link], conflicts: set[Link], rightwards: bool
    ) -> None:
        """Join each item of a column to the middle one of its neighbours in the last column."""
        neighbours: dict[int, list[tuple[int, int, float, Link]]] = {item: [] for item in column}
        for link in links:
            source, target, dy = link
            item, other, by = (target, source, -dy) if rightwards else (source, target, dy)
            neighbours[item].append((self.place[other], other, by, link))
        free = 0
        for item in column:
            found = sorted(neighbours[item])
            for middle in sorted({(len(found) - 1) // 2, len(found) // 2}) if found else ():
                place, other, by, link = found[middle]
                if place >= free and link not in conflicts:
                    self.root[item] = self.root[other]
                    self.shift[item] = self.shift[other] + by
                    free = place + 1
                    break

    def places(self) -> dict[int, float]:
        """Each block as high as it can lie, then as low as that leaves those below it."""
        after: dict[int, list[tuple[int, float]]] = {root: [] for root in self.root.values()}
        waits = dict.fromkeys(after, 0)
        for column in self.columns:
            for upper, lower in pairwise(column):
                a, b = self.root[upper], self.root[lower]
                apart = self.half[upper] + SEPARATION + self.half[lower]
                after[a].append((b, apart + self.shift[upper] - self.shift[lower]))
                waits[b] += 1
        y = dict.fromkeys(after, 0.0)
        for item, root in self.root.items():
            y[root] = max(y[root], self.half[item] - self.shift[item])
        ready = [root for root, count in waits.items() if not count]
        ordered = []
        while ready:
            root = ready.pop()
            ordered.append(root)
            for other, apart in after[root]:
                y[other] = max(y[other], y[root] + apart)
                waits[other] -= 1
                if not waits[other]:
                    ready.append(other)
        for root in reversed(ordered):
            if after[root]:
                y[root] = max(y[root], min(y[other] - apart for other, apart in after[root]))
        return {item: y[root] + self.shift[item] for item, root in self.root.items()}


def _conflicts(links: list[Link], place: dict[int, int], lanes: set[int]) -> set[Link]:
    """The links that cross a part of a lane, which they must not bend."""
    straight = [(place[a], place[b]) for a, b, _ in links if a in lanes and b in lanes]
    return {
        (a, b, dy)
        for a, b, dy in links
        if not (a in lanes and b in lanes)
        and any((place[a] - left) * (place[b] - right) < 0 for left, right in straight)
    }


def _balanced(layouts: list[dict[int, float]], half: dict[int, float]) -> dict[int, float]:
    """The mean of the middle two of four layouts, moved to the edges of the smallest."""

    def edges(layout: dict[int, float]) -> tuple[float, float]:
        return (
            min(y - half[item] for item, y in layout.items()),
            max(y + half[item] for item, y in layout.items()),
        )

    top, bottom = min((edges(layout) for layout in layouts), key=lambda each: each[1] - each[0])
    for number, layout in enumerate(layouts):
        own_top, own_bottom = edges(layout)
        by = top - own_top if number < 2 else bottom - own_bottom
        for item in layout:
            layout[item] += by
    y = {item: sum(sorted(each[item] for each in layouts)[1:3]) / 2 for item in half}
    top = edges(y)[0]
    return {item: each - top for item, each in y.items()}
