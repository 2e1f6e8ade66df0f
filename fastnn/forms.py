"""Arguments as users nest them: arrays in lists, tuples, named tuples and dicts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def mapped(function: Callable[[Any, str], Any], form: Any, name: str = "") -> Any:
    """The form with ``function(value, name)`` in the place of every value in it.

    A value's name tells how to reach it: ``params['W1']``, ``layers[0]``.
    """
    if isinstance(form, dict):
        return {key: mapped(function, each, f"{name}[{key!r}]") for key, each in form.items()}
    if isinstance(form, (list, tuple)):
        parts = [mapped(function, each, f"{name}[{i}]") for i, each in enumerate(form)]
        return type(form)(*parts) if hasattr(form, "_fields") else type(form)(parts)
    return function(form, name)


class Places:
    """The places in a form where some of its values stand.

    Args:
        wanted: which values; the others stay in the form.
        form, name: as for :func:`mapped`.

    Attributes:
        values: the wanted values, in the order in which they stand.
        names: their names.
    """

    def __init__(self, wanted: Callable[[Any], bool], form: Any, name: str = "") -> None:
        self.values: list[Any] = []
        self.names: list[str] = []

        def taken(value: Any, name: str) -> Any:
            if not wanted(value):
                return value
            self.values.append(value)
            self.names.append(name)
            return _Place(len(self.values) - 1)

        self._form = mapped(taken, form, name)

    def filled(self, values: Sequence[Any]) -> Any:
        """The form with these values in the places."""
        return mapped(
            lambda each, _: values[each.number] if isinstance(each, _Place) else each, self._form
        )


class _Place:
    def __init__(self, number: int) -> None:
        self.number = number
