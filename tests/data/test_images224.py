"""The digits and two photographs as images for AlexNet: what is held out was never seen."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from fastnn import data
from fastnn.data import images224 as make
from fastnn.data.images224 import __name__ as MODULE

images224 = sys.modules[MODULE]


def test_classes_shapes_and_counts() -> None:
    d = make(16)
    assert d.classes == (*"0123456789", "china", "flower")
    assert d.shape == (3, 16, 16)
    assert d.x_train.shape == (1726, 768)
    assert d.x_test.shape == (431, 768)
    assert d.x_train.dtype == d.x_test.dtype == np.uint8
    assert d.y_train.dtype == d.y_test.dtype == np.int64
    digits = data.digits()
    for y, of_digits, crops in ((d.y_train, digits.y_train, 144), (d.y_test, digits.y_test, 36)):
        assert np.bincount(y).tolist() == [*np.bincount(of_digits), crops, crops]


def test_every_call_gives_the_same() -> None:
    a, b = make(20, train_each=4, test_each=2), make(20, train_each=4, test_each=2)
    for name in ("x_train", "y_train", "x_test", "y_test"):
        assert np.array_equal(getattr(a, name), getattr(b, name))


def test_each_part_is_shuffled() -> None:
    d = make(8)
    for y in (d.y_train, d.y_test):
        for label in range(12):
            assert abs(np.mean(np.flatnonzero(y == label)) / len(y) - 0.5) < 0.15


def test_few_images_of_each_class() -> None:
    d = make(8, train_each=3, test_each=1)
    assert np.bincount(d.y_train).tolist() == [3] * 12
    assert np.bincount(d.y_test).tolist() == [1] * 12


def test_digits_are_those_of_the_same_part() -> None:
    """At 8x8 nothing is enlarged: the pixels are the digits', in three equal channels."""
    d, digits = make(8), data.digits()
    for x, y, ink, label in (
        (d.x_train, d.y_train, digits.x_train, digits.y_train),
        (d.x_test, d.y_test, digits.x_test, digits.y_test),
    ):
        images = x[y < 10].reshape(-1, 3, 64)
        assert (images == images[:, :1]).all()
        wanted = np.rint(ink * (255 / 16))
        found = np.column_stack([y[y < 10], images[:, 0]])
        assert np.array_equal(
            np.unique(found, axis=0), np.unique(np.column_stack([label, wanted]), axis=0)
        )


def test_no_held_out_crop_shares_a_pixel_with_one_trained_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Photographs whose pixels tell their column and photograph, and crops of them."""
    columns = np.indices((427, 640))[1]
    china = np.stack([columns // 4, columns % 4, columns // 10 * 2], axis=2).astype(np.uint8)
    photographs = [china, china + np.array([0, 0, 1], np.uint8)]

    def as_they_are(image: np.ndarray, size: int) -> np.ndarray:
        return image.transpose(2, 0, 1) if image.shape[2] == 3 else np.zeros((1, size, size), "u1")

    monkeypatch.setattr(images224, "_photographs", lambda: photographs)
    monkeypatch.setattr(images224, "enlarged", as_they_are)
    monkeypatch.setattr(images224, "_SIDES", (96, 96))
    d = make(96)
    seen = []
    for x, y in ((d.x_train, d.y_train), (d.x_test, d.y_test)):
        crops = x.reshape(-1, 3, 96, 96)[y >= 10].astype(int)
        assert np.array_equal(crops[:, 2, 0, 0] % 2, y[y >= 10] - 10)
        mirrored = crops[:, 2, 0, 0] > crops[:, 2, 0, -1]
        assert 0.3 < mirrored.mean() < 0.7
        seen.append(np.unique(4 * crops[:, 0] + crops[:, 1]))
    train, test = seen
    assert not np.intersect1d(train, test).size
    assert train.max() + 16 < test.min()
    assert len(train) > 380
    assert len(test) > 210


def test_crops_differ_in_place_scale_and_side() -> None:
    region = images224._TRAINING
    crops = np.array(images224._crops(500, 427, region, np.random.PCG64(0)))
    top, left, side, mirrored = crops.T
    assert (side.min(), side.max()) == images224._SIDES
    assert left.min() == region.first
    assert 395 < (left + side).max() <= region.end
    assert top.min() < 5
    assert 422 < (top + side).max() <= 427
    assert 0.4 < mirrored.mean() < 0.6


def test_enlarging_interpolates_between_centres() -> None:
    image = np.array([[0, 100], [40, 140]], np.uint8)[..., np.newaxis]
    wanted = [[0, 25, 75, 100], [10, 35, 85, 110], [30, 55, 105, 130], [40, 65, 115, 140]]
    assert images224.enlarged(image, 4).tolist() == [wanted]
    assert np.array_equal(images224.enlarged(image, 2)[0], image[..., 0])


@pytest.mark.parametrize("missing", ["sklearn.datasets", "PIL"])
def test_a_missing_library_is_one_line(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"pip install 'fastnn\[images\]'") as found:
        make(8)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"size": 0}, ValueError, "size must be at least 1, got 0"),
        ({"size": 8.0}, TypeError, "size must be an integer, got 8.0"),
        ({"train_each": 0}, ValueError, "train_each must be at least 1, got 0"),
        ({"test_each": "2"}, TypeError, "test_each must be an integer, got '2'"),
    ],
)
def test_wrong_arguments_are_named(options: dict, kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        make(**options)
