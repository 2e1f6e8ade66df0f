"""How large each vertex is drawn: its circle or name, and the wire with its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from fastnn.drawing.box import Box
from fastnn.drawing.graph import Vertex
from fastnn.drawing.text import width_of

SIGN, TEXT = 14.0, 12.0  # sizes of the letters in circles, and elsewhere
RADIUS = 18.0
ARROW = 8.0
PAD = 5.0
SPACE = 0.32 * TEXT  # between a name and a value
LINE, LINES = 20.0, 40.0  # the room for a line of text on a wire, and above and below it
PORTS_APART = 11.0


@dataclass(frozen=True)
class Shape:
    """How one vertex is drawn.

    Attributes:
        half_width, half_height: of its circle or rounded box; 0 for none.
        wire: how long its own piece of wire is.
        box: the room that it needs.
    """

    half_width: float
    half_height: float
    wire: float
    box: Box


def shape_of(vertex: Vertex, is_last: bool) -> Shape:
    """The shape of a vertex; the last one's wire ends in an arrow."""
    above = f"{vertex.lead} {vertex.value}" if vertex.lead else vertex.value
    longest = max(width_of(above, TEXT), width_of(vertex.gradient, TEXT))
    wire = longest + 2 * PAD if longest else 2.0
    if is_last:
        wire = max(wire, 14.0) + ARROW
    half_width, half_height, ports = _body(vertex)
    left = half_width
    if not vertex.is_op and vertex.name:
        left = width_of(vertex.name, TEXT) + PAD
    tall = LINES if longest else LINE
    box = Box(
        left,
        half_width + wire,
        max(2 * half_height, tall),
        ports,
        vertex.is_symmetric,
        is_near=vertex.is_constant,
        caption=(width_of(vertex.name, TEXT) + PAD, LINES) if vertex.name else (0.0, 0.0),
    )
    return Shape(half_width, half_height, wire, box)


def _body(vertex: Vertex) -> tuple[float, float, tuple[tuple[float, float], ...]]:
    """Half the width and height of an op's circle or box, and where its inputs arrive."""
    if not vertex.is_op:
        return 0.0, 0.0, ()
    count = len(vertex.inputs)
    sign = sum(width_of(text, SIGN) for text, _ in vertex.pieces)
    height = PORTS_APART * (count - 1) / 2
    offsets = [PORTS_APART * port - height for port in range(count)]
    if sign <= 2 * RADIUS - 5 and not vertex.options and count <= 3:
        return RADIUS, RADIUS, tuple((-sqrt(RADIUS**2 - dy**2), dy) for dy in offsets)
    half_width = max(sign, width_of(vertex.options, TEXT)) / 2 + 8
    half_height = max(RADIUS + (3 if vertex.options else 0), height + 8)
    return half_width, half_height, tuple((-half_width, dy) for dy in offsets)
