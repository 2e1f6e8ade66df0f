"""Every row and function of the op table under capture, forward and backward.

What cannot be captured is listed, with the reason; a test holds the list to be exact.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from program.replaying import assert_replays

import fastnn
from fastnn import CaptureError, Tensor, ops
from fastnn.ops.op import Op

la = np.linalg
M, V, C = (3, 4), (4,), (2, 3, 4)  # matrix, vector, cube
S = (3, 3)
IMAGES, FILTERS = (2, 2, 5, 4), (2, 2, 3, 2)
# In pairs of rows and columns: stride, padding, dilation, and groups; a window, stride, padding.
GEOMETRY, WINDOW = (1, 1, 1, 0, 1, 1, 1), (3, 2, 2, 1, 0, 0)
mask = np.array([True, False, True])
rows = np.array([2, 0, 2, -1])
one_hot = np.array([1, 0, 2])
pairs = np.array([[0, 3], [1, 1], [2, 0]])

# A function, and cases: a call, and the shapes of its arguments.
CASES: dict[Callable[..., Any], list[tuple[Callable[..., Any], list[tuple[int, ...]]]]] = {
    np.take: [(lambda a: np.take(a, rows, axis=0), [M]), (lambda a: np.take(a, rows), [M])],
    np.take_along_axis: [(lambda a: np.take_along_axis(a, pairs, axis=1), [M])],
    np.compress: [(lambda a: np.compress(mask, a, axis=0), [M])],
    np.extract: [(lambda a: np.extract(np.eye(3, 4) > 0, a), [M])],
    np.delete: [(lambda a: np.delete(a, 1, axis=0), [M])],
    np.diagonal: [(lambda a: np.diagonal(a, 1), [M])],
    la.diagonal: [(la.diagonal, [M])],
    np.diag: [(np.diag, [M]), (lambda a: np.diag(a, -1), [V])],
    np.diagflat: [(np.diagflat, [M])],
    np.trace: [(np.trace, [M])],
    la.trace: [(la.trace, [M])],
    np.concatenate: [(lambda a, b: np.concatenate([a, b, a], 1), [M, M])],
    np.stack: [(lambda a, b: np.stack([a, b], 1), [M, M])],
    np.vstack: [(lambda a, b: np.vstack([a, b]), [M, V])],
    np.hstack: [(lambda a, b: np.hstack([a, b]), [M, M])],
    np.dstack: [(lambda a, b: np.dstack([a, b]), [M, M])],
    np.column_stack: [(lambda a, b: np.column_stack([a, b]), [V, V])],
    np.append: [(lambda a, b: np.append(a, b), [M, V])],
    np.split: [(lambda a: np.split(a, 2, axis=1), [M])],
    np.array_split: [(lambda a: np.array_split(a, 3, axis=1), [M])],
    np.vsplit: [(lambda a: np.vsplit(a, [1]), [M])],
    np.hsplit: [(lambda a: np.hsplit(a, 2), [M])],
    np.dsplit: [(lambda a: np.dsplit(a, 2), [C])],
    np.repeat: [(lambda a: np.repeat(a, 2, 0), [M]), (lambda a: np.repeat(a, [1, 0, 2], 0), [M])],
    np.tile: [(lambda a: np.tile(a, (2, 1, 3)), [M])],
    np.flip: [(np.flip, [M]), (lambda a: np.flip(a, 1), [M])],
    np.fliplr: [(np.fliplr, [M])],
    np.flipud: [(np.flipud, [M])],
    np.rot90: [(lambda a, k=k: np.rot90(a, k), [M]) for k in range(4)],
    np.roll: [(lambda a: np.roll(a, 2), [M]), (lambda a: np.roll(a, (1, -1), (0, 1)), [M])],
    np.pad: [
        (lambda a: np.pad(a, 1), [M]),
        (lambda a: np.pad(a, ((1, 0), (2, 3)), constant_values=2.0), [M]),
        *((lambda a, mode=mode: np.pad(a, 2, mode), [M])
          for mode in ("edge", "reflect", "symmetric", "wrap")),
    ],
    np.tril: [(np.tril, [M]), (lambda a: np.tril(a, 1), [C])],
    np.triu: [(np.triu, [M])],
    np.sort: [(np.sort, [M])],
    np.partition: [(lambda a: np.partition(a, 1), [M])],
    np.median: [(np.median, [M])],
    np.where: [(lambda a, b: np.where(a > b, a, b * 2), [M, V])],
    np.clip: [
        (lambda a: np.clip(a, -0.5, 0.5), [M]),
        (lambda a, b: np.clip(a, b, None), [M, V]),
        (lambda a, b, c: np.clip(a, b, c), [M, V, V]),
    ],
    np.nan_to_num: [(np.nan_to_num, [M]), (lambda a: np.nan_to_num(a / (a > 0), nan=1.5), [M])],
    np.round: [(np.round, [M]), (lambda a: np.round(a, 2), [M]), (lambda a: np.round(a, -1), [M])],
    np.around: [(np.around, [M])],
    np.fix: [(np.fix, [M])],
    np.real: [(np.real, [M])],
    np.real_if_close: [(np.real_if_close, [M])],
    np.tensordot: [(lambda a, b: np.tensordot(a, b, ([2], [1])), [C, M])],
    la.tensordot: [(lambda a, b: la.tensordot(a, b, axes=1), [M, V])],
    np.dot: [
        (np.dot, [M, V]), (lambda a, b: np.dot(a, b.T), [C, M]), (lambda a: np.dot(a, 2), [M]),
    ],
    np.inner: [(np.inner, [M, M])],
    np.outer: [(np.outer, [M, V])],
    la.outer: [(la.outer, [V, V])],
    np.vdot: [(np.vdot, [M, M])],
    np.kron: [(np.kron, [M, V])],
    np.cross: [(np.cross, [S, S])],
    la.cross: [(la.cross, [S, S])],
    la.matmul: [(la.matmul, [M, V])],
    la.vecdot: [(la.vecdot, [M, M])],
    np.einsum: [
        (lambda a, b: np.einsum("ij,kj->ik", a, b), [M, M]),
        (lambda a, b: np.einsum("bij,j", a, b), [C, V]),
        (lambda a: np.einsum("ii->i", a), [S]),
        (lambda a: np.einsum("ij->ji", a), [M]),
        (lambda a, b: np.einsum("...i,i->...", a, b), [C, V]),
        (lambda a, b: np.einsum("i,j,ij", a, b, np.ones((4, 4))), [V, V]),
    ],
    la.inv: [(la.inv, [S])],
    la.det: [(la.det, [S])],
    la.slogdet: [(lambda a: la.slogdet(a)[1], [S])],
    la.solve: [(la.solve, [S, (3,)])],
    la.cholesky: [(lambda a: la.cholesky(a @ a.T + np.eye(3)), [S])],
    la.eigh: [(lambda a: la.eigh(a + a.T)[0], [S])],
    la.eigvalsh: [(lambda a: la.eigvalsh(a + a.T), [S])],
    la.norm: [
        (la.norm, [M]), (lambda a: la.norm(a, axis=1), [M]),
        (lambda a: la.norm(a, 1, axis=0, keepdims=True), [M]),
        (lambda a: la.norm(a, np.inf), [V]),
    ],
    la.vector_norm: [(la.vector_norm, [M])],
    la.matrix_norm: [(la.matrix_norm, [M])],
    np.sum: [(np.sum, [M]), (lambda a: np.sum(a, (0, 2), keepdims=True), [C])],
    np.mean: [(np.mean, [M]), (lambda a: np.mean(a, 1), [C])],
    np.average: [
        (np.average, [M]),
        (lambda a, w: np.average(a, 1, w * w + 1), [M, V]),
        (lambda a, w: np.average(a, weights=w * w + 1, keepdims=True), [M, M]),
    ],
    np.var: [(np.var, [M]), (lambda a: np.var(a, 1, ddof=1), [C])],
    np.std: [(np.std, [M]), (lambda a: np.std(a, (0, 1), keepdims=True), [C])],
    np.max: [(np.max, [M]), (lambda a: np.max(a, 1), [C])],
    np.amax: [(np.amax, [M])],
    np.min: [(np.min, [M]), (lambda a: np.min(a, (0, 2)), [C])],
    np.amin: [(np.amin, [M])],
    np.ptp: [(np.ptp, [M]), (lambda a: np.ptp(a, 1), [M])],
    np.prod: [(np.prod, [M]), (lambda a: np.prod(a, (0, 2)), [C])],
    np.cumsum: [(np.cumsum, [M]), (lambda a: np.cumsum(a, 1), [C])],
    np.cumprod: [(np.cumprod, [V]), (lambda a: np.cumprod(a, 1), [M])],
    np.diff: [(lambda a: np.diff(a, 2), [M])],
    np.reshape: [(lambda a: np.reshape(a, (2, -1)), [M]), (lambda a: np.reshape(a.T, (2, 6)), [M])],
    np.ravel: [(np.ravel, [M]), (lambda a: np.ravel(a.T), [M])],
    np.transpose: [(np.transpose, [M]), (lambda a: np.transpose(a, (1, 2, 0)), [C])],
    np.matrix_transpose: [(np.matrix_transpose, [C])],
    la.matrix_transpose: [(la.matrix_transpose, [C])],
    np.swapaxes: [(lambda a: np.swapaxes(a, 0, 2), [C])],
    np.moveaxis: [(lambda a: np.moveaxis(a, 0, -1), [C])],
    np.rollaxis: [(lambda a: np.rollaxis(a, 2), [C])],
    np.squeeze: [(np.squeeze, [(3, 1, 4)])],
    np.expand_dims: [(lambda a: np.expand_dims(a, (0, 2)), [M])],
    np.broadcast_to: [(lambda a: np.broadcast_to(a, M), [V])],
    np.broadcast_arrays: [(lambda a, b: np.broadcast_arrays(a, b), [M, V])],
    np.atleast_1d: [(np.atleast_1d, [()])],
    np.atleast_2d: [(lambda a, b: np.atleast_2d(a, b), [V, M])],
    np.atleast_3d: [(np.atleast_3d, [M])],
    np.copy: [(np.copy, [M])],
}  # fmt: skip

SORTS = "sorting has no loop in C that a tape could call"
LAPACK = "LAPACK is called by a Python function of NumPy's, with no loop of its own"
NOT_CAPTURED: dict[Callable[..., Any], str] = {
    np.sort: SORTS,
    np.partition: SORTS,
    np.median: SORTS,
    np.einsum: "NumPy computes it in a C function that has no loop to call",
    la.inv: LAPACK,
    la.det: LAPACK,
    la.slogdet: LAPACK,
    la.solve: LAPACK,
    la.cholesky: LAPACK,
    la.eigh: LAPACK,
    la.eigvalsh: LAPACK,
}
# Of these the values come out, but their derivative looks at values.
NO_BACKWARD: dict[Callable[..., Any], str] = {
    np.cumprod: "another formula is used where a zero is among the factors",
}


def name_of(function: Any) -> str:
    return f"{function.__module__}.{function.__name__}".replace("numpy", "np")


def arrays(shapes: list[tuple[int, ...]]) -> Callable[[np.random.Generator], list[np.ndarray]]:
    return lambda rng: [rng.normal(size=shape) for shape in shapes]


def with_gradients(function: Callable[..., Any]) -> Callable[..., Any]:
    """What the function gives of Tensors, and the gradients of a sum over it."""

    def step(*args: Any) -> list[Any]:
        tensors = [Tensor(each, requires_grad=True) for each in args]
        found = function(*tensors)
        results = list(found) if isinstance(found, (list, tuple)) else [found]
        total: Any = 0
        for result in results:
            total = total + (result * np.arange(1.0, result.size + 1).reshape(result.shape)).sum()
        total.backward()
        return [*(each.data for each in results), *(each.grad for each in tensors)]

    return step


def close(found: Any, expected: Any) -> None:
    if isinstance(expected, (list, tuple)):
        for a, b in zip(found, expected, strict=True):
            close(a, b)
        return
    assert np.shape(found) == np.shape(expected)
    assert np.asarray(found).dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


PRODUCTS = {
    np.dot, np.tensordot, la.tensordot, np.inner, np.vdot, la.matmul, np.average,
    la.norm, la.vector_norm, la.matrix_norm, la.vecdot,
}  # fmt: skip
ALL_CASES = [
    pytest.param(function, call, shapes, id=f"{name_of(function)}-{i}")
    for function, cases in CASES.items()
    for i, (call, shapes) in enumerate(cases)
]


@pytest.mark.parametrize(("function", "call", "shapes"), ALL_CASES)
def test_functions_of_arrays(function: Any, call: Any, shapes: Any) -> None:
    if function in NOT_CAPTURED:
        with pytest.raises(CaptureError, match=r"cannot be captured.*test_table.py, line"):
            fastnn.capture(call)(*arrays(shapes)(np.random.default_rng(0)))
    elif function in PRODUCTS:
        assert_replays(call, arrays(shapes), compare=close)
    else:
        assert_replays(call, arrays(shapes))


@pytest.mark.parametrize(("function", "call", "shapes"), ALL_CASES)
def test_functions_of_tensors_and_their_gradients(function: Any, call: Any, shapes: Any) -> None:
    step = with_gradients(call)
    if function in NOT_CAPTURED or function in NO_BACKWARD:
        with pytest.raises(CaptureError, match=r"test_table.py, line"):
            fastnn.capture(step)(*arrays(shapes)(np.random.default_rng(0)))
    else:
        assert_replays(step, arrays(shapes))


# --- the rows themselves --------------------------------------------------------------------


def rows_of_the_table() -> set[str]:
    found = {each.name for each in ops.UFUNCS.values()}
    for module in pkgutil.iter_modules(ops.__path__):
        members = vars(importlib.import_module(f"fastnn.ops.{module.name}"))
        found |= {each.name for each in members.values() if isinstance(each, Op)}
    return found


def ufunc_case(op: Op, ufunc: np.ufunc) -> tuple[Callable[..., Any], list[tuple[int, ...]]]:
    if ufunc is np.ldexp:
        return lambda a: op(a, np.array([1, -2, 3, 0])), [M]
    if ufunc in (np.arccosh,):
        return lambda a: op(1.1 + a * a), [M]
    if ufunc in (np.arcsin, np.arccos, np.arctanh):
        return lambda a: op(0.3 * np.tanh(a)), [M]
    if ufunc in (np.log, np.log2, np.log10, np.log1p, np.sqrt):
        return lambda a: op(a * a + 0.1), [M]
    if ufunc in (np.power, np.float_power):
        return lambda a, b: op(a * a + 0.1, b), [M, V]
    if ufunc is np.matmul:
        return op, [M, (4, 2)]
    return op, [M, V][: ufunc.nin]


from fastnn.ops import activations, images, losses  # noqa: E402

weights = np.array([1.0, 2.0, 0.5])
ROWS: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]]]] = {
    **{op.name: ufunc_case(op, ufunc) for ufunc, op in ops.UFUNCS.items()},
    "reshape": (lambda a: ops.reshape(a, (2, 6)), [M]),
    "transpose": (lambda a: ops.transpose(a, (1, 0)), [M]),
    "broadcast_to": (lambda a: ops.broadcast_to(a, M), [V]),
    "copy": (ops.copy, [M]),
    "relu": (ops.relu, [M]),
    "relu_backward": (activations.relu_backward, [M, M]),
    "sigmoid": (ops.sigmoid, [M]),
    "sigmoid_backward": (activations.sigmoid_backward, [M, M]),
    "tanh": (ops.tanh, [M]),
    "tanh_backward": (activations.tanh_backward, [M, M]),
    "softmax": (ops.softmax, [M]),
    "softmax_backward": (activations.softmax_backward, [M, M]),
    "log_softmax": (ops.log_softmax, [M]),
    "log_softmax_backward": (activations.log_softmax_backward, [M, M]),
    "cross_entropy": (lambda s: fastnn.cross_entropy(s, one_hot, None, weights), [M]),
    "cross_entropy_gradient": (
        lambda s: losses.cross_entropy_gradient(s, one_hot, None, weights), [M]),
    "hinge_loss": (lambda s: fastnn.hinge_loss(s, one_hot, 1.0, None, weights), [M]),
    "hinge_loss_gradient": (lambda s: losses.hinge_loss_gradient(s, one_hot, 1.0, None, None), [M]),
    "mse_loss": (lambda p, t: fastnn.mse_loss(p, t, weights), [M, M]),
    "mse_loss_gradient": (lambda p, t: losses.mse_loss_gradient(p, t, None), [M, M]),
    "l1_loss": (lambda p, t: fastnn.l1_loss(p, t, weights), [M, M]),
    "l1_loss_gradient": (lambda p, t: losses.l1_loss_gradient(p, t, None), [M, M]),
    "huber_loss": (lambda p, t: fastnn.huber_loss(p, t, 0.7, weights), [M, M]),
    "huber_loss_gradient": (lambda p, t: losses.huber_loss_gradient(p, t, 0.7, None), [M, M]),
    "binary_cross_entropy": (
        lambda p: fastnn.binary_cross_entropy(p, np.eye(3, 4), weights), [M]),
    "binary_cross_entropy_gradient": (
        lambda p: losses.binary_cross_entropy_gradient(p, np.eye(3, 4), None), [M]),
    "getitem": (lambda a: a[rows, 1:] * a[0, 0], [M]),
    "scatter": (lambda a: ops.scatter(a, (slice(None), np.array([1, 1, 0, 3])), (3, 5)), [M]),
    "setitem": (lambda a, b: ops.setitem(a, (1, slice(None)), b), [M, V]),
    "add_at": (lambda a, b: ops.add_at(a, np.array([1, 1]), b), [M, V]),
    "concatenate": (lambda a, b: np.concatenate([a, b]), [M, M]),
    "pad": (lambda a: np.pad(a, 2), [M]),
    "tril": (np.tril, [M]),
    "triu": (np.triu, [M]),
    "where": (lambda a, b: np.where(np.eye(3, 4) > 0, a, b), [M, M]),
    "clip": (lambda a: ops.clip(a, -0.2, 0.4), [M]),
    "nan_to_num": (np.nan_to_num, [M]),
    "round": (lambda a: ops.round(a, 1), [M]),
    "modf": (lambda a: np.modf(a)[0], [M]),
    "astype": (lambda a: ops.astype(a, np.float32), [M]),
    "power": (lambda a: a**2 + (a * a + 0.1) ** 0.5 + (a * a + 1) ** 1.7 + a**3, [M]),
    "linear": (ops.linear, [M, (4, 2), (2,)]),
    "norm": (la.norm, [M]),
    "sum": (lambda a: ops.sum(a, 1, True), [M]),
    "mean": (lambda a: ops.mean(a, 0, False), [M]),
    "average": (lambda a, w: np.average(a, 1, w * w + 1), [M, V]),
    "var": (lambda a: ops.var(a, 0, 1, False), [M]),
    "std": (lambda a: ops.std(a, None, 0, False), [M]),
    "max": (lambda a: ops.max(a, 1, False), [M]),
    "min": (lambda a: ops.min(a, None, True), [M]),
    "prod": (lambda a: ops.prod(a, 1, False), [M]),
    "cumsum": (lambda a: ops.cumsum(a, None), [M]),
    "conv2d": (lambda x, W, b: ops.conv2d(x, W, b, *GEOMETRY), [IMAGES, FILTERS, (2,)]),
    "conv2d_input_gradient": (
        lambda g, W: images.conv2d_input_gradient(g, np.ones(IMAGES), W, *GEOMETRY),
        [(2, 2, 5, 3), FILTERS],
    ),
    "conv2d_weight_gradient": (
        lambda g, x: images.conv2d_weight_gradient(g, x, np.ones(FILTERS), *GEOMETRY),
        [(2, 2, 5, 3), IMAGES],
    ),
    "max_pool2d": (lambda x: ops.max_pool2d(x, *WINDOW), [IMAGES]),
    "avg_pool2d": (lambda x: ops.avg_pool2d(x, *WINDOW), [IMAGES]),
    "avg_pool2d_backward": (
        lambda g: images.avg_pool2d_backward(g, 5, 4, *WINDOW), [(2, 2, 2, 3)],
    ),
    "batch_norm": (
        lambda x, gamma, beta: ops.batch_norm(x, gamma, beta, None, None, 0.1, 1e-3),
        [IMAGES, (2,), (2,)],
    ),
    "batch_norm_eval": (
        lambda x, gamma, beta: ops.batch_norm_eval(
            x, np.full(2, 0.5), np.full(2, 0.7), gamma, beta, 1e-3
        ),
        [IMAGES, (2,), (2,)],
    ),
    "local_response_norm": (
        lambda x: ops.local_response_norm(x, 3, 0.7, 0.6, 1.5), [IMAGES],
    ),
    "dropout": (lambda x: ops.dropout(x, 0.4, np.array([3, 1])), [IMAGES]),
}  # fmt: skip
WHERE_LARGEST = "where a window's largest element is, is found in Python"
ROWS_NOT_CAPTURED = {
    "inv": LAPACK, "det": LAPACK, "cofactors of a singular matrix": LAPACK, "slogdet": LAPACK,
    "solve": LAPACK, "cholesky": LAPACK, "eigh": LAPACK, "singular values": LAPACK,
    "einsum": NOT_CAPTURED[np.einsum],
    "cumprod": NO_BACKWARD[np.cumprod], "svd": LAPACK, "pinv": LAPACK,
    "sliding_window_view": "windows that overlap are no primitive view",
    "added windows": "it is the way back of those windows",
    "max_pool2d_backward": WHERE_LARGEST, "max_pool2d_pick": WHERE_LARGEST,
}  # fmt: skip


def test_every_row_has_a_case() -> None:
    assert set(ROWS) | set(ROWS_NOT_CAPTURED) == rows_of_the_table()
    assert not set(ROWS) & set(ROWS_NOT_CAPTURED)


@pytest.mark.parametrize("name", ROWS)
def test_rows_and_their_gradients(name: str) -> None:
    call, shapes = ROWS[name]
    with np.errstate(all="ignore"):
        assert_replays(with_gradients(call), arrays(shapes))
