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

from fastnn.program.errors import CaptureError
from fastnn.program.traced import Traced, is_foreign
from fastnn.program.where import where


class Constant(np.ndarray):
    """A read-only view of a closed-over array, or what is computed from it."""

    def dot(self, other: Any, out: Any = None) -> Any:
        """As ``numpy.ndarray.dot``, also of what is being recorded."""
        return np.dot(self, other) if out is None else super().dot(other, out)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._refuse_write()
        super().__setitem__(index, value)

    def fill(self, value: Any) -> None:
        """As ``numpy.ndarray.fill``."""
        self[...] = value

    def sort(self, *args: Any, **options: Any) -> None:
        """As ``numpy.ndarray.sort``."""
        self._refuse_write()
        super().sort(*args, **options)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        for each in options.get("out", inputs[:1] if method == "at" else ()):
            if isinstance(each, Constant):
                each._refuse_write()
        if any(is_foreign(each) or isinstance(each, Traced) for each in inputs):
            return NotImplemented
        plain = [each.view(np.ndarray) if isinstance(each, Constant) else each for each in inputs]
        if "out" in options:
            options["out"] = tuple(
                each.view(np.ndarray) if isinstance(each, Constant) else each
                for each in options["out"]
            )
        result = getattr(ufunc, method)(*plain, **options)
        return result.view(Constant) if type(result) is np.ndarray else result

    def _refuse_write(self) -> None:
        if not self.flags.writeable:
            raise CaptureError(
                "the step writes to an array from outside the step, which is a constant of the "
                f"program: make it an argument{where()}"
            )


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
