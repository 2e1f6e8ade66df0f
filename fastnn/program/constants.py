"""Arrays that a step finds outside itself: constants of its program.

Most of NumPy hands a call on to a traced operand, but ``ndarray.dot`` does not.  So while a step
is recorded, the arrays that its code names, as globals or in its closure, are replaced by
read-only views of a class that does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import CodeType, FunctionType
from typing import Any

import numpy as np


class Constant(np.ndarray):
    """A read-only view of a closed-over array."""

    def dot(self, other: Any, out: Any = None) -> Any:
        """As ``numpy.ndarray.dot``, also of what is being recorded."""
        return np.dot(self, other) if out is None else super().dot(other, out)


def constant_view(array: Any) -> Constant:
    """A read-only view of the array."""
    view: Constant = array.view(Constant)
    view.flags.writeable = False
    return view


@contextmanager
def closed_over_as_constants(step: Callable[..., Any]) -> Iterator[None]:
    """The arrays that step's code names are constants until the end of the block."""
    put_back: list[Callable[[], None]] = []
    seen: set[int] = set()
    try:
        _replace(inspect.unwrap(step), put_back, seen)
        yield
    finally:
        for each in put_back:
            each()


def _replace(function: Any, put_back: list[Callable[[], None]], seen: set[int]) -> None:
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType) or id(function) in seen:
        return
    seen.add(id(function))
    if (function.__module__ or "").partition(".")[0] in ("fastnn", "numpy"):
        return
    namespace = function.__globals__
    for name in _names(function.__code__):
        value = namespace.get(name)
        if type(value) is np.ndarray:
            view = namespace[name] = constant_view(value)
            put_back.append(partial(_restore, namespace, name, value, view))
        else:
            _replace(value, put_back, seen)
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:  # still empty
            continue
        if type(value) is np.ndarray:
            view = cell.cell_contents = constant_view(value)
            put_back.append(partial(_restore_cell, cell, value, view))
        else:
            _replace(value, put_back, seen)


def _restore(namespace: dict[str, Any], name: str, value: Any, view: Any) -> None:
    if namespace.get(name) is view:
        namespace[name] = value


def _restore_cell(cell: Any, value: Any, view: Any) -> None:
    if cell.cell_contents is view:
        cell.cell_contents = value


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
