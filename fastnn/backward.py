"""The way back through the graph: from a result to the leaves it came from."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from fastnn.ops.op import Op, sum_to

if TYPE_CHECKING:
    from fastnn.tensor import Tensor


def propagate(root: Tensor, seed: Any, retain_graph: bool) -> None:
    """Add to ``.grad`` of every leaf its gradient, given the seed, root's own.

    A node is younger than its arguments, so when the youngest pending node is taken,
    every consumer of it has already added its part: no sorting is needed.  Nothing
    recurses, and a node's hold on its arguments ends when it is done, so a long chain
    is freed one node at a time.

    Raises:
        RuntimeError: an earlier call has freed a part of the graph.
        TypeError: an argument that needs a gradient has no derivative.
        ValueError: a backward returned a gradient of the wrong shape.
    """
    if root._op is None:
        _add_to_leaf(root, seed, seed)
        return
    pending = {root._serial: seed}
    heap = [(-root._serial, root)]
    while heap:
        node = heappop(heap)[1]
        g = pending.pop(node._serial)
        op, values, parents = node._op, node._values, node._parents
        assert op is not None
        if values is None:
            raise RuntimeError(
                f"backward() for the second time through {op!r}, whose graph the first "
                "one freed: pass retain_graph=True to the first"
            )
        y = node._data if op.saving is None else node._saved
        if op.joint is not None:
            needs = [False] * len(values)
            for position, _ in parents:
                needs[position] = True
            parts = op.joint(g, y, needs, *values)
        else:
            parts = None
        for position, parent in parents:
            if parts is not None:
                part = parts[position]
            else:
                rule = op.rules[position] if position < len(op.rules) else None
                if rule is None:
                    raise _no_derivative(op, position)
                part = rule(g, y, *values)
            data = parent._data
            if part.shape != data.shape:
                part = _fit(op, part, data.shape)
            if part.dtype is not data.dtype:
                part = part.astype(data.dtype, copy=False)
            serial = parent._serial
            if not serial:
                _add_to_leaf(parent, part, g)
            elif serial in pending:
                pending[serial] = pending[serial] + part
            else:
                pending[serial] = part
                heappush(heap, (-serial, parent))
        if not retain_graph:
            node._values = node._saved = None
            node._parents = ()


def _no_derivative(op: Op, position: int) -> TypeError:
    return TypeError(
        f"{op.name} has no derivative by its argument {position}, which is a tensor "
        "that needs a gradient: pass .detach() of it"
    )


def _fit(op: Op, part: Any, shape: tuple[int, ...]) -> Any:
    if op.broadcasts:
        return sum_to(part, shape)
    raise ValueError(
        f"the backward of {op.name} wants a gradient of shape {shape}, got {part.shape}"
    )


def _add_to_leaf(leaf: Tensor, part: Any, g: Any) -> None:
    if leaf.grad is not None:
        # Not in place: somebody may have kept the old gradient.
        leaf.grad = leaf.grad + part
    elif part is g or part.base is not None:
        # Shared with another gradient: clipping one in place must not touch the other.
        leaf.grad = part.copy()
    else:
        leaf.grad = part
