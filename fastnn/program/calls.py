"""Calls of a step as they are told apart, and what they gave.

A step is traced twice.  The second time, a call whose function and operands are those of the
first time has the first one's result: it is not computed again.
"""

from __future__ import annotations

from types import EllipsisType, FunctionType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from fastnn._kernels._doorway import Kernel
from fastnn.program.memory import address_of, owner_of
from fastnn.program.outside import Cell, Outside
from fastnn.program.traced import Link, Traced

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

SMALL = 16384  # bytes of a constant of which a copy is kept


class Call(NamedTuple):
    """A call of the step.

    Attributes:
        name: what an error calls it.
        key: what was called, with what.
        errstate: NumPy's handling of floating-point errors.
        read: the marks of its traced operands.
        result: what it gave; see :func:`described`.
        error: the exception that it has raised instead.
    """

    name: str
    key: Any
    errstate: tuple[Any, ...]
    read: tuple[Any, ...]
    result: Any
    error: Exception | None = None


def key_of(value: Any, outside: Outside, read: list[Traced]) -> Any:
    """What two tracings have in common if they call with the same value.

    Args:
        value: an operand, or several in tuples, lists and dicts.
        outside: who knows which arrays a step may change.
        read: traced arrays are added to it.
    """
    kind = type(value)
    if kind is Traced:
        read.append(value)
        return value.identity()
    if kind in _THEMSELVES:
        return value
    if kind in _PLAIN:
        return (kind, value)
    if kind is tuple or kind is list:
        parts: list[Any] = [kind]
        for each in value:  # the two most frequent kinds without a call
            if type(each) is Traced:
                read.append(each)
                parts.append(each.mark or each.identity())
            elif type(each) in _THEMSELVES:
                parts.append(each)
            else:
                parts.append(key_of(each, outside, read))
        return tuple(parts)
    if kind is float:
        return (float, value.hex())  # which tells -0.0 from 0.0, and finds NaN again
    if kind is dict:
        if not value:
            return dict
        return (dict, *[(name, key_of(each, outside, read)) for name, each in value.items()])
    if isinstance(value, np.ndarray):
        return _key_of_array(value, outside)
    if isinstance(value, np.generic):
        return (value.dtype.str, value.tobytes())
    if kind is slice:
        return (slice, key_of((value.start, value.stop, value.step), outside, read))
    if kind is Cell:
        return (Cell, id(value.owner), value.key, value.offset)
    if isinstance(value, (tuple, list)):
        return (kind, *[key_of(each, outside, read) for each in value])
    if isinstance(value, np.dtype):
        return (np.dtype, value.str)  # a dtype is also equal to what can be turned into it
    outside.is_self_contained = False
    return _Other(value)


_PLAIN = frozenset({int, bool, bytes, complex, range})
_THEMSELVES = frozenset(
    {str, type, type(None), EllipsisType, FunctionType, np.ufunc, type(np.sum), Kernel}
)


def _key_of_array(array: Array, outside: Outside) -> Any:
    is_changeable = outside.is_changeable(owner_of(array))
    if array.nbytes > SMALL or is_changeable or array.dtype.hasobject:
        outside.is_self_contained = False
        return LargeConstant(array, is_changeable)
    values = array.tobytes()
    outside.constants.append((array, values))
    return (array.dtype.str, array.shape, array.strides, values)


class LargeConstant:
    """An array of the caller's that is not copied to be compared."""

    def __init__(self, array: Array, is_changeable: bool) -> None:
        self.array, self.is_changeable = array, is_changeable

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LargeConstant):
            return NotImplemented
        a, b = self.array, other.array
        if a.dtype != b.dtype or a.shape != b.shape or a.strides != b.strides:
            return False
        if address_of(a) == address_of(b):
            return True
        # What a step changes has other values by now, so it must be the same memory.
        return not (self.is_changeable or other.is_changeable) and a.tobytes() == b.tobytes()

    __hash__ = None  # type: ignore[assignment]


class _Other:
    """A value of unknown content."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Other):
            return NotImplemented
        a, b = self.value, other.value
        return a is b or (type(a) is type(b) and (a == b) is True)

    __hash__ = None  # type: ignore[assignment]


def described(result: Any, read: list[Traced]) -> Any:
    """What a call gave, without keeping the memory of a program from being used again."""
    kind = type(result)
    if kind is Traced:
        for position, each in enumerate(read):
            if each is result:
                return position
        base, place = result.base, None
        while base is not None and place is None:
            place = next((i for i, each in enumerate(read) if each is base), None)
            base = base.base
        root = None if result.base is None else result.root().identity()
        return _Made(result.array, result.identity(), root, place, result.is_scalar)
    if isinstance(result, (tuple, list)):
        return (kind, [described(each, read) for each in result])
    return _Plain(result)


class _Made(NamedTuple):
    array: Array
    mark: Any
    root: Any  # the mark of the array that it is a view of, or None
    place: int | None  # of that array, if it is an operand
    is_scalar: bool


class _Plain(NamedTuple):
    value: Any


def rebuilt(description: Any, read: list[Traced], link: Link) -> Any:
    """The result of a call, of another tracing's operands."""
    kind = type(description)
    if kind is _Made:
        array, mark, root, place, is_scalar = description
        base = None
        if root is not None:
            base = Traced(array, None, link, None, root) if place is None else read[place]
        made = Traced(array, None, link, base, mark)
        made.is_scalar = is_scalar
        return made
    if kind is int:
        return read[description]
    if kind is _Plain:
        return description.value
    sequence, parts = description
    parts = [rebuilt(each, read, link) for each in parts]
    return sequence(*parts) if hasattr(sequence, "_fields") else sequence(parts)
