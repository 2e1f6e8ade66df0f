"""What is outside a step and may change: leaves, their gradients, optimizers' numbers.

A recording works on the arrays themselves.  It puts back what the first of two recordings has
done to them, and it holds as long as what the step has looked at is as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from fastnn.node import Node
from fastnn.program.errors import CaptureError
from fastnn.program.traced import Traced

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


class Cell:
    """A number that may change between replays, such as a learning rate.

    Args:
        owner, key: where it is looked up before a replay.
        step: what each step adds to it; a number that counts is written back.
        capacity: how many steps its values are held for.
    """

    def __init__(self, owner: dict[Any, Any], key: Any, step: int, capacity: int) -> None:
        self.owner, self.key, self.step = owner, key, step
        self.values = np.full(capacity, owner[key], np.float64)

    def __float__(self) -> float:
        return float(self.values[0])

    def __int__(self) -> int:
        return int(self.values[0])


class Outside:
    """The part of a recorder that looks after what is outside the step.

    Attributes:
        capacity: the most steps that one replay makes.
        cells: the numbers that are looked up before each replay.
        adopted: leaves, with the array and the gradient that they had.
        reset: leaves whose gradient the step sets itself.
        snapshots: arrays that the step may change, with copies from before.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.cells: list[Cell] = []
        self.adopted: dict[Node, tuple[Array, Any]] = {}
        self.reset: set[Node] = set()
        self.snapshots: list[tuple[Array, Array]] = []
        self._guards: list[tuple[Any, Any]] = []
        self._written: list[Array] = []
        self._lifted: dict[int, Traced] = {}
        self._kept: list[Any] = []

    def copied(self, source: Any, target: Traced) -> Traced:
        """Record a copy."""
        raise NotImplementedError

    def lift(self, array: Array) -> Traced:
        """The traced array that stands for an array of the caller's, whose values may change."""
        traced = self._lifted.get(id(array))
        if traced is None:
            traced = self._lifted[id(array)] = Traced(array, array, self)  # type: ignore[arg-type]
            self.snapshots.append((array, array.copy()))
        return traced

    def adopt(self, node: Node) -> Traced:
        """Record what happens to the value and the gradient of a leaf."""
        array = node.data
        traced = self.lift(array)
        self.adopted[node] = (array, node.grad)
        node.data = traced  # type: ignore[assignment]
        if isinstance(node.grad, np.ndarray):
            node.grad = self.lift(node.grad)
        needs = node.requires_grad
        self.guard(lambda: node.data is array and node.requires_grad is needs, True)
        return traced

    def guard(self, look: Callable[[], Any], expected: Any) -> None:
        """The recording holds only as long as ``look()`` gives this."""
        self._guards.append((look, expected))

    def holds(self) -> bool:
        """Whether all that was looked at is as it was."""
        return all(look() == expected for look, expected in self._guards)

    def cell(self, owner: dict[Any, Any], key: Any, step: int = 0) -> Cell:
        """A number that is looked up before each replay; one that counts is counted now."""
        for cell in self.cells:
            if cell.owner is owner and cell.key == key:
                return cell
        owner[key] = owner.get(key, 0) + step
        cell = Cell(owner, key, step, self.capacity)
        self.cells.append(cell)
        return cell

    def load_cells(self, first: int = 0, steps: int = 1) -> None:
        """Look the numbers up for steps from ``first`` on; those that count, count on."""
        for cell in self.cells:
            start = cell.owner[cell.key] + cell.step
            cell.values[first : first + steps] = start + cell.step * np.arange(steps)

    def count(self, steps: int) -> None:
        """Write back what the steps counted."""
        for cell in self.cells:
            if cell.step:
                cell.owner[cell.key] += cell.step * steps

    def restore(self) -> None:
        """Put back what the recording of the step has changed."""
        for array, values in self.snapshots:
            array[...] = values
        for cell in self.cells:
            if cell.step:
                cell.owner[cell.key] -= cell.step
        for node, (_, grad) in self.adopted.items():
            node.grad = grad

    def release(self) -> None:
        """Give the leaves their arrays back."""
        for node, (array, _) in self.adopted.items():
            node.data = array

    def settle(self) -> None:
        """End the recording: what is left of it in the leaves are arrays of the program.

        Raises:
            CaptureError: the step leaves gradients that the next one would add to.
        """
        for node, (_, before) in self.adopted.items():
            grad = node.grad.data if hasattr(node.grad, "_node") else node.grad
            if not isinstance(grad, Traced):
                continue
            if isinstance(before, np.ndarray):
                if grad.array is not before:
                    self.copied(grad, self.lift(before))
                node.grad = before
                continue
            if node not in self.reset and before is None:
                self.release()
                self.restore()
                raise CaptureError(
                    "the step leaves a gradient that the next one would add to: call "
                    "optimizer.zero_grad(), or set .grad = None, in the step"
                )
            self._kept.append(grad)
            node.grad = grad.array
        self.release()

    def overwrite(self) -> None:
        """Note that the leaves' values were changed."""
        for node in self.adopted:
            if node.requires_grad:
                node.overwritten()

    def is_written(self, traced: Traced | None) -> bool:
        """Whether a call writes to this array."""
        return traced is not None and any(
            np.may_share_memory(each, traced.array) for each in self._written
        )
