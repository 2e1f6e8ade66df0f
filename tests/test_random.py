"""fastnn.random in plain code: shapes and types, distributions, state, arguments refused."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from noise import Noise

import fastnn
from fastnn import Tensor, layers
from fastnn.random import Generator, default_rng

N = 200_000


# --- what comes back ------------------------------------------------------------------

DRAWS: dict[str, Callable[[Generator, Any], Any]] = {
    "random": lambda rng, size: rng.random(size),
    "uniform": lambda rng, size: rng.uniform(-1, 2, size),
    "standard_normal": lambda rng, size: rng.standard_normal(size),
    "normal": lambda rng, size: rng.normal(1, 2, size),
    "integers": lambda rng, size: rng.integers(1000, size=size),
}


@pytest.mark.parametrize("name", DRAWS)
def test_shapes(name: str) -> None:
    draw, rng = DRAWS[name], Generator(0)
    wanted = np.int64 if name == "integers" else np.float64
    for size, shape in ((7, (7,)), ((2, 3), (2, 3)), ([2, 3], (2, 3)), (0, (0,)), ((2, 0), (2, 0)),
                        (np.int64(3), (3,))):  # fmt: skip
        found = draw(rng, size)
        assert type(found) is np.ndarray
        assert (found.shape, found.dtype) == (shape, wanted)
        assert found.flags.writeable
    for size in (None, ()):
        assert type(draw(rng, size)) is wanted


@pytest.mark.parametrize("name", DRAWS)
def test_each_draw_is_new_and_a_seed_repeats_them(name: str) -> None:
    draw = DRAWS[name]
    rng, again, other = default_rng(5), Generator(5), Generator(6)
    first, second = draw(rng, 1000), draw(rng, 1000)
    for each in (second, draw(other, 1000), draw(Generator(None), 1000)):
        assert (each == first).mean() < 0.01
    np.testing.assert_array_equal(first, draw(again, 1000))
    np.testing.assert_array_equal(second, draw(again, (10, 100)).ravel())


def test_seeds() -> None:
    def first(seed: Any) -> float:
        return float(Generator(seed).random())

    assert first(3) == first(np.int64(3)) == first(np.random.SeedSequence(3))
    assert first(np.random.default_rng(3)) == first(np.random.default_rng(3))
    others = (np.random.default_rng(seed) for seed in (3, 4))
    assert len({first(seed) for seed in (0, 1, 2**70, None, None, *others)}) == 7
    assert first(0) == 0.8557788462544239


def test_the_bits_are_those_of_no_dropout() -> None:
    """Of the same seed, and of the same functional seed: noise and mask would go together."""
    drawn = Generator(0).random(4000, np.float32) < 0.5
    layer = layers.Dropout(0.5, seed=0)(np.ones(4000, np.float32)).data == 0
    mask = fastnn.functional.dropout(np.ones(4000, np.float32), 0.5, 0, 0) == 0
    for other in (layer, mask):
        assert 0.45 < (drawn == other).mean() < 0.55


def test_dtypes(dtype: np.dtype) -> None:
    rng = Generator(0)
    for found in (
        rng.random(5, dtype), rng.standard_normal(5, dtype), rng.normal(2, 3, 5, dtype),
        rng.uniform(2, np.float64(3), 5, dtype), rng.random(None, dtype),
        rng.normal(np.zeros(5, dtype), 1, None, dtype),
    ):  # fmt: skip
        assert found.dtype == dtype
    assert rng.normal(np.zeros(5), 1, dtype="float32").dtype == np.float64
    for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"):
        limits = np.iinfo(kind)
        top = min(limits.max, 2**63 - 1)
        found = rng.integers(limits.min, top, 5000, kind, endpoint=True)
        assert found.dtype == kind
        assert found.min() < limits.min + (top - limits.min) // 20
        assert found.max() > top - (top - limits.min) // 20
    assert type(rng.integers(5, dtype=np.uint8)) is np.uint8


# --- distributions: seeds are fixed, so that chance does not decide about a test ------


def assert_distributed(drawn: np.ndarray, cumulated: Callable[[np.ndarray], np.ndarray]) -> None:
    """Kolmogorov and Smirnov's test, at a level of 1 in 1000."""
    x = np.sort(drawn.astype(np.float64))
    n = len(x)
    f = cumulated(x)
    distance = max((np.arange(1, n + 1) / n - f).max(), (f - np.arange(n) / n).max())
    assert distance < 1.95 / math.sqrt(n)


def normal_cumulated(x: np.ndarray) -> np.ndarray:
    return np.array([math.erfc(-each / math.sqrt(2)) / 2 for each in x.tolist()])


def assert_independent(x: np.ndarray) -> None:
    """Neighbours, those a block and a batch of blocks apart: no correlation, within 4.5 sigma."""
    z = (x - x.mean()) / x.std()
    for values in (z, z**2 - 1):
        for lag in (1, 2, 3, 4, 8, 16, 32, 64, 8192):
            product = values[lag:] * values[:-lag]
            assert abs(product.mean()) < 4.5 * product.std() / math.sqrt(len(product))


@pytest.mark.parametrize("seed", [0, 1])
def test_uniform_numbers(seed: int, dtype: np.dtype) -> None:
    x = Generator(seed).random(N, dtype)
    assert x.min() >= 0
    assert x.max() < 1
    bits = 24 if dtype == np.float32 else 53
    scaled = np.ldexp(x.astype(np.float64), bits)
    assert (scaled == np.floor(scaled)).all()
    assert 0.49 < (scaled % 2).mean() < 0.51  # the last bit is drawn as well
    assert_distributed(x, lambda x: x)
    assert_independent(x)
    y = Generator(seed).uniform(-2, 5, N, dtype)
    assert y.min() >= -2
    assert y.max() <= 5
    assert_distributed((y + 2) / 7, lambda x: x)


@pytest.mark.parametrize("seed", [0, 1])
def test_normal_numbers(seed: int, dtype: np.dtype) -> None:
    x = Generator(seed).standard_normal(N, dtype)
    assert_distributed(x, normal_cumulated)
    for half in (x[::2], x[1::2]):
        assert_distributed(half, normal_cumulated)
    assert_independent(x)
    wide = x.astype(np.float64)
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)):
        assert abs((wide**power).mean() - moment) < 4 * math.sqrt(variance / N)
    beyond = math.erfc(3.5 / math.sqrt(2)) * N
    assert abs((np.abs(x) > 3.5).sum() - beyond) < 4 * math.sqrt(beyond)
    y = Generator(seed).normal(3, 0.5, N, dtype)
    np.testing.assert_array_equal(y, 3.0 + 0.5 * x)


def test_the_next_draw_does_not_depend_on_the_last() -> None:
    rng = Generator(0)
    rows = np.stack([rng.standard_normal(5000) for _ in range(20)])
    correlations = np.corrcoef(rows)[~np.eye(20, dtype=bool)]
    assert np.abs(correlations).max() < 4.5 / math.sqrt(5000)


@pytest.mark.parametrize("span", [2, 3, 10, 1000])
def test_integers_are_as_likely(span: int) -> None:
    """Pearson's chi-square, which for many degrees of freedom is nearly normal."""
    drawn = Generator(span).integers(-3, span - 3, N)
    counts = np.bincount(drawn + 3, minlength=span)
    assert len(counts) == span
    statistic = ((counts - N / span) ** 2).sum() / (N / span)
    assert abs(statistic - (span - 1)) < 4.5 * math.sqrt(2 * (span - 1))


def test_integers_of_a_wide_range_are_as_likely() -> None:
    """3 * 2**61 does not divide 2**64: of its thirds, 64 bits alone would favour one by half."""
    drawn = Generator(0).integers(0, 3 * 2**61, N)
    thirds = np.bincount(drawn % 3) / N
    assert abs(thirds - 1 / 3).max() < 4 * math.sqrt(2 / 9 / N)
    assert_distributed(drawn / (3 * 2**61), lambda x: x)


def test_ends_of_integers() -> None:
    rng = Generator(0)
    assert set(rng.integers(3, size=200)) == {0, 1, 2}
    assert set(rng.integers(3, size=200, endpoint=True)) == {0, 1, 2, 3}
    assert set(rng.integers(-1, 1, 200)) == {-1, 0}
    assert set(rng.integers(-1, 1, 200, endpoint=True)) == {-1, 0, 1}
    assert set(rng.integers(7, 8, 5)) == {7}
    assert set(rng.integers(2**63 - 1, 2**63, 5)) == {2**63 - 1}


# --- arrays and Tensors as arguments --------------------------------------------------


def test_arguments_broadcast() -> None:
    low, high = np.array([[0.0], [10.0]]), np.array([1.0, 2.0, 3.0])
    x = Generator(0).uniform(low, low + high)
    assert x.shape == (2, 3)
    assert ((x >= low) & (x < low + high)).all()
    assert Generator(0).normal(low, high, (4, 2, 3)).shape == (4, 2, 3)
    np.testing.assert_array_equal(
        Generator(0).normal([1, 2], 0.5), np.array([1, 2]) + 0.5 * Generator(0).standard_normal(2)
    )
    assert Generator(0).normal(np.zeros(3), 0).tolist() == [0, 0, 0]


def test_a_draw_is_a_constant_of_the_graph() -> None:
    t = Tensor(np.ones((3, 2)), requires_grad=True)
    noisy = t * 2 + Generator(0).standard_normal(t.shape)
    noisy.sum().backward()
    np.testing.assert_array_equal(t.grad, np.full((3, 2), 2.0))
    np.testing.assert_array_equal(noisy.data, 2 + Generator(0).standard_normal((3, 2)))


def test_parameters_of_a_distribution_have_gradients() -> None:
    loc, scale = (Tensor(np.full(4, value), requires_grad=True) for value in (3.0, 0.5))
    drawn = Generator(0).normal(loc, scale)
    drawn.sum().backward()
    z = Generator(0).standard_normal(4)
    np.testing.assert_array_equal(drawn.data, 3 + 0.5 * z)
    np.testing.assert_array_equal(loc.grad, np.ones(4))
    np.testing.assert_array_equal(scale.grad, z)
    low, high = (Tensor(np.full(4, value), requires_grad=True) for value in (1.0, 3.0))
    Generator(0).uniform(low, high).sum().backward()
    u = Generator(0).random(4)
    np.testing.assert_allclose(low.grad, 1 - u)
    np.testing.assert_array_equal(high.grad, u)


# --- state ----------------------------------------------------------------------------


def test_a_state_brings_the_draws_back() -> None:
    rng, other = Generator(0), Generator(1)
    rng.random(3)
    state = rng.state
    assert (state.dtype, state.shape, state[1]) == (np.int64, (2,), 1)
    after = [rng.random(3), rng.standard_normal(4), rng.integers(9, size=5)]
    assert state[1] == 1
    for each, kept in ((rng, state), (other, state.tolist())):
        each.state = kept
        for found, wanted in zip((each.random(3), each.standard_normal(4)), after, strict=False):
            np.testing.assert_array_equal(found, wanted)
        assert each.state[1] == 3
    assert repr(Generator(0)) == f"Generator(state=[{state[0]}, 0])"


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda rng: pickle.loads(pickle.dumps(rng))])
def test_copies_go_on_alone(copied: Any) -> None:
    rng = Generator(0)
    rng.random(3)
    twin = copied(rng)
    first = rng.random(3)
    rng.random(3)
    np.testing.assert_array_equal(twin.random(3), first)


def test_a_module_saves_the_state_of_its_generator(tmp_path: Any) -> None:
    model, x = layers.Sequential(layers.Linear(3, 2, seed=0), Noise(0.5)), np.ones((4, 3), "f4")
    model(x)
    fastnn.save(model, tmp_path / "model.safetensors")
    loaded = fastnn.load(tmp_path / "model.safetensors")
    for _ in range(2):
        np.testing.assert_array_equal(model(x).data, loaded(x).data)


# --- what is refused ------------------------------------------------------------------

REFUSED: dict[str, tuple[Callable[[Generator], Any], type[Exception], str]] = {
    "size": (lambda r: r.random(2.5), TypeError, r"size must be an integer or a tuple.*got 2\.5"),
    "sizes": (lambda r: r.random((2, "3")), TypeError, r"size must be an integer or a tuple"),
    "negative": (lambda r: r.random((2, -3)), ValueError, r"size must.*negative.*\(2, -3\)"),
    "dtype": (lambda r: r.random(2, "f2"), TypeError, "dtype must be float32 or.*got float16"),
    "dtype int": (lambda r: r.standard_normal(2, int), TypeError, "dtype must be.*got int64"),
    "low": (lambda r: r.uniform("1"), TypeError, "low must be real numbers, got dtype <U1"),
    "low None": (lambda r: r.uniform(None), TypeError, "low must be.*got dtype object"),
    "low bool": (lambda r: r.uniform(True), TypeError, "low must be a number.*got True"),
    "high": (lambda r: r.uniform(0, math.inf), ValueError, "high must be a number.*got inf"),
    "high nan": (lambda r: r.uniform(0, [1, math.nan]), ValueError, "high: value nan at position"),
    "order": (lambda r: r.uniform(2, 1), ValueError, r"low must be at most high, got 2\.0"),
    "width": (lambda r: r.uniform(-1e308, 1e308), ValueError, "high - low must be finite"),
    "width32": (lambda r: r.uniform(-3e38, 3e38, 2, "f4"), ValueError, "must be finite in float32"),
    "shapes": (
        lambda r: r.uniform([1, 2], [3, 4, 5]), ValueError, r"broadcast, got \(2,\) and \(3,\)"),
    "shape": (
        lambda r: r.uniform(0, [3, 4, 5], 2), ValueError, r"size must be what.*\(3,\), got \(2,\)"),
    "loc": (lambda r: r.normal(1j), TypeError, "loc must be real numbers, got dtype complex128"),
    "scale": (lambda r: r.normal(0, -1), ValueError, r"scale must be.*\[0, inf\), got -1"),
    "scales": (lambda r: r.normal(0, [1, -1]), ValueError, r"scale: value -1\.0 at.*1 is negative"),
    "integer": (lambda r: r.integers(2.0), TypeError, r"low must be an integer, got 2\.0"),
    "integer high": (lambda r: r.integers(0, "9"), TypeError, "high must be an integer, got '9'"),
    "none": (lambda r: r.integers(0), ValueError, "low leaves no integer to draw: from 0 to -1"),
    "none high": (lambda r: r.integers(5, 5), ValueError, "high leaves no integer.*from 5 to 4"),
    "fit": (lambda r: r.integers(257, dtype="u1"), ValueError, "low: uint8.*0 to 255, got 256"),
    "fit low": (lambda r: r.integers(-1, 5, dtype="u4"), ValueError, "low: uint32.*got -1"),
    "fit high": (lambda r: r.integers(0, 2**63 + 1), ValueError, f"high: int64.*got {2**63}"),
    "fit u8": (lambda r: r.integers(2**64, dtype="u8"), ValueError, f"low: .* 0 to {2**63 - 1}"),
    "kind": (lambda r: r.integers(2, dtype=float), TypeError, "dtype must be an integer type"),
    "seed": (lambda r: Generator(-1), ValueError, "seed must be at least 0, got -1"),
    "seed kind": (lambda r: Generator(1.5), TypeError, r"seed must be an integer, got 1\.5"),
    "state": (lambda r: setattr(r, "state", [1.0, 2.0]), TypeError, "state wants two integers"),
    "states": (lambda r: setattr(r, "state", [1, 2, 3]), ValueError, r"state.*\(2,\), got \(3,\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    """And no draw is counted for it."""
    call, error, message = REFUSED[name]
    rng = Generator(0)
    with pytest.raises(error, match=message):
        call(rng)
    assert rng.state[1] == 0
