"""Derivatives of functions: ``grad``, ``value_and_grad`` and ``jacobian``, which nest."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias

import numpy as np

from fastnn.backward import gradients_of
from fastnn.checks import whole
from fastnn.forms import mapped
from fastnn.node import Node
from fastnn.ops.op import Op
from fastnn.tensor import Tensor, enable_grad, no_grad, record

__all__ = ["grad", "jacobian", "value_and_grad"]

Which: TypeAlias = "int | tuple[int, ...]"
Function: TypeAlias = "Callable[..., Any]"

_variable = Op("variable", lambda x: x.copy(), lambda g, _y, _x: g)


def grad(f: Function, argnum: Which = 0) -> Function:
    """The gradient of f, as a function of the same arguments.

    ::

        fastnn.grad(lambda x: np.sum(np.sin(x)))(x)       # cos(x)
        fastnn.grad(fastnn.grad(f))(3.0)                  # f''(3)
        fastnn.grad(lambda x: np.sum(fastnn.grad(f)(x) * v))(x)   # Hessian times v

    Args:
        f: plain NumPy code from arrays to a single number.  It gets Tensors in the places
            named by argnum, and its other arguments as they are.
        argnum: the position of the argument to differentiate by, or a tuple of them.

    Returns:
        A function that returns, for each argument named by argnum (a tuple if argnum is
        one), its gradient.  An argument is an array of float32 or float64, a number
        (taken as float64), or lists, tuples and dicts of them, nested in any way; the
        gradient has its form, shapes and dtypes.  Plain arguments get plain arrays; where
        a derivative of the gradient may be asked for, because f depends on a Tensor that
        needs a gradient, Tensors come out.

    Raises:
        TypeError: (by the returned function) f does not return a Tensor made from its
            arguments, an argument holds no floating-point numbers, or an op on the way has
            no derivative.
        ValueError: f returns more than one number: see :func:`jacobian`.
        IndexError: argnum names an argument that was not given.
    """
    both = value_and_grad(f, argnum)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def value_and_grad(f: Function, argnum: Which = 0) -> Function:
    """As :func:`grad`, but the returned function returns (value of f, gradient)."""
    which = _positions(argnum)

    @wraps(f)
    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        trace = Trace(f, which, args, kwargs)
        if trace.result.size != 1:
            raise ValueError(
                f"f must return a single number, got an array of shape {trace.result.shape}: "
                "fastnn.jacobian has all its derivatives"
            )
        seed = np.ones(trace.result.shape, trace.result.dtype)
        gradients = trace.rebuilt(trace.gradients(seed))
        value = trace.result if trace.is_nested else trace.result.data[()]
        return value, gradients if isinstance(argnum, tuple) else gradients[0]

    return both


def jacobian(f: Function, argnum: Which = 0) -> Function:
    """All derivatives of all elements of f's result, row by row.

    Args:
        f: as for :func:`grad`, but returning an array of any shape.
        argnum: as for :func:`grad`.

    Returns:
        A function whose result has the form of the argument, each array having the shape
        of f's result followed by that of the argument's array.  It is computed by one
        backward pass for each element of f's result, and its size is the product of both:
        for training, :func:`grad` of a loss needs neither.

    Raises:
        As by :func:`grad`, whatever the size of f's result.
    """
    which = _positions(argnum)

    @wraps(f)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        trace = Trace(f, which, args, kwargs)
        shape = trace.result.shape
        rows: list[list[Any]] = []
        for row in range(trace.result.size):
            seed = np.zeros(shape, trace.result.dtype)
            seed.reshape(-1)[row] = 1
            rows.append(trace.gradients(seed))
        stacked = []
        for i, variable in enumerate(trace.variables):
            if rows:
                flat = np.stack([each[i] for each in rows])
            else:
                flat = np.zeros((0, *variable.data.shape), variable.data.dtype)
            stacked.append(np.reshape(flat, (*shape, *variable.data.shape)))
        parts = trace.rebuilt(stacked)
        return parts if isinstance(argnum, tuple) else parts[0]

    return matrix


class Trace:
    """One run of f, with variables in the place of the arrays to differentiate by.

    Attributes:
        variables: the nodes of those arrays, in the order in which they stand.
        result: what f returned.
        is_nested: whether the derivatives may be differentiated again, from outside.
    """

    def __init__(
        self,
        f: Function,
        which: tuple[int, ...],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self.variables: list[Node] = []
        given = list(args)
        self._forms = []
        with enable_grad():
            for position in which:
                if not -len(args) <= position < len(args):
                    raise IndexError(f"argnum is {position}, but f got {len(args)} arguments")
                name = f"argument {position % len(args)}"
                given[position] = mapped(self._variable_for, args[position], name)
                self._forms.append(given[position])
            if not self.variables:
                raise TypeError("the arguments named by argnum hold no array to differentiate by")
            self.result = f(*given, **kwargs)
        if not isinstance(self.result, Tensor):
            raise TypeError(
                f"f must return a Tensor made from its arguments, got "
                f"{type(self.result).__name__}: a value taken out with .item() or .data has "
                "no gradient"
            )
        self._oldest = min(node.serial for node in self.variables)
        self._nodes, self.is_nested = self._explored()

    @property
    def nodes(self) -> list[Node]:
        """What leads from the variables to the result, each after its arguments."""
        return sorted(self._nodes, key=lambda node: node.serial)

    def gradients(self, seed: Any) -> list[Any]:
        """The gradient by each variable, zeros where the result does not depend on it."""
        found: list[Any] = [None] * len(self.variables)
        root = self.result._node
        if root.requires_grad and root.serial >= self._oldest:
            with enable_grad() if self.is_nested else no_grad():
                found = gradients_of(root, seed, self.variables, self.is_nested)
        return [
            np.zeros(node.data.shape, node.data.dtype) if g is None else _own(g, seed)
            for g, node in zip(found, self.variables, strict=True)
        ]

    def rebuilt(self, values: list[Any]) -> tuple[Any, ...]:
        """The arguments' forms, with values in the place of the variables."""
        waiting = iter(values)
        return tuple(mapped(lambda *_: next(waiting), form) for form in self._forms)

    def _variable_for(self, value: Any, name: str) -> Tensor:
        """What f gets in the place of an array."""
        if isinstance(value, Tensor) and value.requires_grad:
            variable = record(_variable, (value,))
        else:
            variable = _leaf(value, name)
        self.variables.append(variable._node)
        return variable

    def _explored(self) -> tuple[set[Node], bool]:
        """The nodes, and whether older ones that need a gradient led to them."""
        found: set[Node] = set()
        is_nested = False
        waiting = [self.result._node]
        while waiting:
            node = waiting.pop()
            if node in found or not node.requires_grad:
                continue
            if node.serial < self._oldest:
                is_nested = True
                continue
            found.add(node)
            waiting += [each for each in node.arguments() if type(each) is Node]
        return found, is_nested


def _leaf(value: Any, name: str) -> Tensor:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = np.float64(value)
    try:
        return Tensor(value, requires_grad=True)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None


def _positions(argnum: Which) -> tuple[int, ...]:
    positions = argnum if isinstance(argnum, tuple) else (argnum,)
    return tuple(whole("argnum", position, -(2**31)) for position in positions)


def _own(g: Any, seed: Any) -> Any:
    """A gradient that shares no memory with anything, for the caller to do with as he likes."""
    if isinstance(g, Tensor):
        return g
    g = np.asarray(g)
    return g.copy() if g is seed or g.base is not None or not g.flags.writeable else g
