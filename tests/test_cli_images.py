"""The command line with models of images: train, evaluate, predict, and go on."""

from __future__ import annotations

import json
import re
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import one_thread as one_thread

import fastnn
from fastnn import Augment, data
from fastnn.cli import main
from fastnn.cli.augmentation import augmentation
from fastnn.cli.parser import make_parser
from fastnn.cli.settings import (
    ALEXNET_LEARNING_RATES,
    IMAGE_LEARNING_RATES,
    IMAGE_MODELS,
    LEARNING_RATES,
    Settings,
    check_model,
)
from fastnn.train import Trainer

NAMES = np.array(["left", "middle", "right"])


def bars(samples: int, shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """uint8 images with noise and a bright bar in one of three places; the places."""
    rng = np.random.default_rng(seed)
    y = np.arange(samples) % 3
    x = rng.integers(0, 60, (samples, *shape)).astype(np.uint8)
    for image, place in zip(x, y, strict=True):
        image[..., 1 + 5 * place : 3 + 5 * place] += 150
    return x, y


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, samples: int = 150, shape: tuple[int, ...] = (15, 16)) -> str:
    x, y = bars(samples, shape)
    np.savez(name, x=x, y=NAMES[y])
    return f"npz:{name}"


@pytest.mark.parametrize("model", ["lenet", "cifar_convnet"])
@pytest.mark.parametrize("shape", [(15, 16), (3, 12, 16)], ids=str)
def test_train_evaluate_and_predict(
    model: str, shape: tuple[int, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Grey images (H, W) get their channel, coloured ones (C, H, W) have theirs."""
    spec = write("bars.npz", shape=shape)
    argv = ["train", "--data", spec, "--model", model, "--epochs", "4", "--batch-size", "16"]
    assert main([*argv, "--out", "run"]) == 0
    out, err = capsys.readouterr()
    sizes = " x ".join(map(str, (1, *shape)[-3:]))
    assert f"{model}: {sizes} images, " in out
    assert err == ""
    accuracy = re.search(r"accuracy (.*) %", out)[1]
    assert float(accuracy) > 95
    assert main(["evaluate", "run"]) == 0
    assert f"accuracy {accuracy} %" in capsys.readouterr().out

    x, y = bars(30, shape, seed=9)
    labels = {}
    for name, samples in (("as they are", x), ("flat", x.reshape(30, -1)), ("one", x[0])):
        np.save("samples.npy", samples)
        assert main(["predict", "run", "samples.npy"]) == 0
        labels[name] = capsys.readouterr().out.split()
    assert labels["as they are"] == labels["flat"]
    assert labels["one"] == labels["flat"][:1]
    assert np.mean(NAMES[y] == labels["flat"]) > 0.95
    saved, metadata = (
        fastnn.load("run/model.safetensors"),
        fastnn.load_metadata("run/model.safetensors"),
    )
    standard = x.reshape(30, *(1, *shape)[-3:]) * metadata["scale"] + metadata["shift"]
    assert np.array_equal(NAMES[saved.predict(standard)], labels["flat"])


def test_alexnet_on_images224(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One step with few and smaller images: the net is as large as ever."""
    few = partial(data.images224, 63, train_each=1, test_each=1)
    monkeypatch.setitem(data.AT_HAND, "images224", few)
    argv = "train --data images224 --model alexnet --optimizer sgd --epochs 1 --validation 0"
    assert main(argv.split()) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "images224, 12 classes" in out
    assert "12 training, 12 test" in out
    assert "alexnet: 3 x 63 x 63 images, 57,053,004 parameters, float32" in out
    settings = json.loads(Path("runs", "images224-1", "run.json").read_text())
    assert (settings["data"], settings["batch_size"], settings["lr"]) == ("images224", 32, 0.03)


def test_images224_by_a_small_net(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model without its run still tells what it was trained on."""
    few = partial(data.images224, 16, train_each=4, test_each=2)
    monkeypatch.setitem(data.AT_HAND, "images224", few)
    argv = "train --data images224 --model lenet --epochs 2 --validation 0 --out run"
    assert main(argv.split()) == 0
    accuracy = re.search(r"accuracy .*", capsys.readouterr().out)[0]
    Path("run", "run.json").unlink()
    assert main(["evaluate", "run"]) == 0
    assert capsys.readouterr().out == f"images224, test part: {accuracy}\n"


def test_images224_without_pillow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert main(["train", "--data", "images224", "--model", "alexnet"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "fastnn train: error: images224 takes its photographs from scikit-learn, by Pillow: "
        "pip install 'fastnn[images]'\n"
    )
    assert not Path("runs").exists()
class Stop:
    """Ctrl-C after the first epoch."""

    def on_epoch_end(self, trainer: Trainer, row: dict) -> None:
        raise KeyboardInterrupt


def test_stopped_and_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write("bars.npz")
    argv = ["train", "--data", spec, "--model", "lenet", "--epochs", "2", "--quiet"]
    assert main([*argv, "--out", "whole"]) == 0
    fit = Trainer.fit

    def stopped(self, *args, callbacks, **options):
        return fit(self, *args, callbacks=[*callbacks, Stop()], **options)

    monkeypatch.setattr(Trainer, "fit", stopped)
    assert main([*argv, "--out", "parts"]) == 130
    monkeypatch.setattr(Trainer, "fit", fit)
    assert main(["train", "--resume", "parts", "--quiet"]) == 0
    for name in ("model.safetensors", "run.json"):
        assert Path("whole", name).read_bytes() == Path("parts", name).read_bytes()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", None),
        ("flip", Augment(flip=True)),
        ("flip=1", Augment(flip=1.0)),
        ("shift=2,rotation=7.5,fill=-1", Augment(shift=2, rotation=7.5, fill=-1)),
        ("occlusion=4x6,shift=0x3", Augment(occlusion=(4, 6), shift=(0, 3))),
        ("brightness=.2,contrast=3e-1", Augment(brightness=0.2, contrast=0.3)),
    ],
)
def test_augmentation_as_text(text: str, wanted: Augment | None) -> None:
    assert augmentation(text) == wanted


def test_augment_reaches_the_run_and_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, text = write("bars.npz"), "shift=1x0,flip=0.25"
    argv = ["train", "--data", spec, "--model", "lenet", "--epochs", "2", "--quiet"]
    assert main([*argv, "--out", "plain"]) == 0
    assert main([*argv, "--augment", text, "--out", "whole"]) == 0
    assert Settings.from_json("whole/run.json").augment == text
    trainer = Trainer.resume("whole/checkpoint.safetensors")
    assert trainer.run.augment == Augment(shift=(1, 0), flip=0.25)
    weights = [Path(name, "model.safetensors").read_bytes() for name in ("plain", "whole")]
    assert weights[0] != weights[1]
    fit = Trainer.fit

    def stopped(self, *args, callbacks, **options):
        return fit(self, *args, callbacks=[*callbacks, Stop()], **options)

    monkeypatch.setattr(Trainer, "fit", stopped)
    assert main([*argv, "--augment", text, "--out", "parts"]) == 130
    monkeypatch.setattr(Trainer, "fit", fit)
    assert main(["train", "--resume", "parts", "--quiet"]) == 0
    assert Path("parts", "model.safetensors").read_bytes() == weights[1]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("--model lenet", "digits: lenet wants images of at least 12 x 12, got 8 x 8"),
        ("--model alexnet", "digits: alexnet wants images of at least 63 x 63, got 8 x 8"),
        ("--model lenet --data npz:flat.npz", r"flat.npz: samples of shape \(4,\) are no images"),
    ],
)
def test_data_that_are_no_such_images(
    argv: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("flat.npz", x=np.eye(4).repeat(9, axis=0), y=np.arange(36) % 4)
    assert main(["train", *argv.split()]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(message, err)
    assert err.count("\n") == 1
    assert not Path("runs").exists()


def test_samples_of_another_size_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["train", "--data", write("bars.npz"), "--model", "lenet", "--epochs", "1"]
    assert main([*argv, "--quiet", "--out", "run"]) == 0
    np.save("samples.npy", np.zeros((2, 15, 15), np.uint8))
    assert main(["predict", "run", "samples.npy"]) == 1
    assert "samples.npy: samples of shape (15, 15), model.safetensors wants (1, 15, 16)" in (
        capsys.readouterr().err
    )


def test_every_model_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in IMAGE_MODELS:
        check_model(name)
        assert callable(getattr(fastnn.models, name))
    with pytest.raises(SystemExit):
        make_parser().parse_args(["train", "--help"])
    out = capsys.readouterr().out
    assert all(name in out for name in IMAGE_MODELS)


def test_learning_rates_are_the_models() -> None:
    for name, rates in {
        "alexnet": ALEXNET_LEARNING_RATES,
        "lenet": IMAGE_LEARNING_RATES,
        "mlp:9": LEARNING_RATES,
    }.items():
        for optimizer, rate in rates.items():
            assert Settings.complete({"model": name, "optimizer": optimizer}).lr == rate
    assert ALEXNET_LEARNING_RATES["adam"] < IMAGE_LEARNING_RATES["adam"] < LEARNING_RATES["adam"]
    assert Settings.complete({"model": "lenet", "lr": 0.5}).lr == 0.5


def test_a_dataset_as_images() -> None:
    digits = data.digits()
    images = digits.as_images()
    assert images.x_train.shape == (1438, 1, 8, 8)
    assert images.x_test.shape == (359, 1, 8, 8)
    assert np.shares_memory(images.x_train, digits.x_train)
    assert images.standardization() == digits.standardization()
