"""What a row of the op table is: a forward function and its derivatives."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

Function = Callable[..., Any]


def plain(value: Any) -> Any:
    """The array in a Tensor, whose gradient nobody wants here; other values as they are."""
    return value.data if hasattr(type(value), "__fastnn_op__") else value


def zeros(shape: tuple[int, ...], like: Any) -> Any:
    """Zeros to write to, of the dtype of an array and recorded where that one is."""
    recorded = getattr(type(like), "__fastnn_zeros__", None)
    return np.zeros(shape, like.dtype) if recorded is None else recorded(like, shape)


# NumPy's functions and what answers them on a Tensor; the rows' modules fill it.
FUNCTIONS: dict[Function, Function] = {}


def implements(*functions: Function) -> Callable[[Function], Function]:
    """A decorator: the function below answers these NumPy functions on a Tensor.

    It takes what it supports of NumPy's arguments and no more, so that Python refuses the
    rest (``out``, ``dtype``, ``where``) with an error that names the function.
    """

    def register(answer: Function) -> Function:
        first = functions[0]
        # What Python's own errors call it.
        answer.__qualname__ = f"{first.__module__.replace('numpy', 'np', 1)}.{first.__name__}"
        for function in functions:
            FUNCTIONS[function] = answer
        return answer

    return register


class Op:
    """A differentiable operation: its forward function with its derivatives beside it.

    Args:
        name: what errors and drawings call it.
        forward: ``forward(*args) -> y``, on arrays and plain Python values.
        rules: one derivative per leading argument, ``rule(g, y, *args)``, where g is
            the gradient of the loss by the output y.  It returns the gradient by its
            argument; ``None`` instead of a rule says that there is none.  It gets
            Tensors in the place of arrays where its own derivative is wanted
            (``create_graph=True``), so it uses operators, ufuncs and ops.  A parameter
            whose value it does not read has a name that begins with an underscore.
        joint: one function for all arguments at once, ``joint(g, y, needs, *args)``, where
            ``needs[i]`` says whether the gradient by argument i is wanted.  It returns one
            entry per argument, None where nothing was wanted.  With rules beside it, it
            serves arrays and the rules serve Tensors.
        saving: ``saving(*args) -> (y, saved)``, run instead of ``forward`` when a
            gradient will be needed; the rules then get ``saved`` in the place of y.
        saved_again: an op that computes ``saved`` from the arguments, for derivatives of
            the rules.
        broadcasts: the arguments broadcast as in NumPy, so a gradient larger than
            its argument is summed back to the argument's shape.

    An op called with arrays runs ``forward``; as soon as one argument's type defines
    ``__fastnn_op__(op, args)``, as Tensor does, that method answers instead.
    """

    __slots__ = (
        "_saved_again",
        "broadcasts",
        "forward",
        "joint",
        "name",
        "reads",
        "reads_result",
        "rules",
        "saving",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        forward: Function,
        *rules: Function | None,
        joint: Function | None = None,
        saving: Function | None = None,
        saved_again: Function | None = None,
        broadcasts: bool = False,
    ) -> None:
        self.name = name
        self.forward = forward
        self.rules = rules
        self.joint = joint
        self.saving = saving
        self._saved_again = saved_again
        self.broadcasts = broadcasts
        self.reads, self.reads_result = _reads(rules, joint)
        if saving is not None:
            self.reads_result = False

    def rule(self, position: int) -> Function:
        """The derivative by the argument at this position.

        Raises:
            TypeError: there is none.
        """
        rule = self.rules[position] if position < len(self.rules) else None
        if rule is None:
            raise TypeError(
                f"{self.name} has no derivative by its argument {position}, which is a tensor "
                "that needs a gradient: pass .detach() of it"
            )
        return rule

    def saved_again(self, args: Iterable[Any]) -> Any:
        """What ``saving`` saved, computed again by an op, so that it has a derivative.

        Raises:
            TypeError: there is no such op.
        """
        if self._saved_again is None:
            raise TypeError(
                f"{self.name} has no second derivative: its backward is not made of ops"
            )
        return self._saved_again(*args)

    def __call__(self, *args: Any) -> Any:
        for argument in args:
            answer = getattr(type(argument), "__fastnn_op__", None)
            if answer is not None:
                return answer(argument, self, args)
        return self.forward(*args)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


_ALL_POSITIONS = frozenset(range(64))


def _reads(rules: Iterable[Function | None], joint: Function | None) -> tuple[frozenset[int], bool]:
    """Of which arguments, and whether of the result, the derivatives read the values."""
    reads: set[int] = set()
    reads_result = False
    for function, leading in (*((rule, 2) for rule in rules), (joint, 3)):
        if function is None:
            continue
        parameters = list(inspect.signature(function).parameters.values())
        reads_result |= not parameters[1].name.startswith("_")
        for position, parameter in enumerate(parameters[leading:]):
            if parameter.kind is parameter.VAR_POSITIONAL:
                if not parameter.name.startswith("_"):
                    reads |= _ALL_POSITIONS - set(range(position))
            elif not parameter.name.startswith("_"):
                reads.add(position)
    return frozenset(reads), reads_result


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum g over the axes along which an array of this shape was broadcast."""
    lead = g.ndim - len(shape)
    stretched = tuple(
        axis
        for axis in range(g.ndim)
        if axis < lead or (shape[axis - lead] == 1 and g.shape[axis] != 1)
    )
    return np.reshape(np.add.reduce(g, axis=stretched), shape)
