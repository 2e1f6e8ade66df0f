"""Rows of numpy.linalg's factorizations, on stacks of matrices as NumPy's.

Functions of symmetric matrices (cholesky, eigh) read one triangle; their gradient is that of
the symmetric matrix, shared equally by both triangles.  Gradients by eigenvectors and singular
vectors exist where their values differ.

Source: M. B. Giles, "An extended collection of matrix derivative results for forward and
reverse mode algorithmic differentiation" (2008); J. Townsend, "Differentiating the singular
value decomposition" (2016).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.ops.op import Op, implements


def _T(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


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


def _turned(vectors: Any, by_vectors: Any, values: Any) -> Any:
    """How much the vectors want to turn into each other, over the gaps between their values."""
    turned = np.matmul(_T(vectors), by_vectors)
    turned = turned - _T(turned)
    gaps = values[..., None, :] - values[..., :, None]
    # Within equal values a function may not depend on the choice of vectors: 0 / 0.
    return turned / np.where((turned == 0) & (gaps == 0), 1, gaps)


def _diagonal(values: Any) -> Any:
    return values[..., None, :] * np.eye(values.shape[-1], dtype=values.dtype)


def _eigh(x: Any, uplo: Any) -> Any:
    values, vectors = np.linalg.eigh(x, uplo)
    return np.concatenate([values[..., None, :], vectors], axis=-2)


def _eigh_backward(g: Any, y: Any, _x: Any, _uplo: str) -> Any:
    by_values, by_vectors = g[..., 0, :], g[..., 1:, :]
    values, vectors = y[..., 0, :], y[..., 1:, :]
    middle = _turned(vectors, by_vectors, values) / 2 + _diagonal(by_values)
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


# --- singular values ------------------------------------------------------------------


def _svd(x: Any) -> Any:
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    return np.concatenate([s[..., None, :], u, _T(vt)], axis=-2)


def _svd_backward(g: Any, y: Any, _x: Any) -> Any:
    m, n = _x.shape[-2:]
    by_s, by_u, by_v = g[..., 0, :], g[..., 1 : m + 1, :], g[..., m + 1 :, :]
    s, u, v = y[..., 0, :], y[..., 1 : m + 1, :], y[..., m + 1 :, :]
    middle = _turned(u, by_u, s * s) * s[..., None, :] + s[..., None] * _turned(v, by_v, s * s)
    found = np.matmul(np.matmul(u, middle + _diagonal(by_s)), _T(v))
    # What leaves the space that the vectors span, of the longer ones.
    inverse = 1 / np.where(s == 0, 1, s)[..., None, :]
    if m > n:
        outside = by_u - np.matmul(u, np.matmul(_T(u), by_u))
        found = found + np.matmul(outside * inverse, _T(v))
    if n > m:
        outside = by_v - np.matmul(v, np.matmul(_T(v), by_v))
        found = found + np.matmul(u, _T(outside * inverse))
    return found


# Singular values as the first row, below them the left vectors, and then the right ones.
svd = Op("svd", _svd, _svd_backward)


def _singular_backward(g: Any, _y: Any, x: Any) -> Any:
    u, _, vt = np.linalg.svd(x, full_matrices=False)
    return np.matmul(u * g[..., None, :], vt)


singular_values = Op(
    "singular values", lambda x: np.linalg.svd(x, compute_uv=False), _singular_backward
)


@implements(np.linalg.svd)
def numpy_svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """As ``numpy.linalg.svd``: (U, S, Vh).

    Raises:
        TypeError: all vectors of a matrix that is not square are wanted: those beyond the
            singular values have no derivative.
    """
    if not compute_uv:
        return singular_values(a)
    m, n = a.shape[-2:]
    if full_matrices and m != n:
        raise TypeError(
            f"np.linalg.svd of a fastnn Tensor of shape {a.shape} wants full_matrices=False"
        )
    all_three = svd(a)
    s, u, v = all_three[..., 0, :], all_three[..., 1 : m + 1, :], all_three[..., m + 1 :, :]
    return _SVDResult(u, s, _T(v))


_SVDResult = type(np.linalg.svd(np.eye(1)))


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """As ``numpy.linalg.svdvals``."""
    return singular_values(x)
