"""The layered layout: nothing overlaps, whatever the graph, and it reads from the left."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn.drawing.box import Box
from fastnn.drawing.columns import Grid
from fastnn.drawing.layout import Layout, Step, arrange
from fastnn.drawing.order import _Order, sort_columns
from fastnn.drawing.place import SEPARATION, heights
from fastnn.drawing.rows import TRACK, first_depths, spans_of

Graph = tuple[list[Box], list[tuple[int, ...]]]
WIDTHS = st.sampled_from([300.0, 900.0, 1e9])


def box(inputs: int = 1, width: float = 60.0, **more: object) -> Box:
    """A box with its ports at its left edge."""
    ports = tuple((-17.0, 11.0 * port - 11.0 * (inputs - 1) / 2) for port in range(inputs))
    return Box(17 if inputs else 20, width, max(36.0, 11.0 * inputs + 16), ports, **more)


@st.composite
def graphs(draw: st.DrawFn, widths: Sequence[int] = (20, 60, 300)) -> Graph:
    """Graphs of up to 40 boxes: deep or wide, with long connections or with short ones."""
    count = draw(st.sampled_from([1, 3, 8, 20, 40]))
    most_inputs = draw(st.sampled_from([1, 2, 3, 12]))
    reach = draw(st.sampled_from([1, 3, 40]))
    longest = draw(st.sampled_from(widths))
    leaves = draw(st.sampled_from([0.0, 0.2, 0.6]))
    # Hypothesis alone draws many a graph twice, and few large ones.
    random = Random(draw(st.integers(0, 2**32)))
    boxes: list[Box] = []
    inputs: list[tuple[int, ...]] = []
    for number in range(count):
        arity = random.randint(1, most_inputs) if number and random.random() >= leaves else 0
        before = range(max(0, number - reach), number)
        inputs.append(tuple(random.choice(before) for _ in range(arity)))
        boxes.append(
            box(
                arity,
                width=random.uniform(2, longest),
                is_symmetric=random.random() < 0.5,
                is_near=random.random() < 0.5,
                caption=random.choice([(0.0, 0.0), (50.0, 40.0)]),
            )
        )
    return boxes, inputs


def points(steps: Sequence[Step]) -> Iterator[tuple[float, float]]:
    """Points along a wire, at most 2 pixels apart."""
    at = (0.0, 0.0)
    for letter, numbers in steps:
        corners = [at, *zip(numbers[::2], numbers[1::2], strict=True)]
        if letter == "L":
            corners = [at, at, corners[-1], corners[-1]]
        if letter != "M":
            a, b, c, d = corners
            count = int((abs(d[0] - a[0]) + abs(d[1] - a[1])) / 1.5) + 1
            for i in range(count + 1):
                t, u = i / count, 1 - i / count
                w = u**3, 3 * u * u * t, 3 * u * t * t, t**3
                yield (
                    w[0] * a[0] + w[1] * b[0] + w[2] * c[0] + w[3] * d[0],
                    w[0] * a[1] + w[1] * b[1] + w[2] * c[1] + w[3] * d[1],
                )
        at = corners[-1]


def areas(boxes: Sequence[Box], layout: Layout) -> list[tuple[float, float, float, float]]:
    """Left, right, top and bottom of each box."""
    return [
        (x - each.left, x + each.right, y - each.height / 2, y + each.height / 2)
        for each, (x, y) in zip(boxes, layout.anchors, strict=True)
    ]


@given(graphs(), WIDTHS)
def test_boxes_are_apart_and_inside(graph: Graph, width: float) -> None:
    boxes, inputs = graph
    layout = arrange(boxes, inputs, width)
    found = areas(boxes, layout)
    for number, (x, y) in layout.entries:
        # What is written above a wire that enters a row needs its room too.
        length, height = boxes[number].caption
        if length:
            found.append((x, x + length, y - height / 2, y))
    for i, (left, right, top, bottom) in enumerate(found):
        assert left > -1e-6
        assert top > -1e-6
        assert right < layout.width + 1e-6
        assert bottom < layout.height + 1e-6
        for other in found[:i]:
            assert (
                left >= other[1]
                or other[0] >= right
                or top >= other[3] + SEPARATION / 2
                or other[2] >= bottom + SEPARATION / 2
            )


@given(graphs(), WIDTHS)
def test_wires_run_through_no_box(graph: Graph, width: float) -> None:
    boxes, inputs = graph
    layout = arrange(boxes, inputs, width)
    found = areas(boxes, layout)
    for source, steps in enumerate(layout.wires):
        for x, y in points(steps):
            assert -1e-6 < x < layout.width + 1e-6
            assert -1e-6 < y < layout.height + 1e-6
            for target, (left, right, top, bottom) in enumerate(found):
                if left < x < right and top < y < bottom:
                    # Only on the last piece of the way to an input of this very box.
                    own = [
                        tip
                        for tip, each in zip(layout.tips[target], inputs[target], strict=True)
                        if each == source
                    ]
                    assert any(abs(y - tip[1]) < 1e-6 and x < tip[0] + 1e-6 for tip in own)


@given(graphs(), WIDTHS)
def test_wires_lead_from_each_box_to_its_consumers(graph: Graph, width: float) -> None:
    boxes, inputs = graph
    layout = arrange(boxes, inputs, width)
    reached = []
    for number, wire in enumerate(layout.wires):
        pieces = _pieces(wire)
        here = {_start(boxes, layout, number)}
        while grown := {end for start, end in pieces if start in here} - here:
            here |= grown
        assert here >= {place for piece in pieces for place in piece}  # all of it hangs together
        reached.append(here)
    for sources, tips in zip(inputs, layout.tips, strict=True):
        assert len(set(tips)) == len(tips)  # no two inputs at one port
        assert all(tip in reached[source] for source, tip in zip(sources, tips, strict=True))


def _pieces(wire: Sequence[Step]) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    """The lines and curves of a wire, each from where to where."""
    places = [numbers[-2:] for _, numbers in wire]
    return [
        (start, end)
        for start, end, (letter, _) in zip(places, places[1:], wire[1:], strict=False)
        if letter != "M"
    ]


def _start(boxes: Sequence[Box], layout: Layout, number: int) -> tuple[float, float]:
    x, y = layout.anchors[number]
    return x + boxes[number].right, y


@given(graphs(), WIDTHS)
def test_wires_of_different_boxes_do_not_run_along_each_other(graph: Graph, width: float) -> None:
    boxes, inputs = graph
    layout = arrange(boxes, inputs, width)
    level = [
        (number, start, end)
        for number, wire in enumerate(layout.wires)
        for start, end in _pieces(wire)
        if start[0] == end[0] or start[1] == end[1]
    ]
    for number, start, end in level:
        for other, other_start, other_end in level:
            if number < other:
                near = [
                    min(max(start[axis], end[axis]), max(other_start[axis], other_end[axis]))
                    - max(min(start[axis], end[axis]), min(other_start[axis], other_end[axis]))
                    for axis in (0, 1)
                ]  # how far both overlap, less than 0 for a distance
                assert not (max(near) > 1 and min(near) > -TRACK / 2)


@given(graphs())
def test_inputs_stand_left_of_what_they_lead_to(graph: Graph) -> None:
    boxes, inputs = graph
    layout = arrange(boxes, inputs, 1e9)
    for target, sources in enumerate(inputs):
        for source in sources:
            assert _start(boxes, layout, source)[0] < layout.tips[target][0][0]
    assert not layout.entries


@given(graphs())
def test_the_order_of_inputs_is_kept_where_it_counts(graph: Graph) -> None:
    boxes, inputs = graph
    layout = arrange(boxes, inputs, 600)
    for each, tips in zip(boxes, layout.tips, strict=True):
        ys = [y for _, y in tips]
        assert each.is_symmetric or ys == sorted(ys)


@given(graphs())
@settings(max_examples=15)
def test_the_same_graph_gives_the_same_layout(graph: Graph) -> None:
    assert arrange(*graph, 700) == arrange(*graph, 700)


@pytest.mark.parametrize("count", [1, 2, 12, 200])
@pytest.mark.parametrize("width", [250.0, 928.0])
def test_rows_of_a_chain_fit_the_width_and_are_of_like_length(count: int, width: float) -> None:
    boxes = [box(0), *(box(1) for _ in range(count))]
    inputs = [(), *((number,) for number in range(count))]
    layout = arrange(boxes, inputs, width)
    assert layout.width <= width
    ys = [y for _, y in layout.anchors[1:]]
    rows = [ys.count(y) for y in dict.fromkeys(ys)]
    assert max(rows) - min(rows) <= 1
    assert ys == sorted(ys)


@given(graphs(widths=(20, 60)))
def test_rows_of_up_to_forty_boxes_fit_a_page(graph: Graph) -> None:
    assert arrange(*graph, 928).width <= 928


def test_depths_are_the_longest_ways() -> None:
    #     0 ─ 2 ─ 3 ─ 5      1 is used by 4 alone, and 4 late: by 5
    #     1 ─ 4 ──────┘
    inputs = [(), (), (0,), (2,), (1,), (3, 4)]
    assert [span.own for span in spans_of(inputs, late=False)] == [-1, -1, 0, 1, 0, 2]
    assert [span.own for span in spans_of(inputs, late=True)] == [-1, -1, 0, 1, 1, 2]
    assert [(span.first, span.last) for span in spans_of(inputs, late=True)] == [
        (0, 0), (1, 1), (1, 1), (2, 2), (2, 2), (0, -1),
    ]  # fmt: skip


def test_chains_move_to_their_consumers_and_joints_stay() -> None:
    # 2 and 3 follow each other and wait for 7; 8 joins both ends of 6 and of 3.
    inputs = [(), (), (1,), (2,), (0,), (4,), (5,), (6,), (3, 7), (8,)]
    assert [span.own for span in spans_of(inputs, late=False)] == [-1, -1, 0, 1, 0, 1, 2, 3, 4, 5]
    assert [span.own for span in spans_of(inputs, late=True)] == [-1, -1, 2, 3, 0, 1, 2, 3, 4, 5]
    # 2 joins two ops: moved to 5, two wires would get longer instead of one.
    inputs = [(), (0,), (0,), (1, 2), (0,), (4,), (5,), (3, 6)]
    assert [span.own for span in spans_of(inputs, late=True)] == [-1, 0, 0, 1, 0, 1, 2, 3]


def test_rows_are_cut_where_few_wires_are() -> None:
    # A chain of eight; its first five boxes, not the four of a half, all need 0 and 1.
    inputs = [(), (), (0, 1), *((number, 0, 1) for number in range(2, 6)), (6,), (7,), (8,)]
    boxes = [box(len(each)) for each in inputs]
    spans = spans_of(inputs, late=False)
    assert first_depths(boxes, spans, 800) == [0, 5]
    assert first_depths(boxes, spans, 1e9) == [0]
    chain = [(), *((number,) for number in range(8))]
    assert first_depths([box(len(each)) for each in chain], spans_of(chain, False), 800) == [0, 4]


@st.composite
def small_grids(draw: st.DrawFn) -> Grid:
    """Two or three columns of up to four boxes, some symmetric and some not."""
    inputs: list[tuple[int, ...]] = [() for _ in range(draw(st.integers(2, 4)))]
    last = range(len(inputs))
    for _ in range(draw(st.integers(1, 2))):
        one = st.sampled_from(last)
        count = draw(st.integers(1, 4))
        inputs += [tuple(draw(st.lists(one, min_size=1, max_size=3))) for _ in range(count)]
        last = range(len(inputs) - count, len(inputs))
    boxes = [box(len(each), is_symmetric=draw(st.booleans())) for each in inputs]
    return Grid(boxes, inputs, 1e9)


@given(small_grids())
@settings(max_examples=100)
def test_no_order_of_a_small_graph_has_fewer_crossings(grid: Grid) -> None:
    sort_columns(grid)
    found = _crossings(grid, grid.columns)
    for columns in itertools.product(*(itertools.permutations(each) for each in grid.columns)):
        assert found <= _crossings(grid, columns)


def test_far_ends_find_each_other() -> None:
    # Fifty pairs in a shuffled order.
    order = [(17 * number + 5) % 50 for number in range(50)]
    inputs = [*(() for _ in order), *((number,) for number in order)]
    grid = Grid([box(len(each)) for each in inputs], inputs, 1e9)
    _Order(grid).sweep(rightwards=True)
    assert _crossings(grid, grid.columns) == 0


def _crossings(grid: Grid, columns: Sequence[Sequence[int]]) -> int:
    """How many pairs of wires cross, counted one by one."""
    place = {item: i for column in columns for i, item in enumerate(column)}
    total = 0
    for column in columns:
        ends = [
            (place[source], place[target], 0 if grid.boxes[target].is_symmetric else port)
            for source in column
            for target, port in grid.items[source].targets
        ]
        for one, other in itertools.combinations(ends, 2):
            total += (one[0] - other[0]) * ((one[1:] > other[1:]) - (one[1:] < other[1:])) < 0
    return total


def test_ports_are_taken_in_the_order_in_which_wires_arrive_if_inputs_may() -> None:
    inputs = [(), (), (0,), (1,), (3, 2), (2, 3)]
    for symmetric in (True, False):
        boxes = [box(len(each), is_symmetric=symmetric) for each in inputs]
        layout = arrange(boxes, inputs, 1e9)
        tops = [tips[0][1] < tips[1][1] for tips in layout.tips[4:]]
        if symmetric:
            assert tops == [layout.anchors[3][1] < layout.anchors[2][1], tops[0] is False]
        else:
            assert tops == [True, True]


@given(graphs(), WIDTHS)
def test_long_wires_are_straight_where_none_of_them_cross(graph: Graph, width: float) -> None:
    grid = Grid(*graph, width)
    sort_columns(grid)
    place = {item: i for column in grid.columns for i, item in enumerate(column)}
    for row in grid.rows:
        y = heights(grid, row, lambda _item, port: 3.0 * port)
        passing = [
            (lane, target)
            for column in row[:-1]
            for lane in grid.columns[column]
            for target, _ in grid.items[lane].targets
            if grid.items[lane].is_lane and grid.items[target].is_lane
        ]
        crossed = any(
            (place[a] - place[c]) * (place[b] - place[d]) < 0
            for a, b in passing
            for c, d in passing
            if a in y and c in y and _column(grid, a) == _column(grid, c)
        )
        assert crossed or all(abs(y[lane] - y[target]) < 1e-9 for lane, target in passing)


def _column(grid: Grid, item: int) -> int:
    return next(number for number, column in enumerate(grid.columns) if item in column)


def test_a_wire_arrives_level_where_nothing_is_in_its_way() -> None:
    low = Box(17, 60, 40, ports=((-17.0, 9.0),))
    layout = arrange([box(0), low, low], [(), (0,), (1,)], 1e9)
    assert [tips[0][1] for tips in layout.tips[1:]] == [y for _, y in layout.anchors[:2]]


def test_wires_that_go_on_in_the_next_row_do_not_cross() -> None:
    # Three chains beside each other, joined at the end.
    inputs = [(), (), (), *((number,) for number in range(18)), (18, 19, 20)]
    layout = arrange([box(len(each)) for each in inputs], inputs, 500)
    assert len(layout.entries) >= 3
    pieces = [
        (number, start, end)
        for number, wire in enumerate(layout.wires)
        for start, end in _pieces(wire)
    ]
    for number, a, b in pieces:
        for other, c, d in pieces:
            assert number == other or not _cross(a, b, c, d)


def _cross(
    a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...], d: tuple[float, ...]
) -> bool:
    """Whether the lines from a to b and from c to d do."""

    def side(p: tuple[float, ...], q: tuple[float, ...], r: tuple[float, ...]) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def test_a_wire_that_leads_to_two_boxes_is_one_lane() -> None:
    inputs = [(), (), (1,), (2, 0), (3, 0)]
    grid = Grid([box(len(each)) for each in inputs], inputs, 1e9)
    lanes = [item for item in grid.items if item.is_lane]
    assert [(lane.box, len(lane.targets)) for lane in lanes] == [(0, 2), (0, 1)]
