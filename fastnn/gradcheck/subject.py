"""What is checked: any function, seen as a function of a plain list of arrays."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn.differentiate import grad
from fastnn.forms import Places
from fastnn.layers.module import Module, Parameter
from fastnn.objective import Objective
from fastnn.ops.op import Op, plain
from fastnn.tensor import Tensor, wrap

Array: TypeAlias = npt.NDArray[Any]
Function: TypeAlias = Callable[..., Any]


class Subject:
    """A function of the arrays that hold floats among its arguments.

    Attributes:
        names: what the report calls the arrays.
        values: copies of them, which cannot be written to.
    """

    def __init__(self, f: Function, names: Sequence[str], values: Sequence[Any]) -> None:
        self._f = f
        self.names = list(names)
        self.values = [_frozen(value) for value in values]

    def __call__(self, *tensors: Tensor) -> Any:
        """The function of these Tensors in the places of the arrays."""
        return self._f(*tensors)

    def slope(self, directions: Sequence[Array], projection: Array) -> Subject:
        """The slope of the projected function along fixed directions, as a function too.

        Its gradient is made of second derivatives.
        """

        def projected(*tensors: Tensor) -> Any:
            y = self(*tensors)
            return np.sum(y * projection.astype(y.dtype))

        def slope(*tensors: Tensor) -> Any:
            gradients = grad(projected, tuple(range(len(tensors))))(*tensors)
            parts = zip(gradients, directions, strict=True)
            total = sum(np.sum(g * direction.astype(g.dtype)) for g, direction in parts)
            leads_back = isinstance(total, Tensor) and total.requires_grad
            if any(each.requires_grad for each in tensors) and not leads_back:
                raise ValueError(
                    "order=2 wants an f whose gradient depends on its arguments: that of a "
                    "linear function does not"
                )
            return total

        return Subject(slope, self.names, self.values)


def subject_of(f: Any, args: tuple[Any, ...]) -> Subject:
    """What ``check_gradients(f, *args)`` checks.

    Raises:
        TypeError, ValueError: f or the arguments are not as ``check_gradients`` wants them.
    """
    if not callable(f):
        raise TypeError(f"f must be a function or a Module, got {f!r}")
    if not isinstance(f, Module):
        return _of_function(f, args)
    first = args[0] if args else None
    if isinstance(first, str) or (callable(first) and not isinstance(first, Tensor)):
        if len(args) != 3:
            raise TypeError(
                f"a model with a loss wants X and y: check_gradients(model, loss, X, y), got "
                f"{len(args) - 1} arguments after the loss"
            )
        return _of_model_with_loss(f, *args)
    inputs = Places(_holds_floats, args)
    names = _names_of_arguments(f.forward, inputs.names)
    return _of_module(f, lambda *tensors: f(*inputs.filled(tensors)), names, inputs.values)


def _of_function(f: Function, args: tuple[Any, ...]) -> Subject:
    places = Places(_holds_floats, args)
    if not places.values:
        raise TypeError(
            "there is nothing to differentiate by: the arguments hold no floating-point numbers"
        )
    signed = f.forward if isinstance(f, Op) else f
    names = _names_of_arguments(signed, places.names)
    for i, value in enumerate(places.values):
        if isinstance(value, Tensor) and value.name is not None:
            names[i] = value.name
    return Subject(lambda *tensors: f(*places.filled(tensors)), names, places.values)


def _of_model_with_loss(model: Module, loss: Any, X: Any, y: Any) -> Subject:
    objective = Objective(loss)
    batches = objective.batches(
        model, plain(X), plain(y), None, size=2**62, scale=1.0, shift=0.0, of=""
    )
    rows, targets, _ = batches.gather(batches.rows)
    return _of_module(model, lambda: objective(model(wrap(rows)), targets, None), [], [])


def _of_module(model: Module, f: Function, names: Sequence[str], values: Sequence[Any]) -> Subject:
    """A function of the module's parameters, and then of f's own arguments."""
    named = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    parameters = [each for _, each in named]
    if not parameters and not values:
        raise TypeError(
            "there is nothing to differentiate by: the model has no parameter that needs a "
            "gradient, and its inputs hold no floating-point numbers"
        )

    def with_parameters(*tensors: Tensor) -> Any:
        with _replaced(parameters, tensors[: len(parameters)]):
            return f(*tensors[len(parameters) :])

    return Subject(
        with_parameters, [name for name, _ in named] + list(names), [*parameters, *values]
    )


@contextmanager
def _replaced(parameters: Sequence[Parameter], tensors: Sequence[Tensor]) -> Iterator[None]:
    """The parameters stand for other nodes, which leaves their own as they are."""
    nodes = [parameter._node for parameter in parameters]
    try:
        for parameter, tensor in zip(parameters, tensors, strict=True):
            parameter._node = tensor._node
        yield
    finally:
        for parameter, node in zip(parameters, nodes, strict=True):
            parameter._node = node


def _holds_floats(value: Any) -> bool:
    if isinstance(value, (np.ndarray, np.generic, Tensor)):
        return value.dtype.kind == "f"
    return isinstance(value, float)


def _frozen(value: Any) -> Array:
    # Through Tensor, which refuses what is no plain array of real numbers.
    array = Tensor(value.detach() if isinstance(value, Tensor) else value).data
    array.flags.writeable = False
    return array


def _names_of_arguments(f: Function, names: Sequence[str]) -> list[str]:
    """The names of values in the tuple of f's arguments: ``[0]['W']`` is ``params['W']``."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # of some built-in functions
        parameters = []
    own = []
    for each in parameters:
        if each.kind not in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD):
            break
        own.append(each.name)
    found = []
    for name in names:
        number, _, rest = name[1:].partition("]")
        position = int(number)
        found.append((own[position] if position < len(own) else f"argument {number}") + rest)
    return found
