"""What a row of the op table is: a forward function and its derivatives."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

Function = Callable[..., Any]


_ANSWERS: dict[type, Function | None] = {}


def answer_of(kind: type) -> Function | None:
    """The ``__fastnn_op__`` of a type, or None: looked up once, for a miss is slow."""
    try:
        return _ANSWERS[kind]
    except KeyError:
        answer: Function | None = getattr(kind, "__fastnn_op__", None)
        _ANSWERS[kind] = answer
        return answer


def plain(value: Any) -> Any:
    """The array in a Tensor, whose gradient nobody wants here; other values as they are."""
    return value.data if answer_of(type(value)) else value


def as_array(value: Any) -> Any:
    """A list or a number as an array; arrays and Tensors as they are."""
    return value if hasattr(value, "ndim") else np.asarray(value)


def zeros(shape: tuple[int, ...], like: Any) -> Any:
    """Zeros to write to, of the dtype of an array and recorded where that one is."""
    recorded = getattr(type(like), "__fastnn_zeros__", None)
    return np.zeros(shape, like.dtype) if recorded is None else recorded(like, shape)


# NumPy's functions, and the methods of its ufuncs by name, and what answers them on a Tensor;
# the rows' modules fill them.
FUNCTIONS: dict[Function, Function] = {}
METHODS: dict[tuple[Function, str], Function] = {}


def answer_to(called: Any) -> Function | None:
    """What answers a function, or a ufunc and its method, on a Tensor; None if nothing does."""
    table: dict[Any, Function] = METHODS if isinstance(called, tuple) else FUNCTIONS
    if called not in table:
        load_all_functions()
    return table.get(called)


@cache
def load_all_functions() -> None:
    """Import the modules of functions that a training seldom calls: they wait for a call."""
    for name in (
        "arrangement", "contractions", "factorizations", "joining", "linalg", "norms", "ordering",
        "sequences", "statistics",
    ):  # fmt: skip
        import_module(f"fastnn.ops.{name}")


def implements(*functions: Function) -> Callable[[Function], Function]:
    """A decorator: the function below answers these NumPy functions on a Tensor.

    It takes what it supports of NumPy's arguments and no more, so that Python refuses the
    rest (``out``, ``dtype``, ``where``) with an error that names the function.
    """

    def register(answer: Function) -> Function:
        for function in reversed(functions):
            # What Python's own errors call it.
            answer.__qualname__ = name_of(function)
            FUNCTIONS[function] = answer
        return answer

    return register


def newer(name: str) -> tuple[Function, ...]:
    """The NumPy function of this name, if this version of NumPy has it."""
    function = getattr(np, name, None)
    return () if function is None else (function,)


def name_of(function: Function) -> str:
    """What users call a NumPy function."""
    return f"{function.__module__.replace('numpy', 'np', 1)}.{function.__name__}"


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
        "_reads",
        "_saved_again",
        "broadcasts",
        "forward",
        "joint",
        "name",
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
        self._reads: tuple[tuple[bool, ...], ...] | None = None  # known when first asked for

    def reads(self, position: int, what: int) -> bool:
        """Whether the derivative by one argument reads the value of another, or of RESULT."""
        if what == RESULT and self.saving is not None:
            return False
        if self._reads is None:
            rules = [_read_by(rule, 0) for rule in self.rules]
            self._reads = (*rules, (False,)) if rules else (_read_by(self.joint, 0, 2),)
        flags = self._reads[min(position, len(self._reads) - 1)]
        return flags[min(what + 1, len(flags) - 1)]

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
            kind = type(argument)
            if kind is not np.ndarray:
                answer = answer_of(kind)
                if answer is not None:
                    return answer(argument, self, args)
        return self.forward(*args)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


# Stands for the op's result among the positions of its arguments.
RESULT = -1


def _read_by(function: Function | None, *not_values: int) -> tuple[bool, ...]:
    """Of the result, of each argument, and of all further ones: whether the function reads it.

    ``not_values`` are the positions of parameters that are no values of the forward pass.
    """
    flags, rest = [], False
    parameters = inspect.signature(function).parameters.values() if function else ()
    for parameter in parameters:
        is_read = not parameter.name.startswith("_")
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest = is_read
        else:
            flags.append(is_read)
    kept = [flag for number, flag in enumerate(flags) if number not in not_values]
    return (*kept, rest)


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum g over the axes along which an array of this shape was broadcast."""
    lead = g.ndim - len(shape)
    stretched = tuple(
        axis
        for axis in range(g.ndim)
        if axis < lead or (shape[axis - lead] == 1 and g.shape[axis] != 1)
    )
    return np.reshape(np.add.reduce(g, axis=stretched), shape)
