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
from fastnn.ops.op import RESULT, Op, sum_to


def propagate(root: Node, seed: Any, retain_graph: bool, create_graph: bool = False) -> None:
    """Add to the gradient of every leaf, given the seed, root's own.

    No leaf's gradient changes when an error is raised.

    Raises:
        RuntimeError: an earlier call has freed a part of the graph, or a value that a
            derivative needs was overwritten.
        TypeError: an argument that needs a gradient has no derivative, or a backward
            returned what is no real numbers.
        ValueError: a backward returned a gradient of the wrong shape.
    """
    leaves = [
        (node, g, shared)
        for node, g, shared in _flow(root, seed, not retain_graph, create_graph)
        if node.op is None
    ]
    for leaf, g, shared in leaves:
        if create_graph:
            g = _as_tensor(g)
        elif leaf.grad is None and (shared or g.base is not None):
            # Shared with another gradient: clipping one in place must not touch the other.
            g = g.copy()
        # Not added in place: somebody may have kept the old gradient.
        leaf.grad = g if leaf.grad is None else leaf.grad + g


def _as_tensor(g: Any) -> Any:
    """A gradient that does not change with the leaves is an array: as a Tensor of its own."""
    from fastnn.tensor import Tensor, wrap  # which imports this module

    return g if isinstance(g, Tensor) else wrap(np.array(g))


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
        if node.op is None:
            continue
        args = node.arguments()
        wanted = [
            position
            for position, a in enumerate(args)
            if type(a) is Node and a.requires_grad and a.serial >= oldest
        ]
        if wanted:
            parts = contributions(node, node.op, g, wanted, create_graph)
        else:
            parts = []
        for position, part in zip(wanted, parts, strict=True):
            parent = args[position]
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
    node: Node, op: Op, g: Any, wanted: list[int], create_graph: bool = False
) -> list[Any]:
    """What a node adds to the gradients of the arguments at these positions, from its own."""
    args = node.arguments()
    if Node.last_overwrite > node.serial:
        _refuse_overwritten(node, op, args, wanted)
    y: Any
    if create_graph:
        values, y = _as_tensors(node, op, args)
    else:
        values = [a.data if type(a) is Node else a for a in args]
        y = node.data if op.saving is None else node.saved
    together = None
    if op.joint is not None and not (create_graph and op.rules):
        needs = [False] * len(values)
        for position in wanted:
            needs[position] = True
        together = op.joint(g, y, needs, *values)
    parts = []
    for position in wanted:
        if together is None:
            part = op.rule(position)(g, y, *values)
        else:
            part = together[position]
        data = args[position].data
        if part.shape != data.shape:
            part = _fit(op, part, data.shape)
        if part.dtype is not data.dtype and part.dtype != data.dtype:
            part = _in_dtype(op, part, data.dtype)
        parts.append(part)
    return parts


def _as_tensors(node: Node, op: Op, args: tuple[Any, ...]) -> tuple[list[Any], Any]:
    """The arguments, and the result or what was saved, as Tensors that lead back."""
    from fastnn.tensor import handle  # which imports this module

    values = [(handle(a) if a.requires_grad else a.data) if type(a) is Node else a for a in args]
    return values, handle(node) if op.saving is None else op.saved_again(values)


def _in_dtype(op: Op, part: Any, dtype: np.dtype[Any]) -> Any:
    if not np.can_cast(part.dtype, dtype, "same_kind"):
        raise TypeError(f"the backward of {op.name} wants a gradient of {dtype}, got {part.dtype}")
    return part.astype(dtype)


def _refuse_overwritten(node: Node, op: Op, args: tuple[Any, ...], wanted: list[int]) -> None:
    for position in wanted:
        if node.version[0] > node.serial and op.reads(position, RESULT):
            raise _overwritten(op, "its result", node.data)
        for other, argument in enumerate(args):
            changed = type(argument) is Node and argument.version[0] > node.serial
            if changed and op.reads(position, other):
                raise _overwritten(op, f"its argument {other}", argument.data)


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
