"""stratified_split: a partition, in proportion, reproducible."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn.data import stratified_split


@given(
    y=st.lists(st.integers(-3, 3), min_size=30, max_size=200),
    share=st.floats(0.2, 0.8),
    seed=st.integers(0, 2**32),
)
def test_parts_are_a_partition_in_proportion(y: list[int], share: float, seed: int) -> None:
    labels = np.array(y)
    train, test = stratified_split(labels, share, seed)
    assert sorted([*train, *test]) == list(range(len(y)))
    for label in set(y):
        wanted = round(y.count(label) * share)
        assert np.count_nonzero(labels[test] == label) == wanted


def test_the_seed_decides() -> None:
    y = np.arange(100) % 4
    first, again, other = (stratified_split(y, 0.2, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    assert set(first[1]) != set(other[1])


def test_strings_are_labels_too() -> None:
    train, test = stratified_split(["cat", "dog"] * 10, 0.5)
    assert len(train) == len(test) == 10


@pytest.mark.parametrize(
    ("y", "share", "message"),
    [
        ([[0, 1]], 0.2, r"y has shape \(1, 2\)"),
        ([0, 1], 0.0, "test_share is 0.0, expected between 0 and 1"),
        ([0, 1], 1, "test_share is 1"),
        ([0, 1], 0.2, "2 samples are too few to set 20% of each class aside"),
        ([], 0.2, "0 samples are too few"),
    ],
)
def test_bad_arguments_are_named(y: list[int], share: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stratified_split(y, share)
