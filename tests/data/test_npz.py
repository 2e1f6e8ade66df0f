"""A user's own arrays: every way in which they can be right or wrong."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnn import data
from fastnn.data import DataError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)), np.arange(40) % 4


def write(folder: Path, **arrays: Any) -> Path:
    file = folder / "mine.npz"
    np.savez(file, **arrays)
    return file


def four(**changes: Any) -> dict[str, Any]:
    parts = {"x_train": X, "y_train": Y, "x_test": X[:8], "y_test": Y[:8]}
    return {k: v for k, v in (parts | changes).items() if v is not None}


def test_four_arrays(tmp_path: Path) -> None:
    d = data.load(f"npz:{write(tmp_path, **four())}")
    np.testing.assert_array_equal(d.x_train, X)
    np.testing.assert_array_equal(d.y_test, Y[:8])
    assert d.x_train.dtype == np.float64
    assert d.shape == (3,)
    assert d.classes == ("0", "1", "2", "3")


@pytest.mark.parametrize("name", ["x", "X"])
def test_x_and_y_are_split_as_the_digits_are(tmp_path: Path, name: str) -> None:
    d = data.npz(write(tmp_path, **{name: X, "y": Y}))
    train, test = data.stratified_split(Y)
    np.testing.assert_array_equal(d.x_train, X[train])
    np.testing.assert_array_equal(d.x_test, X[test])
    np.testing.assert_array_equal(d.y_test, Y[test])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("u1", "u1"),
        ("f4", "f4"),
        ("f8", "f8"),
        (">f4", "f4"),
        ("f2", "f4"),
        ("i8", "f4"),
        ("?", "f4"),
    ],
)
def test_dtypes(tmp_path: Path, given: str, kept: str) -> None:
    x = (np.abs(X) * 20).astype(given)
    d = data.npz(write(tmp_path, **four(x_train=x, x_test=x[:8])))
    assert d.x_train.dtype == np.dtype(kept)
    assert d.x_train.dtype.isnative
    np.testing.assert_array_equal(d.x_train, x.astype(kept))


def test_images_are_flattened_and_their_shape_kept(tmp_path: Path) -> None:
    x = RNG.integers(0, 256, (40, 2, 5), np.uint8)
    d = data.npz(write(tmp_path, x=x, y=Y))
    assert d.x_train.shape == (32, 10)
    assert d.shape == (1, 2, 5)


def test_labels_need_not_count_from_zero(tmp_path: Path) -> None:
    d = data.npz(write(tmp_path, x=X, y=Y * 10 - 5))
    assert d.classes == ("-5", "5", "15", "25")
    assert set(d.y_train) == {0, 1, 2, 3}


def test_labels_may_be_strings(tmp_path: Path) -> None:
    names = np.array(["ant", "bee", "cat", "Žába"])[[3, 0, 1, 2]]
    d = data.npz(write(tmp_path, x=X, y=names[Y]))
    assert d.classes == ("ant", "bee", "cat", "Žába")
    train, _ = data.stratified_split(Y)
    np.testing.assert_array_equal(np.array(d.classes)[d.y_train], names[Y[train]])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "holds nothing; expected x_train, y_train, x_test, y_test, or x and y"),
        ({"a": X, "y": Y}, "holds a, y; expected x_train"),
        (four(x_test=None, y_test=None), "lacks x_test, y_test"),
        (four(y_train=Y[:-1]), "39 labels for 40 samples"),
        (four(y_test=Y[:7]), "7 labels for 8 samples"),
        (four(x_test=X[:8, :2]), r"x_train has samples of shape \(3,\), x_test of \(2"),
        (four(y_train=np.eye(4)[Y]), r"y_train has shape \(40, 4\).*one-hot"),
        (four(y_train=Y * 1.0), "y_train has shape .*dtype float64"),
        (four(y_test=Y[:8] + 2), r"y_test\[2\] is 4, .*known class \(0, 1, 2, 3\)"),
        (four(y_train=Y * 0), r"y_train holds one class only \(0\)"),
        (four(x_train=X.astype(complex)), "x_train has dtype complex128"),
        (four(x_train=X.astype(str)), "x_train has dtype <U"),
        (four(x_train=X[:, 0]), r"x_train has shape \(40,\)"),
        (four(x_train=X[:0], y_train=Y[:0]), r"x_train has shape \(0, 3\)"),
        (four(x_train=np.where(X[5, 1] == X, np.nan, X)), r"x_train\[5\] .*not finite"),
        (four(x_test=np.where(X[3, 1] == X, np.inf, X)[:8]), r"x_test\[3\]"),
        ({"x": X, "y": Y[:9]}, "9 labels for 40 samples"),
        ({"x": X, "y": np.eye(4)[Y]}, r"y \(40, 4\)"),
        ({"x": np.float32(1), "y": Y}, r"x has shape \(\)"),
        ({"x": X[:4], "y": Y[:4]}, "4 samples are too few"),
        ({"x": X[:0], "y": Y[:0]}, "0 samples are too few"),
        (four(x_train=X.astype(object)), "damaged npz file .*allow_pickle=False"),
    ],
)
def test_bad_arrays_are_named(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    file = write(tmp_path, **arrays)
    with pytest.raises(DataError, match=rf"mine\.npz: .*{message}"):
        data.npz(file)


def test_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.npz"):
        data.npz(tmp_path / "nothing.npz")
    single = tmp_path / "single.npy"
    np.save(single, X)
    with pytest.raises(DataError, match=r"single\.npy: not an npz file"):
        data.npz(single)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_cut_or_flipped_bytes_never_escape_as_another_error(tmp_path: Path, save: Any) -> None:
    file = tmp_path / "mine.npz"
    save(file, **four())
    whole = file.read_bytes()
    for length in range(0, len(whole), 37):
        file.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"mine\.npz: "):
            data.npz(file)
    for position in range(0, len(whole), 23):
        broken = bytearray(whole)
        broken[position] ^= 0xFF
        file.write_bytes(broken)
        with contextlib.suppress(DataError):
            data.npz(file)  # some bytes, a date for one, do not matter


@pytest.mark.parametrize(
    "spec", ["", "mnist", "digits:", "images224:", "idx", "idx:", "npz:", ":x"]
)
def test_a_bad_spec_is_quoted_with_the_choices(spec: str) -> None:
    with pytest.raises(ValueError, match=rf"'{spec}' is not digits, images224, idx:FOLDER"):
        data.load(spec)


def test_a_path_may_hold_a_colon(tmp_path: Path) -> None:
    (tmp_path / "c:d").mkdir()
    file = write(tmp_path / "c:d", x=X, y=Y)
    assert data.load(f"npz:{file}").name == f"npz:{file}"
