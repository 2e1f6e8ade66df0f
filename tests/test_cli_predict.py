"""``fastnn evaluate`` and ``fastnn predict``: the same preprocessing as in training."""

import csv
import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import one_thread as one_thread
from cli_helpers import write_blobs

import fastnn
from fastnn import data
from fastnn.cli import main, saved


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the digits that every test of this file may read."""
    folder = tmp_path_factory.mktemp("a run") / "ß"
    argv = ["train", "--epochs", "3", "--quiet", "--out", str(folder)]
    assert main(argv) == 0
    return folder


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    file = tmp_path / "samples.npy"
    np.save(file, data.digits().x_test)
    return file


def labels_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + bytes(array)


def test_predict_and_evaluate_agree(
    digits_run: Path, samples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(digits_run), str(samples)]) == 0
    labels = labels_of(capsys)
    right = sum(int(a) == b for a, b in zip(labels, data.digits().y_test, strict=True))
    assert right > 300
    assert main(["evaluate", str(digits_run)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("digits, test part: accuracy ")
    assert f"({right} of 359), loss 0." in out


def test_large_samples_are_predicted_few_at_once(
    digits_run: Path,
    samples: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["predict", str(digits_run), str(samples)]) == 0
    wanted = labels_of(capsys)
    monkeypatch.setattr(saved, "rows_at_once", lambda shape: 100)
    assert main(["predict", str(digits_run), str(samples)]) == 0
    assert labels_of(capsys) == wanted


@pytest.mark.parametrize("part", ["train", "all"])
def test_the_other_parts(digits_run: Path, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(digits_run), "--part", part]) == 0
    total = {"train": 1438, "all": 1797}[part]
    assert f"of {total})" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["model.safetensors", "checkpoint.safetensors"])
def test_a_file_of_the_run_is_a_model_too(
    digits_run: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(digits_run)]) == 0
    assert main(["evaluate", str(digits_run / name)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second


def test_a_model_that_left_its_folder_still_knows_its_data_and_scale(
    digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes((digits_run / "model.safetensors").read_bytes())
    assert main(["evaluate", str(moved)]) == 0
    assert main(["evaluate", str(digits_run), "--data", "digits"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second


def test_every_kind_of_input_gives_the_same_labels(
    digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = data.digits().x_test[:20]
    images = x.reshape(-1, 8, 8)
    np.save(tmp_path / "rows.npy", x)
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "channels.npy", images[:, None])
    np.save(tmp_path / "floats.npy", x.astype(np.float64))
    np.save(tmp_path / "integers.npy", np.asfortranarray(x.astype(np.int64)))
    np.savez(tmp_path / "one.npz", whatever=x)
    np.savez(tmp_path / "two.npz", X=x, y=np.zeros(20))
    (tmp_path / "plain-ubyte").write_bytes(idx(images))
    (tmp_path / "packed-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    answers = {}
    for file in sorted(tmp_path.iterdir()):
        assert main(["predict", str(digits_run), str(file)]) == 0
        answers[file.name] = labels_of(capsys)
    assert len(answers) == 9
    assert len(answers["rows.npy"]) == 20
    for answer in answers.values():
        assert answer == answers["rows.npy"]


@pytest.mark.parametrize("shape", [(64,), (1, 8, 8)])
def test_one_sample_alone(
    digits_run: Path,
    tmp_path: Path,
    shape: tuple[int, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.save(tmp_path / "one.npy", data.digits().x_train[0].reshape(shape))
    assert main(["predict", str(digits_run), str(tmp_path / "one.npy")]) == 0
    assert len(labels_of(capsys)) == 1


def test_a_cifar_file_is_read_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = fastnn.models.linear(3072, 10)
    fastnn.save(model, tmp_path / "m.safetensors", {"scale": 1 / 255})
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3073), np.uint8)
    pixels[:, 0] = 0
    (tmp_path / "test_batch.bin").write_bytes(bytes(pixels))
    files = [str(tmp_path / name) for name in ("m.safetensors", "test_batch.bin")]
    assert main(["predict", *files]) == 0
    expected = model.predict((pixels[:, 1:] / 255).astype(np.float32))
    assert labels_of(capsys) == [str(label) for label in expected]


def test_proba_is_a_table_of_probabilities(
    digits_run: Path, samples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(digits_run), str(samples), "--proba"]) == 0
    header, *rows = csv.reader(labels_of(capsys))
    assert header == ["label", *"0123456789"]
    assert len(rows) == 359
    table = np.array([[float(p) for p in row[1:]] for row in rows])
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(table.argmax(axis=1), [int(row[0]) for row in rows])


@pytest.mark.parametrize("proba", [[], ["--proba"]])
@pytest.mark.parametrize("suffix", ["csv", "txt"])
def test_out_writes_what_would_be_printed(
    digits_run: Path,
    samples: Path,
    tmp_path: Path,
    suffix: str,
    proba: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    argv = ["predict", str(digits_run), str(samples), *proba]
    assert main(argv) == 0
    printed = capsys.readouterr().out
    file = tmp_path / f"labels.{suffix}"
    assert main([*argv, "--out", str(file)]) == 0
    assert capsys.readouterr() == ("", "")
    assert file.read_text() == printed


def test_out_npy(digits_run: Path, samples: Path, tmp_path: Path) -> None:
    labels, proba = tmp_path / "labels.npy", tmp_path / "proba.npy"
    argv = ["predict", str(digits_run), str(samples)]
    assert main([*argv, "--out", str(labels)]) == 0
    assert main([*argv, "--proba", "--out", str(proba)]) == 0
    assert np.load(labels).dtype == np.int64
    assert np.load(proba).shape == (359, 10)
    np.testing.assert_array_equal(np.load(proba).argmax(axis=1), np.load(labels))


def test_classes_keep_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_blobs(Path("b.npz"))
    argv = ["train", "--data", "npz:b.npz", "--batch-size", "8", "--quiet"]
    assert main([*argv, "--out", "o"]) == 0
    np.save("corner.npy", [[0.0, 4.0, 0.0, 0.0]])
    assert main(["predict", "o", "corner.npy"]) == 0
    assert labels_of(capsys) == ["bee"]
    assert main(["predict", "o", "corner.npy", "--out", "l.npy"]) == 0
    assert np.load("l.npy").tolist() == ["bee"]
    # Evaluated on data whose classes have other numbers, the names decide.
    with np.load("b.npz") as stored:
        x, y = stored["x"], stored["y"]
    some = y != "ant"
    parts = {
        "x_train": x[some],
        "y_train": y[some],
        "x_test": x[some],
        "y_test": y[some],
    }
    np.savez("some.npz", **parts)
    assert main(["evaluate", "o", "--data", "npz:some.npz"]) == 0
    out = capsys.readouterr().out
    assert float(out.split("accuracy ")[1].split()[0]) > 90
    np.savez("other.npz", x=x, y=np.char.add(y, "s"))
    assert main(["evaluate", "o", "--data", "npz:other.npz"]) == 1
    assert "is not a known class (ant, bee, cat)" in capsys.readouterr().err
    # Moved away from its run, a model cannot know where such data is.
    Path("o/model.safetensors").rename("m.safetensors")
    assert main(["evaluate", "m.safetensors"]) == 2
    assert "on which --data?" in capsys.readouterr().err


def test_a_killed_run_is_evaluated_by_its_checkpoint(
    digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("checkpoint.safetensors", "run.json"):
        (tmp_path / name).write_bytes((digits_run / name).read_bytes())
    assert main(["evaluate", str(tmp_path)]) == 0
    assert main(["evaluate", str(digits_run)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second


def test_a_model_saved_without_metadata_takes_samples_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = fastnn.models.mlp(64, (8,), 10, dtype="float64")
    file = tmp_path / "m.safetensors"
    fastnn.save(model, file)
    x = data.digits().x_test[:7] / 16
    np.save(tmp_path / "x.npy", x)
    assert main(["predict", str(file), str(tmp_path / "x.npy")]) == 0
    assert labels_of(capsys) == [str(label) for label in model.predict(x)]


def test_another_range_of_pixels_draws_a_warning(
    digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "x.npy", data.digits().x_test / 16)
    assert main(["predict", str(digits_run), str(tmp_path / "x.npy")]) == 0
    err = capsys.readouterr().err
    assert "warning" in err
    assert "values up to 1," in err
    assert "trained on values up to 16" in err


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.zeros((3, 63)),
            "samples of shape (63,), model.safetensors wants (1, 8, 8)",
        ),
        (np.zeros((0, 64)), "no samples"),
        (np.zeros(()), "samples of shape ()"),
        (np.full((2, 64), np.nan), "not finite"),
        (np.full((2, 64), 1e300), "not finite in float32"),
        (np.full((2, 64), "a"), "expected numbers"),
        (np.zeros((2, 64), complex), "expected numbers"),
    ],
)
def test_samples_that_do_not_fit_are_named(
    digits_run: Path,
    tmp_path: Path,
    array: np.ndarray,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "x.npy"
    np.save(file, array)
    assert main(["predict", str(digits_run), str(file)]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"fastnn predict: error: {file}: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an npy, npz, idx or binary CIFAR-10"),
        (b"\x89PNG", "not an npy, npz, idx or binary CIFAR-10"),
        (b"\x93NUMPY\x01\0v\0{'descr'", "damaged npy file"),
        (b"PK\x03\x04", "damaged npz file"),
        (b"\0\0\x08\x01\0\0\0\x05ab", "5 bytes, but it holds 2"),
        (b"\x1f\x8b\x08", "gzip file is cut short"),
    ],
)
def test_an_input_that_cannot_be_read_is_named(
    digits_run: Path,
    tmp_path: Path,
    content: bytes,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "input"
    file.write_bytes(content)
    assert main(["predict", str(digits_run), str(file)]) == 1
    err = capsys.readouterr().err
    assert f"{file}: " in err
    assert message in err


def test_an_npz_of_several_arrays_wants_one_called_x(
    digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros(3), b=np.zeros(3))
    assert main(["predict", str(digits_run), str(tmp_path / "x.npz")]) == 1
    assert "holds a, b; expected one array, or one called x" in capsys.readouterr().err


def test_a_model_for_other_data_is_named(
    digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_blobs(tmp_path / "b.npz")
    spec = f"npz:{tmp_path / 'b.npz'}"
    assert main(["evaluate", str(digits_run), "--data", spec]) == 1
    err = capsys.readouterr().err
    assert "b.npz" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("line", ["evaluate {m} --data digits", "predict {m} {x}"])
def test_samples_that_another_model_cannot_take_are_named(
    tmp_path: Path, samples: Path, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "other.safetensors"
    fastnn.save(fastnn.models.linear(5, 10), model)
    assert main([word.format(m=model, x=samples) for word in line.split()]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"samples of shape (64,) do not fit {model}" in err
    assert "(N, 5)" in err
