"""Cross-entropy of few classes, whose rows are padded to one vector or to two."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import _kernels as k
from fastnn._kernels import reference

# Around the lanes of every instruction set, and around the rows of one pass and of one log.
CLASSES = [1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33]
ROWS = [1, 15, 16, 17, 63, 64, 65, 130]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", CLASSES)
def test_equals_its_twin(classes: int, dtype: str) -> None:
    rng = np.random.default_rng(classes)
    epsilon = np.finfo(dtype).eps
    for rows in ROWS:
        scores = (5 * rng.standard_normal((rows, classes))).astype(dtype)
        y = rng.integers(0, classes, rows)
        loss, gradient = k.cross_entropy(scores, y)
        wanted, slope = reference.cross_entropy(scores.astype(np.float64), y)
        np.testing.assert_allclose(loss, wanted, rtol=8 * epsilon, atol=8 * epsilon)
        np.testing.assert_allclose(gradient, slope, rtol=0, atol=8 * epsilon / rows)
        alone, nothing = k.cross_entropy(scores, y, None, None, None, False)
        assert alone == loss
        assert nothing is None


@pytest.mark.parametrize("classes", [1, 3, 10, 16, 17])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights(classes: int, dtype: str) -> None:
    rng = np.random.default_rng(classes)
    epsilon = np.finfo(dtype).eps
    for rows in ROWS:
        scores = (5 * rng.standard_normal((rows, classes))).astype(dtype)
        y = rng.integers(0, classes, rows)
        plain = k.cross_entropy(scores, y)
        for ones in ((np.ones(classes), None), (None, np.ones(rows)), (None, np.full(rows, 2.0))):
            for one, two in zip(plain, k.cross_entropy(scores, y, *ones), strict=True):
                np.testing.assert_array_equal(one, two)
        of_classes, of_samples = rng.random(classes) + 0.1, rng.integers(1, 3, rows) / 2
        loss, gradient = k.cross_entropy(scores, y, of_classes, of_samples)
        wanted, slope = reference.cross_entropy(
            scores.astype(np.float64), y, of_classes, of_samples
        )
        np.testing.assert_allclose(loss, wanted, rtol=8 * epsilon, atol=8 * epsilon)
        np.testing.assert_allclose(gradient, slope, rtol=0, atol=20 * epsilon / rows)


@pytest.mark.parametrize("classes", [3, 8, 10, 16, 20])
def test_a_row_of_the_end_of_an_array_is_not_read_beyond(classes: int) -> None:
    """Values beside the scores have no part in them."""
    scores = np.full((9, classes), 1e30, np.float32)
    inside = scores[:8]
    inside[:] = np.random.default_rng(0).standard_normal(inside.shape)
    y = np.zeros(8, np.int64)
    loss, gradient = k.cross_entropy(inside, y)
    wanted, slope = k.cross_entropy(inside.copy(), y)
    assert loss == wanted
    np.testing.assert_array_equal(gradient, slope)


@pytest.mark.parametrize("classes", [2, 10, 16, 20])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_rows(classes: int, dtype: str) -> None:
    largest = np.finfo(dtype).max
    scores = np.zeros((6, classes), dtype)
    scores[0, 0] = largest
    scores[1] = -largest
    scores[2, 1] = -np.inf
    scores[3] = 1e4
    y = np.array([0, 1, 0, 1, 0, 1])
    loss, gradient = k.cross_entropy(scores, y)
    wanted, slope = reference.cross_entropy(scores, y)
    np.testing.assert_allclose(loss, wanted, rtol=1e-6)
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-7)
    for bad in (np.nan, np.inf):
        scores[4, 1] = bad
        with np.errstate(invalid="ignore"):
            loss, gradient = k.cross_entropy(scores, y)
        assert np.isnan(loss)
        assert np.isnan(gradient[4]).all()
        np.testing.assert_allclose(gradient[[0, 1, 2, 3, 5]], slope[[0, 1, 2, 3, 5]], atol=1e-7)
