"""Cases of the operators and methods of a Tensor, which are those of an array."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from ops.cases.elementwise import ANY, OTHER, POSITIVE, over_broadcasts
from ops.harness import Case, case, rounded

_RNG = np.random.default_rng(13)
X = np.asarray(_RNG.uniform(-2, 2, (2, 3, 4)))
MATRIX = X[0]

_BINARY = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "divmod": divmod,
}
_IN_PLACE = {
    "iadd": operator.iadd,
    "isub": operator.isub,
    "imul": operator.imul,
    "itruediv": operator.itruediv,
    "ifloordiv": operator.ifloordiv,
    "imod": operator.imod,
    "ipow": operator.ipow,
}


def _in_place(operation: Any) -> list[Case]:
    """On a copy, for a leaf that needs a gradient is not to be replaced."""
    return [
        case(lambda a, b: operation(a.copy(), b), POSITIVE, OTHER),
        case(lambda a, b: operation(a.copy(), b), POSITIVE, OTHER[0]),
        case(lambda a: operation(a.copy(), 2), POSITIVE),
    ]


ROWS: dict[Any, list[Case]] = {
    **{
        f"__{side}{name}__": over_broadcasts(operation, ANY, OTHER)
        for name, operation in _BINARY.items()
        for side in ("", "r")
    },
    **{f"__{name}__": _in_place(operation) for name, operation in _IN_PLACE.items()},
    **{
        f"__{side}pow__": [
            *over_broadcasts(operator.pow, POSITIVE, OTHER),
            *(case(operator.pow, POSITIVE, n) for n in (0, 1, 3, -1, 0.5, -0.5, 2.0, 0.0)),
            case(operator.pow, ANY, np.array([2, 3, 0])),
        ]
        for side in ("", "r")
    },
    "__matmul__": [rounded(operator.matmul, MATRIX, X.mT), rounded(operator.matmul, X, X[0, 0])],
    "__rmatmul__": [rounded(operator.matmul, [1, 2, 3], MATRIX)],
    "__imatmul__": [rounded(lambda a, b: operator.imatmul(a.copy(), b), MATRIX, X[0].T @ X[1])],
    "__neg__": [case(operator.neg, X)],
    "__pos__": [case(operator.pos, X)],
    "__abs__": [case(abs, X)],
    "__getitem__": [case(lambda x: x[1:, [0, 2]], X), case(lambda x: x[x > 0], X)],
    "sum": [
        case(lambda x: x.sum(), X),
        case(lambda x: x.sum(1), X),
        case(lambda x: x.sum(axis=(0, -1), keepdims=True), X),
    ],
    "mean": [case(lambda x: x.mean(), X), case(lambda x: x.mean(1, keepdims=True), X)],
    "var": [case(lambda x: x.var(), X), case(lambda x: x.var(1, ddof=1, keepdims=True), X)],
    "std": [case(lambda x: x.std(), X), case(lambda x: x.std(1, ddof=1, keepdims=True), X)],
    "prod": [case(lambda x: x.prod(), X), case(lambda x: x.prod(1, keepdims=True), X)],
    "max": [case(lambda x: x.max(), X), case(lambda x: x.max(1, keepdims=True), X)],
    "min": [case(lambda x: x.min(), X), case(lambda x: x.min(1, keepdims=True), X)],
    "cumsum": [case(lambda x: x.cumsum(), X), case(lambda x: x.cumsum(1), X)],
    "cumprod": [case(lambda x: x.cumprod(), X), case(lambda x: x.cumprod(axis=1), X)],
    "dot": [rounded(lambda a, b: a.dot(b), MATRIX, X[1].T)],
    "trace": [case(lambda x: x.trace(), X), case(lambda x: x.trace(1, 1, 2), X)],
    "diagonal": [case(lambda x: x.diagonal(), X), case(lambda x: x.diagonal(-1, 1, 2), X)],
    "clip": [
        case(lambda x: x.clip(-1, 1), X),
        case(lambda x, low: x.clip(low), X, X[0, 0] / 2),
        case(lambda x: x.clip(max=0.5), X),
    ],
    "round": [case(lambda x: x.round(), X), case(lambda x: x.round(1), X)],
    "reshape": [
        case(lambda x: x.reshape(6, 4), X),
        case(lambda x: x.reshape((4, -1)), X),
        case(lambda x: x.reshape(-1), X),
        case(lambda x: x.reshape([3, 8]), X),
        case(lambda x: x.reshape(()), X[:1, 0, 0]),
    ],
    "ravel": [case(lambda x: x.ravel(), X)],
    "flatten": [case(lambda x: x.flatten(), X)],
    "transpose": [
        case(lambda x: x.transpose(), X),
        case(lambda x: x.transpose(None), X),
        case(lambda x: x.transpose(2, 0, 1), X),
        case(lambda x: x.transpose((1, 2, 0)), X),
        case(lambda x: x.transpose([0, -1, 1]), X),
        case(lambda x: x.transpose(0), X[0, 0]),
        case(lambda x: x.transpose(np.int64(1), np.int64(0)), MATRIX),
    ],
    "T": [case(lambda x: x.T, X)],
    "mT": [case(lambda x: x.mT, X)],
    "swapaxes": [case(lambda x: x.swapaxes(0, -1), X)],
    "squeeze": [case(lambda x: x.squeeze(), X[:1]), case(lambda x: x.squeeze(0), X[:1, :1])],
    "repeat": [case(lambda x: x.repeat(2), X), case(lambda x: x.repeat([1, 0, 2], axis=1), X)],
    "take": [case(lambda x: x.take([0, 5]), X), case(lambda x: x.take([1, 1, 0], axis=1), X)],
    "copy": [case(lambda x: x.copy(), X)],
    "astype": [
        case(lambda x: x.astype("float64"), X),
        case(lambda x: x.astype(x.dtype), X),
        case(lambda x: x * x.astype(int), X),
    ],
    # What has no gradient, beside something that has one.
    "argmax": [case(lambda x: (x, x.argmax()), X), case(lambda x: (x, x.argmax(1)), X)],
    "argmin": [case(lambda x: (x, x.argmin()), X), case(lambda x: (x, x.argmin(axis=1)), X)],
    "argsort": [case(lambda x: (x, x.argsort()), X), case(lambda x: (x, x.argsort(None)), X)],
    "all": [case(lambda x: (x, x.all(), (x > 0).all(1)), X), case(lambda x: (x, x.all(1)), X)],
    "any": [case(lambda x: (x, x.any()), X), case(lambda x: (x, x.any((0, 1))), X)],
    "nonzero": [case(lambda x: (x, x.nonzero()), X)],
    **{
        f"__{name}__": [
            case(lambda x, f=compare: (x, f(x, 0.5), f(0.5, x), f(x, [0] * 4)), X),
        ]
        for name in ("eq", "ne", "lt", "le", "gt", "ge")
        for compare in [getattr(operator, name)]
    },
}
