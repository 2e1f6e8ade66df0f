"""How deep each box lies, and where a drawing is cut into rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastnn.drawing.box import Box

GAP = 38.0  # between two columns, where connections may bend
TRACK = 9.0  # between two connections that lead from one row to the next
_ROW_COST, _WASTE_COST = 6, 8  # in connections cut


@dataclass
class Span:
    """Between which depths the output of a box is needed.

    Attributes:
        own: the depth of the box; that of a box without inputs is -1.
        first, last: the depths of its first and its last consumer; for no consumers 0, -1.
    """

    own: int = -1
    first: int = 0
    last: int = -1

    @property
    def is_source(self) -> bool:
        """Whether the box has no inputs."""
        return self.own < 0


def spans_of(inputs: Sequence[Sequence[int]], late: bool) -> list[Span]:
    """The span of each box: as near to the inputs as it can lie, or to its consumers.

    A box is not moved to its consumers where more connections would get longer than shorter.
    """
    own = [-1] * len(inputs)
    for box, sources in enumerate(inputs):
        if sources:
            own[box] = 1 + max(own[source] for source in sources)
    consumers: list[list[int]] = [[] for _ in inputs]
    for box, sources in enumerate(inputs):
        for source in sources:
            consumers[source].append(box)
    if late:
        for box in reversed(range(len(inputs))):
            made = {source for source in inputs[box] if own[source] >= 0}
            if inputs[box] and consumers[box] and len(made) <= 1:
                own[box] = min(own[each] for each in consumers[box]) - 1
    spans = []
    for box, depth in enumerate(own):
        depths = [own[each] for each in consumers[box]]
        spans.append(Span(depth, min(depths, default=0), max(depths, default=-1)))
    return spans


def first_depths(boxes: Sequence[Box], spans: Sequence[Span], width: float) -> list[int]:
    """The first depth of each row: few rows, of like widths, cut where few outputs cross."""
    widths = _Widths(boxes, spans)
    # The cheapest way to arrange all depths before each, and where its last row begins.
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, widths.count + 1):
        candidates = []
        for start, needed in widths.of_rows(end):
            if needed > width and start < end - 1:
                break
            waste = (1 - min(needed / width, 1)) ** 2
            cost = _ROW_COST + widths.crossing[end] + _WASTE_COST * waste
            candidates.append((best[start][0] + cost, start))
        best.append(min(candidates))
    starts = [widths.count]
    while starts[0]:
        starts.insert(0, best[starts[0]][1])
    return starts[:-1] or [0]


class _Widths:
    """How wide a row of some depths would be.

    Attributes:
        count: how many depths there are.
        crossing: before each depth, how many outputs lead there or further from before it.
    """

    def __init__(self, boxes: Sequence[Box], spans: Sequence[Span]) -> None:
        self.count = max((span.own + 1 for span in spans), default=0)
        self.crossing = [0] * (self.count + 1)
        # Left and right extents: of the boxes of a depth, and of those without inputs
        # that are needed there first, in the column before it and at the row's beginning.
        self.own, self.near, self.far = ([[0.0, 0.0] for _ in self.crossing] for _ in range(3))
        for box, span in zip(boxes, spans, strict=True):
            if span.is_source:
                extents = (self.near if box.is_near else self.far)[span.first]
            else:
                extents = self.own[span.own]
            extents[:] = _wider(extents, (box.left, box.right))
            for depth in range(span.first if span.is_source else span.own, span.last):
                self.crossing[depth + 1] += 1

    def of_rows(self, end: int) -> list[tuple[int, float]]:
        """For each depth, from end - 1 down, the width of the row from it to before end."""
        found = []
        columns = 0.0
        leading = [0.0, 0.0]
        beside = [0.0, 0.0]
        for start in range(end - 1, -1, -1):
            columns += sum(_wider(self.own[start], beside)) + GAP
            leading = _wider(leading, self.far[start])
            beside = self.near[start]
            tracks = TRACK * (self.crossing[start] + self.crossing[end])
            found.append((start, columns + sum(_wider(leading, beside)) + tracks))
        return found


def _wider(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [max(one[0], other[0]), max(one[1], other[1])]
