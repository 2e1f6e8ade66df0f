"""A layout never changes a result: every kernel, on any memory, gives a copy's bits."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.cases import CASES
from kernels.harness import Arguments, fresh, run
from kernels.layouts import READABLE, WRITABLE, memory_map

from fastnn import _kernels as k

SIZES = [(1, 1), (13, 17), (33, 40)]
ALL_CASES = pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)


def laid_out(arguments: Arguments, layout, names) -> Arguments:
    return {
        name: layout(value) if name in names else value
        for name, value in arguments.items()
    }


def arrays(arguments: Arguments) -> set[str]:
    return {n for n, value in arguments.items() if isinstance(value, np.ndarray)}


def assert_same_bits(results: tuple, plain: tuple, message: str) -> None:
    for result, wanted in zip(results, plain, strict=True):
        np.testing.assert_array_equal(result, wanted, err_msg=message)


@ALL_CASES
@pytest.mark.parametrize("layout", READABLE)
def test_inputs_of_any_layout(case, layout, dtype, rng):
    """All inputs at once, then one at a time: a mixture is a layout too."""
    for n, c in SIZES:
        arguments = case.make(rng, dtype, n, c)
        kernel = getattr(k, case.kernel)
        plain = run(kernel, case, fresh(arguments))
        inputs = arrays(arguments) - set(case.inplace)
        for names in [inputs, *({name} for name in inputs)]:
            given = laid_out(fresh(arguments), READABLE[layout], names)
            assert_same_bits(run(kernel, case, given), plain, f"{layout} {names}")
            for name in names:
                np.testing.assert_array_equal(given[name], arguments[name])


@ALL_CASES
def test_memory_mapped_inputs(case, dtype, rng, tmp_path):
    arguments = case.make(rng, dtype, 13, 17)
    kernel = getattr(k, case.kernel)
    plain = run(kernel, case, fresh(arguments))
    inputs = arrays(arguments) - set(case.inplace)
    given = laid_out(fresh(arguments), memory_map(tmp_path), inputs)
    assert_same_bits(run(kernel, case, given), plain, "memory map")


@pytest.mark.parametrize("case", [c for c in CASES if c.inplace], ids=lambda c: c.label)
@pytest.mark.parametrize("layout", WRITABLE)
def test_what_is_updated_in_place_may_have_any_layout(case, layout, dtype, rng):
    for n, c in SIZES:
        arguments = case.make(rng, dtype, n, c)
        kernel = getattr(k, case.kernel)
        plain = run(kernel, case, fresh(arguments))
        given = laid_out(fresh(arguments), WRITABLE[layout], case.inplace)
        assert_same_bits(run(kernel, case, given), plain, layout)


@pytest.mark.parametrize("case", [c for c in CASES if c.outputs], ids=lambda c: c.label)
@pytest.mark.parametrize("layout", WRITABLE)
def test_outputs_may_have_any_layout(case, layout, dtype, rng):
    """Also: nothing is written between the elements of a strided output."""
    for n, c in SIZES:
        arguments = case.make(rng, dtype, n, c)
        kernel = getattr(k, case.kernel)
        plain = run(kernel, case, fresh(arguments))
        outs = [WRITABLE[layout](np.full_like(result, 5)) for result in plain]
        given = dict(zip(case.outputs, outs, strict=True))
        results = run(kernel, case, {**fresh(arguments), **given})
        assert_same_bits(results, plain, layout)
        for result, out in zip(results, outs, strict=True):
            assert result is out
            if layout == "strided" and out.ndim:
                gaps = np.ones(out.base.shape, bool)
                steps = (2,) * (out.ndim - 1) + (3,)
                gaps[tuple(slice(None, None, step) for step in steps)] = False
                assert (out.base[gaps] == 99).all()


@ALL_CASES
def test_rows_repeated_by_a_zero_stride(case, dtype, rng):
    """``np.broadcast_to`` makes inputs whose rows are one row; reading them is fine."""
    arguments = case.make(rng, dtype, 9, 11)
    kernel = getattr(k, case.kernel)
    inputs = arrays(arguments) - set(case.inplace)
    repeated = {
        n: np.broadcast_to(arguments[n][:1], arguments[n].shape) for n in inputs
    }
    plain = run(kernel, case, fresh({**arguments, **repeated}))
    results = run(kernel, case, {**fresh(arguments), **repeated})
    assert_same_bits(results, plain, "zero stride")
