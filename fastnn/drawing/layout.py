"""A layered layout: boxes and connections from the left to the right, in rows if need be.

Knows nothing of nets.  Boxes do not overlap, and a connection runs through no box: within
a column it is a level line in a lane of its own, and it bends between columns only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fastnn.drawing.box import Box
from fastnn.drawing.columns import Grid
from fastnn.drawing.order import sort_columns
from fastnn.drawing.place import heights
from fastnn.drawing.rows import GAP, TRACK

Point = tuple[float, float]
# ("M" | "L" | "C", coordinates): to move, to draw a line, a cubic Bezier curve; as SVG's.
Step = tuple[str, tuple[float, ...]]

ROW_GAP, CORNER = 26.0, 6.0
_ATTEMPTS = 5


@dataclass
class Layout:
    """Where everything is.

    Attributes:
        width, height: of all of it; the top left corner is (0, 0).
        anchors: of each box.
        wires: for each box, the connections that its output takes; empty for none.
        tips: for each box and each of its inputs, where that input arrives.
        entries: the box whose output enters a row, and where.
    """

    width: float = 0.0
    height: float = 0.0
    anchors: list[Point] = field(default_factory=list)
    wires: list[list[Step]] = field(default_factory=list)
    tips: list[list[Point]] = field(default_factory=list)
    entries: list[tuple[int, Point]] = field(default_factory=list)


def arrange(boxes: Sequence[Box], inputs: Sequence[Sequence[int]], width: float) -> Layout:
    """Lay out boxes that are connected as inputs says.

    Args:
        boxes: at least one, each after its inputs.
        inputs: for each box the boxes whose outputs it gets, one for each of its ports.
        width: how wide the layout may be, if no single column is wider.
    """
    best = None
    wanted = width
    for _ in range(_ATTEMPTS):
        grid = Grid(boxes, inputs, wanted)
        sort_columns(grid)
        layout = _Arrangement(grid).layout()
        if best is None or layout.width < best.width:
            best = layout
        if layout.width <= width:
            break
        # Its rows were longer than could be known before.
        wanted -= max(layout.width - width, width / 20)
    assert best is not None
    return best


class _Arrangement:
    """Turns columns of items into coordinates.

    Attributes:
        at: the anchor of each item.
        edges: the left and right edge of each column.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.items = grid.items
        self.boxes = grid.boxes
        self.place = {item: i for column in grid.columns for i, item in enumerate(column)}
        self.ports = [self._ports(box) for box in range(len(self.boxes))]
        self.at: dict[int, Point] = {}
        self.edges: list[tuple[float, float]] = []

    def layout(self) -> Layout:
        """Place rows from the top to the bottom, then draw what connects them."""
        rows = self.grid.rows
        cuts = [self._cut(row[-1]) for row in rows[:-1]]
        margin = max((CORNER + TRACK * len(cut) for cut in cuts), default=0.0)
        bottoms: list[float] = []
        for number, row in enumerate(rows):
            y = bottoms[-1] + ROW_GAP + TRACK * len(cuts[number - 1]) if number else 0.0
            bottoms.append(self._place_row(row, margin, y))
        wires: list[list[Step]] = [[] for _ in self.boxes]
        for row in rows:
            for column in row:
                self._draw_column(column, column == row[-1], wires)
        width = max(right for _, right in self.edges)
        for row, cut, bottom in zip(rows, cuts, bottoms, strict=False):
            self._fold(row[-1], cut, bottom, wires)
            width = max(width, self.edges[row[-1]][1] + CORNER + TRACK * len(cut))
        anchors = [self.at[box] for box in range(len(self.boxes))]
        tips = [
            [self._tip(number, port) for port in range(len(box.ports))]
            for number, box in enumerate(self.boxes)
        ]
        entries = [
            (self.items[target].box, (self.edges[row[0]][0], self.at[target][1]))
            for row, cut in zip(rows[1:], cuts, strict=True)
            for _, target in cut
        ]
        return Layout(width, bottoms[-1], anchors, wires, tips, entries)

    # --- inputs and their ports -----------------------------------------------------------

    def _ports(self, number: int) -> list[int]:
        """Which port each input of a box takes: its own, or the next free one from the top."""
        box = self.boxes[number]
        order = list(range(len(box.ports)))
        if box.is_symmetric:
            sources = self.items[number].sources
            arriving = sorted((self.place[source], port) for source, port in sources)
            for place, (_, port) in enumerate(arriving):
                order[port] = place
        return order

    def _port(self, item: int, port: int) -> Point:
        """Where an input arrives, from the anchor of its item."""
        if self.items[item].is_lane:
            return 0.0, 0.0
        return self.boxes[item].ports[self.ports[item][port]]

    def _tip(self, item: int, port: int) -> Point:
        dx, dy = self._port(item, port)
        return self.at[item][0] + dx, self.at[item][1] + dy

    # --- places ---------------------------------------------------------------------------

    def _place_row(self, row: range, x: float, y: float) -> float:
        """Give the items of a row their places; the row's bottom edge."""
        ys = heights(self.grid, row, lambda item, port: self._port(item, port)[1])
        for column in row:
            extents = [self.items[item].extent for item in self.grid.columns[column]]
            left = max((each[0] for each in extents), default=0.0)
            right = max((each[1] for each in extents), default=0.0)
            for item in self.grid.columns[column]:
                self.at[item] = x + left, y + ys[item]
            self.edges.append((x, x + left + right))
            x += left + right + (self._gap(column, ys) if column != row[-1] else 0)
        return y + max((ys[item] + self.items[item].extent[2] / 2 for item in ys), default=0.0)

    def _gap(self, column: int, ys: dict[int, float]) -> float:
        """The room behind a column, where connections bend: steep ones want more of it."""
        steepest = max(
            (
                abs(ys[target] + self._port(target, port)[1] - ys[item])
                for item in self.grid.columns[column]
                for target, port in self.items[item].targets
            ),
            default=0.0,
        )
        return GAP + min(max(0.15 * (steepest - 100), 0), GAP)

    # --- connections ----------------------------------------------------------------------

    def _draw_column(self, column: int, is_cut: bool, wires: list[list[Step]]) -> None:
        """The lines through the column, or from its boxes to its edge, and on to the next."""
        left, right = self.edges[column]
        for number in self.grid.columns[column]:
            item = self.items[number]
            x, y = self.at[number]
            if not item.targets:
                continue
            wire = wires[item.box]
            start = left if item.is_lane else x + item.extent[1]
            wire += [("M", (start, y)), ("L", (right, y))]
            for target, port in () if is_cut else item.targets:
                edge = self.edges[column + 1][0]
                end = self.at[target][1] + self._port(target, port)[1]
                middle = (right + edge) / 2
                wire += [("M", (right, y)), ("C", (middle, y, middle, end, edge, end))]
                if not self.items[target].is_lane:
                    wire.append(("L", self._tip(target, port)))

    def _cut(self, column: int) -> list[tuple[int, int]]:
        """What leads from the last column of a row to the next row, from the top."""
        return [
            (item, target)
            for item in self.grid.columns[column]
            for target, _ in self.items[item].targets
        ]

    def _fold(
        self, column: int, cut: list[tuple[int, int]], bottom: float, wires: list[list[Step]]
    ) -> None:
        """Lead what is cut around the end of a row to the start of the next."""
        right, left = self.edges[column][1], self.edges[column + 1][0]
        for number, (item, target) in enumerate(cut):
            # The highest goes around all others, and comes in before them.
            inner = len(cut) - number
            x, back = right + TRACK * inner, left - TRACK * (number + 1)
            y = bottom + ROW_GAP / 2 + TRACK * (inner - 0.5)
            y0, y1 = self.at[item][1], self.at[target][1]
            corners = [(right, y0), (x, y0), (x, y), (back, y), (back, y1), (left, y1)]
            wires[self.items[item].box] += _rounded(corners)


def _rounded(corners: Sequence[Point]) -> list[Step]:
    """Lines from corner to corner, along the axes, with the corners rounded."""
    steps: list[Step] = [("M", corners[0])]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        enter, leave = _towards(corner, before), _towards(corner, after)
        steps += [("L", enter), ("C", (*_between(enter, corner), *_between(leave, corner), *leave))]
    return [*steps, ("L", corners[-1])]


def _towards(corner: Point, other: Point) -> Point:
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)
    part = min(CORNER, length / 2) / length if length else 0.0
    return corner[0] + part * dx, corner[1] + part * dy


def _between(a: Point, b: Point) -> Point:
    return 0.45 * a[0] + 0.55 * b[0], 0.45 * a[1] + 0.55 * b[1]
