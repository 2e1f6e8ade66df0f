"""Every kernel does what its plain-NumPy twin does, over options, dtypes and sizes."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.cases import BY_LABEL, CASES
from kernels.harness import assert_agrees, fresh, run

from fastnn import _kernels as k
from fastnn._kernels import reference

# Rows and columns just below, on and above every vector and tile width, and odd ones.
SIZES = [
    (1, 1), (1, 2), (2, 1), (3, 5), (4, 4), (5, 3), (6, 8), (6, 16), (7, 15), (7, 17),
    (8, 31), (8, 32), (8, 33), (9, 9), (13, 10), (16, 64), (31, 7), (33, 63), (64, 10),
    (65, 65), (97, 101), (128, 10), (200, 1), (1, 300), (257, 130),
]  # fmt: skip
EMPTY = [(0, 1), (0, 17)]
CASE_IDS = [case.label for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_kernel_agrees_with_twin(case, dtype, rng):
    for n, c in SIZES + (EMPTY if case.takes_empty else []):
        arguments = case.make(rng, dtype, n, c)
        expected = run(getattr(reference, case.kernel), case, fresh(arguments))
        results = run(getattr(k, case.kernel), case, fresh(arguments))
        assert_agrees(results, expected, case.magnitudes(arguments, expected))


@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_inputs_are_never_modified(case, dtype, rng):
    arguments = case.make(rng, dtype, 33, 10)
    kept = fresh(arguments)
    run(getattr(k, case.kernel), case, arguments)
    for name in kept.keys() - set(case.inplace):
        np.testing.assert_array_equal(arguments[name], kept[name], err_msg=name)


POINTWISE = [
    "relu", "sigmoid", "tanh", "relu_backward", "sigmoid_backward", "tanh_backward",
    "mse_loss", "l1_loss", "huber_loss/delta=1.0", "binary_cross_entropy",
    "sgd/nesterov+decay", "adam/decay", "rmsprop/momentum", "adagrad", "sum_of_squares",
    "scale", "clip_value",
]  # fmt: skip
SHAPES = [*((size,) for size in range(1, 41)), (1009,), (2, 3, 5), (3, 1, 4, 2)]


@pytest.mark.parametrize("label", POINTWISE)
def test_pointwise_kernels_take_any_shape(label, dtype, rng):
    """Vector loops have a tail: every length from 1 to 40; and dimensions beyond 2."""
    case = BY_LABEL[label]
    for shape in SHAPES:
        flat = case.make(rng, dtype, int(np.prod(shape)), 1)
        arguments = {
            name: value.reshape(shape) if isinstance(value, np.ndarray) else value
            for name, value in flat.items()
        }
        expected = run(getattr(reference, case.kernel), case, fresh(arguments))
        results = run(getattr(k, case.kernel), case, fresh(arguments))
        assert_agrees(results, expected, case.magnitudes(arguments, expected))


@pytest.mark.parametrize("label", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape", [(7,), (2, 3, 5), (0, 4), (4, 3, 1)])
def test_softmax_works_along_the_last_axis(label, shape, dtype, rng):
    x = rng.standard_normal(shape).astype(dtype)
    expected = getattr(reference, label)(x)
    result = getattr(k, label)(x)
    assert result.shape == shape
    eps = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(result, expected, rtol=eps, atol=eps)


@pytest.mark.parametrize("case", [c for c in CASES if c.outputs], ids=lambda c: c.label)
def test_outputs_are_filled_or_left_out(case, dtype, rng):
    """An array is filled and returned itself, ``False`` gives None, None allocates."""
    arguments = case.make(rng, dtype, 9, 17)
    allocated = run(getattr(k, case.kernel), case, arguments)
    filled = [np.full_like(result, 7) for result in allocated]
    given = dict(zip(case.outputs, filled, strict=True))
    returned = run(getattr(k, case.kernel), case, {**arguments, **given})
    for result, out, wanted in zip(returned, filled, allocated, strict=True):
        assert result is out
        np.testing.assert_array_equal(out, wanted)
    if len(case.outputs) == 1:
        return
    for unwanted in case.outputs:
        rest = run(getattr(k, case.kernel), case, {**arguments, unwanted: False})
        for name, result, wanted in zip(case.outputs, rest, allocated, strict=True):
            if name == unwanted:
                assert result is None
            else:
                np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize(
    "code", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
)
def test_labels_of_any_integer_dtype(code, dtype, rng):
    scores = rng.standard_normal((40, 11)).astype(dtype)
    y = rng.integers(11, size=40)
    for kernel in (k.cross_entropy, k.hinge_loss):
        for result, wanted in zip(
            kernel(scores, y.astype(code)), kernel(scores, y), strict=True
        ):
            np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("code", ["int32", "uint8", "uint64", "int64"])
def test_gather_by_indices_of_any_integer_dtype(code, dtype, rng):
    source = rng.standard_normal((50, 7)).astype(dtype)
    indices = rng.integers(50, size=33)
    rows = k.gather_rows(source, indices.astype(code))
    np.testing.assert_array_equal(rows, source[indices])


@pytest.mark.parametrize("target", ["float32", "float64"])
@pytest.mark.parametrize("source", ["uint8", "float32", "float64"])
def test_gather_converts_to_the_dtype_of_out(source, target, rng):
    rows = (100 * rng.random((50, 2, 3))).astype(source)
    indices = rng.integers(50, size=33)
    out = np.empty((33, 2, 3), target)
    assert k.gather_rows(rows, indices, 0.5, 1.0, out) is out
    expected = rows[indices].astype(target) * np.dtype(target).type(0.5) + 1
    np.testing.assert_allclose(out, expected, rtol=2 * np.finfo(target).eps)
