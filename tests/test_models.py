"""Ready-made models."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import losses, models, optim
from fastnn.layers import Linear


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
