"""The tables of ``Module.summary``: of the parameters, or of the layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastnn.checks import whole
from fastnn.layers.module import Module, Parameter, in_mode
from fastnn.modes import no_grad
from fastnn.tensor import Tensor, wrap


def of_parameters(model: Module) -> str:
    """Each parameter's shape and number, and the bytes of all."""
    rows = [("parameter", "shape", "number")]
    for name, parameter in model.named_parameters():
        shape = " x ".join(str(length) for length in parameter.shape)
        rows.append((name, shape, f"{parameter.size:,}"))
    total = sum(parameter.size for parameter in model.parameters())
    rows.append(("total", str(model.dtype), f"{total:,}"))
    return f"{_table(rows, left=2)}\n{_megabytes(model)}"


def of_layers(model: Module, input_shape: Sequence[int]) -> str:
    """Each layer's output, parameters and multiply-adds for one sample of this shape."""
    if not isinstance(input_shape, Sequence):
        raise TypeError(f"input_shape must be the shape of a sample, got {input_shape!r}")
    shape = tuple(whole("input_shape", length, 1) for length in input_shape)
    outputs: list[tuple[Module, tuple[int, ...]]] = []
    with _watched(model, outputs), in_mode(model, training=False), no_grad():
        model(wrap(np.zeros((1, *shape), model.dtype)))
    names = {id(module): name for name, module in model.named_modules()}
    rows = [
        ("layer", "kind", "output", "parameters", "multiply-adds"),
        ("", "input", _written(shape), "", ""),
    ]
    multiply_adds = 0
    counted: set[int] = set()  # what is used twice has its parameters once
    for layer, output in outputs:
        own = _own_parameters(layer)
        if not own and any(True for _ in _inside(layer)):
            continue  # its parts have rows of their own
        size = sum(parameter.size for parameter in own if id(parameter) not in counted)
        counted |= {id(parameter) for parameter in own}
        count = getattr(layer, "multiply_adds", None)
        products = 0 if count is None else count(output)
        multiply_adds += products
        rows.append(
            (
                names[id(layer)],
                type(layer).__name__,
                _written(output),
                f"{size:,}",
                f"{products:,}",
            )
        )
    total = sum(parameter.size for parameter in model.parameters())
    rows.append(("total", "", "", f"{total:,}", f"{multiply_adds:,}"))
    return f"{_table(rows, left=3)}\n{_megabytes(model)}"


@contextmanager
def _watched(model: Module, outputs: list[tuple[Module, tuple[int, ...]]]) -> Iterator[None]:
    """Note what each module gives for one sample, in the order in which they are done."""

    def watch(module: Module) -> None:
        forward = module.forward

        def watched(*inputs: Any) -> Any:
            y = forward(*inputs)
            if isinstance(y, Tensor):
                outputs.append((module, y.shape[1:]))
            return y

        vars(module)["forward"] = watched

    modules = list(model.modules())
    before = [vars(module).get("forward") for module in modules]
    try:
        for module in modules:
            watch(module)
        yield
    finally:
        for module, own in zip(modules, before, strict=True):
            vars(module).pop("forward", None)
            if own is not None:
                vars(module)["forward"] = own


def _inside(module: Module) -> Iterator[Module]:
    return (each for each in module.modules() if each is not module)


def _own_parameters(module: Module) -> list[Parameter]:
    """Those that belong to no module inside it."""
    others = {id(parameter) for each in _inside(module) for parameter in each.parameters()}
    return [parameter for parameter in module.parameters() if id(parameter) not in others]


def _written(shape: tuple[int, ...]) -> str:
    return f"({', '.join(['N', *map(str, shape)])})"


def _megabytes(model: Module) -> str:
    return f"{sum(parameter.data.nbytes for parameter in model.parameters()) / 1e6:.3f} MB"


def _table(rows: Sequence[tuple[str, ...]], left: int) -> str:
    """Columns of text, the first ones flush left, the others flush right."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            f"{text:<{width}}" if i < left else f"{text:>{width}}"
            for i, (text, width) in enumerate(zip(row, wide, strict=True))
        )
        for row in rows
    )
