"""Every op on the way to a result: is its backward the derivative of its own forward?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn.gradcheck.op_use import Fault, OpUse, Parent
from fastnn.gradcheck.report import WrongOp
from fastnn.node import Node

Array: TypeAlias = npt.NDArray[Any]

_AT_ONCE = 500  # of a long chain, which repeats its ops


class OpChecks:
    """Checks of the ops that led to a result, each by itself.

    Args:
        nodes: all that led from the arguments to the result.
        rtol: the relative tolerance, or None for that of the dtypes.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        rtol: float | None,
        rng: np.random.Generator,
    ) -> None:
        self._nodes = set(nodes)
        self._with_op = [node for node in nodes if node.op is not None and node.data.size]
        self._rtol = rtol
        self._rng = rng
        self._done: set[Node] = set()
        self._uses: Counter[str] = Counter()
        self._faults: dict[tuple[str, int], list[tuple[Node, Fault]]] = {}

    @property
    def total(self) -> int:
        """How many uses of ops there are."""
        return len(self._with_op)

    @property
    def checked(self) -> int:
        """How many of them were looked at."""
        return len(self._done)

    def run(self, *, all_of_them: bool = False) -> None:
        """Check the uses: all, or of very many a part with each op in it."""
        chosen = self._with_op
        if not all_of_them and len(chosen) > _AT_ONCE:
            of_each_op = {repr(node.op): node for node in chosen}
            spread = chosen[:: -(-len(chosen) // _AT_ONCE)]
            chosen = sorted({*of_each_op.values(), *spread}, key=lambda node: node.serial)
        for node in chosen:
            self._check(node, lambda use, parents: use.faults(parents))

    def run_along(self, node: Node, tangents: Mapping[Node, Array], gradient: Array) -> None:
        """Check the use that made this node, as its arguments move, for this gradient of it."""

        def faults(use: OpUse, parents: Sequence[Parent]) -> list[Fault]:
            along = [tangents[parent] for _, parent in parents]
            return use.faults_along(parents, along, gradient)

        self._check(node, faults)

    def _check(self, node: Node, faults: Callable[[OpUse, Sequence[Parent]], list[Fault]]) -> None:
        op = node.op
        if op is None:
            return
        if node not in self._done:
            self._done.add(node)
            self._uses[op.name] += 1
        parents = [each for each in node.parents() if each[1] in self._nodes]
        for fault in faults(OpUse(node, op, self._rtol, self._rng), parents):
            self._faults.setdefault((op.name, fault.argument), []).append((node, fault))

    @property
    def wrong(self) -> tuple[WrongOp, ...]:
        """What was found, for each op and argument."""
        found = []
        for (name, argument), faults in self._faults.items():
            node, first = faults[0]
            found.append(
                WrongOp(
                    name=name,
                    argument=argument,
                    shape=first.shape,
                    makes=node.name,
                    uses=self._uses[name],
                    wrong_uses=len(faults),
                    backward=first.backward,
                    numerical=first.numerical,
                    what=first.what,
                )
            )
        return tuple(found)
