"""What is written in a drawing: numbers, small arrays, and the signs of ops."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import numpy as np

from fastnn import ops
from fastnn.drawing.text import clean
from fastnn.node import Node
from fastnn.ops.elementwise import ELEMENTWISE
from fastnn.ops.op import Op

_LONGEST_NAME, _LONGEST_OPTIONS, _LONGEST_ARRAY = 24, 18, 24
_MOST_ELEMENTS = 4

# --- values ---------------------------------------------------------------------------


def number(value: Any) -> str:
    """A number to 3 significant digits; whole numbers below a million in full."""
    value = value.item() if isinstance(value, (np.ndarray, np.generic)) else value
    if isinstance(value, bool):
        return str(value)
    if np.isfinite(value) and abs(value) < 1_000_000 and value == int(value):
        return str(int(value))
    digits, exponential, exponent = f"{value:.3g}".partition("e")
    return f"{digits}e{int(exponent)}" if exponential else digits


def elements(array: Any) -> str | None:
    """The elements of a small array; None where there are too many to print."""
    array = np.asarray(array)
    if array.ndim == 0:
        return number(array)
    if not 0 < array.size <= _MOST_ELEMENTS:
        return None
    text = _nested(array)
    return text if len(text) <= _LONGEST_ARRAY else None


def _nested(array: Any) -> str:
    return f"[{', '.join(_nested(each) if array.ndim > 1 else number(each) for each in array)}]"


def shape(array: Any) -> str:
    """The shape as NumPy writes it, ``(64, 32)``."""
    return str(np.shape(array))


def summary(array: Any) -> str:
    """The elements of a small array, the shape of a larger one."""
    return elements(array) or shape(array)


def name(text: str) -> str:
    """A user's name for something, on one line, cut where it is very long."""
    return clean(text, _LONGEST_NAME)


# --- ops ------------------------------------------------------------------------------

_UFUNC_SIGNS = {
    np.maximum: "max",
    np.minimum: "min",
    np.square: "x²",
    np.reciprocal: "1/x",
    np.float_power: "^",
}
_SIGNS: dict[Op, str] = {
    ops.add: "+",
    ops.subtract: "-",
    ops.multiply: "*",
    ops.divide: "/",
    ops.floor_divide: "//",
    ops.remainder: "%",
    ops.power: "^",
    ops.negative: "-x",
    ops.absolute: "|x|",
    ops.matmul: "@",
    ops.getitem: "[ ]",
    ops.setitem: "[ ] =",
    **{ELEMENTWISE[ufunc]: sign for ufunc, sign in _UFUNC_SIGNS.items()},
}
_INFIX = frozenset(
    {
        ops.add,
        ops.subtract,
        ops.multiply,
        ops.divide,
        ops.floor_divide,
        ops.remainder,
        ops.power,
        ELEMENTWISE[np.power],
        ELEMENTWISE[np.float_power],
    }
)
_SIGNS[ELEMENTWISE[np.power]] = "^"
_CALLS = frozenset(ELEMENTWISE[ufunc] for ufunc in (np.maximum, np.minimum))
_SYMMETRIC = frozenset(
    {
        ops.add,
        ops.multiply,
        *(
            ELEMENTWISE[ufunc]
            for ufunc in (
                np.maximum, np.minimum, np.fmax, np.fmin, np.hypot, np.logaddexp, np.logaddexp2,
            )
        ),
    }
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
    is_symmetric: bool


def sign_of(op: Op, args: tuple[Any, ...]) -> Sign:
    """The sign of an op that was called with these arguments.

    A number beside the one argument of an arithmetic op stands in the circle, as in the
    lecture's pictures: ``+1``, ``*-1``, ``1/x``.  Other numbers and arrays are operands.
    """
    sign = _SIGNS.get(op) or name(op.name)
    if len(args) == 2 and (op in _INFIX or op in _CALLS):
        for position, constant in enumerate(args):
            if type(constant) is not Node and np.ndim(constant) == 0:
                pieces = _with_constant(op, sign, number(constant), position)
                return Sign(pieces, "", (args[1 - position],), True)
    if op is ops.transpose and args[1] is None:
        return Sign((("T", False),), "", args[:1], True)
    operands, options = _sorted_out(op, args)
    if op is ops.getitem and options:
        sign, options = options, ""
    return Sign(((sign, False),), options, operands, op in _SYMMETRIC)


def _with_constant(op: Op, sign: str, constant: str, position: int) -> tuple[tuple[str, bool], ...]:
    if op in _CALLS:
        return (f"{sign}(", False), (constant, True), (", x)", False)
    if position == 0 and op not in _SYMMETRIC:
        return (constant, True), (f"{sign}x", False)
    if op in _SYMMETRIC or sign in ("-", "/"):
        return (sign, False), (constant, True)
    return (f"x{sign}", False), (constant, True)


def _sorted_out(op: Op, args: tuple[Any, ...]) -> tuple[tuple[Any, ...], str]:
    """The operands among the arguments, and the others as a line of text."""
    operands: list[Any] = []
    options: list[str] = []
    parameters = _parameters(op)
    for position, argument in enumerate(args):
        parameter = parameters[position] if position < len(parameters) else ""
        if argument is None or isinstance(argument, bool):
            continue
        is_operand = (
            type(argument) is Node
            or (isinstance(argument, np.ndarray) and parameter != "index")
            or (_is_number(argument) and (op.broadcasts or parameter in ("", "value")))
        )
        if is_operand:
            operands.append(argument)
        else:
            options.append(_option(parameter, argument))
    line = ""
    for option in options:
        if len(line) + len(option) < _LONGEST_OPTIONS:
            line = f"{line} {option}".strip()
    return tuple(operands), line


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number))


def _parameters(op: Op) -> list[str]:
    """What the derivatives call the op's leading arguments."""
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
    if isinstance(value, str):
        return value
    if isinstance(value, tuple) and value and all(isinstance(each, str) for each in value):
        return ",".join(value)
    if isinstance(value, (list, tuple)):
        text = str(tuple(value)) if parameter in ("shape", "axes") else str(list(value))
    else:
        text = number(value) if _is_number(value) else str(value)
    return text if parameter in ("", "shape", "axes", "dtype") else f"{parameter}={text}"


def _index(part: Any) -> str:
    if isinstance(part, slice):
        ends = ["" if each is None else str(each) for each in (part.start, part.stop)]
        return ":".join(ends if part.step is None else [*ends, str(part.step)])
    if part is Ellipsis:
        return "..."
    return summary(part) if isinstance(part, (np.ndarray, list)) else str(part)
