"""Random numbers: known answers, the same bits on every instruction set, what they depend on."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from fastnn import _kernels as k
from fastnn._kernels import reference

# Philox4x32-10 of counter 0 and key 0, as published with Random123 (Salmon et al., 2011).
KNOWN = (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
ZERO = np.zeros(2, np.int64)
KERNELS = ["random_uniform", "random_normal", "random_integers"]


def drawn(name, n, state=(1, 2), dtype="float64", bounds=(-5, 900)):
    state = np.array(state, np.int64)
    if name == "random_integers":
        return k.random_integers(np.empty(n, np.int64), np.array(bounds), state)
    return getattr(k, name)(np.empty(n, dtype), state)


def test_the_known_words_as_fractions():
    np.testing.assert_array_equal(
        k.random_uniform(np.empty(4, np.float32), ZERO), [(w >> 8) / 2**24 for w in KNOWN]
    )
    wide = [KNOWN[0] | KNOWN[1] << 32, KNOWN[2] | KNOWN[3] << 32]
    np.testing.assert_array_equal(
        k.random_uniform(np.empty(2), ZERO), [(w >> 11) / 2**53 for w in wide]
    )


@pytest.mark.parametrize("bounds", [(0, 9), (-7, 7), (-(2**63), 2**63 - 1), (0, 3 * 2**61 - 1)])
def test_the_known_words_as_integers(bounds):
    bits = sum(word << 32 * i for i, word in enumerate(KNOWN))
    found = k.random_integers(np.empty(1, np.int64), np.array(bounds), ZERO)
    assert found[0] == bounds[0] + (bits * (bounds[1] - bounds[0] + 1) >> 128)


def test_the_known_words_as_normal_numbers():
    u, v = ((KNOWN[0] | KNOWN[1] << 32) >> 11) + 1, (KNOWN[2] | KNOWN[3] << 32) >> 11
    radius, angle = np.sqrt(-2 * np.log(u / 2**53)), 2 * np.pi * v / 2**53
    expected = [radius * np.cos(angle), radius * np.sin(angle)]
    np.testing.assert_allclose(k.random_normal(np.empty(2), ZERO), expected, rtol=4e-15)


# Operations that are rounded once, and no others: no processor and no compiler may give other bits.
SHOW = """
import hashlib
import numpy as np
from fastnn import _kernels as k
state, found = np.array([12345678901234, 7]), hashlib.sha256()
for kind in ("<f4", "<f8"):
    for draw in (k.random_uniform, k.random_normal):
        found.update(draw(np.empty(20_001, kind[1:]), state).astype(kind).tobytes())
found.update(k.random_integers(np.empty(5_001, "i8"), [-5, 900], state).astype("<i8").tobytes())
print(found.hexdigest())
"""
DIGEST = "88a7b6b375d693b01f28e8e80ccb8589d31a0354a260c84921e67ceb4768e904"


@pytest.mark.parametrize("isa", k.isas)
def test_every_copy_draws_the_same_bits(isa):
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        env={**os.environ, "FASTNN_ISA": isa},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == DIGEST


@pytest.mark.parametrize("name", KERNELS)
def test_a_number_depends_on_seed_step_and_place_alone(name):
    first = drawn(name, 1000)
    np.testing.assert_array_equal(drawn(name, 1000), first)
    np.testing.assert_array_equal(drawn(name, 40_001)[:1000], first)
    np.testing.assert_array_equal(drawn(name, (40, 25)).ravel(), first)
    for state in ((2, 2), (1, 3), (2**62 + 1, 2), (1, 2**40 + 2), (-1, 2)):
        assert (drawn(name, 1000, state) != first).mean() > 0.99


def test_every_length_and_no_more(dtype):
    """What lies after the end of an odd number of elements is left alone."""
    state = np.array([5, 6])
    for name in ("random_uniform", "random_normal"):
        for n in (*range(70), 8191, 8193):
            memory = np.full(n + 1, 9, dtype)
            getattr(k, name)(memory[:n], state)
            assert memory[n] == 9
            expected = getattr(reference, name)(np.empty(n, dtype), state)
            np.testing.assert_allclose(memory[:n], expected, rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("name", KERNELS)
def test_what_is_refused(name):
    wrong = np.float64 if name == "random_integers" else np.int64
    rest = [[0, 1]] if name == "random_integers" else []
    good = np.empty(3, np.int64 if name == "random_integers" else np.float32)
    kernel = getattr(k, name)
    with pytest.raises(TypeError, match=r"out must be .*, got"):
        kernel(np.empty(3, wrong), *rest, [1, 2])
    with pytest.raises(TypeError, match="out is None: wanted an array"):
        kernel(None, *rest, [1, 2])
    with pytest.raises(ValueError, match=r"state must have shape \(2,\).*got shape \(3,\)"):
        kernel(good, *rest, [1, 2, 3])
    with pytest.raises(TypeError, match="state must be integers, got float64"):
        kernel(good, *rest, [1.0, 2.0])
    good.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        kernel(good, *rest, [1, 2])
