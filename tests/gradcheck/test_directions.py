"""Where arguments are moved to, and how far."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn.gradcheck.directions import random_signs, reads_one_triangle, scales, symmetrized


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_scales_are_powers_of_two_near_the_size(dtype: str) -> None:
    x = np.array([[10.0, 0.5], [-1.0, 0.0]], dtype)
    found = scales(x)
    assert found.tolist() == [[8, 4], [4, 4]]  # the root of the mean square is 5.03
    assert scales(np.zeros(3, dtype)).tolist() == [1, 1, 1]
    assert scales(np.array(-0.3, dtype)) == 0.25
    assert scales(np.ones((0, 2), dtype)).shape == (0, 2)
    assert 0 < scales(np.array([np.finfo(dtype).tiny], dtype))[0] < 1e-18


def test_signs_are_of_middling_size(rng: np.random.Generator) -> None:
    signs = random_signs((1000,), rng)
    assert np.all((np.abs(signs) >= 0.5) & (np.abs(signs) <= 1.5))
    assert 400 < np.count_nonzero(signs > 0) < 600


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (np.tril, True),
        (np.triu, True),
        (np.linalg.cholesky, True),
        (lambda x: x, False),
        (lambda x: x + np.swapaxes(x, -1, -2), False),
        (lambda x: np.diagonal(x, axis1=-2, axis2=-1), False),
        (lambda x: 0 * x, False),
    ],
)
def test_who_reads_one_triangle(f, expected: bool) -> None:
    def along(x: np.ndarray):
        return lambda direction: lambda t: f(x + t * direction) - f(x)

    for x in (np.eye(3), np.stack([2 * np.eye(2), np.ones((2, 2)) + np.eye(2)])):
        assert reads_one_triangle(x, along(x), 1e-3) is expected
    for x in (np.array([[1.0, 0.1], [0, 1]]), np.ones((1, 1)), np.ones(3), np.ones((2, 3))):
        assert not reads_one_triangle(x, lambda _: lambda t: np.zeros(1), 1e-3)


def test_symmetrized_moves_both_triangles() -> None:
    assert symmetrized(np.array([[1.0, 2], [3, 4]])).tolist() == [[1, 5], [5, 4]]
