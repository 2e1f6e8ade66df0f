"""Products with sums over some axes, made of the matrix multiply, and einsum."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from fastnn.ops.elementwise import multiply
from fastnn.ops.indexing import scatter
from fastnn.ops.op import METHODS, Op, as_array, implements, newer
from fastnn.ops.products import matmul
from fastnn.ops.shapes import axes_of


@implements(np.tensordot, np.linalg.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """As ``numpy.tensordot``: one matrix multiply."""
    a, b = as_array(a), as_array(b)
    if np.ndim(axes) == 0:
        axes = range(-axes, 0), range(axes)
    over_a, over_b = (
        [*axes_of(tuple(int(i) for i in np.atleast_1d(each)), array.ndim)]
        for each, array in zip(axes, (a, b), strict=True)
    )
    lengths = [a.shape[i] for i in over_a]
    if lengths != [b.shape[i] for i in over_b]:
        raise ValueError(
            f"tensordot wants equal lengths along the summed axes, got {tuple(lengths)} and "
            f"{tuple(b.shape[i] for i in over_b)}"
        )
    free_a = [i for i in range(a.ndim) if i not in over_a]
    free_b = [i for i in range(b.ndim) if i not in over_b]
    inner = int(np.prod(lengths, dtype=np.intp))
    shape_a, shape_b = [a.shape[i] for i in free_a], [b.shape[i] for i in free_b]
    left = np.reshape(
        np.transpose(a, free_a + over_a), (int(np.prod(shape_a, dtype=np.intp)), inner)
    )
    right = np.reshape(
        np.transpose(b, over_b + free_b), (inner, int(np.prod(shape_b, dtype=np.intp)))
    )
    return np.reshape(matmul(left, right), shape_a + shape_b)


@implements(np.dot)
def dot(a: Any, b: Any) -> Any:
    """As ``numpy.dot``."""
    a, b = as_array(a), as_array(b)
    if 0 in (a.ndim, b.ndim):
        return multiply(a, b)
    if a.ndim <= 2 and b.ndim <= 2:
        return matmul(a, b)
    return tensordot(a, b, (-1, -2 if b.ndim > 1 else -1))


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """As ``numpy.inner``."""
    a, b = as_array(a), as_array(b)
    if 0 in (a.ndim, b.ndim):
        return multiply(a, b)
    return tensordot(a, b, (-1, -1))


@implements(np.outer)
def outer(a: Any, b: Any) -> Any:
    """As ``numpy.outer``."""
    return multiply(np.reshape(a, (-1, 1)), np.reshape(b, (1, -1)))


@implements(np.linalg.outer)
def linalg_outer(x1: Any, x2: Any, /) -> Any:
    """As ``numpy.linalg.outer``."""
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ValueError(f"outer wants two rows, got {np.shape(x1)} and {np.shape(x2)}")
    return outer(x1, x2)


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """As ``numpy.vdot``."""
    return matmul(np.reshape(a, -1), np.reshape(b, -1))


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """As ``numpy.kron``."""
    a, b = as_array(a), as_array(b)
    ndim = max(a.ndim, b.ndim)
    shape_a = (1,) * (ndim - a.ndim) + a.shape
    shape_b = (1,) * (ndim - b.ndim) + b.shape
    wide = multiply(
        np.reshape(a, [length for n in shape_a for length in (n, 1)]),
        np.reshape(b, [length for n in shape_b for length in (1, n)]),
    )
    return np.reshape(wide, [n * m for n, m in zip(shape_a, shape_b, strict=True)])


@implements(np.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """As ``numpy.cross``, of vectors of three components."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(as_array(a), axisa, -1), np.moveaxis(as_array(b), axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ValueError(
            f"cross wants vectors of 3 components, got {a.shape[-1]} and {b.shape[-1]}"
        )
    (a0, a1, a2), (b0, b1, b2) = ([each[..., i] for i in range(3)] for each in (a, b))
    parts = [a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0]
    return np.moveaxis(np.stack(parts, axis=-1), -1, axisc)


@implements(np.linalg.cross)
def linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """As ``numpy.linalg.cross``."""
    return cross(x1, x2, axis=axis)


@implements(np.linalg.matmul)
def linalg_matmul(x1: Any, x2: Any, /) -> Any:
    """As ``numpy.linalg.matmul``."""
    return matmul(x1, x2)


@implements(np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """As ``numpy.linalg.vecdot`` and ``numpy.vecdot``."""
    x1, x2 = (np.moveaxis(as_array(each), axis, -1) for each in (x1, x2))
    return matmul(x1[..., None, :], x2[..., None])[..., 0, 0]


def matvec(x1: Any, x2: Any, /) -> Any:
    """As ``numpy.matvec``."""
    return matmul(x1, as_array(x2)[..., None])[..., 0]


def vecmat(x1: Any, x2: Any, /) -> Any:
    """As ``numpy.vecmat``."""
    return matmul(as_array(x1)[..., None, :], x2)[..., 0, :]


# Ufuncs of matrices and vectors, as far as this version of NumPy has them.
METHODS.update(
    ((ufunc, "__call__"), function)
    for name, function in (("vecdot", vecdot), ("matvec", matvec), ("vecmat", vecmat))
    for ufunc in newer(name)
)


# --- einsum ---------------------------------------------------------------------------


def _sum_over_products(optimize: Any, inputs: tuple[str, ...], output: str, *operands: Any) -> Any:
    return np.einsum(f"{','.join(inputs)}->{output}", *operands, optimize=optimize)


def _einsum_backward(
    g: Any,
    _y: Any,
    needs: Any,
    optimize: Any,
    inputs: tuple[str, ...],
    output: str,
    *operands: Any,
) -> tuple[Any, ...]:
    """For each operand, the sum over the products of g with all the others."""
    sizes = {
        letter: length
        for letters, operand in zip(inputs, operands, strict=True)
        for letter, length in zip(letters, operand.shape, strict=True)
    }
    parts: list[Any] = [None, None, None]
    for i, operand in enumerate(operands):
        if not needs[i + 3]:
            parts.append(None)
            continue
        distinct = "".join(dict.fromkeys(inputs[i]))
        others = [each for j, each in enumerate(operands) if j != i]
        of_others = tuple(each for j, each in enumerate(inputs) if j != i)
        known = set(output).union(*of_others)
        there = "".join(letter for letter in distinct if letter in known)
        part = _einsum(optimize, (output, *of_others), there, g, *others)
        # What was summed over in this operand alone is constant along that axis.
        part = np.reshape(part, [sizes[each] if each in known else 1 for each in distinct])
        part = np.broadcast_to(part, [sizes[letter] for letter in distinct])
        if len(distinct) < len(inputs[i]):  # a diagonal
            index = np.ix_(*(np.arange(sizes[letter]) for letter in distinct))
            where = tuple(index[distinct.index(letter)] for letter in inputs[i])
            part = scatter(part, where, operand.shape)
        parts.append(part)
    return tuple(parts)


class _Multilinear(Op):
    """An op whose derivative by an operand reads the others, and not the operand itself."""

    __slots__ = ()

    def reads(self, position: int, what: int) -> bool:
        return what != position and super().reads(position, what)


# Arguments: NumPy's optimize, the subscripts of the operands and of the result, operands.
_einsum = _Multilinear("einsum", _sum_over_products, joint=_einsum_backward)


@implements(np.einsum)
def einsum(*args: Any, optimize: Any = False) -> Any:
    """As ``numpy.einsum``, in both of its notations, of any number of operands."""
    subscripts, operands = _in_letters(args)
    inputs, output = _explicit(subscripts, [operand.ndim for operand in operands])
    inputs, operands = _without_stretched(inputs, operands)
    return _einsum(optimize, inputs, output, *operands)


def _without_stretched(
    inputs: tuple[str, ...], operands: list[Any]
) -> tuple[tuple[str, ...], list[Any]]:
    """Each operand without its axes of length 1 that broadcast: they select nothing."""
    longer = {
        letter
        for letters, operand in zip(inputs, operands, strict=True)
        for letter, length in zip(letters, operand.shape, strict=True)
        if length != 1
    }
    kept_inputs, kept_operands = [], []
    for letters, operand in zip(inputs, operands, strict=True):
        kept = [
            (letter, length)
            for letter, length in zip(letters, operand.shape, strict=True)
            if length != 1 or letter not in longer
        ]
        kept_inputs.append("".join(letter for letter, _ in kept))
        if len(kept) < operand.ndim:
            operand = np.reshape(operand, [length for _, length in kept])
        kept_operands.append(operand)
    return tuple(kept_inputs), kept_operands


_LETTERS = string.ascii_letters


def _in_letters(args: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """Subscripts as text, also where they were given as lists of numbers."""
    if isinstance(args[0], str):
        return args[0].replace(" ", ""), [as_array(each) for each in args[1:]]

    def letters(numbers: Any) -> str:
        return "".join("..." if each is Ellipsis else _LETTERS[each] for each in numbers)

    pairs = len(args) // 2
    text = ",".join(letters(args[2 * i + 1]) for i in range(pairs))
    if len(args) % 2:
        text += "->" + letters(args[-1])
    return text, [as_array(args[2 * i]) for i in range(pairs)]


def _explicit(subscripts: str, dimensions: list[int]) -> tuple[tuple[str, ...], str]:
    """One letter an axis, also for what an ellipsis stands for, and the result named.

    Raises:
        ValueError: the subscripts do not fit the operands.
    """
    text, arrow, output = subscripts.partition("->")
    inputs = text.split(",")
    if len(inputs) != len(dimensions):
        raise ValueError(
            f"einsum: {subscripts!r} names {len(inputs)} operands, got {len(dimensions)}"
        )
    free = [letter for letter in _LETTERS if letter not in subscripts]
    hidden = [
        ndim - len(each.replace("...", "")) if "..." in each else 0
        for each, ndim in zip(inputs, dimensions, strict=True)
    ]
    widest = "".join(free[: max([*hidden, 0])])
    named = []
    for each, ndim, count in zip(inputs, dimensions, hidden, strict=True):
        letters = each.replace("...", widest[len(widest) - count :] if count > 0 else "")
        if len(letters) != ndim:
            raise ValueError(f"einsum: {each!r} does not fit an operand of {ndim} axes")
        named.append(letters)
    if arrow:
        result = output.replace("...", widest)
    else:
        all_letters = text.replace("...", "").replace(",", "")
        once = sorted(letter for letter in set(all_letters) if all_letters.count(letter) == 1)
        result = widest + "".join(once)
    return tuple(named), result
