"""The columns of a drawing, and its rows where one would be too wide.

Every box stands in a column right of all its inputs; a box without inputs stands at the
left of the first row that needs it.  A connection that passes a column reserves a place
in it, a lane, so that it never runs through a box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fastnn.drawing.box import Box
from fastnn.drawing.rows import Span, first_depths, spans_of

LANE_HEIGHT = 6.0


@dataclass
class Item:
    """A box in its column, or a lane that a box's output takes through a column.

    Attributes:
        box: the number of the box, or of the box whose output it is.
        extent: left, right and height, as a box has them.
        is_lane: which of both it is.
        targets: what it leads to in the next column: an item, and the input's number.
        sources: the same from the other side.
    """

    box: int
    extent: tuple[float, float, float]
    is_lane: bool
    targets: list[tuple[int, int]] = field(default_factory=list)
    sources: list[tuple[int, int]] = field(default_factory=list)


class Grid:
    """Items in columns, and columns in rows.

    Attributes:
        items: the first are the boxes, in their order.
        columns: the items of each column, from the top to the bottom.
        rows: the columns of each row.
    """

    def __init__(self, boxes: Sequence[Box], inputs: Sequence[Sequence[int]], width: float) -> None:
        self.boxes = boxes
        spans, starts = _folded(boxes, inputs, width)
        self.items = [
            Item(i, (box.left, box.right, box.height), False) for i, box in enumerate(boxes)
        ]
        # Each row begins with a column for what has no inputs and for what comes from above.
        count = max((span.own + 1 for span in spans), default=0)
        leading = [depth + row for row, depth in enumerate(starts)]
        ends = [*leading[1:], count + len(starts)]
        self.rows = [range(start, end) for start, end in zip(leading, ends, strict=True)]
        self.columns: list[list[int]] = [[] for _ in range(ends[-1])]
        self._column_of = [
            self._column(box, span, starts) for box, span in zip(boxes, spans, strict=True)
        ]
        consumers: list[list[tuple[int, int]]] = [[] for _ in boxes]
        for box, sources in enumerate(inputs):
            for port, source in enumerate(sources):
                consumers[source].append((box, port))
        for box in range(len(boxes)):
            self.columns[self._column_of[box]].append(box)
            self._connect(box, consumers[box])

    def _column(self, box: Box, span: Span, starts: Sequence[int]) -> int:
        depth = span.first if span.is_source else span.own
        row = sum(start <= depth for start in starts[1:])
        if not span.is_source:
            return depth + row + 1
        return depth + row if box.is_near else starts[row] + row

    def _connect(self, box: int, consumers: list[tuple[int, int]]) -> None:
        """Lead the output of a box to its consumers, by one lane with branches."""
        here = box
        last = max((self._column_of[target] for target, _ in consumers), default=0)
        for column in range(self._column_of[box] + 1, last + 1):
            for target, port in consumers:
                if self._column_of[target] == column:
                    self._link(here, target, port)
            if column < last:
                is_entry = any(column == row[0] for row in self.rows)
                width, height = self.boxes[box].caption if is_entry else (0.0, 0.0)
                lane = len(self.items)
                self.items.append(Item(box, (0.0, width, max(height, LANE_HEIGHT)), True))
                self.columns[column].append(lane)
                self._link(here, lane, 0)
                here = lane

    def _link(self, source: int, target: int, port: int) -> None:
        self.items[source].targets.append((target, port))
        self.items[target].sources.append((source, port))


def _folded(
    boxes: Sequence[Box], inputs: Sequence[Sequence[int]], width: float
) -> tuple[list[Span], list[int]]:
    """How deep each box lies, and the first depth of each row."""
    for late in (False, True):
        spans = spans_of(inputs, late)
        starts = first_depths(boxes, spans, width)
        if len(starts) == 1:
            break
    return spans, starts
