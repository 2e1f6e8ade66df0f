"""Features against end-to-end training: features, and the descriptors below it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import one_thread as one_thread

from fastnn import cli, data, lecture
from fastnn.cli import main
from fastnn.lecture import descriptors, features
from fastnn.lecture.descriptors import VisualWords


@pytest.fixture(scope="module")
def few() -> data.Dataset:
    return features.some_of(features.load(), 200)


@pytest.fixture(scope="module")
def file(few: data.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("few") / "few.npz"
    parts = ("x_train", "y_train", "x_test", "y_test")
    np.savez(path, **{part: getattr(few, part) for part in parts})
    return path


@pytest.fixture(scope="module")
def words(few: data.Dataset) -> VisualWords:
    return VisualWords(few.x_train[:, 0], words=20)


# --- oriented gradients ---------------------------------------------------------------


def blocks(image: np.ndarray) -> np.ndarray:
    """Of one image (28, 28), by block row and column, cell row and column, and direction."""
    return descriptors.oriented_gradients(image[None])[0].reshape(6, 6, 2, 2, 9)


def vertical_edge() -> np.ndarray:
    return np.tile(np.repeat([0.0, 1.0], 14), (28, 1))


def test_a_vertical_edge_has_gradients_of_one_direction_in_the_cells_that_it_crosses() -> None:
    found = blocks(vertical_edge())
    # Columns 13 and 14 are in cell 3, which is the right one of block 2, the left one of 3.
    wanted = np.zeros((6, 6, 2, 2, 9))
    wanted[:, 2, :, 1, 0] = wanted[:, 3, :, 0, 0] = 1 / np.sqrt(2)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_horizontal_edge_is_that_edge_turned() -> None:
    found = blocks(vertical_edge().T)
    wanted = np.zeros((6, 6, 2, 2, 9))
    wanted[2, :, 1, :, 4] = wanted[3, :, 0, :, 4] = 1 / np.sqrt(2)  # 90 degrees of 80 to 100
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_an_edge_and_its_negative_are_one() -> None:
    np.testing.assert_allclose(blocks(1 - vertical_edge()), blocks(vertical_edge()), atol=1e-6)


def test_gradients_of_images(few: data.Dataset) -> None:
    found = descriptors.oriented_gradients(few.x_train[:3, 0])
    assert found.shape == (3, 1296)
    assert found.dtype == np.float32
    lengths = np.linalg.norm(found.reshape(3, 36, 36), axis=2)  # of blocks: 1, or nothing there
    assert np.all((lengths < 1 + 1e-5) & ((lengths > 0.99) | (lengths < 1e-3)))


# --- visual words ---------------------------------------------------------------------


def test_descriptors_of_a_slope_are_the_same_everywhere_and_point_up_it() -> None:
    slope = np.tile(np.linspace(0, 1, 48), (48, 1))
    found = descriptors.descriptors(slope[None])
    assert found.shape == (1, 40, 40, 40)
    inside = found[0, 12:-12, 12:-12].reshape(-1, 5, 8)
    np.testing.assert_allclose(inside, inside[:1].repeat(len(inside), 0), atol=1e-4)
    down = descriptors.descriptors(1 - slope[None])[0, 10, 10].reshape(5, 8)
    up = inside[0]
    assert len(set(up.argmax(axis=1))) == 1
    np.testing.assert_array_equal(down.argmax(axis=1), (up.argmax(axis=1) + 4) % 8)


def test_descriptors_do_not_see_the_brightness(few: data.Dataset) -> None:
    images = few.x_train[:2, 0] / 255
    np.testing.assert_allclose(
        descriptors.descriptors(images / 2), descriptors.descriptors(images), atol=1e-6
    )


def test_the_nearest_word(words: VisualWords, few: data.Dataset) -> None:
    images = few.x_test[:5, 0]
    found = descriptors.descriptors(images)
    means = words._means.cluster_centers_
    distances = np.linalg.norm(found[..., None, :] - means, axis=-1)
    np.testing.assert_array_equal(words.nearest(images), distances.argmin(axis=-1))


def test_a_bag_counts_the_words(
    words: VisualWords, few: data.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = few.x_test[:12, 0]
    bags = words.histograms(images)
    assert bags.shape == (12, 20)
    assert bags.dtype == np.float32
    nearest = words.nearest(images).reshape(12, -1)
    for word in range(20):
        np.testing.assert_allclose(bags[:, word], (nearest == word).mean(axis=1), rtol=1e-6)
    monkeypatch.setattr(descriptors, "_IMAGES_AT_ONCE", 5)
    np.testing.assert_array_equal(words.histograms(images), bags)


def test_a_bag_does_not_tell_where_a_thing_is(words: VisualWords) -> None:
    image = np.zeros((60, 60))  # so large that the edges do not matter
    image[26:32, 26:30] = 1
    there = np.roll(image, (3, -2), (0, 1))
    assert (words.nearest(image[None]) != words.nearest(there[None])).any()
    bags = words.histograms(np.stack([image, there]))
    np.testing.assert_array_equal(*bags)


def test_the_words_depend_on_the_seed_alone(words: VisualWords, few: data.Dataset) -> None:
    images = few.x_train[:, 0]
    again, other = VisualWords(images, 20), VisualWords(images, 20, seed=1)
    test = few.x_test[:20, 0]
    np.testing.assert_array_equal(again.histograms(test), words.histograms(test))
    assert (other.histograms(test) != words.histograms(test)).any()


def test_there_are_no_more_words_than_descriptors(few: data.Dataset) -> None:
    images = few.x_train[:1, 0, :12, 8:20]  # 4 x 4 places
    assert VisualWords(images).histograms(images).shape == (1, 16)


def test_the_patches_of_the_commonest_words(words: VisualWords, few: data.Dataset) -> None:
    images = few.x_train[:30, 0]
    patches = words.mean_patches(images, 3)
    assert patches.shape == (3, 9, 9)
    nearest = words.nearest(images)
    second = np.bincount(nearest.ravel()).argsort()[-2]
    wanted = [images[n, i : i + 9, j : j + 9] for n, i, j in np.argwhere(nearest == second)]
    np.testing.assert_allclose(patches[1], np.mean(wanted, axis=0), rtol=1e-9)
    occurring = len(np.unique(words.nearest(images[:1])))
    assert len(words.mean_patches(images[:1], 50)) == occurring < 20


# --- the comparison -------------------------------------------------------------------


def test_features_are_standardized_by_the_training_part(rng: np.random.Generator) -> None:
    train = rng.normal([5, -200, 0], [2, 30, 0], (500, 3)).astype(np.float32)
    test = np.array([[5, -200, 1], [7, -170, 0]], np.float32)
    wanted = (test - train.mean(axis=0)) / [*train.std(axis=0)[:2], 1]
    features.standardize(train, test)
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(axis=0), [1, 1, 0], atol=1e-5)
    np.testing.assert_allclose(test, wanted, atol=1e-4)


def test_some_of_the_images(few: data.Dataset) -> None:
    some, again, all_of_them = (features.some_of(few, n) for n in (40, 40, 1000))
    assert some.x_train.shape == some.x_test.shape == (40, 1, 28, 28)
    np.testing.assert_array_equal(some.x_train, again.x_train)
    np.testing.assert_array_equal(all_of_them.x_train, few.x_train)
    np.testing.assert_array_equal(all_of_them.y_test, few.y_test)
    for X, Y, X_few, y_few in (
        (some.x_train, some.y_train, few.x_train, few.y_train),
        (some.x_test, some.y_test, few.x_test, few.y_test),
    ):
        for x, y in zip(X, Y, strict=True):
            assert y_few[(X_few == x).all(axis=(1, 2, 3))].tolist() == [y]


def test_the_rows(few: data.Dataset) -> None:
    outcome, again = features.compare(few), features.compare(few)
    names = ["pixels", "oriented gradients", "bag of visual words", "ConvNet, end to end"]
    assert [row.features for row in outcome.rows] == names
    assert [row.length for row in outcome.rows] == [784, 1296, 500, 84]
    assert [row.extraction is None for row in outcome.rows] == [False, False, False, True]
    for row, same in zip(outcome.rows, again.rows, strict=True):
        assert 0.4 < row.test < row.train <= 1
        assert row.test * 200 == pytest.approx(round(row.test * 200))
        assert (row.train, row.test) == (same.train, same.test)
        assert row.training > 0


def test_what_is_tested_is_the_test_part(few: data.Dataset) -> None:
    """Labels that say nothing are learned, and no test image is right but by chance."""
    rng = np.random.default_rng(0)
    shuffled = replace(few, y_train=rng.permutation(few.y_train))
    row, _ = features.end_to_end(shuffled)
    assert row.test < 0.3
    wide = features.classify(
        "pixels", lambda x: x.reshape(len(x), -1).astype(np.float32), shuffled, 0.0
    )
    assert wide.test < 0.3 < wide.train


def test_colours_become_grey(few: data.Dataset) -> None:
    images = np.repeat(few.x_train[:2], 3, axis=1)
    np.testing.assert_allclose(features.grey(images), few.x_train[:2, 0], rtol=1e-6)
    coloured = replace(few, shape=(3, 28, 28), **{
        part: np.repeat(getattr(few, part)[:60], 3, axis=1) for part in ("x_train", "x_test")
    }, y_train=few.y_train[:60], y_test=few.y_test[:60])  # fmt: skip
    lengths = [row.length for row in features.compare(coloured).rows]
    assert lengths == [3 * 784, 1296, 500, 84]


# --- the command ----------------------------------------------------------------------


def test_the_page_says_of_how_many_images(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lecture", "features", "--data", f"npz:{file}", "--samples", "50"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    out = " ".join(out.split())
    assert f"npz:{file}: 50 of 200 images to train with, 50 of 200 to test with." in out
    assert "threads: 1." in out


@pytest.mark.parametrize("samples", [1, 3])
def test_a_page_of_next_to_nothing(
    file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, samples: int
) -> None:
    options = ["--samples", str(samples), "--save", str(tmp_path)]
    assert main(["lecture", "features", "--data", f"npz:{file}", *options]) == 0
    assert capsys.readouterr().err == ""
    assert [path.name for path in tmp_path.iterdir()] == ["features.png"]


def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.feature", None)
    monkeypatch.delitem(sys.modules, "fastnn.lecture.descriptors")
    monkeypatch.delattr(lecture, "descriptors")


def test_without_the_extra_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_the_extra(monkeypatch)
    assert main(["lecture", "features"]) == 1
    _, err = capsys.readouterr()
    assert err.startswith("fastnn lecture: error: features needs scikit-image and scikit-learn (")
    assert err.endswith(" scikit-learn, which are the extra fastnn[features]\n")
    assert err.count("\n") == 1
    assert main(["lecture", "features", "--code"]) == 0


def test_all_goes_on_without_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_the_extra(monkeypatch)
    topics = {name: lecture.TOPICS[name] for name in ("features", "gates")}
    monkeypatch.setattr(cli.lecture, "TOPICS", topics)
    assert main(["lecture", "all"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "not shown: features needs scikit-image and scikit-learn" in out
    assert "f = -12, df/dx = -4" in out


def test_without_fashion_mnist_one_line_says_where_it_comes_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    spec = f"idx:{tmp_path / 'none'}"
    assert main(["lecture", "features", "--data", spec]) == 1
    _, err = capsys.readouterr()
    assert err == f"fastnn lecture: error: {tmp_path / 'none'}: No such file or directory\n"
    monkeypatch.setattr(features, "DATA", spec)
    assert main(["lecture", "features", "--data", spec]) == 1
    _, err = capsys.readouterr()
    assert f"{tmp_path / 'none'}: no Fashion-MNIST: apt install dataset-fashion-mnist, or" in err
    assert err.count("\n") == 1


def test_images_that_are_too_small(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lecture", "features", "--data", "digits"]) == 1
    _, err = capsys.readouterr()
    assert err == ("fastnn lecture: error: digits: images of 8 x 8, wanted at least 12 x 12\n")
