"""Cases of reductions that pass over NaN, and of covariance and correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.cases.reductions import over_axes
from ops.harness import Case, case, rounded

_RNG = np.random.default_rng(14)
X = np.asarray(_RNG.uniform(-2, 2, (3, 5)))
Y = np.asarray(_RNG.uniform(-2, 2, (2, 5)))
HOLES = X.copy()
HOLES[0, 1] = HOLES[2, 1] = HOLES[2, 4] = np.nan


def _with_holes(f: Any, **options: Any) -> list[Case]:
    return [
        *over_axes(f, **options)[:-2],
        case(f, HOLES, **options),
        case(f, HOLES, axis=0, **options),
        case(f, HOLES, axis=1, keepdims=True, **options),
    ]


ROWS: dict[Any, list[Case]] = {
    np.nansum: _with_holes(np.nansum),
    np.nanprod: _with_holes(np.nanprod),
    np.nanmean: _with_holes(np.nanmean),
    np.nanmax: _with_holes(np.nanmax),
    np.nanmin: _with_holes(np.nanmin),
    np.nanvar: [
        *(each for each in _with_holes(np.nanvar) if each.options.get("axis") != ()),
        case(np.nanvar, HOLES, axis=1, ddof=1),
    ],
    np.nanstd: [case(np.nanstd, HOLES), case(np.nanstd, HOLES, axis=1, ddof=1, keepdims=True)],
    np.nancumsum: [case(np.nancumsum, HOLES), case(np.nancumsum, HOLES, axis=1)],
    np.nancumprod: [case(np.nancumprod, HOLES), case(np.nancumprod, HOLES, axis=1)],
    np.cov: [
        rounded(np.cov, X),
        rounded(np.cov, X, Y),
        rounded(np.cov, X, rowvar=False),
        rounded(np.cov, X, bias=True),
        rounded(np.cov, X, ddof=2),
        rounded(np.cov, X[0]),
        rounded(np.cov, X[0], Y[0]),
        rounded(np.cov, X.T, Y.T, rowvar=False),
        rounded(np.cov, X[0], [1, 2, 3, 4, 5]),
    ],
    np.corrcoef: [
        rounded(np.corrcoef, X),
        rounded(np.corrcoef, X, Y),
        rounded(np.corrcoef, X.T, rowvar=False),
        rounded(np.corrcoef, X[0], Y[0]),
    ],
}
