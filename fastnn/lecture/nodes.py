"""A graph as a table: its nodes, how they were made, their values and their gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastnn.backward import every_gradient
from fastnn.drawing.labels import summary
from fastnn.node import Node, nodes_of
from fastnn.tensor import Tensor

__all__ = ["Row", "named", "rows", "values"]

_SYMBOLS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@"}


def named(name: str, tensor: Any) -> Tensor:
    """The tensor, called by this name from now on."""
    tensor.name = name
    result: Tensor = tensor
    return result


class Row(NamedTuple):
    """One node, as text; made_by is empty for a leaf, and gradient where there is none."""

    name: str
    made_by: str
    value: str
    gradient: str


def rows(result: Tensor, number: str = ".4g") -> list[Row]:
    """The nodes behind result, arguments first; large arrays are told by their shapes.

    result is a single value that needs a gradient, and its graph has not been freed.
    A node that the user did not name is called #1, #2, ...
    """
    gradients = _gradients(result)
    names: dict[Node, str] = {}
    nameless = 0
    found = []
    for node in nodes_of(result._node):
        if node.name is None:
            nameless += 1
        names[node] = node.name or f"#{nameless}"
        gradient = _text(gradients[node], number) if node in gradients else ""
        made_by = _made_by(node, names)
        found.append(Row(names[node], made_by, _text(node.data, number), gradient))
    return found


def values(result: Tensor) -> dict[str, tuple[Any, Any]]:
    """The value and the gradient of every node that has a name and needs a gradient."""
    return {
        node.name: (node.data, gradient)
        for node, gradient in _gradients(result).items()
        if node.name is not None
    }


def _gradients(result: Tensor) -> dict[Node, Any]:
    return every_gradient(result._node, np.ones(result.shape, result.dtype))


def _made_by(node: Node, names: dict[Node, str]) -> str:
    if node.op is None:
        return ""
    arguments = [names[a] if type(a) is Node else _text(a, "g") for a in node.arguments()]
    symbol = _SYMBOLS.get(node.op.name)
    if symbol is not None:
        return f" {symbol} ".join(arguments)
    return f"{node.op.name}({', '.join(filter(None, arguments))})"


def _text(value: Any, number: str) -> str:
    """A number, a small array, the shape of a large one, or nothing for what is none."""
    if value is None or isinstance(value, (bool, tuple)):
        return ""
    array = np.asarray(value)
    return format(float(array), number) if array.ndim == 0 else summary(array)
