"""Which compiled copy runs: the best that the CPU has, or the one asked for."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from kernels.cases import BY_LABEL
from kernels.harness import assert_agrees, run

from fastnn import _kernels as k
from fastnn._kernels import reference

SHOW = "from fastnn import _kernels; print(_kernels.isa)"


def with_isa(isa: str, code: str = SHOW) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FASTNN_ISA": isa}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_baseline_is_always_there():
    assert k.isas[0] == "baseline"
    assert k.isa in k.isas


@pytest.mark.parametrize("isa", k.isas)
def test_the_variable_picks_one(isa):
    assert with_isa(isa).stdout.strip() == isa


def test_without_the_variable_the_best_is_picked():
    assert with_isa("").stdout.strip() == k.isas[-1]


@pytest.mark.parametrize("wrong", ["sse9", "avx1024"])
def test_one_that_is_not_there_is_a_clear_error(wrong):
    done = with_isa(wrong)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "FASTNN_ISA" in last
    assert wrong in last
    assert all(isa in last for isa in k.isas)


@pytest.mark.parametrize("isa", k.isas)
def test_every_copy_multiplies(isa, tmp_path, rng):
    """The whole suite runs on each copy in CI; this much runs everywhere."""
    a = rng.standard_normal((57, 71))
    np.save(tmp_path / "in.npy", a)
    code = (
        "import numpy as np; from fastnn import _kernels as k; "
        f"a = np.load({str(tmp_path / 'in.npy')!r}); "
        f"np.save({str(tmp_path / 'out.npy')!r}, k.matmul(a, a.T))"
    )
    assert with_isa(isa, code).returncode == 0
    case = BY_LABEL["matmul"]
    arguments = {"a": a, "b": a.T, "bias": None}
    expected = run(reference.matmul, case, arguments)
    result = np.load(tmp_path / "out.npy")
    assert_agrees((result,), expected, case.magnitudes(arguments, expected))
