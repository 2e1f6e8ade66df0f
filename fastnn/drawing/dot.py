"""The drawing as DOT, the language of Graphviz."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fastnn.drawing.graph import Vertex
from fastnn.drawing.svg import GREEN, GREY, RED


def dot_of(vertices: Sequence[Vertex]) -> str:
    """A directed graph from the left to the right; values and gradients on the edges."""
    lines = [
        "digraph {",
        "  rankdir=LR;",
        '  node [shape=box, style=rounded, fontname="Helvetica"];',
        '  edge [fontname="Helvetica", fontsize=10];',
    ]
    for number, vertex in enumerate(vertices):
        lines.append(f"  n{number} [{_node(vertex)}];")
        lines += [f"  n{source} -> n{number}{_edge(vertices[source])};" for source in vertex.inputs]
    last = len(vertices) - 1
    lines += [
        '  result [shape=point, style=invis, label=""];',
        f"  n{last} -> result{_edge(vertices[last])};",
        "}",
    ]
    return "\n".join([*lines, ""])


def _node(vertex: Vertex) -> str:
    note = f"tooltip={_quoted(vertex.note)}"
    if not vertex.is_op:
        colour = f', fontcolor="{GREY}"' if vertex.is_constant else ""
        return f"label={_quoted(vertex.name)}, shape=plaintext{colour}, {note}"
    sign = "".join(text for text, _ in vertex.pieces)
    text = "\n".join(each for each in (sign, vertex.options) if each)
    shape = ", shape=circle" if len(text) <= 3 else ""
    return f"label={_quoted(text)}{shape}, {note}"


def _edge(source: Vertex) -> str:
    parts = [(f"{source.lead} {source.value}".strip(), GREEN), (source.gradient, RED)]
    lines = [f'<font color="{colour}">{escape(text)}</font>' for text, colour in parts if text]
    return f" [label=<{'<br/>'.join(lines)}>]" if lines else ""


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
