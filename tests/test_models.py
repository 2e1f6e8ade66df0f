"""Ready-made models."""

from __future__ import annotations

import numpy as np
import pytest
from training import fitted

from fastnn import losses, models, optim
from fastnn.layers import Conv2d, Linear, LocalResponseNorm, Module, Parameter, ReLU, Sequential


def kinds(model) -> list[str]:
    return [type(layer).__name__ for layer in model]


def test_linear() -> None:
    model = models.linear(5, 3)
    assert kinds(model) == ["Linear"]
    assert model[0].weight.shape == (5, 3)


@pytest.mark.parametrize(
    ("activation", "name", "init"),
    [
        ("relu", "ReLU", "he"),
        ("sigmoid", "Sigmoid", "glorot"),
        ("tanh", "Tanh", "glorot"),
    ],
)
def test_mlp(activation: str, name: str, init: str) -> None:
    model = models.mlp(6, (5, 4), 3, activation=activation)
    assert kinds(model) == ["Linear", name, "Linear", name, "Linear"]
    linear = [layer for layer in model if isinstance(layer, Linear)]
    assert [layer.weight.shape for layer in linear] == [(6, 5), (5, 4), (4, 3)]
    assert [layer.init for layer in linear] == [init, init, "glorot"]
    assert model.dtype == np.float32
    assert models.mlp(6, (5,), 3, dtype="float64").dtype == np.float64


def test_a_seed_is_a_model() -> None:
    a, b, c = (models.mlp(6, (5,), 3, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not np.array_equal(a["0.weight"], c["0.weight"])
    square = models.mlp(4, (4, 4), 4).state_dict()
    assert not np.array_equal(square["0.weight"], square["2.weight"])


def test_unknown_activation() -> None:
    with pytest.raises(ValueError, match="relu, sigmoid, tanh, got 'gelu'"):
        models.mlp(6, activation="gelu")


def test_it_learns_what_a_linear_model_cannot() -> None:
    X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([0, 1, 1, 0])
    model = models.mlp(2, (8,), 2, activation="tanh", seed=0)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    for _ in range(100):
        loss = losses.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    assert np.array_equal(model.predict(X), y)


def test_one_width_is_one_hidden_layer() -> None:
    shapes = [p.shape for p in models.mlp(3, 8, 2).parameters()]
    assert shapes == [(3, 8), (8,), (8, 2), (2,)]
    for wrong in (None, "8", 2.5):
        with pytest.raises(TypeError, match=f"hidden must be the widths .*, got {wrong!r}"):
            models.mlp(3, wrong, 2)


# --- of images ------------------------------------------------------------------------

IMAGE_MODELS = [models.lenet, models.cifar_convnet]


def test_lenet() -> None:
    model = models.lenet()
    filters = [layer.weight.shape for layer in model if isinstance(layer, Conv2d)]
    assert filters == [(16, 1, 5, 5), (32, 16, 5, 5)]
    assert sum(p.size for p in model.parameters()) == 416 + 12832 + 96120 + 10164 + 850
    assert model(np.zeros((2, 1, 28, 28), np.float32)).shape == (2, 10)


def test_cifar_convnet() -> None:
    model = models.cifar_convnet(7, dtype="float64")
    assert model.dtype == np.float64
    assert sum(p.size for p in model.parameters()) == 896 + 18496 + 524416 + 903
    assert model(np.zeros((2, 3, 32, 32))).shape == (2, 7)


@pytest.mark.parametrize("make", IMAGE_MODELS)
@pytest.mark.parametrize("size", [(12, 12), (13, 14), (15, 31), (32, 28)])
def test_image_models_take_any_size(make, size) -> None:
    model = make(3, input_shape=(2, *size))
    assert model(np.zeros((1, 2, *size), np.float32)).shape == (1, 3)
    assert model[-1].init == "glorot"
    assert {layer.init for layer in model[:-1] if hasattr(layer, "init")} == {"he"}


@pytest.mark.parametrize("make", [*IMAGE_MODELS, models.alexnet])
def test_images_that_are_too_small(make) -> None:
    least = {"lenet": 12, "cifar_convnet": 4, "alexnet": 63}[make.__name__]
    with pytest.raises(ValueError, match=f"at least {least} x {least}, got {least} x {least - 1}"):
        make(input_shape=(1, least, least - 1))
    for wrong in (3, "abcd", (28, 28)):
        with pytest.raises(TypeError, match=r"input_shape must be \(channels, height, width\)"):
            make(input_shape=wrong)
    with pytest.raises(ValueError, match="input_shape must be at least 1, got 0"):
        make(input_shape=(0, 64, 64))


@pytest.mark.parametrize(
    ("original", "parameters", "products"),
    [(False, 61_100_840, 714_188_480), (True, 60_965_224, 724_406_816)],
)
def test_alexnet(original: bool, parameters: int, products: int, monkeypatch) -> None:
    # Its weights are not looked at: zeros cost nothing until they are read.
    monkeypatch.setattr("fastnn.init._normal", lambda shape, *_: np.zeros(shape, np.float32))
    monkeypatch.setattr("fastnn.init._uniform", lambda shape, *_: np.zeros(shape, np.float32))
    model = models.alexnet(original=original)
    assert sum(p.size for p in model.parameters()) == parameters
    assert sum(isinstance(layer, LocalResponseNorm) for layer in model) == 2 * original
    lines = [line.split("  ") for line in model.summary().splitlines()]
    total = [part.strip() for part in lines[-2] if part]
    assert total == ["total", f"{parameters:,}", f"{products:,}"]


def test_alexnet_of_few_classes_and_channels(monkeypatch) -> None:
    monkeypatch.setattr("fastnn.init._normal", lambda shape, *_: np.zeros(shape, np.float32))
    model = models.alexnet(2, input_shape=(1, 100, 63))
    assert model(np.zeros((1, 1, 100, 63), np.float32)).shape == (1, 2)


def test_the_papers_alexnet_trains() -> None:
    """Groups, response normalisation and dropout in a program, on the smallest images."""
    model = models.alexnet(3, original=True, input_shape=(1, 63, 63))
    X = np.random.default_rng(0).standard_normal((2, 1, 63, 63)).astype(np.float32)
    before = model[0].weight.data.copy()
    _, history = fitted(X, np.array([0, 2]), model=model, lr=1e-3)
    assert np.isfinite(history["loss"]).all()
    assert not np.array_equal(model[0].weight.data, before)


# --- the summary ----------------------------------------------------------------------


def test_summary_of_layers() -> None:
    model = models.lenet()
    lines = [line.split() for line in model.summary((1, 28, 28)).splitlines()]
    assert lines[:3] == [
        ["layer", "kind", "output", "parameters", "multiply-adds"],
        ["input", "(N,", "1,", "28,", "28)"],
        # 28 x 28 places of 16 filters of 5 x 5 taps
        ["0", "Conv2d", "(N,", "16,", "28,", "28)", "416", "313,600"],
    ]
    assert lines[8] == ["6", "Flatten", "(N,", "800)", "0", "0"]
    assert lines[9] == ["7", "Linear", "(N,", "120)", "96,120", "96,000"]
    assert lines[-2] == ["total", "120,382", "1,700,520"]
    assert lines[-1] == ["0.482", "MB"]
    assert model.training
    assert "forward" not in vars(model[0])


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (models.mlp(7, (5,), 3), (7,)),
        (models.lenet(), (1, 28, 28)),
        (models.cifar_convnet(input_shape=(1, 20, 24)), (1, 20, 24)),
    ],
    ids=["mlp", "lenet", "cifar_convnet"],
)
def test_a_model_knows_what_it_is_made_for(model, shape) -> None:
    assert model.input_shape == shape
    assert model.summary() == model.summary(shape)
    assert "multiply-adds" in model.summary().splitlines()[0]


def test_summary_of_a_module_with_parts_used_twice() -> None:
    class Twice(Module):
        def __init__(self) -> None:
            self.scale = Parameter(np.ones(4, np.float32))
            self.layer = Sequential(Linear(4, 4, seed=0), ReLU())

        def forward(self, x):
            return self.layer(self.layer(x)) * self.scale

    lines = [line.split() for line in Twice().summary((4,)).splitlines()]
    assert lines[2:] == [
        ["layer.0", "Linear", "(N,", "4)", "20", "16"],
        ["layer.1", "ReLU", "(N,", "4)", "0", "0"],
        ["layer.0", "Linear", "(N,", "4)", "0", "16"],
        ["layer.1", "ReLU", "(N,", "4)", "0", "0"],
        ["Twice", "(N,", "4)", "4", "0"],
        ["total", "24", "32"],
        ["0.000", "MB"],
    ]


def test_summary_of_a_shape_that_does_not_fit() -> None:
    model = models.lenet()
    with pytest.raises(ValueError, match=r"Conv2d wants .*got \(1, 3, 28, 28\)"):
        model.summary((3, 28, 28))
    assert model.training
    assert "forward" not in vars(model[0])
    with pytest.raises(TypeError, match="input_shape must be the shape of a sample, got 28"):
        model.summary(28)
    with pytest.raises(ValueError, match="input_shape must be at least 1, got 0"):
        model.summary((1, 0))
