"""The shipped digits: the right pixels, the stated split."""

import hashlib
import tracemalloc

import numpy as np
import pytest

from fastnn import data

# SHA-256 of the pixels, then the labels, of scikit-learn's load_digits() as uint8.
SKLEARN_COPY = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def test_pixels_and_labels_are_those_of_scikit_learn() -> None:
    d = data.digits()
    order = np.concatenate(data.stratified_split(stored_labels()))
    x, y = np.empty((1797, 64), np.uint8), np.empty(1797, np.uint8)
    x[order] = np.concatenate([d.x_train, d.x_test])
    y[order] = np.concatenate([d.y_train, d.y_test])
    assert hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest() == SKLEARN_COPY


def stored_labels() -> np.ndarray:
    with np.load(f"{data.__path__[0]}/digits.npz") as stored:
        return stored["y"]


def test_shapes_dtypes_and_range() -> None:
    d = data.digits()
    assert d.x_train.shape == (1438, 64)
    assert d.x_test.shape == (359, 64)
    assert d.x_train.dtype == d.x_test.dtype == np.uint8
    assert d.y_train.dtype == d.y_test.dtype == np.int64
    assert (d.x_train.min(), d.x_train.max()) == (0, 16)
    assert d.shape == (1, 8, 8)
    assert d.classes == tuple("0123456789")
    assert d.x_train.flags.c_contiguous


def test_the_split_is_stratified_shuffled_and_fixed() -> None:
    d = data.digits()
    assert np.bincount(d.y_test).tolist() == [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]
    # Each class is spread over the whole part, not gathered at one end.
    for y in (d.y_train, d.y_test):
        for label in range(10):
            assert abs(np.mean(np.flatnonzero(y == label)) / len(y) - 0.5) < 0.15
    assert d.y_train[:10].tolist() == [5, 4, 2, 1, 9, 8, 0, 4, 1, 6]
    assert d.y_test[:10].tolist() == [5, 3, 1, 4, 9, 1, 0, 3, 9, 8]


def test_the_source_is_credited() -> None:
    for word in ("Alpaydin", "Kaynak", "UCI", "10.24432/C50P49"):
        assert word in data.CITATION


def test_standardization_brings_the_training_part_to_mean_0_and_deviation_1() -> None:
    d = data.digits()
    scale, shift = d.standardization()
    z = d.x_train * scale + shift
    assert z.mean() == pytest.approx(0, abs=1e-12)
    assert z.std() == pytest.approx(1)


def test_standardization_of_constant_data_only_centres() -> None:
    assert data.standardization(np.full((3, 2), 7.0)) == (1.0, -7.0)


def test_standardization_holds_over_block_borders_and_large_offsets() -> None:
    x = np.random.default_rng(0).normal(1e6, 2.0, (20_000, 3))
    scale, shift = data.standardization(x)
    assert scale == pytest.approx(1 / x.std(), rel=1e-9)
    assert (x * scale + shift).mean() == pytest.approx(0, abs=1e-6)


def test_standardization_of_large_images_copies_few_at_once() -> None:
    x = np.random.default_rng(0).integers(256, size=(300, 3, 200, 200), dtype=np.uint8)
    tracemalloc.start()
    try:
        scale, shift = data.standardization(x)
        assert tracemalloc.get_traced_memory()[1] < 4 * x.nbytes  # eight times at once
    finally:
        tracemalloc.stop()
    assert scale == pytest.approx(1 / x.std(), rel=1e-9)
    assert shift == pytest.approx(-x.mean() * scale, rel=1e-9)
