"""Cases of numpy.linalg: single matrices, stacks of them, empty ones, and all the norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ops.harness import Case, Plain, rounded

_RNG = np.random.default_rng(11)


def of_shape(*shape: int) -> np.ndarray:
    return np.asarray(_RNG.uniform(-2, 2, shape))


SQUARE = of_shape(3, 3)
STACK = of_shape(2, 3, 3)
TALL = of_shape(4, 3)
CUBE = of_shape(2, 3, 4)
SINGULAR = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.5, 2.0]])
SQUARES = [SQUARE, STACK, of_shape(2, 1, 2, 2), of_shape(1, 1), of_shape(0, 2, 2), of_shape(0, 0)]


def _positive(x: Any) -> Any:
    """A positive definite matrix of any: NumPy reads only one triangle of what it is given."""
    return np.matmul(x, np.matrix_transpose(x)) + np.eye(x.shape[-1], dtype=x.dtype)


def _symmetric(x: Any) -> Any:
    return x + np.matrix_transpose(x)


def of_squares(f: Callable[..., Any], prepare: Callable[[Any], Any] | None = None) -> list[Case]:
    if prepare is None:
        return [rounded(f, each) for each in SQUARES]
    return [rounded(lambda x: f(prepare(x)), each) for each in SQUARES]


def _eigenvectors(x: Any, **options: Any) -> Any:
    """What does not depend on the sign that an eigenvector happens to have."""
    values, vectors = np.linalg.eigh(_symmetric(x), **options)
    projections = vectors[..., :, None, :] * vectors[..., None, :, :]
    return values, projections


def _singular_vectors(x: Any) -> Any:
    """What does not depend on the signs that singular vectors happen to have."""
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    return s, u[..., :, None, :] * np.matrix_transpose(vt)[..., None, :, :]


MATRIX_ORDERS = [None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf]
VECTOR_ORDERS = [None, 2, 1, 3, 0.5, -1, -2, np.inf, -np.inf]

_NORM = [
    *(rounded(np.linalg.norm, TALL, order) for order in MATRIX_ORDERS),
    *(rounded(np.linalg.norm, CUBE, order, (0, 2)) for order in MATRIX_ORDERS),
    *(rounded(np.linalg.norm, CUBE, order, axis=(-1, 1)) for order in MATRIX_ORDERS),
    *(
        rounded(np.linalg.norm, CUBE, ord=order, axis=(1, 0), keepdims=True)
        for order in MATRIX_ORDERS
    ),
    *(rounded(np.linalg.norm, TALL[0], order) for order in VECTOR_ORDERS),
    *(rounded(np.linalg.norm, CUBE, order, 1) for order in VECTOR_ORDERS),
    *(rounded(np.linalg.norm, CUBE, order, axis=-1, keepdims=True) for order in VECTOR_ORDERS),
    rounded(np.linalg.norm, CUBE),
    rounded(np.linalg.norm, CUBE, keepdims=True),
    rounded(np.linalg.norm, CUBE, axis=(1,)),
    rounded(np.linalg.norm, of_shape()),
]

_SOLVE = [
    rounded(np.linalg.solve, SQUARE, of_shape(3)),
    rounded(np.linalg.solve, SQUARE, of_shape(3, 2)),
    rounded(np.linalg.solve, STACK, of_shape(3, 2)),
    rounded(np.linalg.solve, STACK, of_shape(3)),
    rounded(np.linalg.solve, SQUARE, of_shape(2, 3, 2)),
    rounded(np.linalg.solve, STACK[:1], of_shape(5, 3, 1)),
    rounded(np.linalg.solve, SQUARE, Plain(of_shape(3))),
    rounded(np.linalg.solve, Plain(SQUARE), of_shape(3, 2)),
    rounded(np.linalg.solve, SQUARE, [1, 2, 3]),
    rounded(np.linalg.solve, [[2, 1], [1, 3]], of_shape(2)),
]

ROWS: dict[Any, list[Case]] = {
    np.linalg.inv: of_squares(np.linalg.inv),
    np.linalg.det: [
        *of_squares(np.linalg.det),
        rounded(np.linalg.det, SINGULAR, twice=False),
        rounded(np.linalg.det, np.stack([SINGULAR, SQUARE]), twice=False),
        rounded(np.linalg.det, np.zeros((2, 2)), twice=False),
    ],
    np.linalg.slogdet: of_squares(np.linalg.slogdet),
    np.linalg.solve: _SOLVE,
    np.linalg.cholesky: [
        *of_squares(np.linalg.cholesky, _positive),
        rounded(lambda x: np.linalg.cholesky(_positive(x), upper=True), STACK),
    ],
    np.linalg.eigh: [
        *of_squares(_eigenvectors),
        rounded(lambda x: _eigenvectors(x, UPLO="U"), SQUARE),
    ],
    np.linalg.eigvalsh: [
        *of_squares(np.linalg.eigvalsh, _symmetric),
        rounded(lambda x: np.linalg.eigvalsh(_symmetric(x), UPLO="U"), STACK),
    ],
    np.linalg.svd: [
        *(rounded(_singular_vectors, each) for each in (SQUARE, TALL, TALL.T, CUBE, STACK)),
        rounded(lambda x: np.linalg.svd(x)[1], SQUARE),
        rounded(np.linalg.svd, TALL, compute_uv=False),
        rounded(np.linalg.svd, CUBE[:0], full_matrices=False),
    ],
    np.linalg.svdvals: [rounded(np.linalg.svdvals, CUBE), rounded(np.linalg.svdvals, TALL)],
    np.linalg.pinv: [
        *(rounded(np.linalg.pinv, each) for each in (SQUARE, TALL, TALL.T, CUBE)),
        rounded(np.linalg.pinv, TALL, 1e-10),
        rounded(lambda x: np.linalg.pinv(np.outer(x, x), rcond=1e-3), TALL[0]),
    ],
    np.linalg.lstsq: [
        rounded(np.linalg.lstsq, TALL, of_shape(4)),
        rounded(np.linalg.lstsq, TALL, of_shape(4, 2)),
        rounded(np.linalg.lstsq, TALL.T, of_shape(3)),
        rounded(np.linalg.lstsq, SQUARE, of_shape(3, 2), 1e-8),
        rounded(np.linalg.lstsq, Plain(TALL), of_shape(4)),
        rounded(np.linalg.lstsq, TALL, [1, 2, 3, 4]),
    ],
    np.linalg.matrix_power: [
        *(rounded(np.linalg.matrix_power, SQUARE, n) for n in (1, 2, 3, 5, 6, -1, -3)),
        rounded(np.linalg.matrix_power, STACK, 3),
        rounded(lambda x: (x, np.linalg.matrix_power(x, 0)), SQUARE),
    ],
    np.linalg.multi_dot: [
        rounded(np.linalg.multi_dot, [TALL, SQUARE]),
        rounded(np.linalg.multi_dot, [TALL, SQUARE, of_shape(3, 2)]),
        rounded(np.linalg.multi_dot, [of_shape(4), TALL, SQUARE, of_shape(3, 2), of_shape(2)]),
        rounded(np.linalg.multi_dot, (of_shape(4), TALL, SQUARE)),
        rounded(np.linalg.multi_dot, [[[1, 2, 3]], SQUARE, of_shape(3, 1)]),
    ],
    np.linalg.norm: _NORM,
    np.linalg.vector_norm: [
        *(rounded(np.linalg.vector_norm, CUBE, axis=1, ord=order) for order in VECTOR_ORDERS[1:]),
        rounded(np.linalg.vector_norm, CUBE),
        rounded(np.linalg.vector_norm, CUBE, keepdims=True, ord=3),
        rounded(np.linalg.vector_norm, CUBE, axis=(0, 2), ord=1),
        rounded(np.linalg.vector_norm, CUBE, axis=(2, 1), keepdims=True),
        rounded(np.linalg.vector_norm, of_shape()),
    ],
    np.linalg.matrix_norm: [
        *(rounded(np.linalg.matrix_norm, CUBE, ord=order) for order in MATRIX_ORDERS[1:]),
        rounded(np.linalg.matrix_norm, CUBE),
        rounded(np.linalg.matrix_norm, CUBE, keepdims=True, ord=2),
    ],
}
