"""Cases of the rows for images, normalisation and dropout; the oracles are the kernels' twins."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.harness import Case, Plain, rounded

from fastnn._kernels import reference
from fastnn.ops import images, normalization

_RNG = np.random.default_rng(31)


def _array(*shape: int) -> np.ndarray:
    return np.asarray(_RNG.uniform(-2, 2, shape))


def _distinct(*shape: int) -> np.ndarray:
    """Numbers of which no two are close: a maximum has a derivative."""
    return (_RNG.permutation(np.prod(shape)).reshape(shape) - np.prod(shape) / 2) * 0.1


# In pairs of rows and columns: stride, padding, dilation; groups.
GEOMETRIES = [(1, 1, 0, 0, 1, 1, 1), (2, 3, 1, 2, 2, 1, 1), (1, 1, 1, 0, 1, 1, 2)]
# kernel_size, stride, padding
WINDOWS = [(2, 2, 2, 2, 0, 0), (3, 2, 2, 1, 0, 0), (2, 3, 1, 2, 1, 1)]
X = _array(2, 2, 5, 4)
XS = _distinct(2, 2, 5, 4)


def _convolutions() -> dict[Any, list[Case]]:
    rows: dict[Any, list[Case]] = {
        images.conv2d: [],
        images.conv2d_input_gradient: [],
        images.conv2d_weight_gradient: [],
    }
    for geometry in GEOMETRIES:
        W, b = _array(2, 2 // geometry[-1], 3, 2), _array(2)
        g = _array(*reference.conv2d(X, W, b, *geometry).shape)
        rows[images.conv2d] += [
            rounded(images.conv2d, X, W, b, *geometry, oracle=reference.conv2d),
            rounded(images.conv2d, X, W, None, *geometry, oracle=reference.conv2d),
            rounded(images.conv2d, X[:0], W, b, *geometry, oracle=reference.conv2d),
        ]
        rows[images.conv2d_input_gradient].append(
            rounded(
                images.conv2d_input_gradient, g, Plain(X), W, *geometry,
                oracle=lambda g, x, W, *rest: reference.conv2d_backward(g, x, W, *rest)[0],
            )
        )  # fmt: skip
        rows[images.conv2d_weight_gradient].append(
            rounded(
                images.conv2d_weight_gradient, g, X, Plain(W), *geometry,
                oracle=lambda g, x, W, *rest: reference.conv2d_backward(g, x, W, *rest)[1],
            )
        )  # fmt: skip
    return rows


def _poolings() -> dict[Any, list[Case]]:
    rows: dict[Any, list[Case]] = {}
    for window in WINDOWS:
        g = _array(*reference.max_pool2d(XS, *window).shape)
        for op, *args in (
            (images.max_pool2d, XS),
            (images.max_pool2d_backward, g, Plain(XS)),
            (images.avg_pool2d, X),
            (images.avg_pool2d_backward, g, 5, 4),
        ):
            rows.setdefault(op, []).append(
                rounded(op, *args, *window, oracle=getattr(reference, op.name))
            )
        rows.setdefault(images.max_pool2d_pick, []).append(
            rounded(images.max_pool2d_pick, X, Plain(XS), *window)
        )
    return rows


def _normalisations() -> dict[Any, list[Case]]:
    gamma, beta, mean, var = (Plain(_RNG.uniform(0.5, 1.5, 2)) for _ in range(4))
    rows: dict[Any, list[Case]] = {
        normalization.batch_norm: [],
        normalization.batch_norm_eval: [],
        normalization.local_response_norm: [],
    }
    for x in (X, X[:, :, :, 0], X[:, :, 0, 0], _array(6, 2)):
        if len(x) * x[0, 0].size > 2:  # of two values, all normalised ones are 1 and -1
            for scale in ((gamma.value, beta.value), (None, None)):
                rows[normalization.batch_norm].append(
                    rounded(
                        normalization.batch_norm, x, *scale, None, None, 0.1, 1e-2,
                        oracle=lambda *args: reference.batch_norm(*args)[0],
                    )
                )  # fmt: skip
        for scale in ((gamma.value, beta.value), (None, None)):
            rows[normalization.batch_norm_eval].append(
                rounded(
                    normalization.batch_norm_eval, x, mean, var, *scale, 1e-2,
                    oracle=reference.batch_norm_eval,
                )
            )  # fmt: skip
    for size in (1, 2, 3, 9):
        rows[normalization.local_response_norm].append(
            rounded(
                normalization.local_response_norm, _array(2, 5, 3), size, 0.7, 0.6, 1.5,
                oracle=reference.local_response_norm,
            )
        )  # fmt: skip
    return rows


ROWS: dict[Any, list[Case]] = {
    **_convolutions(),
    **_poolings(),
    **_normalisations(),
    normalization.dropout: [
        rounded(normalization.dropout, x, 0.4, np.array([3, 1]), oracle=reference.dropout)
        for x in (X, X[0, 0], X[:0])
    ],
}
