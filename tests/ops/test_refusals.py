"""What NumPy refuses of an array is refused of a Tensor, by an error of the same kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from fastnn.tensor import Tensor

X = np.arange(1.0, 13.0).reshape(3, 4)
SQUARE = X[:3, :3] + np.eye(3)
CUBE = np.arange(24.0).reshape(2, 3, 4)

CALLS: list[tuple[Any, ...]] = [
    # axes that are not there
    *(
        (function, X, {"axis": axis})
        for function in (
            np.sum, np.mean, np.max, np.min, np.prod, np.var, np.std, np.ptp, np.cumsum,
            np.cumprod, np.diff, np.sort, np.median, np.flip, np.average, np.nansum, np.nanmax,
            np.nanmean, np.trapezoid, np.gradient,
        )
        for axis in (2, -3)
    ),
    *((function, X, {"axis": (0, 0)}) for function in (np.sum, np.max, np.median, np.flip)),
    *((function, X, 1, {"axis": 2}) for function in (np.take, np.repeat, np.delete, np.partition)),
    (np.expand_dims, X, 4),
    (np.squeeze, X, 0),
    (np.squeeze, X, 2),
    (np.swapaxes, X, 0, 2),
    (np.moveaxis, X, 0, 2),
    (np.moveaxis, X, (0, 1), (0,)),
    (np.rollaxis, X, 2),
    (np.transpose, X, (0, 2)),
    (np.transpose, X, (0, 0)),
    (np.transpose, X, (0,)),
    (np.roll, X, 1, 2),
    (np.rot90, X, 1, (0, 2)),
    (np.rot90, X, 1, (1, 1)),
    (np.rot90, X[0],),
    (np.concatenate, [X, X], 2),
    (np.stack, [X, X], 3),
    (np.split, X, 2, 2),
    (np.linalg.norm, X, 2, 2),
    (np.linalg.vector_norm, X, {"axis": 2}),
    (np.take_along_axis, X, np.zeros((3, 4), int), 2),
    (np.cross, X[:, :3], X[:, :3], {"axis": 2}),
    (np.quantile, X, 0.5, 2),
    (np.tensordot, X, X, ([2], [0])),
    (np.trace, X, 0, 0, 2),
    (np.trace, X, 0, 0, 0),
    (np.diagonal, X, 0, 1, 1),
    (np.trace, X[0]),
    (np.fliplr, X[0]),
    (np.flipud, X[0, 0]),
    (np.vsplit, X[0], 2),
    (np.hsplit, X[0, 0], 1),
    (np.dsplit, X, 2),
    (np.insert, X, 0, 1.0, {"axis": 2}),
    (np.append, X, X, {"axis": 2}),
    # shapes that do not fit
    (np.add, X, X[:2]),
    (np.matmul, X, X),
    (np.matmul, X, 2.0),
    (np.matmul, X, X[0, 0]),
    (np.dot, X, X),
    (np.inner, X, X[:, :3]),
    (np.vdot, X, X[0]),
    (np.tensordot, X, X, 1),
    (np.tensordot, X, X, 3),
    (np.kron, X),
    (np.cross, X, X),
    (np.outer, X),
    (np.linalg.outer, X, X),
    (np.linalg.cross, X, X),
    (np.linalg.vecdot, X, X[:, :3]),
    (np.einsum, "ij,jk", X, X),
    (np.einsum, "ij", X, X),
    (np.einsum, "ijk", X),
    (np.einsum, "i...jk", X),
    (np.einsum, "ij->k", X),
    (np.einsum, "ij->ii", X),
    (np.einsum, "ii", X),
    (np.einsum, "i1", X),
    (np.einsum, "ij-ji", X),
    (np.reshape, X, (5, 2)),
    (np.reshape, X, (-1, -1)),
    (np.broadcast_to, X, (3, 3)),
    (np.broadcast_to, X, (4,)),
    (np.broadcast_arrays, X, X[:2]),
    (np.concatenate, [X, X[0]]),
    (np.concatenate, [X, X[:, :2]]),
    (np.stack, [X, X[0]]),
    (np.vstack, [X, X[:, :2]]),
    (np.hstack, [X, X[:2]]),
    (np.dstack, [X, X[:2]]),
    (np.column_stack, [X, X[:2]]),
    (np.block, [[X, X[:2]]]),
    (np.block, [X, [X]]),
    (np.block, [[X], []]),
    (np.split, X, 2),
    (np.hsplit, X, 3),
    (np.where, X > 0, X, X[:2]),
    (np.where, X > 0, X),
    (np.clip, X, X[:2], 3.0),
    (np.average, X, 0, X[0]),
    (np.average, X, None, X[0]),
    (np.average, X, 0, np.zeros(3)),
    (np.repeat, X, [1, 2], 0),
    (np.repeat, X, -1),
    (np.tile, X, 1.5),
    (np.pad, X, ((1, 2), (3, 4), (5, 6))),
    (np.pad, X, -1),
    (np.pad, X, 1.5),
    (np.diag, CUBE),
    (np.take, X, 12),
    (np.take_along_axis, X, np.zeros(3, int), 0),
    (np.take_along_axis, X, np.zeros((3, 4)), 0),
    (np.compress, [True] * 5, X, 1),
    (np.delete, X, 4, 1),
    (np.partition, X, 4),
    (np.bincount, [0, 1], X[0]),
    (np.bincount, [-1, 0, 1, 2], X[0]),
    (np.select, [X > 1], [X, X]),
    (np.select, [], []),
    (np.choose, np.array([0, 3]), [X[0, :2], X[1, :2]]),
    (np.piecewise, X[0], [X[0] > 0], []),
    (np.interp, X[0], X[0], X[0, :2]),
    (np.interp, X[0], X[0, :0], X[0, :0]),
    (np.convolve, X[0], X[0, :0]),
    (np.convolve, X, X),
    (np.gradient, X[:1]),
    (np.gradient, X, 1.0, 1.0, 1.0),
    (np.diff, X, -1),
    (np.diff, X[0, 0]),
    (sliding_window_view, X, 3),
    (sliding_window_view, X, (4, 1)),
    (sliding_window_view, X, (1, 0, 1)),
    (sliding_window_view, X, -1, 0),
    (np.quantile, X, 1.5),
    (np.percentile, X, -1.0),
    (np.meshgrid, X[0], {"indexing": "yx"}),
    (np.insert, X, 13, 1.0),
    (np.insert, X, [0, 1], [1.0, 2.0, 3.0]),
    (np.append, X, X[0], {"axis": 0}),
    (np.max, X[:0]),
    (np.min, X[:, :0], 1),
    (np.sort, X[0, 0]),
    (np.partition, X[0, 0], 0),
    (np.matrix_transpose, X[0]),
    # linalg
    *(
        (function, x)
        for function in (np.linalg.inv, np.linalg.det, np.linalg.slogdet, np.linalg.cholesky)
        for x in (X, X[0])
    ),
    (np.linalg.inv, np.ones((2, 2))),
    (np.linalg.cholesky, -np.eye(2)),
    (np.linalg.solve, SQUARE, X[:2]),
    (np.linalg.solve, np.ones((2, 2)), np.ones(2)),
    (np.linalg.eigh, X),
    (np.linalg.eigh, SQUARE, "M"),
    (np.linalg.svd, X[0]),
    (np.linalg.pinv, X[0]),
    (np.linalg.lstsq, X, X[0]),
    (np.linalg.matrix_power, X, 2),
    (np.linalg.matrix_power, SQUARE, 1.5),
    (np.linalg.multi_dot, [X]),
    (np.linalg.multi_dot, [X, X]),
    (np.linalg.norm, CUBE, 2),
    (np.linalg.norm, X, 3),
    (np.linalg.norm, X, 0),
    (np.linalg.norm, X[0], "fro"),
    (np.linalg.norm, X[0], "nuc"),
    (np.linalg.norm, X, "some"),
    (np.linalg.norm, CUBE, 2, (0, 1, 2)),
    (np.linalg.norm, X, 2, (0, 0)),
    (np.linalg.matrix_norm, X[0]),
    (np.linalg.matrix_transpose, X[0]),
    (np.linalg.diagonal, X[0]),
    (np.linalg.trace, X[0]),
]  # fmt: skip


def label(call: tuple[Any, ...]) -> str:
    function, *args = call
    shown = [f"{a.shape}" if isinstance(a, np.ndarray) else str(a)[:20] for a in args]
    return f"{function.__name__}-{'-'.join(shown)}"


def tensors(value: Any) -> Any:
    """The arrays of floats as Tensors."""
    if isinstance(value, (list, tuple)):
        return type(value)(tensors(each) for each in value)
    is_floats = isinstance(value, (np.ndarray, np.float64)) and value.dtype == np.float64
    return Tensor(value, requires_grad=True) if is_floats else value


@pytest.mark.parametrize("call", CALLS, ids=label)
def test_what_numpy_refuses_is_refused(call: tuple[Any, ...]) -> None:
    function, *args = call
    options = args.pop() if isinstance(args[-1], dict) else {}
    with pytest.raises(Exception, match=r".") as numpys:
        function(*args, **options)
    is_of_values = isinstance(numpys.value, (ValueError, IndexError))
    with pytest.raises((ValueError, IndexError) if is_of_values else type(numpys.value)):
        function(*tensors(args), **options)
