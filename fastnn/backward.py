"""The way back through the graph: from a result to the leaves it came from.

A node is younger than its arguments, so when the youngest pending node is taken, every
consumer of it has already added its part: no sorting is needed, and nothing recurses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from fastnn.node import Node
from fastnn.ops.op import Op, sum_to


def propagate(root: Node, seed: Any, retain_graph: bool, create_graph: bool = False) -> None:
    """Add to the gradient of every leaf, given the seed, root's own.

    No leaf's gradient changes when an error is raised.

    Raises:
        RuntimeError: an earlier call has freed a part of the graph, or a value that a
            derivative needs was overwritten.
        TypeError: an argument that needs a gradient has no derivative.
        ValueError: a backward returned a gradient of the wrong shape.
    """
    leaves = [
        (node, g, shared)
        for node, g, shared in _flow(root, seed, not retain_graph, create_graph)
        if node.op is None
    ]
    for leaf, g, shared in leaves:
        if leaf.grad is not None:
            # Not in place: somebody may have kept the old gradient.
            leaf.grad = leaf.grad + g
        elif create_graph or not (shared or g.base is not None):
            leaf.grad = g
        else:
            # Shared with another gradient: clipping one in place must not touch the other.
            leaf.grad = g.copy()


def gradients_of(
    root: Node, seed: Any, targets: Sequence[Node], create_graph: bool = False
) -> list[Any]:
    """The gradients by these nodes, None for one that root does not depend on.

    The graph older than all targets is left alone; nothing is freed.
    """
    oldest = min(node.serial for node in targets)
    wanted = set(targets)
    flow = _flow(root, seed, False, create_graph, oldest)
    found = {node: g for node, g, _ in flow if node in wanted}
    return [found.get(node) for node in targets]


def every_gradient(root: Node, seed: Any) -> dict[Node, Any]:
    """The gradient by every node of the graph that needs one; nothing is freed."""
    return {node: g for node, g, _ in _flow(root, seed, False, False)}


def _flow(
    root: Node, seed: Any, free: bool, create_graph: bool, oldest: int = 0
) -> Iterator[tuple[Node, Any, bool]]:
    """Each node with its gradient, the youngest first, and whether others may hold that array.

    A node's hold on its arguments ends when it is done, if ``free``, so that a long chain
    is freed one node at a time.
    """
    pending: dict[Node, Any] = {root: seed}
    shared = {root}
    heap = [(-root.serial, root)]
    while heap:
        node = heappop(heap)[1]
        g = pending.pop(node)
        yield node, g, node in shared
        shared.discard(node)
        op = node.op
        if op is None:
            continue
        parents = [each for each in node.parents() if each[1].serial >= oldest]
        if parents:
            for (_, parent), part in zip(
                parents, contributions(node, op, g, parents, create_graph), strict=True
            ):
                if parent in pending:
                    pending[parent] = pending[parent] + part
                    shared.discard(parent)
                else:
                    pending[parent] = part
                    heappush(heap, (-parent.serial, parent))
                    if part is g:
                        shared.add(parent)
        if free:
            node.args = node.saved = None


def contributions(
    node: Node, op: Op, g: Any, parents: list[tuple[int, Node]], create_graph: bool
) -> Iterator[Any]:
    """The gradients by these parents, from the node's own."""
    args = node.arguments()
    if Node.last_overwrite > node.serial:
        _refuse_overwritten(node, op, args)
    y: Any
    if create_graph:
        from fastnn.tensor import handle  # which imports this module

        values = [
            (handle(a) if a.requires_grad else a.data) if type(a) is Node else a for a in args
        ]
        y = handle(node) if op.saving is None else op.saved_again(values)
    else:
        values = [a.data if type(a) is Node else a for a in args]
        y = node.data if op.saving is None else node.saved
    if op.joint is not None and not (create_graph and op.rules):
        needs = [False] * len(values)
        for position, _ in parents:
            needs[position] = True
        together = op.joint(g, y, needs, *values)
        parts = (together[position] for position, _ in parents)
    else:
        parts = (op.rule(position)(g, y, *values) for position, _ in parents)
    for (_, parent), part in zip(parents, parts, strict=True):
        data = parent.data
        if part.shape != data.shape:
            part = _fit(op, part, data.shape)
        if part.dtype is not data.dtype:
            part = part.astype(data.dtype, copy=False)
        yield part


def _refuse_overwritten(node: Node, op: Op, args: tuple[Any, ...]) -> None:
    for position in op.reads:
        if position < len(args):
            argument = args[position]
            if type(argument) is Node and argument.version[0] > node.serial:
                raise _overwritten(op, f"its argument {position}", argument.data)
    if op.reads_result and node.version[0] > node.serial:
        raise _overwritten(op, "its result", node.data)


def _overwritten(op: Op, what: str, value: Any) -> RuntimeError:
    return RuntimeError(
        f"the derivative of {op.name} needs {what}, of shape {np.shape(value)}, which was changed "
        "in place after the op had used it: call backward() before the change, or change a copy"
    )


def _fit(op: Op, part: Any, shape: tuple[int, ...]) -> Any:
    if op.broadcasts:
        return sum_to(part, shape)
    raise ValueError(
        f"the backward of {op.name} wants a gradient of shape {shape}, got {part.shape}"
    )
