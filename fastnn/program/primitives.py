"""The primitives on traced arrays: ufuncs with their methods, views, gather and scatter, copies.

What NumPy offers beyond them is a composition of rows and functions of the op table; a
function that is neither cannot be captured.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fastnn._kernels import _doorway
from fastnn.ops.op import FUNCTIONS
from fastnn.ops.plain import PLAIN_FUNCTIONS
from fastnn.program.errors import CaptureError
from fastnn.program.traced import Traced

if TYPE_CHECKING:
    from fastnn.program.recorder import Recorder

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


def _where() -> str:
    from fastnn.program.recorder import where

    return where()


def _array(value: Any) -> Any:
    return value.array if isinstance(value, Traced) else value


def _is_foreign(value: Any) -> bool:
    """Whether another type shall answer: a Tensor, which is made of traced arrays itself."""
    return not isinstance(value, Traced) and hasattr(type(value), "__array_ufunc__") and not (
        isinstance(value, (np.ndarray, np.generic))
    )


# --- ufuncs -----------------------------------------------------------------------------------


def ufunc_call(
    recorder: Recorder, ufunc: np.ufunc, method: str, inputs: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    """What ``ufunc`` or a method of it gives, as recorded calls."""
    if any(_is_foreign(each) for each in inputs):
        return NotImplemented
    if method == "reduce":
        return reduce(recorder, ufunc, *inputs, **kwargs)
    if method == "accumulate":
        return accumulate(recorder, ufunc, *inputs, **kwargs)
    if method == "outer":
        a, b = (each if hasattr(each, "ndim") else np.asarray(each) for each in inputs)
        return ufunc(np.reshape(a, a.shape + (1,) * b.ndim), b)
    if method == "at" and ufunc in (np.add, np.subtract):
        target, index, value = inputs
        return add_at(recorder, target, index, value if ufunc is np.add else -value)
    if method != "__call__" or set(kwargs) - {"out"}:
        options = f" with {', '.join(kwargs)}=" if method == "__call__" else f".{method}"
        raise CaptureError(f"np.{ufunc.__name__}{options} cannot be captured{_where()}")
    out = kwargs.get("out")
    if ufunc is np.matmul:
        return _matmul(recorder, *inputs, *(out or ()))
    return elementwise(recorder, ufunc, inputs, out)


# Whose results are rounded correctly, or not at all: they do not depend on how one walks.
_EXACT = frozenset(
    {
        np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.absolute,
        np.sqrt, np.square, np.reciprocal, np.maximum, np.minimum, np.fmax, np.fmin, np.sign,
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
    inputs = [np.asarray(each) if isinstance(each, (list, tuple)) else each for each in inputs]
    targets = out or (None,) * ufunc.nout
    for target in targets:
        if target is not None and not isinstance(target, Traced):
            raise CaptureError(
                f"np.{ufunc.__name__} would write to an array from outside the step, which is a "
                f"constant of the program: make it an argument, or write `z = z + t` instead of "
                f"`z += t`{_where()}"
            )
    if ufunc.signature is not None:
        raise CaptureError(f"np.{ufunc.__name__} cannot be captured{_where()}")
    with np.errstate(all="ignore"):
        expected = ufunc(*map(_array, inputs))
    if ufunc.nout == 1:
        expected = (expected,)
    kinds = tuple(
        type(each) if type(each) in (int, float) else np.asarray(_array(each)).dtype
        for each in inputs
    )
    dtypes = ufunc.resolve_dtypes(kinds + (None,) * ufunc.nout)
    types = "".join(each.char for each in dtypes)
    types = f"{types[: ufunc.nin]}->{types[ufunc.nin :]}"
    function = _doorway.ufunc_loop(ufunc, types)
    if function is None:
        raise CaptureError(f"np.{ufunc.__name__} has no loop in C for {types}{_where()}")
    held = [
        recorder.plain(each, dtype)
        for each, dtype in zip(inputs, dtypes[: ufunc.nin], strict=True)
    ]
    made = []
    for target, result, dtype in zip(targets, expected, dtypes[ufunc.nin :], strict=True):
        result = np.asarray(result)
        if target is None:
            made.append(recorder.empty(result.shape, dtype, result))
            continue
        if target.shape != result.shape:
            raise ValueError(
                f"np.{ufunc.__name__}: a result of shape {result.shape} does not fit the output "
                f"of shape {target.shape}"
            )
        if not np.can_cast(dtype, target.dtype, "same_kind"):
            raise TypeError(
                f"np.{ufunc.__name__}: a result of {dtype} cannot be written to {target.dtype}"
            )
        made.append(target if target.dtype == dtype else recorder.empty(result.shape, dtype))
    held = [_apart(recorder, each, [one.array for one in made]) for each in held]
    operands = [_array(each) for each in held]
    calls = _doorway.iterated([*operands, *(each.array for each in made)], out is not None)
    if calls is None and ufunc in _EXACT:
        # NumPy copies pieces of an operand to walk further at once; the bits are the same.
        calls = _doorway.iterated(
            [*operands, *(each.array for each in made)], out is not None, False
        )
    elif calls is None:
        held = [
            recorder.copied(each, recorder.empty(made[0].shape, each.dtype, made[0].array))
            if isinstance(each, Traced)
            else np.broadcast_to(each, made[0].shape).copy()
            for each in held
        ]
        operands = [_array(each) for each in held]
        calls = _doorway.iterated([*operands, *(each.array for each in made)], out is not None)
    recorder.loop(
        ufunc.__name__, function, [*operands, *(each.array for each in made)], calls=calls
    )
    results = []
    for target, one, result in zip(targets, made, expected, strict=True):
        recorder.check(f"np.{ufunc.__name__}", one, result)
        results.append(one if target is None or target is one else recorder.copied(one, target))
    return results[0] if ufunc.nout == 1 else tuple(results)


def _apart(recorder: Recorder, operand: Any, outputs: list[Array]) -> Any:
    """The operand, or a copy of one that overlaps an output without being that very array."""
    array = _array(operand)
    for output in outputs:
        is_same = (
            array.ctypes.data == output.ctypes.data
            and array.strides == output.strides
            and array.shape == output.shape
        )
        if not is_same and np.may_share_memory(array, output):
            return recorder.copied(
                recorder.loose(array), recorder.empty(array.shape, array.dtype)
            )
    return operand


_FAST_POWERS: dict[float, np.ufunc] = {
    -1.0: np.reciprocal, 0.5: np.sqrt, 1.0: np.positive, 2.0: np.square,
}  # fmt: skip


def power(recorder: Recorder, base: Traced, exponent: Any) -> Any:
    """As ``base ** exponent`` on an ndarray, which for some exponents is another ufunc."""
    if isinstance(exponent, (int, float)) and not isinstance(exponent, bool):
        fast = _FAST_POWERS.get(float(exponent))
        if fast is not None and (base.dtype.kind == "f" or exponent == 2):
            return fast(base)
        with np.errstate(all="ignore"):
            expected = base.array**exponent
        result = np.power(base, exponent)
        recorder.check("**", result, expected)
        return result
    return np.power(base, exponent)


# --- reductions and accumulations ---------------------------------------------------------------

# What NumPy begins a reduction with; where it has nothing, with the first element.
_INITIAL: dict[np.ufunc, Any] = {
    np.add: 0, np.multiply: 1, np.logical_and: True, np.logical_or: False,
}  # fmt: skip


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
        raise CaptureError(f"np.{ufunc.__name__}.reduce with out= cannot be captured{_where()}")
    with np.errstate(all="ignore"):
        expected = np.asarray(
            ufunc.reduce(source.array, axis=axis, dtype=dtype, keepdims=keepdims)
        )
    named = range(source.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = {int(each) % max(source.ndim, 1) for each in named}
    if not axes or source.ndim == 0:
        return recorder.copied(source, recorder.empty(expected.shape, expected.dtype, expected))
    # The dtype in which is computed: that of the result, but of truth for truth.
    inner = np.dtype(bool) if ufunc in (np.logical_and, np.logical_or) else expected.dtype
    char = inner.char
    function = _doorway.ufunc_loop(ufunc, f"{char}{char}->{expected.dtype.char}")
    if function is None:
        raise CaptureError(f"np.{ufunc.__name__}.reduce has no loop for {inner}{_where()}")
    held = recorder.plain(source, inner)
    operand = _array(held)
    result = recorder.empty(expected.shape, expected.dtype, expected)
    if ufunc in _INITIAL:
        recorder.copied(np.asarray(_INITIAL[ufunc], expected.dtype), result)
        skip = 0
    else:
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
    calls = _doorway.iterated([operand, target], False, True, True, result_axes, skip)
    if calls is None:
        # NumPy's iterator copies this layout piece by piece; in C order it does not.
        return reduce(recorder, ufunc, source.copy(), axis, dtype, None, keepdims)
    binary = [([b, a, b], n, [t, s, t]) for ([a, b], n, [s, t]) in calls]
    recorder.loop(
        f"{ufunc.__name__}.reduce", function, [target, operand, target], calls=binary, shared=False
    )
    recorder.check(f"np.{ufunc.__name__}.reduce", result, expected)
    return result


def accumulate(
    recorder: Recorder, ufunc: np.ufunc, source: Any, axis: int = 0, dtype: Any = None
) -> Any:
    """Record ``ufunc.accumulate``."""
    with np.errstate(all="ignore"):
        expected = np.asarray(ufunc.accumulate(source.array, axis, dtype))
    char = expected.dtype.char
    function = _doorway.ufunc_loop(ufunc, f"{char}{char}->{char}")
    if function is None:
        raise CaptureError(f"np.{ufunc.__name__}.accumulate has no loop for {char}{_where()}")
    operand = recorder.cast(source, expected.dtype)
    result = recorder.empty(expected.shape, expected.dtype)
    ahead = [slice(None)] * source.ndim
    ahead[axis] = slice(0, 1)
    recorder.copied(operand[tuple(ahead)], result[tuple(ahead)])
    n = source.shape[axis] - 1
    x, y = operand.array, result.array
    calls = []
    if n > 0:
        for index in np.ndindex(*(1 if i == axis % x.ndim else m for i, m in enumerate(x.shape))):
            start_x = x.ctypes.data + sum(map(operator.mul, index, x.strides))
            start_y = y.ctypes.data + sum(map(operator.mul, index, y.strides))
            dx, dy = x.strides[axis], y.strides[axis]
            calls.append(([start_y, start_x + dx, start_y + dy], n, [dy, dx, dy]))
    recorder.loop(f"{ufunc.__name__}.accumulate", function, [y, x, y], calls=calls, shared=False)
    recorder.check(f"np.{ufunc.__name__}.accumulate", result, expected)
    return result


# --- matrix products -----------------------------------------------------------------------------


def _matmul(recorder: Recorder, a: Any, b: Any, out: Any = None) -> Any:
    """A kernel's call where eager code calls the kernel, else NumPy's own loop."""
    from fastnn import _kernels as k

    if out is not None:
        out[...] = _matmul(recorder, a, b)
        return out
    a, b = (each if hasattr(each, "ndim") else np.asarray(each) for each in (a, b))
    dtype = np.result_type(a.dtype, b.dtype)
    expected = np.asarray(np.matmul(_array(a), _array(b)))
    if dtype in (np.float32, np.float64) and a.ndim == 2 == b.ndim:
        x, y = (
            recorder.cast(each, dtype) if isinstance(each, Traced) else recorder.constant(each, dtype)
            for each in (a, b)
        )
        return k.matmul(x, y)
    char = expected.dtype.char
    function = _doorway.ufunc_loop(np.matmul, f"{char}{char}->{char}")
    if function is None:
        raise CaptureError(f"np.matmul has no loop in C for {expected.dtype}{_where()}")
    held = recorder.plain(a, expected.dtype), recorder.plain(b, expected.dtype)
    x, y = (_array(each) for each in held)
    result = recorder.empty(expected.shape, expected.dtype)
    z = result.array
    if x.ndim == 1:
        x, z = x[None, :], z[..., None, :]
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
            "matmul", *function, parts, [each.ctypes.data for each in parts],
            [1, m, inner, n], [0, 0, 0, *(s for each in parts for s in each.strides)], _where(),
        )  # fmt: skip
    recorder.note("matmul", (x.shape, y.shape, char))
    recorder.run(since)
    recorder.check("np.matmul", result, expected)
    return result


# --- gather and scatter -----------------------------------------------------------------------------


def _is_view_index(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or isinstance(part, (slice, int, np.integer))
        for part in parts
    )


def getitem(recorder: Recorder, x: Traced, index: Any) -> Traced:
    """A view for a basic index, else a recorded gather."""
    if _is_view_index(index):
        return x.view_of(np.asarray(x.array[index]))
    offsets = _offsets(recorder, x, index)
    result = recorder.empty(offsets.shape, x.dtype)
    _at_places(recorder, "gather", x, offsets, result.array)
    return result


def setitem(recorder: Recorder, x: Traced, index: Any, value: Any) -> None:
    """A copy into a view for a basic index, else a recorded scatter."""
    if _is_view_index(index):
        target = x.view_of(np.asarray(x.array[index]))
        if isinstance(value, Traced):
            value = _apart(recorder, value, [target.array])
        recorder.copied(value, target)
        return
    offsets = _offsets(recorder, x, index)
    held = recorder.plain(value, x.dtype)
    values = np.broadcast_to(_array(held), offsets.shape)
    _at_places(recorder, "scatter", x, offsets, values)


def add_at(recorder: Recorder, x: Any, index: Any, value: Any) -> None:
    """As ``np.add.at(x, index, value)``."""
    if not isinstance(x, Traced):
        raise CaptureError(
            "np.add.at would write to an array from outside the step, which is a constant of the "
            f"program: make it an argument{_where()}"
        )
    offsets = _offsets(recorder, x, index)
    held = recorder.plain(value, x.dtype)
    values = np.broadcast_to(_array(held), offsets.shape)
    _at_places(recorder, "scatter_add", x, offsets, values)


def _at_places(
    recorder: Recorder, name: str, x: Traced, offsets: Any, values: Array
) -> None:
    kind: Any = x.dtype.itemsize
    if name == "scatter_add":
        kind = f"{x.dtype.kind}{x.dtype.itemsize}"
    function = _doorway.OWN_LOOPS.get((name, kind))
    if function is None:
        raise CaptureError(f"{name} has no loop in C for {x.dtype}{_where()}")
    # One base for all places: an operand that does not move.
    places = offsets.array if isinstance(offsets, Traced) else offsets
    base = np.lib.stride_tricks.as_strided(x.array, places.shape, (0,) * places.ndim)
    # In C order, one by one: where a place repeats, the last or the sum counts.
    if isinstance(offsets, Traced) and not places.flags.c_contiguous:
        offsets = offsets.copy()
        places = offsets.array
    places = np.ascontiguousarray(places)
    calls = []
    if places.size:
        step = values.strides
        lead = [range(n) for n in places.shape[:-1]]
        n = places.shape[-1] if places.ndim else 1
        inner = [0, 8, step[-1] if places.ndim else 0]
        for row, index in enumerate(np.ndindex(*map(len, lead))):
            start = values.ctypes.data + sum(map(operator.mul, index, step))
            calls.append(([base.ctypes.data, places.ctypes.data + row * 8 * n, start], n, inner))
    operands = [base, places, values]
    recorder.loop(name, (function, 0), operands, calls=calls, shared=False)


def _offsets(recorder: Recorder, x: Traced, index: Any) -> Any:
    """Where each selected element lies, in bytes from the first: constant, or traced indices."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if not any(isinstance(each, Traced) for each in parts):
        strides = np.array(x.array.strides, np.int64)
        grid = np.zeros(x.shape, np.int64)
        for axis, (n, stride) in enumerate(zip(x.shape, strides, strict=True)):
            shape = [1] * x.ndim
            shape[axis] = n
            grid += (np.arange(n) * stride).reshape(shape)
        found = np.ascontiguousarray(grid[index])
        recorder.constant(found, np.int64)
        return found
    if any(isinstance(each, Traced) and each.dtype == bool for each in parts):
        raise CaptureError(
            "a boolean mask computed in the step selects a number of elements that changes: use "
            f"np.where{_where()}"
        )
    if len(parts) > x.ndim or any(
        each is None or each is Ellipsis or isinstance(each, slice) and each != slice(None)
        for each in parts
    ):
        raise CaptureError(
            "an index computed in the step can stand beside other indices and full slices, not "
            f"beside None, ... and parts of axes{_where()}"
        )
    return _traced_offsets(recorder, x, [*parts, *[slice(None)] * (x.ndim - len(parts))])


def _traced_offsets(recorder: Recorder, x: Traced, parts: list[Any]) -> Traced:
    full = [axis for axis, part in enumerate(parts) if isinstance(part, slice)]
    chosen = [axis for axis in range(x.ndim) if axis not in full]
    if chosen != list(range(chosen[0], chosen[-1] + 1)):
        raise CaptureError(f"indices on both sides of a full slice cannot be captured{_where()}")
    indices = [each if hasattr(each, "ndim") else np.asarray(each) for each in
               (parts[axis] for axis in chosen)]
    shape = np.broadcast_shapes(*(each.shape for each in indices))
    before, after = chosen[0], x.ndim - chosen[-1] - 1
    total: Any = np.zeros((1,) * (x.ndim - len(chosen) + len(shape)), np.int64)
    for axis, each in zip(chosen, indices, strict=True):
        checked = _checked(recorder, each, x.shape[axis])
        lined_up = np.reshape(checked, (1,) * (len(shape) - each.ndim) + each.shape + (1,) * after)
        total = total + lined_up * x.array.strides[axis]
    for axis in full:
        grid = np.arange(x.shape[axis], dtype=np.int64) * x.array.strides[axis]
        position = axis if axis < before else axis - len(chosen) + len(shape)
        lined = [1] * (x.ndim - len(chosen) + len(shape))
        lined[position] = -1
        total = total + grid.reshape(lined)
    wanted = (*x.shape[:before], *shape, *x.shape[chosen[-1] + 1 :])
    return recorder.copied(total, recorder.empty(wanted, np.int64))


def _checked(recorder: Recorder, index: Any, bound: int) -> Any:
    if not isinstance(index, Traced):
        return np.arange(bound)[index]
    wide = recorder.cast(index, np.dtype(np.int64))
    result = recorder.empty(wide.shape, np.int64)
    function = (_doorway.OWN_LOOPS["check_index", "i8"], 0)
    recorder.loop("check_index", function, [wide.array, result.array], shared=False, bound=bound)
    return result


# --- NumPy's functions ---------------------------------------------------------------------------


def function_call(
    recorder: Recorder, func: Callable[..., Any], args: Any, kwargs: Any
) -> Any:
    """What a function of NumPy's gives: a primitive, or one of the op table's compositions."""
    if any(_is_foreign(each) for each in _flattened((args, kwargs))):
        return NotImplemented
    primitive = PRIMITIVES.get(func)
    if primitive is not None:
        return primitive(recorder, *args, **kwargs)
    module = func.__module__.replace("numpy", "np", 1)
    name = f"{module}.{func.__name__}"
    answer = FUNCTIONS.get(func)
    if answer is not None:
        with recorder.inside(func, name):
            return answer(*args, **kwargs)
    if func in PLAIN_FUNCTIONS and func in _WITHOUT_VALUES:
        return func(
            *map(_array, args), **{key: _array(value) for key, value in kwargs.items()}
        )
    raise CaptureError(f"{name} cannot be captured: it is not made of calls in C{_where()}")


def _flattened(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return [each for part in value for each in _flattened(part)]
    if isinstance(value, dict):
        return _flattened(list(value.values()))
    return [value]


_WITHOUT_VALUES = frozenset(
    {
        np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.may_share_memory,
        np.shares_memory, np.iscomplexobj, np.isrealobj, np.zeros_like, np.ones_like,
        np.empty_like,
    }
)  # fmt: skip


def _reduction(ufunc: np.ufunc) -> Callable[..., Any]:
    def function(
        recorder: Recorder, a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False
    ) -> Any:
        return reduce(recorder, ufunc, a, axis, dtype, None, keepdims)

    return function


def _mean(
    recorder: Recorder, a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False
) -> Any:
    with np.errstate(all="ignore"):
        expected = np.mean(a.array, axis, dtype, keepdims=keepdims)
    inner = np.dtype(np.float64) if dtype is None and a.dtype.kind in "biu" else dtype
    total = reduce(recorder, np.add, a, axis, inner, None, keepdims)
    count = a.size // max(total.size, 1)
    result = np.true_divide(total, np.asarray(count, total.dtype))
    recorder.check("np.mean", result, expected)
    return result


def _var(
    recorder: Recorder, a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False
) -> Any:
    with np.errstate(all="ignore"):
        expected = np.var(a.array, axis, ddof=ddof, keepdims=keepdims)
    inner = np.dtype(np.float64) if a.dtype.kind in "biu" else None
    total = reduce(recorder, np.add, a, axis, inner, None, True)
    count = a.size // max(total.size, 1)
    centred = a - np.true_divide(total, np.asarray(count, total.dtype))
    squares = reduce(recorder, np.add, centred * centred, axis, inner, None, keepdims)
    result = np.true_divide(squares, np.asarray(max(count - ddof, 0), squares.dtype))
    recorder.check("np.var", result, expected)
    return result


def _std(recorder: Recorder, a: Any, axis: Any = None, **options: Any) -> Any:
    return np.sqrt(_var(recorder, a, axis, **options))


def _reshape(recorder: Recorder, a: Traced, /, shape: Any) -> Traced:
    """A view where NumPy gives a view, else a recorded copy."""
    view = a.array.reshape(shape)
    if np.may_share_memory(view, a.array) or view.size == 0:
        return a.view_of(view)
    copy = a.copy()
    return copy.view_of(copy.array.reshape(shape))


def _transpose(recorder: Recorder, a: Traced, axes: Any = None) -> Traced:
    return a.view_of(np.transpose(a.array, axes))


def _broadcast_to(recorder: Recorder, array: Traced, shape: Any) -> Traced:
    return array.view_of(np.broadcast_to(array.array, shape))


def _where_function(recorder: Recorder, condition: Any, x: Any = None, y: Any = None, /) -> Traced:
    if x is None or y is None:
        raise CaptureError(f"np.where of a condition alone has a size that changes{_where()}")
    with np.errstate(all="ignore"):
        expected = np.where(_array(condition), _array(x), _array(y))
    mask = condition if isinstance(condition, Traced) else np.asarray(condition)
    if mask.dtype != bool:
        mask = mask != 0
    result = recorder.empty(expected.shape, expected.dtype, expected)
    function = _doorway.OWN_LOOPS["select", result.dtype.itemsize]
    held = [
        recorder.plain(mask, np.dtype(bool)),
        recorder.plain(x, expected.dtype),
        recorder.plain(y, expected.dtype),
    ]
    recorder.loop("where", (function, 0), [*map(_array, held), result.array])
    recorder.check("np.where", result, expected)
    return result


def _concatenate(recorder: Recorder, arrays: Any, /, axis: int | None = 0) -> Traced:
    arrays = [each if hasattr(each, "ndim") else np.asarray(each) for each in arrays]
    if axis is None:
        arrays, axis = [np.reshape(each, -1) for each in arrays], 0
    expected = np.concatenate([_array(each) for each in arrays], axis)
    result = recorder.empty(expected.shape, expected.dtype)
    start = 0
    for each in arrays:
        end = start + each.shape[axis]
        index = (slice(None),) * (axis % expected.ndim) + (slice(start, end),)
        recorder.copied(each, result[index])
        start = end
    return result


def _copy(recorder: Recorder, a: Traced) -> Traced:
    return a.copy(order="K")


def _accumulation(ufunc: np.ufunc) -> Callable[..., Any]:
    def function(recorder: Recorder, a: Any, axis: int | None = None) -> Any:
        if axis is None:
            a, axis = np.reshape(a, -1), 0
        return accumulate(recorder, ufunc, a, axis)

    return function


def _dot(recorder: Recorder, a: Any, b: Any) -> Any:
    from fastnn.ops.contractions import dot

    a, b = (each if hasattr(each, "ndim") else np.asarray(each) for each in (a, b))
    if 0 < a.ndim <= 2 and 0 < b.ndim <= 2:
        return _matmul(recorder, a, b)
    return dot(a, b)


def _triangle(keeps: Callable[..., Any]) -> Callable[..., Any]:
    def function(recorder: Recorder, m: Any, k: int = 0) -> Any:
        return np.where(keeps(np.ones(m.shape[-2:], bool), k), m, np.zeros(1, m.dtype))

    return function


def _clip(recorder: Recorder, a: Any, low: Any = None, high: Any = None, **bounds: Any) -> Any:
    low, high = bounds.get("min", low), bounds.get("max", high)
    if low is not None:
        a = np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


def _round(recorder: Recorder, a: Any, decimals: int = 0) -> Any:
    if decimals:
        scale = 10.0 ** abs(decimals)
        expected = np.round(a.array, decimals)
        scaled = np.rint(a * scale if decimals > 0 else a / scale)
        result = scaled / scale if decimals > 0 else scaled * scale
        recorder.check("np.round", result, expected)
        return result
    return np.rint(a)


def _pad(recorder: Recorder, array: Any, pad_width: Any, mode: Any = "constant", **kw: Any) -> Any:
    if mode != "constant":
        return FUNCTIONS[np.pad](array, pad_width, mode, **kw)
    expected = np.pad(array.array, pad_width, mode, **kw)
    # The constants around it, as NumPy pads them, and the values in their midst.
    around = np.pad(np.zeros(array.shape, array.dtype), pad_width, mode, **kw)
    result = recorder.copied(around, recorder.empty(expected.shape, expected.dtype))
    pairs = np.broadcast_to(np.asarray(pad_width), (array.ndim, 2))
    inside = tuple(
        slice(int(before), int(before) + n) for (before, _), n in zip(pairs, array.shape, strict=True)
    )
    recorder.copied(array, result[inside])
    return result


PRIMITIVES: dict[Callable[..., Any], Callable[..., Any]] = {
    np.sum: _reduction(np.add),
    np.prod: _reduction(np.multiply),
    np.max: _reduction(np.maximum),
    np.amax: _reduction(np.maximum),
    np.min: _reduction(np.minimum),
    np.amin: _reduction(np.minimum),
    np.all: _reduction(np.logical_and),
    np.any: _reduction(np.logical_or),
    np.mean: _mean,
    np.var: _var,
    np.std: _std,
    np.cumsum: _accumulation(np.add),
    np.cumprod: _accumulation(np.multiply),
    np.reshape: _reshape,
    np.transpose: _transpose,
    np.broadcast_to: _broadcast_to,
    np.where: _where_function,
    np.concatenate: _concatenate,
    np.copy: _copy,
    np.dot: _dot,
    np.tril: _triangle(np.tril),
    np.triu: _triangle(np.triu),
    np.clip: _clip,
    np.round: _round,
    np.around: _round,
    np.pad: _pad,
}
