"""What is outside a step and may change: leaves, their gradients, optimizers' numbers.

A recording works on the arrays themselves.  It puts back what the first of two recordings has
done to them, and it holds as long as what the step has looked at is as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from fastnn.node import Node
from fastnn.program.errors import CaptureError
from fastnn.program.memory import address_of, owner_of
from fastnn.program.traced import Link, Traced

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


def rate_changes(before: float, after: float) -> CaptureError:
    """The error for a step that sets a learning rate."""
    return CaptureError(
        f"the step does not do the same when it is run again: it changes a learning rate, from "
        f"{before:g} to {after:g}; do that between the steps"
    )


def _has_gradient(node: Node, gradient: Array) -> bool:
    return node.grad is gradient


class Cell:
    """A number that may change between replays, such as a learning rate.

    Args:
        owner, key: where it is looked up before a replay.
        capacity: how many steps its values are held for.
        offset: what is added to it: a step may count several times.
    """

    def __init__(self, owner: dict[Any, Any], key: Any, capacity: int, offset: int = 0) -> None:
        self.owner, self.key, self.offset = owner, key, offset
        self.found = owner[key]
        self.values = np.full(capacity, self.found, np.float64)

    def __float__(self) -> float:
        return float(self.values[0])

    def __int__(self) -> int:
        return int(self.values[0])


class Counter:
    """A number that each step of a program adds to."""

    def __init__(self, owner: dict[Any, Any], key: Any) -> None:
        self.owner, self.key = owner, key
        self.step = 0  # what one step adds
        self.cells: list[Cell] = []


class Outside:
    """The part of a recorder that looks after what is outside the step.

    Attributes:
        capacity: the most steps that one replay makes.
        link: what ties traced arrays to this recorder.
        adopted: leaves, with the array and the gradient that they had.
        reset: leaves whose gradient the step sets itself.
        arguments: leaves that are arguments of the step.
        changeable: arrays that the step may change.
        constants: small arrays that it has called with, and their bytes.
        is_self_contained: whether it has looked at nothing else than these and its arguments.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.link = Link(self)  # type: ignore[arg-type]
        self.adopted: dict[Node, tuple[Array, Any]] = {}
        self.reset: set[Node] = set()
        self.arguments: set[Node] = set()
        self.changeable: list[Array] = []
        self.constants: list[tuple[Array, bytes]] = []
        self.is_self_contained = True
        self._unsaved: dict[int, list[Array]] = {}  # of them, by what owns their memory
        self._before: list[tuple[Array, Array]] = []  # of them, and their values before the step
        self._rates: list[Cell] = []
        self._counters: list[Counter] = []
        self._looks: list[Callable[[], Any]] = []
        self._seen: list[Any] = []
        self._written: list[Array] = []
        self._lifted: dict[int, Traced] = {}
        self._gradients: dict[Node, Array | None] = {}
        self._remembered: dict[int, tuple[dict[str, Any], dict[str, Any], set[str]]] = {}
        self._kept: list[Any] = []
        self._own_gradients: list[Traced] = []  # of the program, that it leaves in leaves

    def copied(self, source: Any, target: Traced) -> Traced:
        """Record a copy."""
        raise NotImplementedError

    def leave(self, traced: Traced) -> None:
        """Note that the step leaves an array behind when it ends."""

    def keep(self, traced: Traced) -> None:
        """An array of the program's own is looked at after a replay."""
        self._kept.append(traced)

    # --- while recording ----------------------------------------------------------------

    def lift(self, array: Array, number: int | None = None) -> Traced:
        """The traced array that stands for an array of the caller's, whose values may change.

        One that is made for the recording has a number.
        """
        traced = self._lifted.get(id(array))
        if traced is None:
            self.is_self_contained &= number is not None
            place = address_of(array) if number is None else number
            mark = ("outside", number is None, place, array.shape, array.strides, array.dtype.str)
            traced = self._lifted[id(array)] = Traced(array, array, self.link, None, mark)
            if array.flags.writeable:
                self.changeable.append(array)
                unsaved = self._unsaved.setdefault(id(owner_of(array)), [])
                if number is None:
                    unsaved.append(array)
        return traced

    def is_changeable(self, owner: Array) -> bool:
        """Whether the step may change what lies in this memory."""
        return id(owner) in self._unsaved

    def save(self, owner: Array) -> None:
        """Copy what lies in this memory, which the step is about to change."""
        unsaved = self._unsaved[id(owner)]
        self._before += [(array, array.copy()) for array in unsaved]
        unsaved.clear()

    def adopt(self, node: Node) -> Traced:
        """Record what happens to the value and the gradient of a leaf."""
        array, grad = node.data, node.grad
        traced = self.lift(array)
        self.adopted[node] = (array, grad)
        node.data = traced  # type: ignore[assignment]
        if isinstance(grad, np.ndarray):
            node.grad = self.lift(grad)
        needs = node.requires_grad
        self.guard(lambda: node.data is array and node.requires_grad is needs)
        return traced

    def remember(self, attributes: dict[str, Any]) -> set[str]:
        """Note what an object holds, to which the step may add arrays that it computes.

        Returns a set: the names of what the step has changed, once it is recorded.
        """
        self.is_self_contained = False
        return self._remembered.setdefault(id(attributes), (attributes, dict(attributes), set()))[2]

    def guard(self, look: Callable[[], Any]) -> None:
        """The recording holds only as long as ``look()`` gives what it does when it ends."""
        self.is_self_contained = False
        self._looks.append(look)

    def rate(self, group: dict[Any, Any]) -> Cell:
        """The learning rate of a group, looked up before each replay."""
        for cell in self._rates:
            if cell.owner is group:
                return cell
        self.is_self_contained = False
        self._rates.append(Cell(group, "lr", self.capacity))
        return self._rates[-1]

    def has_rate(self, group: Mapping[Any, Any]) -> bool:
        """Whether the learning rate of this group is looked up before each replay."""
        return any(cell.owner is group for cell in self._rates)

    def counted(self, state: dict[Any, Any], key: Any) -> Cell:
        """A number that is counted up, now and in each replay."""
        counter = next(
            (each for each in self._counters if each.owner is state and each.key == key), None
        )
        if counter is None:
            counter = Counter(state, key)
            self._counters.append(counter)
        self.is_self_contained = False
        counter.step += 1
        state[key] = state.get(key, 0) + 1
        cell = Cell(state, key, self.capacity, counter.step)
        counter.cells.append(cell)
        return cell

    # --- before and after replays ---------------------------------------------------------

    def holds(self) -> bool:
        """Whether all that was looked at is as it was."""
        return all(look() == seen for look, seen in zip(self._looks, self._seen, strict=True))

    def constants_hold(self) -> bool:
        """Whether the constants have their values still."""
        return all(array.tobytes() == values for array, values in self.constants)

    def load_cells(self, first: int = 0, steps: int = 1) -> None:
        """Look the numbers up for steps from ``first`` on; those that count, count on."""
        for cell in self._rates:
            cell.values[first : first + steps] = cell.owner[cell.key]
        for counter in self._counters:
            start = counter.owner[counter.key]
            numbers = start + counter.step * np.arange(steps)
            for cell in counter.cells:
                cell.values[first : first + steps] = numbers + cell.offset

    def set_rate(self, group: Mapping[Any, Any], first: int, rates: Array) -> None:
        """The learning rates of a group for the steps from ``first`` on."""
        for cell in self._rates:
            if cell.owner is group:
                cell.values[first : first + len(rates)] = rates

    def rates_read(self) -> list[float]:
        """The learning rates that the recording has found."""
        return [float(cell) for cell in self._rates]

    def count(self, steps: int) -> None:
        """Write back what the steps counted."""
        for counter in self._counters:
            counter.owner[counter.key] += counter.step * steps

    def overwrite(self) -> None:
        """Leave in the leaves what a replay does: changed values, and gradients."""
        for node in self.adopted:
            if node.requires_grad:
                node.overwritten()
        for node, gradient in self._gradients.items():
            node.grad = gradient

    # --- the end of a recording -----------------------------------------------------------

    def restore(self) -> None:
        """Put back the values that the recording of the step has changed."""
        self.restore_values()
        self.release()
        for counter in self._counters:
            counter.owner[counter.key] -= counter.step
        for node, (_, grad) in self.adopted.items():
            node.grad = grad

    def restore_values(self) -> None:
        """Put back the values of arrays."""
        for array, values in reversed(self._before):  # the oldest of what was saved twice is right
            array[...] = values

    def put_back(self) -> None:
        """Put back what objects held before the step."""
        for attributes, before, _ in self._remembered.values():
            attributes.clear()
            attributes.update(before)

    def release(self) -> None:
        """Give the leaves their arrays back."""
        for node, (array, _) in self.adopted.items():
            node.data = array

    def settle(self) -> None:
        """Leave arrays of the program in the leaves where the step left traced ones.

        Raises:
            CaptureError: the step leaves gradients that the next one would add to, or another
                learning rate than it has used.
        """
        for node, (_, before) in self.adopted.items():
            grad = node.grad.data if hasattr(node.grad, "_node") else node.grad
            if not isinstance(grad, Traced):
                continue
            if isinstance(before, np.ndarray):
                if grad.array is not before:
                    self.copied(grad, self.lift(before))
                node.grad = before
                if node not in self.reset:
                    self.guard(partial(_has_gradient, node, before))
            elif before is None and node not in self.reset | self.arguments:
                raise CaptureError(
                    "the step leaves a gradient that the next one would add to: call "
                    "optimizer.zero_grad(), or set .grad = None, in the step"
                )
            else:
                self.leave(grad)
                self._own_gradients.append(grad)
                node.grad = grad.array
            self._gradients[node] = node.grad
        for cell in self._rates:
            if cell.owner[cell.key] != cell.found:
                raise rate_changes(cell.found, cell.owner[cell.key])
        self.release()

    def close(self) -> None:
        """Nothing more is recorded."""
        self.link.cut()
        self._lifted.clear()

    def left_in_objects(self) -> Iterator[Traced]:
        """The arrays that the step has left in objects."""
        for attributes, _, _ in self._remembered.values():
            for value in attributes.values():
                node = getattr(value, "_node", None)
                data = value if node is None else node.data
                if isinstance(data, Traced):
                    yield data

    def conclude(self) -> None:
        """Nothing of what was before the step will be put back: it is recorded.

        What it has left in objects are arrays of the program from now on.
        """
        for attributes, before, changed in self._remembered.values():
            for name, value in attributes.items():
                if value is not before.get(name):
                    changed.add(name)
                node = getattr(value, "_node", None)
                data = value if node is None else node.data
                if isinstance(data, Traced):
                    self._kept.append(data)
                    if node is None:
                        attributes[name] = data.array
                    else:
                        node.data, node.args, node.saved = data.array, None, None
        for node, gradient in self._gradients.items():
            node.grad = gradient
        self._seen = [look() for look in self._looks]
        self._before.clear()
        self._unsaved.clear()
        self._remembered.clear()
        self._written.clear()

    def held(self, keep_grad: bool) -> list[Array]:
        """The program's own arrays that may be looked at from outside after a replay."""
        kept = [*self._kept, *self._own_gradients] if keep_grad else self._kept
        return [each.array for each in kept if isinstance(each, Traced)]

    def give_up(self, gradients: list[Array]) -> None:
        """Replays do not compute these: leaves that have them are left without a gradient."""
        for node, gradient in self._gradients.items():
            if any(gradient is each for each in gradients):
                self._gradients[node] = node.grad = None

    def is_written(self, array: Array) -> bool:
        """Whether a call writes to this array."""
        return any(np.may_share_memory(each, array) for each in self._written)
