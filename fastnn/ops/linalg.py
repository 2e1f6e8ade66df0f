"""Rows of numpy.linalg: inverses, determinants, systems and powers, on stacks as NumPy's.

Source: M. B. Giles, "An extended collection of matrix derivative results for forward and
reverse mode algorithmic differentiation" (2008).
"""

from __future__ import annotations

from functools import cache
from operator import index
from typing import Any

import numpy as np

from fastnn.ops.op import Op, as_array, implements, plain
from fastnn.ops.products import matmul


def _T(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


# --- inverse and determinant ----------------------------------------------------------

inv = Op("inv", np.linalg.inv, lambda g, y, _x: -np.matmul(np.matmul(_T(y), g), _T(y)))


def _cofactors(x: Any) -> Any:
    """The derivative of det by x, which exists where no inverse does."""
    u, s, vt = np.linalg.svd(x)
    one_out = np.where(np.eye(s.shape[-1], dtype=bool), 1, s[..., None, :])
    others = np.prod(one_out, axis=-1)
    sign = (np.linalg.det(u) * np.linalg.det(vt))[..., None, None]
    return sign * np.matmul(u * others[..., None, :], vt)


cofactors = Op("cofactors of a singular matrix", _cofactors)


def _det_backward(g: Any, y: Any, x: Any) -> Any:
    if np.all(y != 0):
        return (g * y)[..., None, None] * _T(np.linalg.inv(x))
    return g[..., None, None] * cofactors(x)


det = Op("det", np.linalg.det, _det_backward)

logabsdet = Op(
    "slogdet",
    lambda x: np.linalg.slogdet(x).logabsdet,
    lambda g, _y, x: g[..., None, None] * _T(np.linalg.inv(x)),
)


@implements(np.linalg.inv)
def numpy_inv(a: Any) -> Any:
    """As ``numpy.linalg.inv``."""
    return inv(a)


@implements(np.linalg.det)
def numpy_det(a: Any) -> Any:
    """As ``numpy.linalg.det``."""
    return det(a)


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> tuple[Any, Any]:
    """As ``numpy.linalg.slogdet``; the sign, which is flat, is a plain array."""
    return _SlogdetResult(np.linalg.slogdet(plain(a)).sign, logabsdet(a))


_SlogdetResult = type(np.linalg.slogdet(np.eye(1)))


# --- systems --------------------------------------------------------------------------


def _solve_by_b(g: Any, _y: Any, a: Any, _b: Any) -> Any:
    if _b.ndim == 1:
        return np.linalg.solve(_T(a), g[..., None])[..., 0]
    return np.linalg.solve(_T(a), g)


def _solve_by_a(g: Any, y: Any, a: Any, _b: Any) -> Any:
    by_b = _solve_by_b(g, y, a, _b)
    if _b.ndim == 1:
        return -by_b[..., None] * y[..., None, :]
    return -np.matmul(by_b, _T(y))


solve = Op("solve", np.linalg.solve, _solve_by_a, _solve_by_b, broadcasts=True)


@implements(np.linalg.solve)
def numpy_solve(a: Any, b: Any) -> Any:
    """As ``numpy.linalg.solve``."""
    return solve(as_array(a), as_array(b))


# Arguments: x, and the share of the largest singular value below which one counts as 0.
# Source: Golub, Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares
# problems whose variables separate" (1973); the rank must not change.
def _pinv_backward(g: Any, y: Any, x: Any, _rcond: Any) -> Any:
    left = _T(g) - np.matmul(np.matmul(x, y), _T(g))
    right = _T(g) - np.matmul(_T(g), np.matmul(y, x))
    return (
        np.matmul(np.matmul(left, y), _T(y))
        + np.matmul(np.matmul(_T(y), y), right)
        - np.matmul(np.matmul(_T(y), g), _T(y))
    )


_pinv = Op("pinv", np.linalg.pinv, _pinv_backward)


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None) -> Any:
    """As ``numpy.linalg.pinv``."""
    return _pinv(a, rcond)


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Any, Any, int, Any]:
    """As ``numpy.linalg.lstsq``: (solution, residuals, rank, singular values of a)."""
    a, b = as_array(a), as_array(b)
    dtype = np.result_type(a.dtype, b.dtype, np.float32)
    a, b = a.astype(dtype), b.astype(dtype)
    _, residuals, rank, _ = np.linalg.lstsq(plain(a), plain(b), rcond)
    if rcond is None:
        rcond = float(np.finfo(dtype).eps) * max(a.shape)
    solution = np.matmul(_pinv(a, rcond), b)
    if residuals.size:
        residuals = np.sum(np.square(b - np.matmul(a, solution)), axis=0, keepdims=b.ndim == 1)
    return solution, residuals, rank, np.linalg.svd(a, compute_uv=False)


# --- powers and chains ----------------------------------------------------------------


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """As ``numpy.linalg.matrix_power``."""
    n = index(n)
    if n == 0:
        return np.linalg.matrix_power(plain(a), 0)
    if n < 0:
        a, n = inv(a), -n
    if n == 1:
        return np.copy(a)
    half = matrix_power(a, n // 2)
    even = matmul(half, half)
    return matmul(even, a) if n % 2 else even


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any) -> Any:
    """As ``numpy.linalg.multi_dot``: multiplied in the cheapest order."""
    arrays = [as_array(each) for each in arrays]
    if len(arrays) < 2:
        raise ValueError(f"multi_dot wants 2 or more arrays, got {len(arrays)}")
    # Of the matrices' lengths, where a vector in front is a row, and one behind a column.
    lengths = [1 if arrays[0].ndim == 1 else arrays[0].shape[0]]
    lengths += [1 if each.ndim == 1 and each is arrays[-1] else each.shape[-1] for each in arrays]

    @cache
    def cheapest(first: int, last: int) -> tuple[int, int]:
        """The multiplications for arrays[first:last], and where the last product splits them."""
        if last - first == 1:
            return 0, first
        return min(
            (
                cheapest(first, split)[0]
                + cheapest(split, last)[0]
                + lengths[first] * lengths[split] * lengths[last],
                split,
            )
            for split in range(first + 1, last)
        )

    def product(first: int, last: int) -> Any:
        if last - first == 1:
            return arrays[first]
        split = cheapest(first, last)[1]
        return matmul(product(first, split), product(split, last))

    return product(0, len(arrays))
