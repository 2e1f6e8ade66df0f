"""The drawing as SVG, which browsers, notebooks and word processors show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from fastnn.drawing.graph import Vertex
from fastnn.drawing.layout import Layout, Point, Step, arrange
from fastnn.drawing.shapes import ARROW, PAD, SIGN, SPACE, TEXT, Shape, shape_of
from fastnn.drawing.text import FONT

INK, GREEN, RED, GREY = "#1f2328", "#116329", "#cf222e", "#6e7781"
_WIRE, _FILL, _PAPER, _EDGE = "#57606a", "#f6f8fa", "#ffffff", "#d0d7de"
_MARGIN = 16.0


def svg_of(vertices: Sequence[Vertex], width: float) -> str:
    """The drawing of these vertices, in rows of about this width."""
    shapes = [shape_of(vertex, vertex is vertices[-1]) for vertex in vertices]
    inputs = [vertex.inputs for vertex in vertices]
    layout = arrange([shape.box for shape in shapes], inputs, width - 2 * _MARGIN)
    full_width, full_height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN
    paper = _tag(
        "rect", x=0.5, y=0.5, width=full_width - 1, height=full_height - 1,
        rx=8, fill=_PAPER, stroke=_EDGE,
    )  # fmt: skip
    everything = _tag(
        "g",
        [
            _tag("g", _wires(shapes, layout), fill="none", stroke=_WIRE, stroke_width=1.2),
            _tag("g", _arrows(shapes, layout), fill=_WIRE),
            *_captions(vertices, layout),
            *map(_drawn, vertices, shapes, layout.anchors),
        ],
        transform=f"translate({_n(_MARGIN)} {_n(_MARGIN)})",
        font_family=FONT,
        font_size=TEXT,
        fill=INK,
    )
    return _tag(
        "svg",
        [_tag("title", "Computational graph"), paper, everything],
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_n(full_width)} {_n(full_height)}",
        width=full_width,
        height=full_height,
        style="max-width:100%;height:auto",
        role="img",
    )


# --- wires ----------------------------------------------------------------------------


def _wires(shapes: Sequence[Shape], layout: Layout) -> list[str]:
    """For each vertex the wire that leaves it, with all its branches."""
    found = []
    for shape, (x, y), steps in zip(shapes, layout.anchors, layout.wires, strict=True):
        start = x + shape.half_width
        own: list[Step] = [("M", (start, y)), ("L", (start + shape.wire, y))]
        found.append(_tag("path", d=_path([*own, *steps])))
    return found


def _path(steps: Iterable[Step]) -> str:
    parts: list[str] = []
    at: tuple[float, ...] = ()
    for letter, numbers in steps:
        if letter != "M" or numbers != at:
            parts.append(letter + " ".join(map(_n, numbers)))
        at = numbers[-2:]
    return "".join(parts)


def _arrows(shapes: Sequence[Shape], layout: Layout) -> list[str]:
    x, y = layout.anchors[-1]
    tips = [tip for each in layout.tips for tip in each]
    tips.append((x + shapes[-1].half_width + shapes[-1].wire, y))
    return [
        _tag("path", d=f"M{_n(x)} {_n(y)}L{_n(x - ARROW)} {_n(y - 3.5)}V{_n(y + 3.5)}Z")
        for x, y in tips
    ]


def _captions(vertices: Sequence[Vertex], layout: Layout) -> list[str]:
    """Where a wire comes from another row, what the user calls it."""
    return [
        _text(vertices[number].name, x, y - PAD, anchor="start", fill=GREY)
        for number, (x, y) in layout.entries
        if vertices[number].name
    ]


# --- vertices -------------------------------------------------------------------------


def _drawn(vertex: Vertex, shape: Shape, at: Point) -> str:
    body = _op(vertex, shape, *at) if vertex.is_op else _input(vertex, *at)
    numbers = _numbers(vertex, shape, *at)
    return _tag("g", [_tag("title", escape(vertex.note)), *body, *numbers])


def _input(vertex: Vertex, x: float, y: float) -> list[str]:
    if not vertex.name:
        return []
    fill = GREY if vertex.is_constant else INK
    return [_text(vertex.name, x - PAD, y + 4.2, anchor="end", fill=fill)]


def _op(vertex: Vertex, shape: Shape, x: float, y: float) -> list[str]:
    width, height = shape.half_width, shape.half_height
    body = _tag(
        "rect", x=x - width, y=y - height, width=2 * width, height=2 * height,
        rx=height if width == height else 10, fill=_FILL, stroke=INK,
    )  # fmt: skip
    colours = [(text, GREY if is_constant else INK) for text, is_constant in vertex.pieces]
    sign_y, options_y = (y - 3, y + 13) if vertex.options else (y + 5, y)
    lines = [body, _text(colours, x, sign_y, size=SIGN)]
    if vertex.options:
        lines.append(_text(vertex.options, x, options_y, fill=GREY))
    return lines


def _numbers(vertex: Vertex, shape: Shape, x: float, y: float) -> list[str]:
    """The value above the wire, with the name of an op's result, and the gradient below."""
    middle = x + shape.half_width + shape.wire / 2
    lines = []
    above = [each for each in ((vertex.lead, INK), (vertex.value, GREEN)) if each[0]]
    if above:
        lines.append(_text(above, middle, y - PAD, gap=True))
    if vertex.gradient:
        lines.append(_text(vertex.gradient, middle, y + 14.5, fill=RED))
    return lines


# --- XML ------------------------------------------------------------------------------


def _text(
    text: str | list[tuple[str, str]],
    x: float,
    y: float,
    anchor: str = "middle",
    fill: str | None = None,
    size: float | None = None,
    gap: bool = False,
) -> str:
    """A line of text: all in one colour, or pieces with theirs and perhaps gaps between."""
    if isinstance(text, str):
        content = escape(text)
    else:
        # A space at an end of a piece would be lost in some viewers.
        content = "".join(
            _tag("tspan", escape(each), fill=colour, dx=SPACE if gap and number else None)
            for number, (each, colour) in enumerate(text)
        )
    return _tag("text", content, x=x, y=y, text_anchor=anchor, fill=fill, font_size=size)


def _tag(tag: str, content: str | Iterable[str] = (), **attributes: float | str | None) -> str:
    """An element of escaped content: one text, or elements on lines of their own."""
    given = "".join(
        f' {name.replace("_", "-")}="{escape(_n(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if not isinstance(content, str):
        content = "".join(f"\n{each}" for each in content) + "\n" if content else ""
    return f"<{tag}{given}>{content}</{tag}>" if content else f"<{tag}{given}/>"


def _n(value: float | str) -> str:
    """A coordinate to a tenth, without needless zeros; a text as it is."""
    if isinstance(value, str):
        return value
    text = f"{value:.1f}"
    return "0" if text == "-0.0" else text.removesuffix(".0")
