"""Layers by name: a saved model names its layers here, never by an import path.

A description is what JSON can hold: ``{"type": name, "config": {...}}``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from fastnn.layers.module import Module

if TYPE_CHECKING:
    import numpy.typing as npt

ModuleType = TypeVar("ModuleType", bound=type[Module])

_classes: dict[str, type[Module]] = {}


def register(
    name: str | ModuleType,
) -> Callable[[ModuleType], ModuleType] | ModuleType:
    """Class decorator that makes a Module savable: ``@register("name")``.

    Without a name, as ``@register``, the class's own is taken.

    Raises:
        TypeError: not a Module, or its constructor wants arguments that no ``config``
            method of its own gives.
        ValueError: another class has this name.
    """
    if not isinstance(name, str):
        return _register(name.__name__, name)
    return lambda cls: _register(name, cls)


def _register(name: str, cls: ModuleType) -> ModuleType:
    if not (isinstance(cls, type) and issubclass(cls, Module)):
        raise TypeError(f"register wants a subclass of Module, got {cls!r}")
    other = _classes.get(name)
    # A class defined anew in a notebook's cell replaces its former self.
    if other is not None and _home(other) != _home(cls):
        raise ValueError(f"the name {name!r} is taken by {other.__module__}.{other.__qualname__}")
    has_constructor = cls.__init__ is not object.__init__ or cls.__new__ is not object.__new__
    if has_constructor and cls.config is Module.config:
        required = [
            argument.name
            for argument in inspect.signature(cls).parameters.values()
            if argument.default is argument.empty
            and argument.kind not in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD)
        ]
        if required:
            raise TypeError(
                f"{cls.__qualname__} wants a config() that returns the arguments of "
                f"its constructor ({', '.join(required)}), to be built again from them"
            )
    _classes[name] = cls
    cls._registered_name = name
    return cls


def _home(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def create(name: str, config: Any) -> Module:
    """A new module of the class registered under this name, from its config.

    Raises:
        ValueError: no class has this name, or the config does not fit it.
    """
    cls = _class(name)
    try:
        return cls.from_config(config)
    except TypeError as error:
        raise ValueError(f"config of a {name} layer: {error}") from error


def _class(name: Any) -> type[Module]:
    cls = _classes.get(name) if isinstance(name, str) else None
    if cls is None:
        raise ValueError(
            f"no layer is registered as {name!r}; known are {', '.join(_classes)}. A "
            "class of your own wants @fastnn.register_module(name) before loading"
        )
    return cls


def describe(module: Module) -> dict[str, Any]:
    """The architecture of a module, as JSON can hold it.

    Raises:
        TypeError: the module's class is not registered.
    """
    name = type(module).__dict__.get("_registered_name")
    if name is None:
        raise TypeError(
            f"{type(module).__qualname__} is not registered, so it cannot be saved: "
            "decorate the class with @fastnn.register_module(name)"
        )
    return {"type": name, "config": module.config()}


def build(description: Any, dtype: npt.DTypeLike | None = None) -> Module:
    """The module that :func:`describe` described, with new initial weights.

    Args:
        description: ``{"type": name, "config": {...}}``.
        dtype: of the parameters; None leaves what the constructors chose.

    Raises:
        ValueError: the description is malformed or names an unknown layer.
    """
    module = create(*_parts(description))
    return module if dtype is None else module.astype(dtype)


def parameter_shapes(description: Any) -> dict[str, tuple[int, ...]]:
    """The parameters and buffers that ``build`` would make, as shapes by name.

    Where the class can tell them from its config, nothing is made, however large.

    Raises:
        ValueError: the description is malformed or names an unknown layer.
    """
    name, config = _parts(description)
    cls = _class(name)
    # Not an inherited method: a subclass may have parameters of its own.
    if "_parameter_shapes" in vars(cls):
        return cls._parameter_shapes(config)
    return {name: p.shape for name, p in create(name, config).named_tensors()}


def _parts(description: Any) -> tuple[Any, Any]:
    if not isinstance(description, dict) or set(description) != {"type", "config"}:
        raise ValueError(
            f'a layer is described by {{"type": ..., "config": ...}}, got {description!r}'
        )
    return description["type"], description["config"]
