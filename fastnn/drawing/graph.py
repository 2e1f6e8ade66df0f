"""What is drawn of a computational graph: its values and ops as texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.drawing import labels
from fastnn.drawing.signs import sign_of
from fastnn.drawing.text import clean
from fastnn.node import Node

_LONGEST_NOTE = 200


@dataclass
class Vertex:
    """One thing that is drawn: an op with its result, an input, or a constant.

    Attributes:
        pieces: of an op, the texts in its circle, and for each whether it is a constant.
        options: of an op, the second line in its circle, or nothing.
        name: what the user calls it, or nothing.
        value: its value as text, or nothing.
        gradient: its gradient as text, or nothing.
        inputs: of an op, where its operands stand in the list of vertices.
        is_constant: whether it is a plain number or array.
        is_symmetric: whether the order of the inputs makes no difference.
        note: more about it, for whoever points at it.
    """

    pieces: tuple[tuple[str, bool], ...] = ()
    options: str = ""
    name: str = ""
    value: str = ""
    gradient: str = ""
    inputs: tuple[int, ...] = ()
    is_constant: bool = False
    is_symmetric: bool = False
    note: str = ""

    @property
    def is_op(self) -> bool:
        """Whether an op made it."""
        return bool(self.pieces)

    @property
    def lead(self) -> str:
        """What stands before an op's value: its name, as ``q =`` where a number follows."""
        if not self.is_op or not self.name:
            return ""
        return f"{self.name} =" if self.value and self.value[0] != "(" else self.name


def in_reading_order(root: Node) -> list[Node]:
    """Every node that root was made of, each after its arguments, those in their order.

    Raises:
        RuntimeError: ``backward()`` has freed a part of the graph.
    """
    ordered: list[Node] = []
    seen: set[Node] = set()
    waiting = [(root, False)]
    while waiting:
        node, is_left = waiting.pop()
        if is_left:
            ordered.append(node)
        elif node not in seen:
            seen.add(node)
            waiting.append((node, True))
            waiting += [(a, False) for a in reversed(node.arguments()) if type(a) is Node]
    return ordered


def vertices_of(
    nodes: Sequence[Node], gradients: dict[Node, Any], with_values: bool
) -> list[Vertex]:
    """What is drawn of these nodes: each after its inputs, among them the constants.

    Args:
        nodes: each after its arguments.
        gradients: of the nodes that have one.
        with_values: whether values are written.
    """
    vertices: list[Vertex] = []
    places: dict[int, int] = {}  # by the identity of nodes, and of arrays that they hold
    for node in nodes:
        vertex = Vertex(name=labels.name(node.name or ""), note=_note(node))
        if node.op is not None:
            sign = sign_of(node.op, node.arguments())
            inputs = []
            for operand in sign.operands:
                place = places.get(id(operand))
                if place is None:
                    place = len(vertices)
                    vertices.append(_constant(operand))
                    if hasattr(operand, "shape"):  # numbers are small: one for each use
                        places[id(operand)] = place
                inputs.append(place)
            vertex.pieces, vertex.options = sign.pieces, sign.options
            vertex.is_symmetric = sign.is_symmetric
            vertex.inputs = tuple(inputs)
        _write(vertex, node.data, gradients.get(node), with_values)
        places[id(node)] = len(vertices)
        vertices.append(vertex)
    return vertices


def _write(vertex: Vertex, value: Any, gradient: Any, with_values: bool) -> None:
    """The texts of value and gradient: elements of both, or shapes of both."""
    shown = [each for each in (value if with_values else None, gradient) if each is not None]
    texts = [labels.elements(each) for each in shown]
    if None in texts:
        texts = [labels.shape(each) for each in shown]
    if gradient is not None:
        vertex.gradient = texts.pop() or ""
    if with_values:
        vertex.value = texts.pop() or ""


def _constant(value: Any) -> Vertex:
    return Vertex(name=labels.summary(value), is_constant=True, note=_described(value))


def _note(node: Node) -> str:
    parts = [node.op.name] if node.op is not None else []
    if node.name:
        parts.append(node.name)
    return clean(", ".join([*parts, _described(node.data)]), _LONGEST_NOTE)


def _described(value: Any) -> str:
    if not hasattr(value, "dtype"):
        return f"constant {value!r}"
    return f"{value.dtype}, shape {value.shape}"
