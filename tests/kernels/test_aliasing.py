"""Outputs that share memory: handled as if they did not, or refused, never wrong."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.cases import BY_LABEL, CASES
from kernels.harness import fresh, run

from fastnn import _kernels as k

ELEMENTWISE = [
    "relu", "relu_backward", "sigmoid", "sigmoid_backward", "tanh", "tanh_backward",
    "softmax", "softmax_backward", "log_softmax", "log_softmax_backward",
]  # fmt: skip


@pytest.mark.parametrize("label", ELEMENTWISE)
def test_elementwise_kernels_work_in_place(label, dtype, rng):
    """``out`` may be any of the inputs."""
    case = BY_LABEL[label]
    kernel = getattr(k, label)
    for n, c in ((1, 1), (5, 17), (40, 33)):
        arguments = case.make(rng, dtype, n, c)
        (plain,) = run(kernel, case, fresh(arguments))
        for name in arguments:
            given = fresh(arguments)
            result = kernel(**given, out=given[name])
            assert result is given[name]
            np.testing.assert_array_equal(result, plain, err_msg=name)


def handled_or_refused(call, result_of, plain, expect_name):
    try:
        call()
    except ValueError as error:
        refusal = str(error)
    else:
        refusal = None
    if refusal is not None:
        assert expect_name in refusal
    else:
        np.testing.assert_array_equal(result_of(), plain)


ALIASES = [c for c in CASES if c.outputs]


@pytest.mark.parametrize("case", ALIASES, ids=lambda case: case.label)
def test_an_output_that_overlaps_an_input(case, dtype, rng):
    """Every output against every input, at several distances, and seen backwards."""
    arguments = case.make(rng, dtype, 12, 12)
    kernel = getattr(k, case.kernel)
    plain = run(kernel, case, fresh(arguments))
    checked = 0
    for index, output in enumerate(case.outputs):
        wanted = plain[index]
        for name, value in arguments.items():
            if not isinstance(value, np.ndarray) or value.dtype != wanted.dtype:
                continue
            for shift in (-20, -3, -1, 0, 1, 2, 13):
                for sign in (1, -1):
                    pool = np.zeros(4 * max(value.size, wanted.size) + 80, wanted.dtype)
                    start = pool.size // 3
                    given = fresh(arguments)
                    given[name] = pool[start : start + value.size].reshape(value.shape)
                    given[name][...] = value
                    begin = start + shift
                    out = pool[begin : begin + wanted.size][::sign]
                    given[output] = out.reshape(wanted.shape)
                    handled_or_refused(
                        lambda given=given: run(kernel, case, given),
                        lambda given=given, o=output: given[o],
                        wanted,
                        output,
                    )
                    checked += 1
    # Their output's dtype is their own.
    alone = ("sum_of_squares", "gather_rows/bytes", "draw_transforms", "draw_transforms/all")
    assert checked or case.label in (*alone, "gather_images/bytes")


@pytest.mark.parametrize("case", [c for c in CASES if c.inplace], ids=lambda c: c.label)
def test_an_updated_array_that_overlaps_an_input(case, dtype, rng):
    arguments = case.make(rng, dtype, 6, 17)
    names = [n for n, v in arguments.items() if isinstance(v, np.ndarray)]
    kernel = getattr(k, case.kernel)
    size = 6 * 17
    for target in case.inplace:
        for other in names:
            if other == target or other in case.inplace:
                continue
            kind, read = arguments[target].dtype, arguments[other]
            if read.dtype != kind:
                continue
            for shift in (0, 1, -5):
                pool = (100 * rng.standard_normal(3 * size)).astype(kind)
                given = fresh(arguments)
                first = pool[size : 2 * size].reshape(6, 17)
                second = pool[size + shift : size + shift + read.size].reshape(read.shape)
                first[...] = arguments[target]
                given[target], given[other] = first, second
                apart = fresh(given)
                plain = run(kernel, case, apart)
                handled_or_refused(
                    lambda given=given: run(kernel, case, given),
                    lambda given=given, t=target: given[t],
                    plain[case.inplace.index(target)],
                    target,
                )


TWO_OUTPUTS = [c for c in CASES if len(c.outputs) > 1]


@pytest.mark.parametrize("case", TWO_OUTPUTS, ids=lambda case: case.label)
def test_two_outputs_in_one_memory_are_refused(case, dtype, rng):
    arguments = case.make(rng, dtype, 6, 6)
    kernel = getattr(k, case.kernel)
    shapes = [result.shape for result in run(kernel, case, arguments)]
    pool = np.zeros(max(int(np.prod(shape)) for shape in shapes), dtype)
    outs = {
        name: pool[: int(np.prod(shape))].reshape(shape)
        for name, shape in zip(case.outputs, shapes, strict=True)
    }
    with pytest.raises(ValueError, match="|".join(case.outputs)):
        kernel(**arguments, **outs)


@pytest.mark.parametrize(
    "case", [c for c in CASES if len(c.inplace) > 1], ids=lambda case: case.label
)
def test_two_updated_arrays_in_one_memory_are_refused(case, dtype, rng):
    arguments = case.make(rng, dtype, 6, 6)
    first, second = case.inplace[:2]
    arguments[second] = arguments[first]
    with pytest.raises(ValueError, match=rf"\b{first}\b|\b{second}\b"):
        getattr(k, case.kernel)(**arguments)


def test_neighbours_are_not_taken_for_overlaps(dtype, rng):
    """Two halves, even and odd columns: disjoint memory within one array is fine."""
    memory = rng.standard_normal((8, 20)).astype(dtype)
    wanted = np.maximum(memory[:, ::2], 0)
    k.relu(memory[:, ::2], memory[:, 1::2])
    np.testing.assert_array_equal(memory[:, 1::2], wanted)
    wanted = np.maximum(memory[:4], 0)
    k.relu(memory[:4], memory[4:])
    np.testing.assert_array_equal(memory[4:], wanted)
