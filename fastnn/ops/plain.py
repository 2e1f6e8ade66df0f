"""What has no derivative because its result is no real number, or does not change with one.

On Tensors these give plain values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

PLAIN_UFUNCS = frozenset(
    {
        np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
        np.isfinite, np.isinf, np.isnan, np.signbit,
        np.logical_and, np.logical_or, np.logical_xor, np.logical_not,
    }
)  # fmt: skip

PLAIN_FUNCTIONS: frozenset[Callable[..., Any]] = frozenset(
    {
        np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.may_share_memory,
        np.shares_memory, np.iscomplexobj, np.isrealobj, np.iscomplex, np.isreal,
        np.argmax, np.argmin, np.argsort, np.argpartition, np.argwhere, np.nonzero,
        np.flatnonzero, np.nanargmax, np.nanargmin, np.searchsorted, np.digitize, np.lexsort,
        np.zeros_like, np.ones_like, np.empty_like,
        np.tril_indices_from, np.triu_indices_from, np.diag_indices_from,
        np.all, np.any, np.allclose, np.isclose, np.array_equal, np.array_equiv,
        np.count_nonzero, np.isposinf, np.isneginf, np.isin,
        np.array2string, np.array_repr, np.array_str,
    }
)  # fmt: skip
