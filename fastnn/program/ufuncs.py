"""Ufuncs on traced arrays: calls, reductions, accumulations, and the matrix product."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fastnn import _kernels as k
from fastnn._kernels import _doorway
from fastnn.program.errors import CaptureError
from fastnn.program.memory import address_of
from fastnn.program.traced import Traced, array_of, is_foreign
from fastnn.program.where import where

if TYPE_CHECKING:
    from fastnn.program.recorder import Recorder

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


def ufunc_call(
    recorder: Recorder, ufunc: np.ufunc, method: str, inputs: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    """What ``ufunc`` or a method of it gives, as recorded calls."""
    if any(map(is_foreign, inputs)):
        return NotImplemented
    return recorder.call(ufunc.__name__, _ufunc_call, ufunc, method, inputs, kwargs)


def _ufunc_call(
    recorder: Recorder, ufunc: np.ufunc, method: str, inputs: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    if method == "reduce":
        return reduce(recorder, ufunc, *inputs, **kwargs)
    if method == "accumulate":
        return accumulate(recorder, ufunc, *inputs, **kwargs)
    if method == "outer":
        a, b = (each if hasattr(each, "ndim") else np.asarray(each) for each in inputs)
        return ufunc(np.reshape(a, a.shape + (1,) * b.ndim), b)
    if method == "at" and ufunc in (np.add, np.subtract):
        target, index, value = inputs
        from fastnn.program.places import add_at

        return add_at(recorder, target, index, value if ufunc is np.add else -value)
    if method != "__call__" or set(kwargs) - {"out"}:
        options = f" with {', '.join(kwargs)}=" if method == "__call__" else f".{method}"
        raise CaptureError(f"np.{ufunc.__name__}{options} cannot be captured{where()}")
    out = kwargs.get("out")
    if ufunc is np.matmul:
        return matrix_product(recorder, *inputs, *(out or ()))
    return elementwise(recorder, ufunc, inputs, out)


# Whose results are rounded correctly, or not at all: they do not depend on how one walks.
_EXACT = frozenset(
    {
        np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.absolute,
        np.sqrt, np.square, np.reciprocal, np.sign,
        np.floor, np.ceil, np.trunc, np.rint, np.equal, np.not_equal, np.less, np.less_equal,
        np.greater, np.greater_equal, np.isnan, np.isfinite, np.isinf, np.signbit, np.copysign,
        np.logical_and, np.logical_or, np.logical_xor, np.logical_not, np.bitwise_and,
        np.bitwise_or, np.bitwise_xor, np.invert, np.floor_divide, np.remainder, np.fmod,
    }
)  # fmt: skip


def elementwise(
    recorder: Recorder, ufunc: np.ufunc, inputs: Sequence[Any], out: tuple[Any, ...] | None
) -> Any:
    """Record a call of an elementwise ufunc."""
    inputs = [np.asarray(each) if type(each) in (list, tuple) else each for each in inputs]
    name, targets = ufunc.__name__, out or (None,) * ufunc.nout
    for target in targets:
        if target is not None and not isinstance(target, Traced):
            raise CaptureError(
                f"np.{name} would write to an array from outside the step, which is a constant of "
                "the program: make it an argument, or write `z = z + t` instead of "
                f"`z += t`{where()}"
            )
        if target is not None:
            recorder.refuse_read_only(f"np.{name}", target)
    if ufunc.signature is not None:
        raise CaptureError(f"np.{name} cannot be captured{where()}")
    expected = recorder.by_numpy(ufunc, *inputs)
    if ufunc.nout == 1:
        expected = (expected,)
    function, dtypes, types = _loop_for(ufunc, tuple(map(_kind, inputs)))
    if function is None:
        raise CaptureError(f"np.{name} has no loop in C for {types}{where()}")
    held = list(map(recorder.plain, inputs, dtypes))
    made = []
    for target, result, dtype in zip(targets, expected, dtypes[ufunc.nin :], strict=True):
        result = np.asarray(result)
        if target is None:
            made.append(recorder.empty(result.shape, dtype, result))
            continue
        if target.shape != result.shape:
            np.broadcast_to(result, target.shape)  # which raises an error if it does not fit
            made.append(recorder.empty(result.shape, dtype, result))
            continue
        if not np.can_cast(dtype, target.dtype, "same_kind"):
            raise TypeError(f"np.{name}: a result of {dtype} cannot be written to {target.dtype}")
        made.append(target if target.dtype == dtype else recorder.empty(result.shape, dtype))
    layouts = [each.array for each in made]
    if out is not None:  # memory of the program's own is apart from all that is alive
        held = [apart(recorder, each, layouts) for each in held]
    operands = [*map(array_of, held), *layouts]
    calls = _doorway.iterated(operands, out is not None)
    if isinstance(calls, tuple) and ufunc in _EXACT:
        # NumPy copies pieces of an operand to walk further at once; the bits are the same.
        calls = _doorway.iterated(operands, out is not None, False)
    if isinstance(calls, tuple):
        recorder.loop_in_pieces(name, function, operands, calls, ufunc.nin, out is not None)
    else:
        recorder.loop(name, function, operands, calls=list(calls))
    results = []
    for target, one, result in zip(targets, made, expected, strict=True):
        recorder.check(f"np.{name}", one, result)
        if target is not None and target is not one:
            one = recorder.copied(one, target)
        results.append(one.scalar() if target is None else one)
    return results[0] if ufunc.nout == 1 else tuple(results)


def _kind(operand: Any) -> Any:
    """What decides over a ufunc's loop: the dtype, or int or float for a number of Python's."""
    if isinstance(operand, Traced):
        return operand.array.dtype
    return type(operand) if type(operand) in (int, float) else np.asarray(operand).dtype


@cache
def _loop_for(ufunc: np.ufunc, kinds: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...], str]:
    """The loop for operands of these kinds, or None; the dtypes it wants, and their names."""
    dtypes = ufunc.resolve_dtypes(kinds + (None,) * ufunc.nout)
    types = "".join(each.char for each in dtypes)
    types = f"{types[: ufunc.nin]}->{types[ufunc.nin :]}"
    is_plain = all(each.kind in "biuf" for each in dtypes)  # objects need Python
    return _doorway.ufunc_loop(ufunc, types) if is_plain else None, dtypes, types


def apart(recorder: Recorder, operand: Any, outputs: list[Array]) -> Any:
    """The operand, or a copy of one that overlaps an output without being that very array."""
    array = array_of(operand)
    for output in outputs:
        is_same = (
            address_of(array) == address_of(output)
            and array.strides == output.strides
            and array.shape == output.shape
        )
        if not is_same and np.may_share_memory(array, output):
            return recorder.copied(recorder.loose(array), recorder.empty(array.shape, array.dtype))
    return operand


_FAST_POWERS: dict[float, np.ufunc] = {
    -1.0: np.reciprocal, 0.5: np.sqrt, 1.0: np.positive, 2.0: np.square,
}  # fmt: skip


def power(recorder: Recorder, base: Traced, exponent: Any) -> Any:
    """As ``base ** exponent`` on an ndarray, which for some exponents is another ufunc."""
    if is_foreign(exponent):
        return np.power(base, exponent)
    return recorder.call("power", _power, base, exponent)


def _power(recorder: Recorder, base: Traced, exponent: Any) -> Any:
    if isinstance(exponent, (int, float)) and not isinstance(exponent, bool):
        fast = _FAST_POWERS.get(float(exponent))
        if fast is not None and (base.dtype.kind == "f" or exponent == 2):
            return fast(base)
        expected = recorder.by_numpy(operator.pow, base, exponent)
        result: Any = np.power(base, exponent)
        recorder.check("**", result, expected)
        return result
    return np.power(base, exponent)


# --- reductions and accumulations ---------------------------------------------------------------


def reduce(
    recorder: Recorder,
    ufunc: np.ufunc,
    source: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
) -> Any:
    """Record ``ufunc.reduce``."""
    if out is not None:
        raise CaptureError(f"np.{ufunc.__name__}.reduce with out= cannot be captured{where()}")
    expected = np.asarray(
        recorder.by_numpy(ufunc.reduce, source, axis=axis, dtype=dtype, keepdims=keepdims)
    )
    named = range(source.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = {int(each) % source.ndim for each in named if source.ndim}
    if ufunc.identity is not None and not axes:
        start = np.asarray(ufunc.identity, expected.dtype)
        return recorder.laid_out(ufunc(start, recorder.cast(source, expected.dtype)), expected)
    if not axes:
        return recorder.copied(source, recorder.empty(expected.shape, expected.dtype, expected))
    # The dtype in which is computed: that of the result, but of truth for truth.
    inner = np.dtype(bool) if ufunc in (np.logical_and, np.logical_or) else expected.dtype
    char = inner.char
    function = _doorway.ufunc_loop(ufunc, f"{char}{char}->{expected.dtype.char}")
    if function is None:
        raise CaptureError(f"np.{ufunc.__name__}.reduce has no loop for {inner}{where()}")
    operand = source.array
    result = recorder.empty(expected.shape, expected.dtype, expected)
    if ufunc.identity is not None:
        recorder.copied(np.asarray(ufunc.identity, expected.dtype), result)
        skip = 0
    else:  # then NumPy begins with the first element
        if source.size == 0:
            ufunc.reduce(source.array, axis=axis)  # which raises the error
        first = tuple(slice(0, 1) if each in axes else slice(None) for each in range(source.ndim))
        view = operand[first].reshape(expected.shape)
        recorder.copied(recorder.loose(view), result)
        skip = result.size
    place = iter(range(expected.ndim))
    result_axes = tuple(
        (next(place) if keepdims else -1) if each in axes else next(place)
        for each in range(source.ndim)
    )
    target = result.array
    if keepdims:
        target = target.reshape([n for i, n in enumerate(target.shape) if i not in axes])
        left = iter(range(target.ndim))
        result_axes = tuple(-1 if each in axes else next(left) for each in range(source.ndim))
    operands = [operand, target]
    calls = _doorway.iterated(operands, False, True, True, result_axes, skip, None, inner)
    if isinstance(calls, tuple):
        # NumPy's iterator casts or copies piece by piece, in the order in which it walks.
        walk = _doorway.iterated(operands, False, False, True, result_axes)
        stand_in = recorder.in_order(operand, 0, walk, inner)
        in_order = [stand_in.array, None]
        calls = _doorway.iterated(operands, False, True, True, result_axes, skip, in_order, inner)
    if isinstance(calls, tuple):  # the result as well, where all axes are stretched or mixed up
        is_plain = source.dtype == inner and operand.flags.c_contiguous
        if is_plain or not (source.dtype.kind in "biu" or ufunc in (np.maximum, np.minimum)):
            raise CaptureError(
                f"np.{ufunc.__name__}.reduce walks over this memory layout in pieces, which cannot "
                f"be replayed: pass it a .copy(){where()}"
            )
        copy = recorder.cast(source, inner).copy()  # in any order the result is the same
        return recorder.laid_out(
            reduce(recorder, ufunc, copy, axis, dtype, None, keepdims), expected
        )
    binary = [([b, a, b], n, [t, s, t]) for ([a, b], n, [s, t]) in calls]
    recorder.loop(
        f"{ufunc.__name__}.reduce", function, [target, operand, target], calls=binary, shared=False
    )
    recorder.check(f"np.{ufunc.__name__}.reduce", result, expected)
    return result.scalar()


def accumulate(
    recorder: Recorder, ufunc: np.ufunc, source: Any, axis: int = 0, dtype: Any = None
) -> Any:
    """Record ``ufunc.accumulate``."""
    expected = np.asarray(recorder.by_numpy(ufunc.accumulate, source, axis, dtype))
    char = expected.dtype.char
    function = _doorway.ufunc_loop(ufunc, f"{char}{char}->{char}")
    if function is None:
        raise CaptureError(f"np.{ufunc.__name__}.accumulate has no loop for {char}{where()}")
    operand = recorder.cast(source, expected.dtype)
    result = recorder.empty(expected.shape, expected.dtype, expected)
    ahead = [slice(None)] * source.ndim
    ahead[axis] = slice(0, 1)
    recorder.copied(operand[tuple(ahead)], result[tuple(ahead)])
    n = source.shape[axis] - 1
    x, y = operand.array, result.array
    calls = []
    if n > 0:
        x_at, y_at = address_of(x), address_of(y)
        dx, dy = x.strides[axis], y.strides[axis]
        for index in np.ndindex(*(1 if i == axis % x.ndim else m for i, m in enumerate(x.shape))):
            start_x = x_at + sum(map(operator.mul, index, x.strides))
            start_y = y_at + sum(map(operator.mul, index, y.strides))
            calls.append(([start_y, start_x + dx, start_y + dy], n, [dy, dx, dy]))
    recorder.loop(f"{ufunc.__name__}.accumulate", function, [y, x, y], calls=calls, shared=False)
    recorder.check(f"np.{ufunc.__name__}.accumulate", result, expected)
    return result


# --- matrix products -----------------------------------------------------------------------------


def matrix_product(recorder: Recorder, a: Any, b: Any, out: Any = None) -> Any:
    """A kernel's call where eager code calls the kernel, else NumPy's own loop."""
    if out is not None:
        out[...] = matrix_product(recorder, a, b)
        return out
    a, b = (each if hasattr(each, "ndim") else np.asarray(each) for each in (a, b))
    dtype = np.result_type(a.dtype, b.dtype)
    if dtype in (np.float32, np.float64) and a.ndim == 2 == b.ndim and a.shape[1] == len(b):
        x, y = (
            recorder.cast(each, dtype)
            if isinstance(each, Traced)
            else recorder.constant(each, dtype)
            for each in (a, b)
        )
        return k.matmul(x, y)
    expected = np.asarray(recorder.by_numpy(np.matmul, a, b))
    char = expected.dtype.char
    function = _doorway.ufunc_loop(np.matmul, f"{char}{char}->{char}")
    if function is None:
        raise CaptureError(f"np.matmul has no loop in C for {expected.dtype}{where()}")
    held = recorder.plain(a, expected.dtype), recorder.plain(b, expected.dtype)
    x, y = (array_of(each) for each in held)
    result = recorder.empty(expected.shape, expected.dtype, expected)
    z = result.array
    if x.ndim == 1:
        x, z = x[None, :], z[..., None, :] if z.ndim else z[None]
    if y.ndim == 1:
        y, z = y[:, None], z[..., None]
    outer = z.shape[:-2]
    x = np.broadcast_to(x, (*outer, *x.shape[-2:]))
    y = np.broadcast_to(y, (*outer, *y.shape[-2:]))
    (m, inner), n = x.shape[-2:], y.shape[-1]
    since = len(recorder.tape)
    for index in np.ndindex(*outer):
        parts = [x[index], y[index], z[index]]
        recorder.tape.core(
            "matmul", *function, parts, [address_of(each) for each in parts],
            [1, m, inner, n], [0, 0, 0, *(s for each in parts for s in each.strides)],
        )  # fmt: skip
    if len(recorder.tape) > since:
        recorder.recorded([z], may_fail=False)
    recorder.check("np.matmul", result, expected)
    return result.scalar()
