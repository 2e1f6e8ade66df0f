"""idx files: what MNIST and Fashion-MNIST are stored in."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from fastnn import data
from fastnn.data import DataError

FASHION = Path("/usr/share/datasets/fashion-mnist")
CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def encode(array: np.ndarray) -> bytes:
    code = CODES[array.dtype.str[1:]]
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small data set under the four names, two of them gzipped; ä and a space."""
    place = tmp_path / "zwei Bilder ä"
    place.mkdir()
    rng = np.random.default_rng(0)
    for part, n, pack in (("train", 30, gzip.compress), ("t10k", 10, bytes)):
        suffix = ".gz" if part == "train" else ""
        images = rng.integers(0, 256, (n, 4, 5), np.uint8)
        labels = (np.arange(n) % 3).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            (place / f"{part}-{kind}-ubyte{suffix}").write_bytes(pack(encode(array)))
    return place


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("shape", [(3,), (0,), (2, 3), (2, 3, 4), (1, 2, 3, 4)])
def test_every_type_and_shape_comes_back(
    tmp_path: Path, dtype: str, shape: tuple[int, ...], pack: type
) -> None:
    array = np.random.default_rng(1).normal(0, 50, shape).astype(dtype.replace("u", "i"))
    array = array.astype(dtype)
    file = tmp_path / "some.idx"
    file.write_bytes(pack(encode(array)))
    back = data.read_idx(file)
    assert back.dtype == array.dtype
    assert back.dtype.isnative
    np.testing.assert_array_equal(back, array)


def test_the_folder_becomes_a_dataset(folder: Path) -> None:
    d = data.load(f"idx:{folder}")
    assert d.x_train.shape == (30, 20)
    assert d.x_test.shape == (10, 20)
    assert d.shape == (1, 4, 5)
    assert d.x_train.dtype == np.uint8
    assert d.classes == ("0", "1", "2")
    assert d.y_train[:4].tolist() == [0, 1, 2, 0]
    first = data.read_idx(folder / "train-images-idx3-ubyte.gz")[0]
    np.testing.assert_array_equal(d.x_train[0].reshape(4, 5), first)


def test_the_names_with_a_dot_are_known(folder: Path) -> None:
    for file in list(folder.iterdir()):
        file.rename(folder / file.name.replace("-idx", ".idx"))
    assert data.idx(folder).x_train.shape == (30, 20)


def test_real_fashion_mnist() -> None:
    d = data.idx(FASHION)
    assert d.x_train.shape == (60_000, 784)
    assert d.x_test.shape == (10_000, 784)
    assert d.shape == (1, 28, 28)
    assert np.bincount(d.y_train).tolist() == [6000] * 10
    assert np.bincount(d.y_test).tolist() == [1000] * 10
    # The mean pixel that the literature quotes for Fashion-MNIST: 0.2860 of 255.
    assert d.x_train.mean() / 255 == pytest.approx(0.2860, abs=5e-5)


def test_a_file_cut_anywhere_is_refused_by_name(tmp_path: Path) -> None:
    whole = encode(np.arange(12, dtype=np.uint8).reshape(3, 4))
    file = tmp_path / "cut.idx"
    for content in (whole, gzip.compress(whole)):
        for length in range(len(content)):
            file.write_bytes(content[:length])
            with pytest.raises(DataError, match=r"cut\.idx: "):
                data.read_idx(file)


def test_a_damaged_gzip_file_is_refused_by_name(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, 500, np.uint8)
    content = bytearray(gzip.compress(encode(array)))
    content[len(content) // 2] ^= 0xFF
    file = tmp_path / "damaged.gz"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged\.gz: "):
        data.read_idx(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an idx file"),
        (b"\x89PNG\r\n\x1a\n", "not an idx file"),
        (b"\0\0\x07\x01\0\0\0\0", "not an idx file"),
        (b"\0\0\x08\x00", "not an idx file"),
        (b"\0\0\x08\x03\0\0", "cut short inside the idx header"),
        (b"\0\0\x08\x01\0\0\0\x02abc", r"says \(2,\), 2 bytes, but it holds more"),
        (b"\0\0\x08\x01\0\0\0\x09abc", r"says \(9,\), 9 bytes, but it holds 3"),
        (b"\0\0\x0e\x03" + b"\xff" * 12 + b"abc", "but it holds 3"),
    ],
)
def test_what_is_no_idx_file_says_so(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "bad.idx"
    file.write_bytes(content)
    with pytest.raises(DataError, match=rf"bad\.idx: .*{message}") as caught:
        data.read_idx(file)
    assert caught.value.path == str(file)


def test_missing_things_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        data.idx(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"nothing\.idx"):
        data.read_idx(tmp_path / "nothing.idx")
    file = folder / "t10k-labels-idx1-ubyte"
    file.unlink()
    with pytest.raises(FileNotFoundError, match="t10k-labels-idx1-ubyte") as caught:
        data.idx(folder)
    assert ".gz" in str(caught.value)
    with pytest.raises(NotADirectoryError, match="t10k-images"):
        data.idx(folder / "t10k-images-idx3-ubyte")


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("t10k-labels-idx1-ubyte", np.zeros(9, "u1"), "9 labels for 10 samples"),
        ("t10k-labels-idx1-ubyte", np.zeros((10, 3), "u1"), "one-hot"),
        ("t10k-labels-idx1-ubyte", np.full(10, 7, "u1"), r"labels\[0\] is 7.*0, 1, 2"),
        ("t10k-labels-idx1-ubyte", np.zeros(10, "f4"), "dtype float32"),
        ("t10k-images-idx3-ubyte", np.zeros((10, 5, 5), "u1"), r"\(1, 4, 5\)"),
        ("t10k-images-idx3-ubyte", np.zeros((0, 4, 5), "u1"), "not empty"),
        ("t10k-images-idx3-ubyte", np.zeros(10, "u1"), r"shape \(10,\)"),
        ("t10k-images-idx3-ubyte", np.full((10, 4, 5), np.nan, "f4"), r"images\[0\]"),
    ],
)
def test_files_that_do_not_fit_together_are_named(
    folder: Path, name: str, array: np.ndarray, message: str
) -> None:
    (folder / name).write_bytes(encode(array))
    with pytest.raises(DataError, match=rf"{name}: .*{message}"):
        data.idx(folder)
