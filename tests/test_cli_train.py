"""``fastnn train`` in process: the run folder, what is printed, and going on."""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_helpers import one_thread as one_thread
from cli_helpers import write_blobs

import fastnn
from fastnn import data
from fastnn.callbacks import Checkpoint
from fastnn.cli import main
from fastnn.cli.settings import LEARNING_RATES, Settings
from fastnn.train import Trainer

FILES = {"run.json", "model.safetensors", "checkpoint.safetensors", "history.csv"}


@pytest.fixture
def blobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A small data set in a folder with a space and an umlaut, which is the cwd."""
    place = tmp_path / "mein Ördner"
    place.mkdir()
    monkeypatch.chdir(place)
    write_blobs(place / "drei punkte.npz")
    return "npz:drei punkte.npz"


def files(folder: str | Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


def test_without_arguments_the_digits_are_learned_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    d = data.digits()
    accuracies = []
    for seed in range(5):
        assert main(["train", "--seed", str(seed)]) == 0
        model = fastnn.load(f"runs/digits-{seed + 1}/model.safetensors")
        scale, shift = (
            fastnn.load_metadata(f"runs/digits-{seed + 1}/model.safetensors")[name]
            for name in ("scale", "shift")
        )
        right = model.predict(d.x_test * scale + shift) == d.y_test
        accuracies.append(right.mean())
        out, err = capsys.readouterr()
        assert f"accuracy {right.mean():.2%}".replace("%", " %") in out
        assert err == ""
    assert np.mean(accuracies) >= 0.97


def test_the_summary_tells_model_time_speed_machine_and_accuracy(
    blobs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(
            [
                "train",
                "--data",
                blobs,
                "--epochs",
                "5",
                "--model",
                "mlp:8",
                "--lr",
                "0.1",
            ]
        )
        == 0
    )
    out, err = capsys.readouterr()
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert list(lines) == [
        "data", "samples", "model", "training", "machine", "test", "written"
    ]  # fmt: skip
    assert "ördner" in lines["data"].lower()
    assert "3 classes" in lines["data"]
    assert "87 training, 9 validation, 24 test" in lines["samples"]
    assert "4-8-3, 67 parameters, float32" in lines["model"]
    assert "adam, 5 epochs in " in lines["training"]
    assert "samples/s" in lines["training"]
    assert "thread" in lines["machine"]
    assert "accuracy 1" in lines["test"] or "accuracy 9" in lines["test"]
    assert "runs/drei-punkte-1" in lines["written"]
    assert err == ""  # no progress bar in a pipe


def test_the_run_folder_holds_what_was_promised(blobs: str) -> None:
    pytest.importorskip("matplotlib", reason="the picture is for those who have it")
    assert main(["train", "--data", blobs, "--epochs", "2", "--out", "aus/lauf"]) == 0
    found = files("aus/lauf")
    assert set(found) == FILES | {"loss.png"}
    assert found["loss.png"].startswith(b"\x89PNG")
    assert len(found["loss.png"]) > 10_000
    header, *rows = found["history.csv"].decode().splitlines()
    assert header.startswith("epoch,loss,data_loss,regularization,accuracy,val_loss")
    assert len(rows) == 2
    settings = json.loads(found["run.json"])
    assert settings["data"] == f"npz:{Path.cwd() / 'drei punkte.npz'}"
    assert settings["epochs"] == 2
    metadata = fastnn.load_metadata("aus/lauf/model.safetensors")
    assert metadata["classes"] == ["ant", "bee", "cat"]
    assert metadata["shape"] == [4]
    assert str(Path.cwd()) not in str(metadata)


def test_without_matplotlib_there_is_no_picture_and_a_word_about_it(
    blobs: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fastnn.cli.curves", None)
    assert main(["train", "--data", blobs, "--epochs", "1", "--out", "o"]) == 0
    assert set(files("o")) == FILES
    assert "no picture: matplotlib is missing" in capsys.readouterr().out


@pytest.mark.parametrize("optimizer", LEARNING_RATES)
@pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
def test_every_optimizer_learns_with_its_default_rate(
    blobs: str, optimizer: str, loss: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", "--data", blobs, "--optimizer", optimizer, "--loss", loss]
    assert main([*argv, "--epochs", "40", "--batch-size", "16", "--out", "o"]) == 0
    table = np.genfromtxt("o/history.csv", delimiter=",", names=True)
    assert table["accuracy"][-1] > 0.9
    assert json.loads(Path("o/run.json").read_text())["lr"] == LEARNING_RATES[optimizer]


def test_every_option_reaches_the_run(blobs: str) -> None:
    options = {
        "data": blobs,
        "model": "linear",
        "loss": "hinge",
        "optimizer": "nesterov",
        "lr": "0.01",
        "schedule": "step:2,0.5",
        "epochs": "4",
        "batch-size": "7",
        "weight-decay": "0.125",
        "validation": "0.25",
        "seed": "3",
        "dtype": "float64",
        "out": "o",
    }
    argv = [word for name, value in options.items() for word in (f"--{name}", value)]
    assert main(["train", *argv]) == 0
    trainer = Trainer.resume("o/checkpoint.safetensors")
    assert fastnn.load_metadata("o/model.safetensors")["loss"] == "hinge"
    assert type(trainer.optimizer) is fastnn.SGD
    group = trainer.optimizer.param_groups[0]
    assert (group["momentum"], group["nesterov"]) == (0.9, True)
    assert group["weight_decay"] == 0.125
    assert trainer.model.dtype == np.float64
    assert [p.shape for p in trainer.model.parameters()] == [(4, 3), (3,)]
    run = trainer.run
    assert (run.epochs, run.batch_size, run.seed, run.samples) == (4, 7, 3, 72)
    assert run.history["lr"].tolist() == [0.01, 0.01, 0.005, 0.005]
    assert run.history["regularization"][-1] > 0


def test_validation_0_trains_on_everything(blobs: str) -> None:
    argv = ["train", "--data", blobs, "--epochs", "1", "--validation", "0"]
    assert main([*argv, "--out", "o"]) == 0
    assert Trainer.resume("o/checkpoint.safetensors").run.samples == 96
    assert "val_loss" not in Path("o/history.csv").read_text()


def test_the_seed_decides_to_the_bit(blobs: str) -> None:
    argv = ["train", "--data", blobs, "--epochs", "2", "--quiet"]
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main([*argv, "--seed", seed, "--out", out]) == 0
    assert files("a")["model.safetensors"] == files("b")["model.safetensors"]
    assert files("a")["model.safetensors"] != files("c")["model.safetensors"]


def test_quiet_prints_nothing(blobs: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--data", blobs, "--epochs", "1", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "shown"), [([], True), (["--no-progress"], False), (["--quiet"], False)]
)
def test_a_terminal_sees_a_bar_with_loss_and_accuracy(
    blobs: str,
    options: list[str],
    shown: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(__import__("sys").stderr, "isatty", lambda: True)
    assert main(["train", "--data", blobs, "--epochs", "2", *options]) == 0
    err = capsys.readouterr().err
    for word in ("epoch 2/2", "loss ", "accuracy "):
        assert (word in err) == shown
    if shown:  # the numbers come first: a narrow terminal cuts off the end
        last = err.rsplit("\r", 1)[-1]
        assert last.index("accuracy ") < last.index("|")


# --- the run folder is never written over ---------------------------------------------


def test_runs_without_a_name_are_counted(blobs: str) -> None:
    for _ in range(3):
        assert main(["train", "--data", blobs, "--epochs", "1", "--quiet"]) == 0
    names = sorted(path.name for path in Path("runs").iterdir())
    assert names == [f"drei-punkte-{i}" for i in (1, 2, 3)]


def test_a_folder_that_holds_anything_is_left_alone(
    blobs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = Path("mine")
    mine.mkdir()
    (mine / "thesis.txt").write_text("long")
    assert main(["train", "--data", blobs, "--out", "mine"]) == 1
    assert "mine: this folder is not empty" in capsys.readouterr().err
    assert files(mine) == {"thesis.txt": b"long"}
    assert main(["train", "--data", blobs, "--out", "mine/thesis.txt"]) == 1
    assert "mine/thesis.txt: Not a directory" in capsys.readouterr().err


def test_an_empty_folder_is_taken(blobs: str) -> None:
    Path("empty").mkdir()
    argv = ["train", "--data", blobs, "--epochs", "1", "--out", "empty"]
    assert main(argv) == 0
    assert set(files("empty")) >= FILES


def test_bad_data_leaves_no_run_folder(blobs: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.npz").write_bytes(b"")
    assert main(["train", "--data", "npz:bad.npz", "--out", "o"]) == 1
    assert "bad.npz: not an npz file" in capsys.readouterr().err
    assert not Path("o").exists()
    assert main(["train", "--data", "npz:bad.npz"]) == 1
    assert not Path("runs").exists()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("part", ["x_train", "x_test"])
def test_values_too_large_for_the_dtype_name_the_file_before_anything_is_written(
    blobs: str, capsys: pytest.CaptureFixture[str], dtype: str, part: str
) -> None:
    y = np.arange(60) % 2
    parts = {"x_train": np.ones((60, 3)), "x_test": np.ones((60, 3))}
    parts[part] = np.random.default_rng(0).random((60, 3)) * 1.5e308
    parts["x_train"][0] *= 1e-3
    np.savez("h.npz", **parts, y_train=y, y_test=y)
    assert main(["train", "--data", "npz:h.npz", "--dtype", dtype]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "h.npz: holds values up to 1.4" in err
    assert not Path("runs").exists()


def test_too_few_samples_to_set_any_aside_name_the_option(
    blobs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_blobs(Path("few.npz"), samples=15)
    assert main(["train", "--data", "npz:few.npz"]) == 1
    assert "--validation 0" in capsys.readouterr().err


def test_a_run_that_diverges_is_status_1_and_tells_the_step(
    blobs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", "--data", blobs, "--optimizer", "sgd", "--lr", "1e30"]
    with np.errstate(all="ignore"):
        assert main([*argv, "--quiet", "--out", "o"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "step" in err
    assert "o/history.csv" not in err
    assert Path("o/history.csv").exists()


# --- Ctrl-C and going on --------------------------------------------------------------


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call it with a number: Ctrl-C then comes at the end of that epoch's last step."""

    def arrange(epoch: int) -> None:
        usual = Checkpoint.on_epoch_end

        def on_epoch_end(self: Checkpoint, trainer: Trainer, row: Any) -> None:
            if trainer.run.epoch == epoch:
                monkeypatch.setattr(Checkpoint, "on_epoch_end", usual)
                raise KeyboardInterrupt
            usual(self, trainer, row)

        monkeypatch.setattr(Checkpoint, "on_epoch_end", on_epoch_end)

    return arrange


def test_an_interrupted_run_goes_on_to_the_same_bits(
    blobs: str, stop_after: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    argv = ["train", "--data", blobs, "--epochs", "6", "--batch-size", "20"]
    assert main([*argv, "--out", "whole"]) == 0
    stop_after(2)
    assert main([*argv, "--out", "in two"]) == 130
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "interrupted in epoch 3 of 6" in err
    assert "fastnn train --resume 'in two'" in err
    assert set(files("in two")) == FILES
    assert len(Path("in two/history.csv").read_text().splitlines()) == 3
    assert main(["evaluate", "in two"]) == 0  # it is usable as it is
    folder = Path("in two").absolute()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)  # the relative path of the data was kept as absolute
        assert main(["train", "--resume", str(folder)]) == 0
    a, b = files("whole"), files("in two")
    assert a["model.safetensors"] == b["model.safetensors"]
    columns = [line.split(",")[:-1] for line in a["history.csv"].decode().split()]
    assert columns == [line.split(",")[:-1] for line in b["history.csv"].decode().split()]


def test_a_finished_run_can_be_resumed_and_stays_as_it_is(blobs: str) -> None:
    argv = ["train", "--data", blobs, "--epochs", "2", "--quiet", "--out", "o"]
    assert main(argv) == 0
    before = files("o")
    (Path("o") / "history.csv").unlink()
    assert main(["train", "--resume", "o", "--quiet"]) == 0
    for name in FILES:
        assert files("o")[name] == before[name]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError, RuntimeError])
@pytest.mark.parametrize(
    "place",
    [
        "fastnn.train.Trainer.fit",
        "fastnn.train.Trainer.save",
        "fastnn.cli.train._metadata",
        "fastnn.cli.report.Report.beginning",
        "fastnn.cli.runfolder.atomic_write",
    ],
)
def test_what_fails_before_the_first_checkpoint_leaves_nothing(
    blobs: str,
    place: str,
    error: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise error("no more")

    monkeypatch.setattr(place, stopped)
    argv = ["train", "--data", blobs, "--out", "o", "--quiet"]
    assert main(argv) == (130 if error is KeyboardInterrupt else 1)
    assert capsys.readouterr().err.count("\n") == 1
    assert not Path("o").exists()


def test_ctrl_c_after_the_last_epoch_leaves_a_run_to_finish(
    blobs: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    argv = ["train", "--data", blobs, "--epochs", "2", "--out", "o", "--quiet"]
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "evaluate", stopped)
        assert main(argv) == 130
    err = capsys.readouterr().err
    assert "interrupted after the last epoch; go on with: fastnn train --resume o" in err
    assert main(["train", "--resume", "o", "--quiet"]) == 0


def test_it_trains_in_another_thread(blobs: str) -> None:
    argv = ["train", "--data", blobs, "--epochs", "1", "--out", "o", "--quiet"]
    status = []
    thread = threading.Thread(target=lambda: status.append(main(argv)))
    thread.start()
    thread.join()
    assert status == [0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run.json", b"{", "o/run.json: not the settings of a run"),
        ("run.json", b'{"speed": 1}', "o/run.json: not the settings of a run"),
        ("run.json", b'{"epochs": "many"}', "epochs is 'many'"),
        ("run.json", b'{"data": "mnist"}', "o/run.json: not the settings of a run ('mnist'"),
        ("run.json", b'{"model": "cnn"}', "o/run.json: not the settings of a run ('cnn'"),
        ("run.json", b'{"epochs": true}', "epochs is True"),
        ("checkpoint.safetensors", b"short", "o/checkpoint.safetensors"),
        ("run.json", None, "o: no run to resume: it lacks run.json"),
        ("checkpoint.safetensors", None, "it lacks checkpoint.safetensors"),
    ],
)
def test_a_damaged_run_folder_is_named(
    blobs: str,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes | None,
    message: str,
) -> None:
    argv = ["train", "--data", blobs, "--epochs", "1", "--quiet", "--out", "o"]
    assert main(argv) == 0
    file = Path("o") / name
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    assert main(["train", "--resume", "o"]) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_a_run_does_not_go_on_with_other_data(
    blobs: str, capsys: pytest.CaptureFixture[str], stop_after: Any
) -> None:
    stop_after(1)
    argv = ["train", "--data", blobs, "--epochs", "3", "--quiet", "--out", "o"]
    assert main(argv) == 130
    write_blobs(Path("drei punkte.npz"), seed=1)
    capsys.readouterr()
    assert main(["train", "--resume", "o"]) == 1
    assert "not the data that the run in o began with" in capsys.readouterr().err


def test_settings_survive_their_file(tmp_path: Path) -> None:
    settings = Settings.complete({"data": "idx:/ä b", "optimizer": "sgd", "lr": None})
    assert (settings.epochs, settings.batch_size) == (10, 128)
    assert settings.lr == LEARNING_RATES["sgd"]
    assert settings.weight_decay == 0
    assert Settings.complete({"optimizer": "adamw"}).weight_decay == 0.01
    file = tmp_path / "run.json"
    file.write_bytes(settings.to_json())
    assert Settings.from_json(file) == settings
