"""Node: one value of the computational graph, with the op and the arguments it came from.

A Tensor is a user's handle on a node.  Nodes hold nodes, never Tensors or their own
consumers: a graph has no reference cycles, and it is freed as soon as its results are.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from fastnn.ops.op import Op

if TYPE_CHECKING:
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"

# Numbers nodes as they are made, and the moments when their values are overwritten: a
# node is younger than its arguments, and a value younger than its node was changed.
serial = itertools.count(1)


class Node:
    """One value of the graph.

    Attributes:
        op: the op that made it; None for a leaf and for what needs no gradient.
        args: the op's arguments, with nodes where it got Tensors; None once
            ``backward()`` has freed them.
        data: the value.
        saved: what the op's ``saving`` kept for its derivatives.
        grad: of a leaf: the gradient that ``backward()`` has left.
        is_view: whether the value lies in the memory of another node's.
        name: what the user calls it, or None.
        requires_grad: whether gradients flow to or through it.
        serial: greater than those of its arguments.
        version: one number, the serial of the last change in place to this memory, or 0;
            nodes that look at the same memory have the same list.
    """

    __slots__ = (
        "__weakref__",
        "args",
        "data",
        "grad",
        "is_view",
        "name",
        "op",
        "requires_grad",
        "saved",
        "serial",
        "version",
    )

    op: Op | None
    args: tuple[Any, ...] | None
    data: Array
    saved: Any
    grad: Any
    is_view: bool
    name: str | None
    requires_grad: bool
    serial: int
    version: list[int]
    last_overwrite: ClassVar[int] = 0  # the greatest of all versions

    def __init__(self, data: Array, requires_grad: bool = False) -> None:
        self.op = None
        self.args = ()
        self.data = data
        self.saved = None
        self.grad = None
        self.is_view = False
        self.name = None
        self.requires_grad = requires_grad
        self.serial = next(serial)
        self.version = [0]

    @property
    def is_leaf(self) -> bool:
        """Whether no op made it, so that a gradient ends here."""
        return self.op is None

    def parents(self) -> list[tuple[int, Node]]:
        """The arguments that need a gradient, with their positions.

        Raises:
            RuntimeError: an earlier ``backward()`` has freed the arguments.
        """
        return [
            (position, argument)
            for position, argument in enumerate(self.arguments())
            if type(argument) is Node and argument.requires_grad
        ]

    def arguments(self) -> tuple[Any, ...]:
        """The op's arguments, nodes among them.

        Raises:
            RuntimeError: an earlier ``backward()`` has freed them.
        """
        if self.args is None:
            raise RuntimeError(
                f"the graph behind {self.op!r} was freed by backward(), and cannot be walked a "
                "second time: pass retain_graph=True to the first backward()"
            )
        return self.args

    def overwritten(self) -> None:
        """Note that the value was changed in place."""
        Node.last_overwrite = self.version[0] = next(serial)

    def shares_with(self, other: Node) -> None:
        """Note that this node's value lies in the memory of the other's."""
        self.version = other.version
        self.is_view = True

    def __reduce__(self) -> tuple[Any, ...]:
        if self.op is not None:
            raise TypeError(
                f"the result of {self.op.name} cannot be copied or pickled with its graph: "
                "use .detach() of it"
            )
        return _leaf, (self.data, self.requires_grad, self.grad, self.name)


def _leaf(data: Array, requires_grad: bool, grad: Any, name: str | None) -> Node:
    node = Node(data, requires_grad)
    node.grad, node.name = grad, name
    return node


def nodes_of(root: Node) -> list[Node]:
    """Every node that root was made of, itself included, each after its arguments.

    Raises:
        RuntimeError: an earlier ``backward()`` has freed a part of the graph.
    """
    found = {root}
    waiting = [root]
    while waiting:
        for argument in waiting.pop().arguments():
            if type(argument) is Node and argument not in found:
                found.add(argument)
                waiting.append(argument)
    return sorted(found, key=lambda node: node.serial)
