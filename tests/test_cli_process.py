"""``python -m fastnn`` as a process of its own: signals, pipes and time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import COMMAND, environment
from cli_helpers import one_thread as one_thread

from fastnn import data
from fastnn.cli import main

posix = pytest.mark.skipif(
    os.name == "nt", reason="Windows sends no SIGINT to one process and has no SIGPIPE"
)


def hear_ctrl_c() -> None:
    """A child of a background job inherits that Ctrl-C is ignored; undo it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@posix
def test_ctrl_c_leaves_a_run_that_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    argv = ["train", "--epochs", "100", "--quiet", "--out"]
    process = subprocess.Popen(
        [*COMMAND, *argv, "in two"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hear_ctrl_c,
        text=True,
    )
    folder = tmp_path / "in two"
    deadline = time.monotonic() + 60
    while not (folder / "checkpoint.safetensors").exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.count("\n") == 1
    assert "go on with: fastnn train --resume 'in two'" in err
    assert len((folder / "history.csv").read_text().splitlines()) <= 100
    assert main(["evaluate", str(folder)]) == 0
    assert main(["train", "--resume", str(folder), "--quiet"]) == 0
    assert main([*argv, str(tmp_path / "whole")]) == 0
    one, two = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "in two")
    )
    assert one == two


# Presses Ctrl-C when a module is about to be imported, or when the interpreter leaves.
PRESS = """
import atexit, os, runpy, signal, sys
moment, *sys.argv[1:] = sys.argv[1:]
def press(event, args):
    if event == "import" and args[0] == moment:
        os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(press)
if moment == "exit":
    atexit.register(os.kill, os.getpid(), signal.SIGINT)
runpy.run_module("fastnn", run_name="__main__", alter_sys=True)
"""


def press_ctrl_c(moment: str, *argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRESS, moment, *argv],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        preexec_fn=hear_ctrl_c,
        text=True,
        check=False,
    )


@posix
@pytest.mark.parametrize(
    "module",
    [
        "fastnn.cli.command",
        "argparse",
        "numpy",
        "numpy._core._multiarray_umath",
        "fastnn._kernels._doorway",
        "fastnn.train",
        "zipfile",
    ],
)
def test_ctrl_c_while_modules_are_imported_is_one_line(module: str, tmp_path: Path) -> None:
    done = press_ctrl_c(module, "train", cwd=tmp_path)
    assert done.returncode == 130, done.stderr
    assert done.stderr in ("fastnn: interrupted\n", "fastnn train: interrupted\n")
    assert list(tmp_path.iterdir()) == []


@posix
def test_ctrl_c_when_all_is_done_is_not_heard(tmp_path: Path) -> None:
    done = press_ctrl_c("exit", "--version", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("line", ["train", "evaluate m", "predict m x.npy", "gradcheck", "info"])
def test_kernels_that_cannot_be_had_are_one_line(line: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, *line.split()],
        cwd=tmp_path,
        env={**environment(), "FASTNN_ISA": "avx1024"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"fastnn {line.split()[0]}: error: FASTNN_ISA is 'avx1024'")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "line", ["--version", "--help", "train --help", "train --schedule cosine -h"]
)
def test_help_and_version_need_no_kernels(line: str) -> None:
    done = subprocess.run(
        [*COMMAND, *line.split()],
        env={**environment(), "FASTNN_ISA": "avx1024"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@posix
def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    assert main(["train", "--epochs", "1", "--quiet", "--out", str(tmp_path / "o")]) == 0
    # More than a pipe holds, so that the writer must notice.
    np.save(tmp_path / "x.npy", np.tile(data.digits().x_train, (4, 1)))
    process = subprocess.Popen(
        [*COMMAND, "predict", "o", "x.npy", "--proba"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith("label,")
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == 141


@posix
def test_a_reader_that_never_came_is_no_error(tmp_path: Path) -> None:
    nobody, end = os.pipe()
    os.close(nobody)
    with open(end, "wb") as closed:
        done = subprocess.run(
            [*COMMAND, "--version"],
            env=environment(),
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 141
    assert done.stderr == b""


@posix
def test_training_on_the_digits_needs_no_arguments(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "train"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert (tmp_path / "runs" / "digits-1" / "model.safetensors").exists()


def test_python_m_fastnn_takes_the_name_and_the_status_of_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fastnn", "train", "--lr", "-1"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("fastnn train: error: argument --lr: '-1' is not")
    assert done.stderr.count("\n") == 1
