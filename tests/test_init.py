"""Initial weights: their distributions, and what a seed promises."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import init

SHAPE = (300, 200)
SPREAD = {
    init.he_normal: 2 / 300,
    init.he_uniform: 2 / 300,
    init.glorot_normal: 2 / 500,
    init.glorot_uniform: 2 / 500,
}


@pytest.mark.parametrize("draw", SPREAD, ids=lambda f: f.__name__)
def test_mean_and_variance(draw: init.Initializer) -> None:
    W = draw(SHAPE, 0, "float64")
    assert W.shape == SHAPE
    assert abs(W.mean()) < 4 * np.sqrt(SPREAD[draw] / W.size)
    assert W.var() == pytest.approx(SPREAD[draw], rel=0.02)


@pytest.mark.parametrize("draw", [init.he_uniform, init.glorot_uniform])
def test_uniform_is_bounded_and_reaches_its_bounds(draw: init.Initializer) -> None:
    W = draw(SHAPE, 0, "float64")
    limit = np.sqrt(3 * SPREAD[draw])
    assert 0.99 * limit < np.abs(W).max() <= limit


@pytest.mark.parametrize("draw", [init.he_normal, init.glorot_normal])
def test_normal_has_tails(draw: init.Initializer) -> None:
    W = draw(SHAPE, 0, "float64")
    assert np.abs(W).max() > 3.5 * np.sqrt(SPREAD[draw])


@pytest.mark.parametrize("draw", SPREAD, ids=lambda f: f.__name__)
def test_one_seed_is_one_draw_in_every_dtype(draw: init.Initializer) -> None:
    wide, narrow = draw(SHAPE, 5, "float64"), draw(SHAPE, 5, "float32")
    assert narrow.dtype == np.float32
    assert np.array_equal(wide.astype(np.float32), narrow)
    assert not np.array_equal(wide, draw(SHAPE, 6, "float64"))
    rng = np.random.default_rng(5)
    assert np.array_equal(draw(SHAPE, rng, "float64"), wide)
    assert not np.array_equal(draw(SHAPE, rng, "float64"), wide)


def test_zeros() -> None:
    assert not init.zeros((2, 3), None, "float32").any()


def test_names() -> None:
    assert init.get("he") is init.he_normal
    assert init.get("glorot") is init.glorot_uniform
    assert init.get(init.zeros) is init.zeros
    for name in ("xavier", 3, ["he"]):
        with pytest.raises(ValueError, match="init wants one of he,"):
            init.get(name)


def test_shapes_without_units() -> None:
    with pytest.raises(ValueError, match=r"\(3,\)"):
        init.he_normal((3,), 0)
    with pytest.raises(ValueError, match=r"\(0, 3\)"):
        init.glorot_uniform((0, 3), 0)
