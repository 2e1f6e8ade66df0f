"""Cases of what depends on the order of values: sorted, partitioned, quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.harness import Case, Plain, case, rounded

X = np.random.default_rng(7).uniform(-2, 2, (3, 4))
CUBE = np.random.default_rng(8).uniform(-2, 2, (2, 3, 4))
ROW, NUMBER = X[0], np.asarray(X[0, 0])
QUANTILES = [np.array([0.25, 0.9]), np.array([[0.1, 0.2], [0.5, 0.77]])]


def _quantiles(f: Any, scale: float = 1) -> list[Case]:
    return [
        *(
            rounded(f, X, Plain(scale * np.asarray(q)) if np.ndim(q) else q * scale)
            for q in QUANTILES
        ),
        *(rounded(f, CUBE, scale * 0.4, axis) for axis in (0, -1, (0, 2), (2, 1))),
        rounded(f, CUBE, [scale * 0.2, scale * 0.6], 1),
        rounded(f, CUBE, [scale * 0.2], axis=(0, 1), keepdims=True),
        rounded(f, CUBE, scale * 0.2, keepdims=True),
        rounded(f, X, np.asarray(scale * 0.35)),  # differentiable by q as well
        rounded(f, ROW[:1], scale * 0.7),
    ]


_ORDERED: dict[Any, list[Case]] = {
    np.sort: [
        case(np.sort, X),
        case(np.sort, X, 0),
        case(np.sort, X, axis=None),
        case(np.sort, ROW),
        case(np.sort, X[:0]),
    ],
    np.partition: [
        case(np.partition, X, 1),
        case(np.partition, X, (0, 2), axis=0),
        case(np.partition, X, -2, axis=None),
    ],
    np.median: [
        case(np.median, X),
        case(np.median, X, 0),
        case(np.median, X, axis=-1),
        case(np.median, X, axis=1, keepdims=True),
        case(np.median, X, keepdims=True),
        case(np.median, CUBE, axis=(0, 2)),
        case(np.median, NUMBER),
    ],
}

ROWS: dict[Any, list[Case]] = {
    **_ORDERED,
    np.quantile: _quantiles(np.quantile),
    np.percentile: _quantiles(np.percentile, 100),
    np.nanquantile: _quantiles(np.nanquantile),
    np.nanpercentile: _quantiles(np.nanpercentile, 100),
    np.nanmedian: [
        rounded(np.nanmedian, X),
        rounded(np.nanmedian, CUBE, axis=1),
        rounded(np.nanmedian, CUBE, axis=(0, 2), keepdims=True),
    ],
}
