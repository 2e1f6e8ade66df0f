"""draw: a picture of the computational graph behind a tensor."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

from fastnn.backward import every_gradient
from fastnn.checks import whole
from fastnn.drawing.dot import dot_of
from fastnn.drawing.graph import Vertex, in_reading_order, vertices_of
from fastnn.drawing.svg import svg_of
from fastnn.tensor import Tensor

__all__ = ["Drawing", "draw"]


def draw(
    tensor: Tensor,
    grad: Any = None,
    *,
    gradients: bool = True,
    values: bool = True,
    max_nodes: int = 200,
    width: int = 960,
) -> Drawing:
    """The computational graph of a tensor, in the manner of the lecture.

    ::

        fastnn.draw(loss).save("graph.svg")

    Data flow from the left to the right.  An op is a circle or a rounded box, an input is
    its name; above the wire that leaves them stands the value (green), and below it the
    gradient of the final result by it (red).  Arrays of more than 4 elements are shown by
    their shape.  Plain numbers and arrays are grey.  Nothing in the graph changes: draw
    before ``backward()`` frees it, or pass it ``retain_graph=True``.

    Args:
        tensor: the final result.
        grad: the gradient by the tensor itself, of its shape; None stands for 1 if it is a
            single number, and for no gradients if it is not.
        gradients: whether gradients are computed and shown.
        values: whether values are shown.
        max_nodes: how many nodes, ops and inputs, the graph may have.
        width: about how wide a drawing may get, in pixels, before it is continued in
            another row below.

    Returns:
        A :class:`Drawing`, which notebooks show.

    Raises:
        TypeError: tensor is no Tensor, or (for the gradients) an op has no derivative.
        RuntimeError: ``backward()`` has freed a part of the graph, or (for the gradients)
            a value that a derivative needs was changed in place.
        ValueError: the graph has more than max_nodes, or grad has not the shape of the
            tensor, or is given for a drawing without gradients.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"tensor wants a fastnn.Tensor, got {type(tensor).__name__}")
    whole("max_nodes", max_nodes, 1)
    whole("width", width, 1)
    root = tensor._node
    if grad is not None and not (gradients and root.requires_grad):
        why = "gradients=False" if root.requires_grad else "a tensor that needs no gradient"
        raise ValueError(f"grad is given with {why}: nothing would show it")
    try:
        nodes = in_reading_order(root)
    except RuntimeError:
        raise RuntimeError(
            "the graph of this tensor was freed by backward(): draw it before, or call "
            "backward(retain_graph=True)"
        ) from None
    if len(nodes) > max_nodes:
        raise ValueError(
            f"the graph has {len(nodes)} nodes, more than max_nodes={max_nodes}: draw a part "
            "of it, such as one step or one layer, or raise max_nodes="
        )
    found: dict[Any, Any] = {}
    if gradients and root.requires_grad and (grad is not None or root.data.size == 1):
        found = every_gradient(root, tensor._seed(grad, create_graph=False))
    vertices = vertices_of(nodes, found, values)
    return Drawing(vertices, width)


class Drawing:
    """A drawn graph: ``save`` it, or let a notebook show it.

    ``str(drawing)`` is the SVG.
    """

    def __init__(self, vertices: list[Vertex], width: int) -> None:
        self._vertices = vertices
        self._width = width

    @cached_property
    def svg(self) -> str:
        """The picture as SVG; the same graph gives the same text."""
        return svg_of(self._vertices, self._width)

    @cached_property
    def dot(self) -> str:
        """The graph in the DOT language of Graphviz."""
        return dot_of(self._vertices)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file: ``.svg``; ``.html``, which holds the SVG; or ``.dot`` or ``.gv``.

        Raises:
            ValueError: the name ends otherwise.
            OSError: the file cannot be written.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix == ".svg":
            text = self.svg
        elif suffix in (".dot", ".gv"):
            text = self.dot
        elif suffix in (".html", ".htm"):
            text = _PAGE.format(self.svg)
        else:
            raise ValueError(f"path wants a name in .svg, .html, .dot or .gv, got {str(path)!r}")
        path.write_text(text, encoding="utf-8")

    def _repr_svg_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Drawing of {len(self._vertices)} nodes>"


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Computational graph</title></head>
<body>
{}</body>
</html>
"""
