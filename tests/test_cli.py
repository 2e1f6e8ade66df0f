"""The command line as typed: what is refused, with which status, in how many lines."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import runtime
from fastnn.cli import main


def refused(capsys: pytest.CaptureFixture[str], status: int, argv: list[str], message: str) -> None:
    """The command ends with ``status`` and prints one line, which has ``message``."""
    assert main(argv) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert err.startswith("fastnn")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "train, evaluate, predict, gradcheck, lecture or info"),
        ("fly", "fly"),
        ("train --fly", "--fly"),
        ("train extra", "extra"),
        ("train --data mnist", "--data: 'mnist' is not digits, images224, idx:FOLDER"),
        ("train --data idx:", "--data: 'idx:' is not"),
        (
            "train --model cnn",
            "--model: 'cnn' is not linear, lenet, cifar_convnet, alexnet or mlp:WIDTH",
        ),
        ("train --model mlp:", "--model: 'mlp:' is not"),
        ("train --model mlp:9,-1", "--model: 'mlp:9,-1' is not"),
        ("train --model linear:3", "--model: 'linear:3' is not"),
        ("train --loss mse", "--loss: invalid choice: 'mse'"),
        ("train --optimizer lion", "--optimizer: invalid choice: 'lion'"),
        ("train --dtype float16", "--dtype: invalid choice: 'float16'"),
        ("train --lr 0", "--lr: '0' is not a number above 0"),
        ("train --lr nan", "--lr: 'nan' is not"),
        ("train --lr inf", "--lr: 'inf' is not"),
        ("train --lr fast", "--lr: 'fast' is not"),
        ("train --schedule up", "--schedule: schedule wants one of"),
        ("train --schedule step", "--schedule: 'step' lacks its numbers: step:EPOCHS[,FACTOR]"),
        ("train --schedule exponential:", "lacks its numbers: exponential:FACTOR"),
        ("train --model mlp:9999999999999999999999", "--model: 'mlp:9999999999999999999999' is"),
        ("train --foo", "fastnn train: error: unrecognized arguments: --foo (see 'fastnn train -"),
        ("train --schedule step:x", "--schedule: "),
        ("train --epochs 0", "--epochs: '0' is not a whole number of at least 1"),
        ("train --epochs 1.5", "--epochs: '1.5' is not"),
        ("train --batch-size -1", "--batch-size: '-1' is not"),
        ("train --weight-decay -1", "--weight-decay: '-1' is not a number of at least"),
        ("train --validation 1", "--validation: '1' is not a share from 0 to below 1"),
        ("train --seed -1", "--seed: '-1' is not a whole number of at least 0"),
        ("train --threads 0", "--threads: '0' is not"),
        ("train --augment zoom=2", "--augment: 'zoom' is not rotation, shift, flip, brightness"),
        ("train --augment shift=far", "--augment: 'shift=far': wanted shift=NUMBER"),
        ("train --augment shift", "--augment: 'shift': wanted shift=NUMBER"),
        ("train --augment shift=1.5", "--augment: shift must be an integer"),
        ("train --augment flip,flip=1", "--augment: 'flip' is twice"),
        ("train --augment rotation=nan", "--augment: rotation must be a number in [0, 180]"),
        ("train --augment crop=3", "--augment: crop changes the size of the images"),
        ("train --augment flip", "--augment wants a model of images: --model lenet, cifar_con"),
        ("train --resume a --augment flip", "--augment cannot be given with --resume"),
        ("train --out a --resume b", "not allowed with argument --out"),
        ("train --resume a --lr 1", "--lr cannot be given with --resume"),
        ("train --resume a --batch-size 1", "--batch-size cannot be given"),
        ("evaluate", "MODEL"),
        ("evaluate m --part some", "--part: invalid choice: 'some'"),
        ("predict m", "INPUT"),
        ("predict m x.npy --out y.pkl", "--out y.pkl does not end in .csv, .txt, .npy"),
        ("lecture page", "TOPIC: 'page' is not gates, sigmoid, slope"),
        ("lecture --save drawings", "which topic? Name one, or all (see 'fastnn lecture --help')"),
        ("lecture --code", "which topic?"),
        ("lecture gates --code --save drawings", "not allowed with argument"),
        ("lecture gates sigmoid", "unrecognized arguments: sigmoid"),
        ("lecture features --samples 0", "--samples: '0' is not a whole number of at least 1"),
        ("lecture features --data mnist", "--data: 'mnist' is not digits, images224, idx:FOLDER"),
        ("lecture gates --samples 9", "--data and --samples are for the topic features"),
        ("lecture features --code --data digits", "--data and --samples are for the topic feat"),
        ("info --threads none", "--threads: 'none' is not"),
    ],
)
def test_bad_usage_is_status_2_and_one_line(
    capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    refused(capsys, 2, line.split(), message)


@pytest.mark.parametrize("option", ["train --out", "train --resume", "lecture gates --save"])
@pytest.mark.parametrize("path", ["", "a\0b"])
def test_what_is_no_path_is_bad_usage(
    capsys: pytest.CaptureFixture[str], option: str, path: str
) -> None:
    refused(capsys, 2, [*option.split(), path], "is not a path")


def test_an_option_with_a_line_break_still_gives_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused(capsys, 2, ["train", "a\nb"], "a b")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("train --data idx:{}", "none"),
        ("train --data cifar10:{}", "none"),
        ("train --data npz:{}", "none"),
        ("train --resume {}", "none"),
        ("evaluate {}", "none"),
        ("predict {} x.npy", "none"),
    ],
)
def test_a_missing_file_is_status_1_and_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, line: str, name: str
) -> None:
    missing = str(tmp_path / "no such ü" / name)
    argv = [word.format(missing) for word in line.split()]
    refused(capsys, 1, argv, f"{missing}: No such file")


@pytest.mark.parametrize(
    ("line", "content"),
    [
        ("train --data npz:{}", b"no npz"),
        ("train --data npz:{}", b"PK\x03\x04 no zip"),
        ("evaluate {}", b""),
        ("evaluate {}", b"\x08\0\0\0\0\0\0\0{}      "),
        ("predict {} x.npy", b"not safetensors"),
    ],
)
def test_a_bad_file_is_status_1_and_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, line: str, content: bytes
) -> None:
    bad = tmp_path / "bad file"
    bad.write_bytes(content)
    refused(capsys, 1, [word.format(bad) for word in line.split()], str(bad))


def test_no_memory_is_status_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(capsys, 1, ["train", "--model", f"mlp:{10**13}"], "not enough memory")
    assert list(tmp_path.iterdir()) == []


def test_a_bug_is_one_line_and_a_traceback_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("out of cheese")

    monkeypatch.setattr(runtime, "info", broken)
    refused(capsys, 1, ["info"], "RuntimeError: out of cheese; this is a bug in fastnn")
    monkeypatch.setenv("FASTNN_TRACEBACK", "1")
    with pytest.raises(RuntimeError, match="out of cheese"):
        main(["info"])


class _Full(io.StringIO):
    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_an_output_that_cannot_be_written_is_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", _Full())
    assert main(["--version"]) == 1
    assert capsys.readouterr().err == "fastnn: error: No space left on device\n"


def test_ctrl_c_anywhere_is_status_130(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runtime, "info", stopped)
    refused(capsys, 130, ["info"], "interrupted")


def test_a_path_that_the_terminal_cannot_show_is_escaped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", screen)
    assert main(["evaluate", "Ж"]) == 1
    screen.seek(0)
    assert "\\u0416: No such file" in screen.read()


@pytest.mark.parametrize("command", ["", "train", "evaluate", "predict", "lecture", "info"])
@pytest.mark.parametrize("columns", ["30", "200"])
def test_help_fits_any_terminal(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    columns: str,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main([*command.split(), "--help"]) == 0
    out, err = capsys.readouterr()
    assert f"usage: fastnn {command}" in out
    assert err == ""


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"fastnn {fastnn.__version__}\n"


def test_info_tells_what_the_issue_asks_for(capsys: pytest.CaptureFixture[str]) -> None:
    before = runtime.get_num_threads()
    try:
        assert main(["info", "--threads", "1"]) == 0
    finally:
        runtime.set_num_threads(before)
    lines = {line[:17].strip(): line[17:] for line in capsys.readouterr().out.splitlines()}
    assert lines["numpy"] == np.__version__
    assert lines["instruction set"].split()[0] in lines["instruction set"].split("of")[1]
    assert lines["threads"].startswith("1 (of ")
    peak = lines["measured peak"].split()
    assert float(peak[0]) > 0
    assert peak[1] == "GFLOP/s,"
