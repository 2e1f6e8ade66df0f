"""Cases of products with sums over some axes: matmul and its kin, and einsum."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.harness import Case, Plain, case, rounded

from fastnn.ops import products

_RNG = np.random.default_rng(10)


def of_shape(*shape: int) -> np.ndarray:
    return np.asarray(_RNG.uniform(-2, 2, shape))


MATRIX_PRODUCTS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((1, 3), (3, 1)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (4, 3, 2)),
    ((1, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((2, 3), (3, 0)),
]


def _matrix_products(f: Any) -> list[Case]:
    return [
        *(rounded(f, of_shape(*left), of_shape(*right)) for left, right in MATRIX_PRODUCTS),
        rounded(f, of_shape(2, 3), Plain(of_shape(3, 4))),
        rounded(f, Plain(of_shape(2, 3)), of_shape(3)),
        rounded(f, of_shape(2, 3), np.arange(6).reshape(3, 2)),
        rounded(f, of_shape(2, 2), np.array([[True, False], [True, True]])),
        rounded(f, of_shape(2, 3), [[1], [2], [3]]),
    ]


EINSUMS: list[tuple[str, list[tuple[int, ...]]]] = [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("ij,jk", [(2, 3), (3, 4)]),
    ("ba", [(2, 3)]),  # implicit: sorted, so a transpose
    ("ij->ji", [(2, 3)]),
    ("ij->i", [(2, 3)]),
    ("ij->", [(2, 3)]),
    ("i->", [(0,)]),
    ("ii", [(3, 3)]),
    ("ii->i", [(3, 3)]),
    ("iji->j", [(3, 2, 3)]),
    ("iii->i", [(2, 2, 2)]),
    ("iijj->ij", [(2, 2, 3, 3)]),
    ("i,i", [(3,), (3,)]),
    ("i,j->ij", [(2,), (3,)]),
    ("i,j->ji", [(2,), (3,)]),
    ("ij,ij->ij", [(2, 3), (2, 3)]),
    ("ij,i->j", [(2, 3), (2,)]),
    ("ij,k->i", [(2, 3), (2,)]),
    ("bij,bjk->bik", [(5, 2, 3), (5, 3, 4)]),
    ("bij,jk->bik", [(5, 2, 3), (3, 4)]),
    ("...ij,...jk->...ik", [(5, 2, 3), (3, 4)]),
    ("...ij,...jk", [(1, 5, 2, 3), (4, 1, 3, 2)]),
    ("...ii->...i", [(2, 3, 3)]),
    ("i...->...", [(2, 3, 4)]),
    ("i...", [(2, 3, 4)]),
    ("...", [(2, 3)]),
    ("...,...", [(2, 3), (3,)]),
    ("i...j,j->...", [(2, 3, 4, 2), (2,)]),
    ("ij,jk->ik", [(2, 1), (3, 4)]),  # a length of 1 stretches
    ("ij,ij->i", [(2, 1), (1, 3)]),
    ("ij,ij->ij", [(2, 3), (1, 1)]),
    ("ii,i->i", [(1, 1), (3,)]),
    ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)]),
    ("i,ij,j", [(2,), (2, 3), (3,)]),
    ("ab,bc,cd,da", [(2, 3), (3, 2), (2, 3), (3, 2)]),
    ("ij,jk,kl", [(2, 3), (1, 4), (4, 1)]),
    (",ij->ij", [(), (2, 3)]),
    (",", [(), ()]),
    ("", [()]),
    (" i j , j k -> i k ", [(2, 3), (3, 4)]),
    ("iJ,JK->Ki", [(2, 3), (3, 4)]),
]
_THREE = [of_shape(2, 3), of_shape(3, 4), of_shape(4, 2)]

_EINSUM = [
    *(
        rounded(np.einsum, subscripts, *(of_shape(*shape) for shape in shapes))
        for subscripts, shapes in EINSUMS
    ),
    *(
        rounded(np.einsum, "ij,jk,kl->il", *_THREE, optimize=optimize)
        for optimize in (True, "greedy", "optimal", ["einsum_path", (0, 1), (0, 1)])
    ),
    rounded(np.einsum, of_shape(2, 3), [0, 1], of_shape(3, 4), [1, 2], [0, 2]),
    rounded(np.einsum, of_shape(2, 3), [7, 1], of_shape(3, 4), [1, 2]),
    rounded(np.einsum, of_shape(3, 3), [0, 0]),
    rounded(np.einsum, of_shape(5, 2, 3), [..., 0, 1], of_shape(3), [1], [..., 0]),
    rounded(np.einsum, "ij,j->i", of_shape(2, 3), Plain(of_shape(3))),
    rounded(np.einsum, "ij,j->i", [[1, 2, 3]], of_shape(3)),
    rounded(np.einsum, "i,i->i", of_shape(3), np.array([1, 2, 3])),
]

_A, _B = of_shape(2, 3, 4), of_shape(4, 3, 2)
_TENSORDOT = [
    rounded(np.tensordot, _A, of_shape(3, 4, 5)),
    rounded(np.tensordot, _A, of_shape(4, 2), 1),
    rounded(np.tensordot, _A, of_shape(4, 2), axes=0),
    rounded(np.tensordot, _A, _B, ([1, 2], [1, 0])),
    rounded(np.tensordot, _A, _B, axes=((0, -1), (-1, 0))),
    rounded(np.tensordot, _A, _B, axes=(2, 0)),
    rounded(np.tensordot, of_shape(3), of_shape(3), 1),
    rounded(np.tensordot, of_shape(2, 0), of_shape(0, 3), 1),
    rounded(np.tensordot, _A, np.arange(8).reshape(4, 2), 1),
]
_PAIRS = [
    ((), ()),
    ((), (2, 3)),
    ((3,), ()),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((2, 3), (4, 3)),
    ((5, 2, 3), (3,)),
    ((5, 2, 3), (4, 2, 3)),
]
_DOTS = [
    ((), ()),
    ((), (2, 3)),
    ((3,), ()),
    *MATRIX_PRODUCTS[:5],
    ((5, 2, 3), (3,)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((3,), (5, 3, 4)),
    ((5, 2, 3), (4, 3, 2)),
    ((0, 3), (3, 2)),
]

ROWS: dict[Any, list[Case]] = {
    np.matmul: _matrix_products(np.matmul),
    np.linalg.matmul: _matrix_products(np.linalg.matmul)[:5],
    products.linear: [
        rounded(
            products.linear,
            of_shape(4, 3),
            of_shape(3, 2),
            of_shape(2),
            oracle=lambda x, W, b: x @ W + b,
        ),
        rounded(
            products.linear,
            of_shape(4, 3),
            of_shape(3, 2),
            None,
            oracle=lambda x, W, b: x @ W,
        ),
        rounded(
            products.linear,
            Plain(of_shape(4, 3)),
            of_shape(3, 2),
            of_shape(2),
            oracle=lambda x, W, b: x @ W + b,
        ),
        rounded(
            products.linear,
            of_shape(0, 3),
            of_shape(3, 2),
            of_shape(2),
            oracle=lambda x, W, b: x @ W + b,
        ),
    ],
    np.dot: [
        *(rounded(np.dot, of_shape(*left), of_shape(*right)) for left, right in _DOTS),
        rounded(np.dot, of_shape(2, 3), [1, 2, 3]),
        rounded(np.dot, 2, of_shape(3)),
    ],
    np.inner: [
        *(rounded(np.inner, of_shape(*left), of_shape(*right)) for left, right in _PAIRS),
        rounded(np.inner, [1, 2, 3], of_shape(3)),
    ],
    np.outer: [
        case(np.outer, of_shape(3), of_shape(2)),
        case(np.outer, of_shape(2, 3), of_shape(2, 2)),
        case(np.outer, of_shape(), of_shape(2)),
        case(np.outer, of_shape(3), [1, 2]),
        case(np.outer, [1, 2], of_shape(3)),
    ],
    np.linalg.outer: [case(np.linalg.outer, of_shape(3), of_shape(2))],
    np.vdot: [
        rounded(np.vdot, of_shape(3), of_shape(3)),
        rounded(np.vdot, of_shape(2, 3), of_shape(3, 2)),
        rounded(np.vdot, of_shape(), of_shape()),
        rounded(np.vdot, [1, 2, 3], of_shape(3)),
    ],
    np.tensordot: _TENSORDOT,
    np.linalg.tensordot: [
        rounded(np.linalg.tensordot, _A, of_shape(3, 4, 5)),
        rounded(np.linalg.tensordot, _A, _B, axes=([1, 2], [1, 0])),
    ],
    np.kron: [
        case(np.kron, of_shape(2, 3), of_shape(3, 2)),
        case(np.kron, of_shape(3), of_shape(2)),
        case(np.kron, of_shape(2, 2), of_shape(3)),
        case(np.kron, of_shape(2), of_shape(2, 1, 3)),
        case(np.kron, of_shape(), of_shape(2, 2)),
        case(np.kron, of_shape(2, 2), [[1, 0], [0, 1]]),
        case(np.kron, 2.0, of_shape(2)),
    ],
    np.cross: [
        case(np.cross, of_shape(3), of_shape(3)),
        case(np.cross, of_shape(2, 3), of_shape(2, 3)),
        case(np.cross, of_shape(2, 3), of_shape(3)),
        case(np.cross, of_shape(3, 2), of_shape(3, 2), axis=0),
        case(np.cross, of_shape(3, 2), of_shape(2, 3), 0, 1, 0),
        case(np.cross, of_shape(2, 3, 4), of_shape(4, 3), axisa=1, axisc=0),
        case(np.cross, [1, 0, 2], of_shape(3)),
    ],
    np.linalg.cross: [
        case(np.linalg.cross, of_shape(2, 3), of_shape(2, 3)),
        case(np.linalg.cross, of_shape(3, 2), of_shape(3, 2), axis=0),
    ],
    np.linalg.vecdot: [
        rounded(np.linalg.vecdot, of_shape(2, 3), of_shape(2, 3)),
        rounded(np.linalg.vecdot, of_shape(2, 3), of_shape(3)),
        rounded(np.linalg.vecdot, of_shape(3, 2), of_shape(3, 2), axis=0),
    ],
    np.einsum: _EINSUM,
}
ROWS[(np.vecdot, "__call__")] = [
    rounded(np.vecdot, of_shape(3), of_shape(3)),
    rounded(np.vecdot, of_shape(2, 3), of_shape(3)),
    rounded(np.vecdot, of_shape(3, 2), of_shape(3, 2), axis=0),
    rounded(np.vecdot, [1, 2, 3], of_shape(2, 3)),
]
if hasattr(np, "matvec"):
    ROWS |= {
        (np.matvec, "__call__"): [
            rounded(np.matvec, of_shape(2, 3), of_shape(3)),
            rounded(np.matvec, of_shape(2, 3), of_shape(5, 3)),
            rounded(np.matvec, of_shape(5, 2, 3), [1, 2, 3]),
        ],
        (np.vecmat, "__call__"): [
            rounded(np.vecmat, of_shape(2), of_shape(2, 3)),
            rounded(np.vecmat, of_shape(5, 2), of_shape(5, 2, 3)),
            rounded(np.vecmat, [1, 2], of_shape(2, 3)),
        ],
    }
