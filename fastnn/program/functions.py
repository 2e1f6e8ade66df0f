"""NumPy's functions on traced arrays.

What is not here is a composition of rows and functions of the op table; a function that is
neither cannot be captured.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._kernels import _doorway
from fastnn.ops.op import answer_to
from fastnn.ops.plain import PLAIN_FUNCTIONS
from fastnn.program import composed
from fastnn.program.errors import CaptureError
from fastnn.program.traced import Traced, array_of, is_foreign
from fastnn.program.ufuncs import accumulate, matrix_product, reduce
from fastnn.program.where import where

if TYPE_CHECKING:
    from fastnn.program.recorder import Recorder


def function_call(recorder: Recorder, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """What a function of NumPy's gives: a primitive, or one of the op table's compositions."""
    operands = _flattened((args, kwargs))
    if any(map(is_foreign, operands)):
        return NotImplemented
    if func in _WITHOUT_VALUES and func in PLAIN_FUNCTIONS:
        return func(*map(array_of, args), **{key: array_of(value) for key, value in kwargs.items()})
    if any(map(_is_function, operands)):
        answer = answer_to(func)
        if answer is not None:
            # The calls that the function makes are the step's.
            return _composed(recorder, func, answer, args, kwargs)
    return recorder.call(func.__name__, _function_call, func, args, kwargs)


def _function_call(recorder: Recorder, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    primitive = PRIMITIVES.get(func)
    if primitive is not None:
        _refuse_others(primitive, len(args) + 1, kwargs, func)
        return primitive(recorder, *args, **kwargs)
    answer = answer_to(func)
    if answer is not None:
        return _composed(recorder, func, answer, args, kwargs)
    raise CaptureError(
        f"{_name_of(func)} cannot be captured: it is not made of calls in C{where()}"
    )


def _composed(
    recorder: Recorder, func: Callable[..., Any], answer: Callable[..., Any], args: Any, kwargs: Any
) -> Any:
    _refuse_others(answer, len(args), kwargs, func)
    with recorder.inside(func, _name_of(func)):
        found = answer(*args, **kwargs)
    return _as_numpy_gives(recorder, found, func, args, kwargs)


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, (np.ufunc, type))


def _as_numpy_gives(
    recorder: Recorder, found: Any, func: Callable[..., Any], args: Any, kwargs: Any
) -> Any:
    """What a composition gives: a copy where NumPy gives one, and in its memory order."""
    options = {key: _plain(value) for key, value in kwargs.items()}
    expected = recorder.by_numpy(func, *_plain(args), **options)
    given = [each.array for each in _flattened((args, kwargs)) if isinstance(each, Traced)]

    def as_expected(one: Any, other: Any) -> Any:
        if isinstance(one, (list, tuple)):
            return type(one)([as_expected(*pair) for pair in zip(one, other, strict=True)])
        if not isinstance(one, Traced):
            return one
        if _shares(one.array, given) and not _shares(other, given):
            one = one.copy()
        return recorder.laid_out(one, other) if isinstance(other, np.ndarray) else one

    return as_expected(found, expected)


def _shares(array: Any, given: list[Any]) -> bool:
    return any(np.may_share_memory(array, each) for each in given)


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)([_plain(each) for each in value])
    return array_of(value)


def _name_of(func: Callable[..., Any]) -> str:
    return f"{func.__module__.replace('numpy', 'np', 1)}.{func.__name__}"


def _refuse_others(function: Any, count: int, kwargs: Any, func: Callable[..., Any]) -> None:
    """Raise for an argument of NumPy's ``func`` that the function does not take."""
    if not _takes(function, count, tuple(kwargs)):
        known = [each for each in inspect.signature(function).parameters if each != "recorder"]
        raise CaptureError(
            f"{_name_of(func)} cannot be captured with these arguments, only with "
            f"{', '.join(known)}{where()}"
        )


@cache
def _takes(function: Any, count: int, names: tuple[str, ...]) -> bool:
    """Whether a function takes so many arguments by position, and these by name."""
    try:
        inspect.signature(function).bind(*[None] * count, **dict.fromkeys(names))
    except TypeError:
        return False
    return True


def _flattened(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    elif not isinstance(value, (list, tuple)):
        return [value]
    found = []
    for part in value:
        if isinstance(part, (list, tuple, dict)):
            found += _flattened(part)
        else:
            found.append(part)
    return found


_WITHOUT_VALUES = frozenset(
    {
        np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.may_share_memory,
        np.shares_memory, np.iscomplexobj, np.isrealobj,
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
    expected = recorder.by_numpy(np.mean, a, axis, dtype, keepdims=keepdims)
    inner = np.dtype(np.float64) if dtype is None and a.dtype.kind in "biu" else dtype
    total = reduce(recorder, np.add, a, axis, inner, None, keepdims)
    count = a.size // max(total.size, 1)
    result = np.true_divide(total, np.asarray(count, total.dtype))
    recorder.check("np.mean", result, expected)
    return result


def _var(
    recorder: Recorder, a: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False
) -> Any:
    expected = recorder.by_numpy(np.var, a, axis, ddof=ddof, keepdims=keepdims)
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


def _reshape(recorder: Recorder, a: Traced, /, shape: Any) -> Any:
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
        raise CaptureError(f"np.where of a condition alone has a size that changes{where()}")
    expected = recorder.by_numpy(np.where, condition, x, y)
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
    operands = [*map(array_of, held), result.array]
    calls = list(_doorway.iterated(operands, False, False))
    recorder.loop("where", (function, 0), operands, calls=calls)
    recorder.check("np.where", result, expected)
    return result


def _concatenate(recorder: Recorder, arrays: Any, /, axis: int | None = 0) -> Traced:
    arrays = [each if hasattr(each, "ndim") else np.asarray(each) for each in arrays]
    if axis is None:
        arrays, axis = [np.reshape(each, -1) for each in arrays], 0
    expected = np.concatenate([array_of(each) for each in arrays], axis)
    result = recorder.empty(expected.shape, expected.dtype, expected)
    start = 0
    for each in arrays:
        end = start + each.shape[axis]
        index = (slice(None),) * (axis % expected.ndim) + (slice(start, end),)
        recorder.copied(each, result[index])
        start = end
    return result


def _filled_like(like: Callable[..., Any]) -> Callable[..., Any]:
    def function(recorder: Recorder, prototype: Any, *args: Any, **options: Any) -> Any:
        if any(isinstance(each, Traced) for each in args):  # full_like of a computed value
            result = np.empty_like(prototype, *args[1:], **options)
            result[...] = args[0]
            return result
        made = like(array_of(prototype), *args, **options)
        return recorder.copied(made, recorder.empty(made.shape, made.dtype, made))

    return function


def _copy(recorder: Recorder, a: Traced) -> Any:
    return a.copy(order="K")


def _accumulation(ufunc: np.ufunc) -> Callable[..., Any]:
    def function(recorder: Recorder, a: Any, axis: int | None = None, dtype: Any = None) -> Any:
        if axis is None:
            a, axis = np.reshape(a, -1), 0
        return accumulate(recorder, ufunc, a, axis, dtype)

    return function


def _dot(recorder: Recorder, a: Any, b: Any) -> Any:
    a, b = (each if hasattr(each, "ndim") else np.asarray(each) for each in (a, b))
    if 0 < a.ndim <= 2 and 0 < b.ndim <= 2:
        return matrix_product(recorder, a, b)
    from fastnn.ops.contractions import dot

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
        expected = recorder.by_numpy(np.round, a, decimals)
        scaled = np.rint(a * scale if decimals > 0 else a / scale)
        result = scaled / scale if decimals > 0 else scaled * scale
        recorder.check("np.round", result, expected)
        return result
    return np.rint(a)


def _pad(recorder: Recorder, array: Any, pad_width: Any, mode: Any = "constant", **kw: Any) -> Any:
    expected = np.pad(array.array, pad_width, mode, **kw)
    if mode != "constant":
        from fastnn.ops.arrangement import pad

        return recorder.laid_out(pad(array, pad_width, mode, **kw), expected)
    # The constants around it, as NumPy pads them, and the values in their midst.
    around = np.pad(np.zeros_like(array.array), pad_width, mode, **kw)
    result = recorder.copied(around, recorder.empty(expected.shape, expected.dtype, expected))
    pairs = np.broadcast_to(np.asarray(pad_width), (array.ndim, 2))
    inside = tuple(
        slice(int(before), int(before) + n)
        for (before, _), n in zip(pairs, array.shape, strict=True)
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
    np.argmax: composed.first_extreme(np.max),
    np.argmin: composed.first_extreme(np.min),
    np.nan_to_num: composed.nan_to_num,
    np.average: composed.average,
    np.linalg.norm: composed.norm,
    np.zeros_like: _filled_like(np.zeros_like),
    np.ones_like: _filled_like(np.ones_like),
    np.empty_like: _filled_like(np.zeros_like),
    np.full_like: _filled_like(np.full_like),
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
