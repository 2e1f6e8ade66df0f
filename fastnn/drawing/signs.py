"""What stands in the circles: the signs of ops, with their constants and options."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import numpy as np

from fastnn import ops
from fastnn.drawing import labels
from fastnn.node import Node
from fastnn.ops import elementwise
from fastnn.ops.elementwise import ELEMENTWISE
from fastnn.ops.op import Op

_LONGEST_OPTIONS = 18

# Operators: with a number beside their one argument they are written as in a formula.
_OPERATORS: dict[Op, str] = {
    ops.add: "+",
    ops.subtract: "-",
    ops.multiply: "*",
    ops.divide: "/",
    ops.floor_divide: "//",
    ops.remainder: "%",
    ops.power: "^",
    ELEMENTWISE[np.power]: "^",
    ELEMENTWISE[np.float_power]: "^",
    ELEMENTWISE[np.maximum]: "max",
    ELEMENTWISE[np.minimum]: "min",
}
_SIGNS: dict[Op, str] = {
    **_OPERATORS,
    ops.negative: "-x",
    ops.absolute: "|x|",
    ELEMENTWISE[np.square]: "x²",
    ELEMENTWISE[np.reciprocal]: "1/x",
    ops.matmul: "@",
    ops.getitem: "[ ]",
    ops.setitem: "[ ] =",
}
_SYMMETRIC = frozenset(
    ELEMENTWISE[ufunc]
    for ufunc in (
        np.add, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin,
        np.hypot, np.logaddexp, np.logaddexp2,
    )
)  # fmt: skip


class Sign(NamedTuple):
    """What stands in the circle of an op.

    Attributes:
        pieces: texts in a row, and for each whether it is a constant.
        options: a second line, such as ``axis=0``, or nothing.
        operands: the arguments with edges of their own: nodes, numbers and arrays.
        is_symmetric: whether the order of the operands makes no difference.
    """

    pieces: tuple[tuple[str, bool], ...]
    options: str
    operands: tuple[Any, ...]
    is_symmetric: bool = False


def sign_of(op: Op, args: tuple[Any, ...]) -> Sign:
    """The sign of an op that was called with these arguments.

    A number beside the one argument of an operator stands in the circle, as in the
    lecture's pictures: ``+1``, ``*-1``, ``1/x``.  Other numbers and arrays are operands.
    """
    if op in _OPERATORS:
        for position, constant in enumerate(args):
            if type(constant) is not Node and np.ndim(constant) == 0:
                pieces = _formula(op, labels.number(constant), position == 0)
                return Sign(pieces, "", (args[1 - position],))
    if op is ops.transpose and args[1] is None:
        return Sign((("T", False),), "", args[:1])
    sign = _SIGNS.get(op) or labels.name(op.name)
    operands, options = _sorted_out(op, args)
    if options and op in (ops.getitem, ops.setitem):
        sign, options = sign.replace("[ ]", options), ""
    return Sign(((sign, False),), options, operands, op in _SYMMETRIC)


def _formula(op: Op, constant: str, is_first: bool) -> tuple[tuple[str, bool], ...]:
    """``+1``, ``1-x``, ``x^2``, ``max(0, x)``."""
    sign = _OPERATORS[op]
    if sign in ("max", "min"):
        return (f"{sign}(", False), (constant, True), (", x)", False)
    if is_first and op not in _SYMMETRIC:
        return (constant, True), (f"{sign}x", False)
    return (sign if sign in ("+", "-", "*", "/") else f"x{sign}", False), (constant, True)


def _sorted_out(op: Op, args: tuple[Any, ...]) -> tuple[tuple[Any, ...], str]:
    """The operands among the arguments, and the others as a line of text."""
    operands = []
    line = ""
    parameters = _parameters(op)
    for position, argument in enumerate(args):
        parameter = parameters[position] if position < len(parameters) else ""
        if argument is None or isinstance(argument, bool):
            continue
        if _is_operand(op, parameter, argument):
            operands.append(argument)
            continue
        option = _option(parameter, argument)
        if len(line) + len(option) < _LONGEST_OPTIONS:
            line = f"{line} {option}".strip()
    return tuple(operands), line


def _is_operand(op: Op, parameter: str, argument: Any) -> bool:
    """Whether an argument is a value, not an axis, a shape, an index or a setting."""
    if type(argument) is Node:
        return True
    if isinstance(argument, np.ndarray):
        return parameter != "index"
    if op is elementwise.clip or not _is_number(argument):
        return False
    return op.broadcasts or parameter in ("", "value")


def _parameters(op: Op) -> list[str]:
    """What the derivatives call the op's leading arguments; of a user's op nothing."""
    if op.joint is not None:
        function, leading = op.joint, 3
    elif op.rules and op.rules[0] is not None:
        function, leading = op.rules[0], 2
    else:
        return []
    return [
        parameter.name.lstrip("_")
        for parameter in list(inspect.signature(function).parameters.values())[leading:]
        if parameter.kind is not parameter.VAR_POSITIONAL
    ]


def _option(parameter: str, value: Any) -> str:
    if parameter == "index":
        parts = value if isinstance(value, tuple) else (value,)
        return f"[{', '.join(map(_index, parts))}]"
    if isinstance(value, tuple) and value and all(isinstance(each, str) for each in value):
        text = ",".join(value)  # the subscripts of einsum
    elif isinstance(value, (list, tuple)):
        text = str(tuple(value))
    else:
        text = labels.number(value) if _is_number(value) else str(value)
        text = f"->{text}" if parameter == "output" else text
    text = labels.name(text)
    is_plain = isinstance(value, (list, tuple, str, np.dtype)) or not parameter
    return text if is_plain else f"{parameter}={text}"


def _index(part: Any) -> str:
    if isinstance(part, slice):
        ends = ["" if each is None else str(each) for each in (part.start, part.stop)]
        return ":".join(ends if part.step is None else [*ends, str(part.step)])
    if part is Ellipsis:
        return "..."
    return labels.summary(part) if isinstance(part, (np.ndarray, list)) else str(part)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number))
