"""Every function and ufunc of NumPy on a Tensor: differentiated, plain, or refused by name."""

from __future__ import annotations

import contextlib
import inspect
import io
import operator
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from fastnn import ops
from fastnn.ops.op import FUNCTIONS
from fastnn.ops.plain import PLAIN_FUNCTIONS, PLAIN_UFUNCS
from fastnn.tensor import Tensor

UFUNCS = {each for each in vars(np).values() if isinstance(each, np.ufunc)}

# Of integers, of truth bit by bit, of dates: nothing to differentiate.
UNSUPPORTED_UFUNCS = {
    np.bitwise_and, np.bitwise_count, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift,
    np.right_shift, np.gcd, np.lcm, np.isnat,
}  # fmt: skip


def test_every_ufunc_is_decided_upon() -> None:
    differentiated = {*ops.UFUNCS, *(ufunc for ufunc, call in ops.METHODS if call == "__call__")}
    decided = [differentiated, PLAIN_UFUNCS, UNSUPPORTED_UFUNCS]
    assert set().union(*decided) == UFUNCS
    assert sum(map(len, decided)) == len(UFUNCS)


@pytest.mark.parametrize("ufunc", sorted(UNSUPPORTED_UFUNCS, key=str), ids=lambda u: u.__name__)
def test_unsupported_ufuncs_are_named(ufunc: np.ufunc) -> None:
    t = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=rf"np\.{ufunc.__name__} is not supported.*detach"):
        ufunc(*[t] * ufunc.nin)


@pytest.mark.parametrize("ufunc", sorted(PLAIN_UFUNCS, key=str), ids=lambda u: u.__name__)
def test_plain_ufuncs_give_truth(ufunc: np.ufunc) -> None:
    x = np.array([0.0, -1.5, np.nan, np.inf])
    args = [x, x[::-1]][: ufunc.nin]
    answer = ufunc(*(Tensor(each, requires_grad=True) for each in args))
    assert type(answer) is np.ndarray
    assert np.array_equal(answer, ufunc(*args))


@pytest.mark.parametrize("method", ["reduce", "accumulate", "reduceat", "outer", "at"])
def test_methods_of_ufuncs_are_answered_or_named(method: str) -> None:
    t = Tensor([1.0, 2.0], requires_grad=True)
    for ufunc in UFUNCS:
        if (ufunc, method) not in ops.METHODS:
            name = rf"np\.{ufunc.__name__}\.{method} is not supported"
            with pytest.raises(TypeError, match=name):
                t.__array_ufunc__(ufunc, method, t, [0])


# What people write models with: the least that is differentiated.
PROMISED = """
    clip where sum mean average var std prod max min cumsum
    matmul dot inner outer vdot tensordot einsum trace kron cross
    reshape ravel transpose swapaxes moveaxis squeeze expand_dims broadcast_to repeat tile roll flip
    rot90 concatenate stack vstack hstack dstack column_stack split array_split vsplit hsplit dsplit
    pad diag tril triu take sort partition
    linalg.inv linalg.det linalg.slogdet linalg.solve linalg.norm linalg.cholesky linalg.eigh
"""


def test_what_models_are_written_with_is_differentiated() -> None:
    found = {operator.attrgetter(name)(np) for name in PROMISED.split()}
    assert found <= {*FUNCTIONS, *ops.UFUNCS}


# --- functions ------------------------------------------------------------------------

# They ask the user, print, write files, or change how NumPy works.
OF_NO_ARRAYS = {
    "info", "printoptions", "save", "savetxt", "savez", "savez_compressed",
    "set_printoptions", "setbufsize", "seterr", "seterrcall", "show_config", "show_runtime", "test",
}  # fmt: skip
# What they return is what happened to be in memory.
UNINITIALISED = {"empty", "empty_like"}


def functions() -> dict[str, Callable[..., Any]]:
    """Every public function of numpy and numpy.linalg."""
    return {
        f"{module.__name__.replace('numpy', 'np', 1)}.{name}": function
        for module in (np, np.linalg)
        for name, function in vars(module).items()
        if callable(function)
        and not isinstance(function, (type, np.ufunc))
        and not name.startswith("_")
        and name not in OF_NO_ARRAYS | UNINITIALISED
    }


@pytest.mark.parametrize("name", functions())
def test_the_unsupported_is_named(name: str) -> None:
    function = functions()[name]
    if hasattr(function, "_implementation") and function not in {*FUNCTIONS, *PLAIN_FUNCTIONS}:
        t = Tensor([1.0], requires_grad=True)
        shown = f"{function.__module__.replace('numpy', 'np', 1)}.{function.__name__}"
        with pytest.raises(TypeError, match=f"{shown} is not supported on a fastnn Tensor"):
            t.__array_function__(function, (Tensor,), (t,), {})


def calls(function: Callable[..., Any], t: Any, a: np.ndarray) -> Iterator[Callable[[], Any]]:
    """Ways to give a function a Tensor t: in every place, alone and beside an array a."""
    whole, n = np.ones(a.shape, int), a.shape
    yield from (
        lambda args=args: function(*args)
        for args in (
            (t,), (t, t), (t, t, t), ([t, t],), ((t, t),), ([[t, t]],),
            (a, t), (t, a), (a, t, t), (a, a, t), (a, [t, t]), (t, [t, t]),
            (0, t), (1, t), (2, t), (t, 0), (t, 1), (t, 2), (n, t), (0, 1, t), (a, 0, t), (a, 1, t),
            (whole, t), (whole, [t, t]), (whole > 0, t), (whole > 0, t, a), ([whole > 0], [t]),
            (a, whole > 0, t), (np.sum, t), (np.sum, 0, t), ("i->i", t), ("...,...", t, a),
        )
    )  # fmt: skip
    names: dict[str, None] = {}
    for each in (function, FUNCTIONS.get(function, function)):
        with contextlib.suppress(ValueError):  # of a function that tells no signature
            names |= dict.fromkeys(inspect.signature(each).parameters)
    first = next(iter(names), "")
    for name in names:
        yield lambda name=name: function(**{first: a, name: t})
        yield lambda name=name: function(**{first: t, name: a})
        yield lambda name=name: function(**{first: Tensor(a), name: t})
        yield lambda name=name: function(Tensor(MATRIX[1]), 1, **{name: t})
        yield lambda name=name: function(*[a] * min(2, len(names) - 1), **{name: t})


def floats_in(result: Any) -> list[np.ndarray]:
    """The plain floats in a result, and those of Tensors that have lost their graph."""
    if isinstance(result, (list, tuple)):
        return [each for part in result for each in floats_in(part)]
    if isinstance(result, Tensor):
        return [] if result.requires_grad else [result.data]
    if isinstance(result, (np.ndarray, np.generic, float)) and np.asarray(result).dtype.kind == "f":
        return [np.asarray(result)]
    return []


def answer(call: Callable[[], Any]) -> list[np.ndarray]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                return floats_in(call())
            except Exception:  # noqa: BLE001  # refused in whatever way: nothing is lost
                return []


MATRIX = np.array([[4.1, 1.2, 0.5], [1.2, 3.3, 0.2], [0.5, 0.2, 2.4]])


@pytest.mark.parametrize("name", functions())
def test_a_gradient_is_never_silently_lost(name: str) -> None:
    """No plain float that comes back changes with the values of the tensor."""
    function = functions()[name]
    for x in (MATRIX[0, 0], MATRIX[0], MATRIX):
        tensors = [Tensor(value, requires_grad=True) for value in (x, x + 1e-3)]
        # Some functions write to an array.
        both = [calls(function, t, np.array(x)) for t in tensors]
        for first, second in zip(*both, strict=True):
            for one, other in zip(answer(first), answer(second), strict=False):
                assert one.shape != other.shape or np.array_equal(one, other, equal_nan=True)
