"""Every op on the way to a result: is its backward the derivative of its own forward?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn.gradcheck.op_use import Fault, OpUse
from fastnn.gradcheck.report import WrongOp
from fastnn.node import Node

Array: TypeAlias = npt.NDArray[Any]

_AT_ONCE = 500  # of a long chain, which repeats its ops


class OpChecks:
    """Checks of the ops that led to a result, each by itself.

    Args:
        nodes: all that led from the arguments to the result.
        rtol: the relative tolerance, or None for that of the dtypes.
        all_finite: whether the gradients of the result are finite: then an op's may be
            infinite for a random one, since none arrives where it would be.

    Attributes:
        total: how many uses of ops there are.
        checked: how many were looked at.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        rtol: float | None,
        rng: np.random.Generator,
        *,
        all_finite: bool,
    ) -> None:
        self._nodes = set(nodes)
        self._waiting = [node for node in nodes if node.op is not None and node.data.size]
        self._rtol = rtol
        self._rng = rng
        self._all_finite = all_finite
        self._uses: Counter[str] = Counter()
        self._faults: dict[tuple[str, int], list[tuple[Node, Fault]]] = {}
        self.total = len(self._waiting)
        self.checked = 0

    def run(self, *, all_of_them: bool = False) -> None:
        """Check the uses that wait: all, or of very many a part with each op in it."""
        chosen = self._waiting
        if not all_of_them and len(chosen) > _AT_ONCE:
            of_each_op = {repr(node.op): node for node in chosen}
            spread = chosen[:: -(-len(chosen) // _AT_ONCE)]
            chosen = sorted({*of_each_op.values(), *spread}, key=lambda node: node.serial)
        done = set(chosen)
        self._waiting = [node for node in self._waiting if node not in done]
        for node in chosen:
            if node.op is not None:
                self.checked += 1
                self._uses[node.op.name] += 1
                use = OpUse(node, node.op, self._rtol, self._rng)
                self._note(node, node.op.name, use.faults(self._parents(node)))

    def run_along(self, node: Node, tangents: Mapping[Node, Array], gradient: Array) -> None:
        """Check the use that made this node, as its arguments move, for this gradient of it."""
        if node.op is not None:
            parents = self._parents(node)
            use = OpUse(node, node.op, self._rtol, self._rng)
            along = [tangents[parent] for _, parent in parents]
            self._note(node, node.op.name, use.faults_along(parents, along, gradient))

    def _parents(self, node: Node) -> list[tuple[int, Node]]:
        return [each for each in node.parents() if each[1] in self._nodes]

    def _note(self, node: Node, name: str, faults: Sequence[Fault]) -> None:
        for fault in faults:
            if not (self._all_finite and fault.is_infinite):
                self._faults.setdefault((name, fault.argument), []).append((node, fault))

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
