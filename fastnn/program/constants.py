"""Arrays that a step finds outside itself: constants of its program.

Most of NumPy hands a call on to a traced operand, but ``ndarray.dot`` does not.  So while a step
is recorded, the arrays that its code names, as globals or in its closure, are replaced by
read-only views of a class that does.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any, ClassVar

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


class _StandIn:
    """A read-only view in the place of an array, as long as anybody records with it."""

    lock = threading.Lock()
    standing: ClassVar[dict[Any, _StandIn]] = {}

    def __init__(self, key: Any, array: Any, put: Callable[[Any], None]) -> None:
        self.key, self.array, self.view = key, array, constant_view(array)
        self.put, self.count = put, 0

    @classmethod
    def enter(cls, key: Any, get: Callable[[], Any], put: Callable[[Any], None]) -> _StandIn | None:
        """The one for an array that ``get`` gives; None if it gives no array."""
        with cls.lock:
            each = cls.standing.get(key)
            if each is None:
                array = get()
                if type(array) is not np.ndarray:
                    return None
                each = cls.standing[key] = cls(key, array, put)
                put(each.view)
            each.count += 1
            return each

    def leave(self, get: Callable[[], Any]) -> None:
        """Put the array back, if nobody else records with it."""
        with self.lock:
            self.count -= 1
            if self.count == 0:
                del self.standing[self.key]
                if get() is self.view:
                    self.put(self.array)


@contextmanager
def closed_over_as_constants(step: Callable[..., Any]) -> Iterator[None]:
    """The arrays that step's code names are constants until the end of the block."""
    put_back: list[Callable[[], None]] = []
    try:
        _replace(inspect.unwrap(step), put_back, set())
        yield
    finally:
        for each in put_back:
            each()


def _replace(function: Any, put_back: list[Callable[[], None]], seen: set[int]) -> None:
    while isinstance(function, partial):
        function = function.func
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType):
        function = getattr(type(function).__call__, "__func__", type(function).__call__)
    if not isinstance(function, FunctionType) or id(function) in seen:
        return
    seen.add(id(function))
    if (function.__module__ or "").partition(".")[0] in ("fastnn", "numpy"):
        return
    namespace = function.__globals__
    places: list[tuple[Any, Any, Any]] = [
        ((id(namespace), name), partial(namespace.get, name), partial(namespace.__setitem__, name))
        for name in _names(function.__code__)
    ]
    places += [
        (id(cell), partial(getattr, cell, "cell_contents", None), partial(_fill, cell))
        for cell in function.__closure__ or ()
    ]
    for key, get, put in places:
        stand_in = _StandIn.enter(key, get, put)
        if stand_in is not None:
            put_back.append(partial(stand_in.leave, get))
        elif isinstance(value := get(), (FunctionType, MethodType, partial)):
            _replace(value, put_back, seen)


def _fill(cell: Any, value: Any) -> None:
    cell.cell_contents = value


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
