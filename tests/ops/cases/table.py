"""All cases by their rows, and the rows that there are: what the table promises, one by one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import numpy as np
from ops.cases import (
    arrangement,
    contractions,
    elementwise,
    images,
    indexing,
    joining,
    kernels,
    linalg,
    methods,
    ordering,
    reductions,
    sequences,
    shapes,
    statistics,
)
from ops.harness import Case

from fastnn import ops
from fastnn.operators import Operators
from fastnn.ops.op import FUNCTIONS, Op, load_all_functions

FAMILIES = (
    elementwise,
    reductions,
    shapes,
    images,
    indexing,
    joining,
    arrangement,
    ordering,
    contractions,
    linalg,
    statistics,
    sequences,
    kernels,
    methods,
)
ROWS: dict[Any, list[Case]] = {}
for _family in FAMILIES:
    twice = ROWS.keys() & _family.ROWS.keys()
    assert not twice, f"rows of two families: {twice}"
    ROWS.update(_family.ROWS)


def label(row: Any) -> str:
    """A row's name, as ids of tests and messages want it."""
    if isinstance(row, tuple):
        return ".".join(label(part) for part in row)
    if isinstance(row, Op):
        return row.name
    if isinstance(row, str):
        return row
    module = getattr(row, "__module__", None) or "numpy"
    return f"{module.replace('numpy', 'np', 1)}.{row.__name__}" if row is not np else "np"


def promised_rows() -> set[Any]:
    """Every NumPy function, ufunc and ufunc's method that is answered, and every method."""
    methods = {
        name
        for name, value in vars(Operators).items()
        if name.strip("_") not in _OF_EVERY_CLASS and (callable(value) or hasattr(value, "fget"))
    }
    load_all_functions()
    return {*FUNCTIONS, *ops.UFUNCS, *ops.METHODS, *methods}


_OF_EVERY_CLASS = {"fastnn_op", "refuse_replacement", "hash"}


def table() -> set[Op]:
    """Every Op that a module of fastnn.ops holds, also in a dict."""
    return {op for module in _modules() for op in _ops_in(vars(module))}


def _modules() -> Iterator[Any]:
    for info in pkgutil.iter_modules(ops.__path__):
        yield importlib.import_module(f"{ops.__name__}.{info.name}")


def _ops_in(names: dict[str, Any]) -> Iterator[Op]:
    for value in list(names.values()):
        if isinstance(value, Op):
            yield value
        elif isinstance(value, dict):
            yield from (each for each in value.values() if isinstance(each, Op))
