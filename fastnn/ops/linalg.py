"""Rows of numpy.linalg, on stacks of matrices as NumPy's.

Source: M. B. Giles, "An extended collection of matrix derivative results for forward and
reverse mode algorithmic differentiation" (2008).  Functions of symmetric matrices
(cholesky, eigh) read one triangle; their gradient is that of the symmetric matrix, shared
equally by both triangles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.ops.op import Op, implements, plain


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
    return np.linalg.slogdet(plain(a)).sign, logabsdet(a)


# --- systems --------------------------------------------------------------------------


def _solve_by_b(g: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return np.linalg.solve(_T(a), g[..., None])[..., 0]
    return np.linalg.solve(_T(a), g)


def _solve_by_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    by_b = _solve_by_b(g, a, b)
    if b.ndim == 1:
        return -by_b[..., None] * y[..., None, :]
    return -np.matmul(by_b, _T(y))


solve = Op(
    "solve",
    np.linalg.solve,
    lambda g, y, a, b: _solve_by_a(g, y, a, b),
    lambda g, _y, a, b: _solve_by_b(g, a, b),
    broadcasts=True,
)


@implements(np.linalg.solve)
def numpy_solve(a: Any, b: Any) -> Any:
    """As ``numpy.linalg.solve``."""
    a, b = (each if hasattr(each, "ndim") else np.asarray(each) for each in (a, b))
    return solve(a, b)


# --- factorizations -------------------------------------------------------------------


def _symmetric(x: Any) -> Any:
    return (x + _T(x)) / 2


def _cholesky_backward(g: Any, y: Any, _x: Any) -> Any:
    halved = np.tril(np.matmul(_T(y), g)) * (1 - 0.5 * np.eye(y.shape[-1], dtype=y.dtype))
    inverse = np.linalg.inv(y)
    return _symmetric(np.matmul(np.matmul(_T(inverse), halved), inverse))


cholesky = Op("cholesky", np.linalg.cholesky, _cholesky_backward)


@implements(np.linalg.cholesky)
def numpy_cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """As ``numpy.linalg.cholesky``."""
    return _T(cholesky(a)) if upper else cholesky(a)


def _eigh(x: Any, uplo: Any) -> Any:
    values, vectors = np.linalg.eigh(x, uplo)
    return np.concatenate([values[..., None, :], vectors], axis=-2)


def _eigh_backward(g: Any, y: Any, _x: Any, _uplo: str) -> Any:
    by_values, by_vectors = g[..., 0, :], g[..., 1:, :]
    values, vectors = y[..., 0, :], y[..., 1:, :]
    turned = np.matmul(_T(vectors), by_vectors)
    turned = (turned - _T(turned)) / 2
    gaps = values[..., None, :] - values[..., :, None]
    # Within equal eigenvalues a function may not depend on the choice of vectors: 0 / 0.
    turned = turned / np.where((turned == 0) & (gaps == 0), 1, gaps)
    middle = turned + by_values[..., None, :] * np.eye(values.shape[-1], dtype=y.dtype)
    return _symmetric(np.matmul(np.matmul(vectors, middle), _T(vectors)))


# Eigenvalues as the first row, and below them the eigenvectors.
eigh = Op("eigh", _eigh, _eigh_backward)


@implements(np.linalg.eigh)
def numpy_eigh(a: Any, UPLO: str = "L") -> Any:
    """As ``numpy.linalg.eigh``: (eigenvalues, eigenvectors)."""
    both = eigh(a, UPLO)
    return _EighResult(both[..., 0, :], both[..., 1:, :])


_EighResult = type(np.linalg.eigh(np.eye(1)))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """As ``numpy.linalg.eigvalsh``."""
    return eigh(a, UPLO)[..., 0, :]


# --- norms ----------------------------------------------------------------------------


def _singular_backward(g: Any, _y: Any, x: Any) -> Any:
    u, _, vt = np.linalg.svd(x, full_matrices=False)
    return np.matmul(u * g[..., None, :], vt)


singular_values = Op(
    "singular values", lambda x: np.linalg.svd(x, compute_uv=False), _singular_backward
)


def _norm_backward(g: Any, y: Any, x: Any, order: Any, axis: Any, keepdims: bool) -> Any:
    if axis is not None and not keepdims:
        g, y = np.expand_dims(g, axis), np.expand_dims(y, axis)
    # At the origin, where the slope is undefined, 0 as for abs.
    y = np.where(y == 0, 1, y)
    if order == 2:
        return g * (x / y)
    return g * np.sign(x) * (np.abs(x) / y) ** (order - 1)


# Arguments: x, the order p, one axis, several or None, and keepdims; (sum |x|**p)**(1/p).
norm = Op(
    "norm",
    lambda x, order, axis, keep: np.linalg.norm(
        x, None if order == 2 else order, axis, keepdims=keep
    ),
    _norm_backward,
)


@implements(np.linalg.norm)
def numpy_norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """As ``numpy.linalg.norm``, of every order."""
    if ord is None:
        return norm(x, 2, axis, keepdims)
    if axis is None:
        if x.ndim not in (1, 2):
            raise ValueError(f"norm of order {ord} wants 1 or 2 axes, got shape {x.shape}")
        axis = tuple(range(x.ndim))
    axes = tuple(int(each) % x.ndim for each in np.atleast_1d(axis))
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    return _vector_norm(x, ord, axes[0], keepdims)


def _vector_norm(x: Any, order: Any, axis: int, keepdims: bool) -> Any:
    if order == 0:
        return np.linalg.norm(plain(x), 0, axis, keepdims)
    if order in (np.inf, -np.inf):
        extreme = np.max if order > 0 else np.min
        return extreme(np.abs(x), axis=axis, keepdims=keepdims)
    if isinstance(order, str):
        raise ValueError(f"norm of order {order!r} wants 2 axes, got 1")
    return norm(x, order, axis, keepdims)


def _matrix_norm(x: Any, order: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    rows, columns = axes
    if order in ("fro", "f"):
        return norm(x, 2, axes, keepdims)
    if order in (1, -1, np.inf, -np.inf):
        over, then = (rows, columns) if abs(order) == 1 else (columns, rows)
        extreme = np.max if order > 0 else np.min
        found = extreme(np.sum(np.abs(x), axis=over, keepdims=True), axis=then, keepdims=True)
    elif order in (2, -2, "nuc"):
        s = singular_values(np.moveaxis(x, axes, (-2, -1)))
        total = np.sum if order == "nuc" else np.max if order == 2 else np.min
        found = np.expand_dims(total(s, axis=-1), axes)
    else:
        raise ValueError(f"norm: there is no matrix norm of order {order!r}")
    return found if keepdims else np.squeeze(found, axes)


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """As ``numpy.linalg.vector_norm``."""
    if axis is None:
        flat = _vector_norm(np.reshape(x, -1), ord, 0, False)
        return np.reshape(flat, (1,) * x.ndim) if keepdims else flat
    axes = tuple(int(each) % x.ndim for each in np.atleast_1d(axis))
    if len(axes) == 1:
        return _vector_norm(x, ord, axes[0], keepdims)
    rest = [each for each in range(x.ndim) if each not in axes]
    flat = np.reshape(np.transpose(x, [*rest, *axes]), (*(x.shape[each] for each in rest), -1))
    found = _vector_norm(flat, ord, -1, False)
    return np.expand_dims(found, axes) if keepdims else found


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """As ``numpy.linalg.matrix_norm``."""
    return _matrix_norm(x, ord, (x.ndim - 2, x.ndim - 1), keepdims)
