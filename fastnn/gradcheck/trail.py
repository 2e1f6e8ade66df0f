"""Where an error enters: the trail of a slope through the graph.

Along a direction of the arguments, every value on the way to the result moves, and each op
passes a slope on: what its backward makes of the gradient that it gets, for the moves of its
arguments, is what the gradient says of the move of its result.  The error of the whole is
the sum of what the ops lose.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn.backward import contributions, gradients_of
from fastnn.gradcheck.forward import Direction, Forward
from fastnn.node import Node
from fastnn.ops.op import Op

Array: TypeAlias = npt.NDArray[Any]


class Entry(NamedTuple):
    """The op that loses most of a slope.

    ``tangents`` are the moves of all values and ``gradient`` that of the op's result;
    ``constants`` are the positions of arguments that move, although the graph holds them for
    constants.
    """

    node: Node
    tangents: dict[Node, Array]
    gradient: Array
    constants: tuple[int, ...]


def entry_of_error(forward: Forward, projection: Array, direction: Direction) -> Entry | None:
    """Where the error of the slope along this direction enters, if an op can be found."""
    h = float(forward.steps[2])
    nodes = forward.trace.nodes
    ahead, behind = forward.nodes_at(direction, h), forward.nodes_at(direction, -h)
    if ahead is None or behind is None:
        return None
    tangents = {
        node: np.asarray(up.data - down.data, np.float64) / (2 * h)
        for node, up, down in zip(nodes, ahead, behind, strict=True)
    }
    seed = projection.astype(forward.trace.result.dtype)
    gradients = gradients_of(forward.trace.result._node, seed, nodes)
    worst, place = 0.0, None
    for i, (node, gradient) in enumerate(zip(nodes, gradients, strict=True)):
        if node.op is None or gradient is None:
            continue
        lost = abs(_passed_on(node, node.op, gradient, tangents) - _dot(gradient, tangents[node]))
        # Not a number is the largest loss.
        if not lost <= worst:
            worst, place = lost, i
    if place is None:
        return None
    node = nodes[place]
    constants = _moving_constants(node, ahead[place], behind[place], tangents)
    return Entry(node, tangents, np.asarray(gradients[place], np.float64), constants)


def _passed_on(node: Node, op: Op, gradient: Array, tangents: dict[Node, Array]) -> float:
    parents = [each for each in node.parents() if each[1] in tangents]
    parts = contributions(node, op, gradient, parents, False)
    return sum(_dot(part, tangents[parent[1]]) for parent, part in zip(parents, parts, strict=True))


def _moving_constants(
    node: Node, ahead: Node, behind: Node, tangents: dict[Node, Array]
) -> tuple[int, ...]:
    found = []
    pairs = zip(node.arguments(), ahead.arguments(), behind.arguments(), strict=True)
    for position, (here, *others) in enumerate(pairs):
        if type(here) is Node and here in tangents:
            continue
        up, down = (each.data if type(each) is Node else each for each in others)
        if isinstance(up, (np.ndarray, np.generic, float)) and not np.array_equal(up, down):
            found.append(position)
    return tuple(found)


def _dot(gradient: Any, tangent: Array) -> float:
    return float(np.sum(np.asarray(gradient, np.float64) * tangent))
