"""``fastnn gradcheck``: a named or a saved model, its report and its exit status."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import ops
from fastnn.cli import main


@pytest.mark.parametrize("model", ["linear", "mlp:5", "cifar_convnet"])
def test_a_named_model_is_right(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gradcheck", "--model", model, "--samples", "3"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{model} with new weights, on digits, cross_entropy of 3 samples\n")
    assert "gradient ok" in out


def test_the_loss_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gradcheck", "--model", "linear", "--loss", "hinge", "--samples", "4"]) == 0
    assert "hinge of 4 samples" in capsys.readouterr().out


def test_a_run_folder_and_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    train = ["train", "--model", "mlp:6", "--epochs", "1", "--quiet", "--out", str(folder)]
    assert main(train) == 0
    capsys.readouterr()
    assert main(["gradcheck", str(folder), "--samples", "3"]) == 0
    assert "model.safetensors, on digits, cross_entropy of 3" in capsys.readouterr().out
    model = fastnn.models.mlp(64, (4,), 10, seed=1)
    fastnn.save(model, tmp_path / "mine.safetensors")
    file = str(tmp_path / "mine.safetensors")
    assert main(["gradcheck", file, "--data", "digits", "--samples", "3"]) == 0
    assert main(["gradcheck", file, "--model", "linear"]) == 2
    assert "--model names a new model" in capsys.readouterr().err


def test_a_wrong_backward_is_named_and_is_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ops.relu, "rules", (lambda g, _y, x: 1.01 * g * (x > 0),))
    assert main(["gradcheck", "--model", "mlp:5", "--samples", "4"]) == 1
    out = capsys.readouterr().out
    assert "gradient WRONG" in out
    assert "the backward of 'relu'" in out


def test_what_cannot_be_read_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gradcheck", str(tmp_path / "none.safetensors")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    fastnn.save(fastnn.models.linear(3, 2), tmp_path / "model.safetensors")
    np.savez(tmp_path / "data.npz", x=np.ones((4, 3), np.float32), y=[0, 1, 0, 1])
    assert main(["gradcheck", str(tmp_path / "model.safetensors")]) == 2
    assert "on which --data?" in capsys.readouterr().err
