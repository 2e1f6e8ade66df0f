"""The layered layout: nothing overlaps, whatever the graph, and it reads from the left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn.drawing.columns import Box, Grid
from fastnn.drawing.layout import Layout, Step, arrange
from fastnn.drawing.order import sort_columns
from fastnn.drawing.place import SEPARATION
from fastnn.drawing.rows import TRACK, first_depths, spans_of

Graph = tuple[list[Box], list[tuple[int, ...]]]
WIDTHS = st.sampled_from([300.0, 900.0, 1e9])


def box(inputs: int = 1, width: float = 60.0, **more: object) -> Box:
    """A box with its ports at its left edge."""
    ports = tuple((-17.0, 11.0 * port - 11.0 * (inputs - 1) / 2) for port in range(inputs))
    return Box(17 if inputs else 20, width, max(36.0, 11.0 * inputs + 16), ports, **more)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Graphs of up to 40 boxes: deep or wide, with long connections or with short ones."""
    count = draw(st.integers(1, 40))
    most_inputs = draw(st.sampled_from([1, 2, 3, 12]))
    reach = draw(st.sampled_from([1, 3, 40]))
    longest = draw(st.sampled_from([20, 60, 300]))
    boxes: list[Box] = []
    inputs: list[tuple[int, ...]] = []
    for number in range(count):
        few = st.integers(0 if draw(st.booleans()) else 1, most_inputs)
        arity = draw(few) if number else 0
        before = st.integers(max(0, number - reach), max(0, number - 1))
        inputs.append(tuple(draw(before) for _ in range(arity)))
        boxes.append(
            box(
                arity,
                width=draw(st.integers(2, longest)),
                is_symmetric=draw(st.booleans()),
                is_near=draw(st.booleans()),
                caption=draw(st.sampled_from([(0.0, 0.0), (50.0, 40.0)])),
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


def test_depths_are_the_longest_ways() -> None:
    #     0 ─ 2 ─ 3 ─ 5      1 is used by 4 alone, and 4 late: by 5
    #     1 ─ 4 ──────┘
    inputs = [(), (), (0,), (2,), (1,), (3, 4)]
    assert [span.own for span in spans_of(inputs, late=False)] == [-1, -1, 0, 1, 0, 2]
    assert [span.own for span in spans_of(inputs, late=True)] == [-1, -1, 0, 1, 1, 2]
    assert [(span.first, span.last) for span in spans_of(inputs, late=True)] == [
        (0, 0), (1, 1), (1, 1), (2, 2), (2, 2), (0, -1),
    ]  # fmt: skip


def test_rows_are_cut_where_few_wires_are() -> None:
    # 0 leads to every box of the first three, then a single wire goes on.
    inputs = [(), (0,), (1, 0), (2, 0), (3,), (4,), (5,)]
    boxes = [box(len(each)) for each in inputs]
    assert first_depths(boxes, spans_of(inputs, late=False), 500) == [0, 3]


def test_crossings_that_can_be_avoided_are() -> None:
    # Two boxes that need each other's neighbour: as given, their wires cross.
    inputs = [(), (), (1,), (0,), (2, 3)]
    grid = Grid([box(len(each), is_symmetric=True) for each in inputs], inputs, 1e9)
    assert grid.columns[:2] == [[0, 1], [2, 3]]
    sort_columns(grid)
    place = {item: i for column in grid.columns for i, item in enumerate(column)}
    assert (place[0] < place[1]) == (place[3] < place[2])


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


def test_a_long_wire_is_straight_until_its_consumer() -> None:
    # 1 passes three columns beside the chain of 0.
    inputs = [(), (), (0,), (2,), (3,), (4, 1)]
    layout = arrange([box(len(each)) for each in inputs], inputs, 1e9)
    *level, last = (numbers[-2:] for _, numbers in layout.wires[1])
    assert last == layout.tips[5][1]
    bends = {y for _, y in level}
    assert len(bends) <= 2
    assert level[-2][1] == layout.anchors[1][1]


def test_a_wire_that_leads_to_two_boxes_is_one_lane() -> None:
    inputs = [(), (), (1,), (2, 0), (3, 0)]
    grid = Grid([box(len(each)) for each in inputs], inputs, 1e9)
    lanes = [item for item in grid.items if item.is_lane]
    assert [(lane.box, len(lane.targets)) for lane in lanes] == [(0, 2), (0, 1)]
