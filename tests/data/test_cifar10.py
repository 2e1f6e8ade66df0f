"""The binary version of CIFAR-10."""

from pathlib import Path

import numpy as np
import pytest

from fastnn import data
from fastnn.data import DataError

NAMES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]


def records(n: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).integers(0, 256, (n, 3073), np.uint8)
    rows[:, 0] %= 10
    return rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(NAMES):
        (tmp_path / name).write_bytes(records(4, seed).tobytes())
    return tmp_path


def test_the_folder_becomes_a_dataset(folder: Path) -> None:
    d = data.load(f"cifar10:{folder}")
    assert d.x_train.shape == (20, 3072)
    assert d.x_test.shape == (4, 3072)
    assert d.x_train.dtype == np.uint8
    assert d.x_train.flags.c_contiguous
    assert d.shape == (3, 32, 32)
    assert d.classes[:2] == ("airplane", "automobile")
    second = records(4, 1)
    np.testing.assert_array_equal(d.x_train[4:8], second[:, 1:])
    np.testing.assert_array_equal(d.y_train[4:8], second[:, 0])
    np.testing.assert_array_equal(d.y_test, records(4, 5)[:, 0])


def test_the_folder_above_will_do(folder: Path) -> None:
    inner = folder / "cifar-10-batches-bin"
    inner.mkdir()
    for name in NAMES:
        (folder / name).rename(inner / name)
    assert data.cifar10(folder).x_train.shape == (20, 3072)


def test_the_pickled_version_is_refused_unread(folder: Path) -> None:
    (folder / "data_batch_3.bin").rename(folder / "data_batch_3")
    with pytest.raises(DataError, match=r"data_batch_3: .*pickled.*binary version"):
        data.cifar10(folder)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        data.cifar10(folder)


def test_a_missing_folder_is_named(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        data.cifar10(folder / "nowhere")
    with pytest.raises(NotADirectoryError, match="test_batch"):
        data.cifar10(folder / "test_batch.bin")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes, expected a multiple of 3073"),
        (b"\0" * 3072, "3072 bytes, expected a multiple of 3073"),
        (b"\0" * 3073 + b"\x0b" * 3073, "label 11 in record 1, expected 0..9"),
    ],
)
def test_a_damaged_file_is_named(folder: Path, content: bytes, message: str) -> None:
    (folder / "data_batch_2.bin").write_bytes(content)
    with pytest.raises(DataError, match=rf"data_batch_2\.bin: {message}"):
        data.cifar10(folder)
