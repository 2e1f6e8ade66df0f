"""Modules: layers by their formulas, and what every Module promises."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from numerical import check_gradients

from fastnn import init, layers, models
from fastnn.layers import (
    Flatten,
    Linear,
    Module,
    Parameter,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    register_module,
    registry,
)
from fastnn.tensor import Tensor


class Branches(Module):
    """A user's module: parameters in every kind of container, one of them twice."""

    def __init__(self) -> None:
        self.scale = Parameter(np.ones(3))
        self.parts = [Linear(4, 3, seed=0, dtype="float64"), ReLU()]
        self.heads = {"a": (Linear(3, 2, seed=1, dtype="float64"),)}
        self.again = self.scale
        self.note = "not a parameter"

    def forward(self, x: Tensor) -> Tensor:
        return self.heads["a"][0](self.parts[1](self.parts[0](x)) * self.scale)


@pytest.fixture
def model() -> Sequential:
    return Sequential(Linear(4, 3), ReLU(), Linear(3, 2, bias=False), seed=0)


# --- layers ---------------------------------------------------------------------------


def test_linear_by_formula(rng: np.random.Generator, dtype: np.dtype) -> None:
    layer = Linear(4, 3, seed=1, dtype=dtype)
    layer.bias.data = [1, 2, 3]
    x = rng.standard_normal((5, 4)).astype(dtype)
    y = layer(x)
    assert (y.dtype, layer.dtype) == (dtype, dtype)
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    expected = x @ layer.weight.data + [1, 2, 3]
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=rtol, atol=rtol)
    without = Linear(4, 3, bias=False, seed=1, dtype=dtype)
    assert without.bias is None
    np.testing.assert_allclose(
        without(x).detach().numpy(), expected - [1, 2, 3], rtol=rtol, atol=rtol
    )


def test_linear_init() -> None:
    layer = Linear(50, 40, seed=3)
    assert np.array_equal(layer.weight.data, init.he_normal((50, 40), 3))
    assert not layer.bias.data.any()
    assert layer.weight.decay
    assert not layer.bias.decay
    glorot = Linear(50, 40, init="glorot", seed=3)
    assert np.array_equal(glorot.weight.data, init.glorot_uniform((50, 40), 3))
    own = Linear(2, 2, init=lambda shape, seed, dtype: np.full(shape, 7, dtype))
    assert own.weight.data.tolist() == [[7, 7], [7, 7]]
    assert not np.array_equal(Linear(5, 4).weight.data, Linear(5, 4).weight.data)


def test_linear_errors() -> None:
    for bad, error in ((0, ValueError), (-1, ValueError), (2.5, TypeError), ("3", TypeError)):
        with pytest.raises(error, match="in_features must be"):
            Linear(bad, 3)
        with pytest.raises(error, match="out_features must be"):
            Linear(3, bad)
    with pytest.raises(ValueError, match="init wants"):
        Linear(3, 3, init="hi")
    for shape in ((2, 4), (3,), (2, 2, 3)):
        message = re.escape(f"Linear wants input of shape (N, 3), got {shape}")
        with pytest.raises(ValueError, match=message):
            Linear(3, 3)(np.ones(shape, np.float32))


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        (ReLU(), lambda x: np.maximum(x, 0)),
        (Sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
        (Tanh(), np.tanh),
        (Flatten(), lambda x: x.reshape(2, 6)),
    ],
)
def test_layers_without_parameters(layer, formula, rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, 2))
    np.testing.assert_allclose(layer(x).numpy(), formula(x), rtol=1e-14)
    check_gradients(layer, x)
    assert list(layer.parameters()) == []


def test_flatten_of_an_empty_batch() -> None:
    assert Flatten()(np.ones((0, 3, 2))).shape == (0, 6)


def test_sequential(model: Sequential, rng: np.random.Generator) -> None:
    x = rng.standard_normal((5, 4)).astype(np.float32)
    W0, b0, W2 = (p.data for p in model.parameters())
    expected = np.maximum(x @ W0 + b0, 0) @ W2
    np.testing.assert_allclose(model(x).detach().numpy(), expected, rtol=1e-4)
    assert len(model) == 3
    assert list(model)[1] is model[1]
    with pytest.raises(TypeError, match="layer 1 wants a Module"):
        Sequential(ReLU(), np.tanh)


def test_sequential_seed_draws_every_layer_anew() -> None:
    def weights(seed: int | None) -> dict[str, np.ndarray]:
        layers = Linear(4, 4, seed=9), Linear(4, 4, init="glorot", seed=9)
        layers[0].bias.data += 1
        return Sequential(*layers, seed=seed).state_dict()

    a, b, kept = weights(0), weights(0), weights(None)
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not np.array_equal(a["0.weight"], kept["0.weight"])
    assert not a["0.bias"].any()
    assert kept["0.bias"].all()
    rng = np.random.default_rng(0)
    assert np.array_equal(a["0.weight"], init.he_normal((4, 4), rng))
    assert np.array_equal(a["1.weight"], init.glorot_uniform((4, 4), rng))


# --- what every Module promises -------------------------------------------------------


def test_parameters_are_found_once_with_dotted_names(model: Sequential) -> None:
    names = [name for name, _ in model.named_parameters()]
    assert names == ["0.weight", "0.bias", "2.weight"]
    branches = Branches()
    assert [name for name, _ in branches.named_parameters()] == [
        "scale", "parts.0.weight", "parts.0.bias", "heads.a.0.weight", "heads.a.0.bias",
    ]  # fmt: skip
    assert len(list(branches.modules())) == 4
    nested = Sequential(model, Sequential(model[0]))
    names = [name for name, _ in nested.named_parameters()]
    assert names == ["0.0.weight", "0.0.bias", "0.2.weight"]


def test_sequential_subclass_may_have_parameters_of_its_own() -> None:
    class Scaled(Sequential):
        def __init__(self) -> None:
            super().__init__(Linear(2, 2))
            self.gain = Parameter([1.0])

    names = [name for name, _ in Scaled().named_parameters()]
    assert names == ["0.weight", "0.bias", "gain"]


def test_gradients_of_a_users_module(rng: np.random.Generator) -> None:
    check_gradients(Branches(), rng.standard_normal((5, 4)))
    module = Branches()
    module(rng.standard_normal((5, 4))).sum().backward()
    assert all(p.grad is not None for p in module.parameters())
    module.zero_grad()
    assert all(p.grad is None for p in module.parameters())


def test_module_without_forward() -> None:
    with pytest.raises(NotImplementedError, match="Module wants a forward"):
        Module()(1)


def test_state_dict_round_trip(model: Sequential) -> None:
    state = model.state_dict()
    state["0.weight"][0, 0] = 42  # a copy
    assert model[0].weight.data[0, 0] != 42
    array = model[0].weight.data
    model.load_state_dict({k: v.astype(np.float64) for k, v in state.items()})
    assert model[0].weight.data is array
    assert array[0, 0] == 42


def test_load_state_dict_is_strict_and_whole(model: Sequential) -> None:
    before = model.state_dict()
    state = {name: value + 1 for name, value in before.items()}
    wrong = {**state, "2.weight": np.zeros((3, 3))}
    with pytest.raises(ValueError, match=r"2\.weight wants shape \(3, 2\), got \(3, 3"):
        model.load_state_dict(wrong)
    missing = {name: state[name] for name in ("0.weight", "0.bias")}
    with pytest.raises(ValueError, match=r"missing \['2\.weight'\], unexpected \[\]"):
        model.load_state_dict(missing)
    with pytest.raises(ValueError, match=r"missing \[\], unexpected \['extra'\]"):
        model.load_state_dict({**state, "extra": np.zeros(1)})
    for name, value in model.state_dict().items():
        assert np.array_equal(value, before[name])


def test_modes(model: Sequential) -> None:
    assert model.training
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    assert model.train() is model
    assert all(module.training for module in model.modules())


def test_astype(model: Sequential) -> None:
    model(np.ones((1, 4), np.float32)).sum().backward()
    assert model.astype("float64") is model
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float64)}
    assert all(p.grad is None for p in model.parameters())
    assert ReLU().dtype == np.float32
    with pytest.raises(TypeError, match="int32"):
        model.astype("int32")


def test_predictions(model: Sequential, rng: np.random.Generator) -> None:
    X = rng.standard_normal((10, 4))
    scores = model(X.astype(np.float32)).detach().numpy()
    assert model.scores(X).dtype == np.float32
    for batch_size in (1, 3, 10, 1000):
        np.testing.assert_allclose(model.scores(X, batch_size), scores, rtol=1e-5)
        predicted = model.predict(X, batch_size)
        assert predicted.dtype == np.int64
        assert np.array_equal(predicted, scores.argmax(axis=1))
    p = model.predict_proba(X)
    assert (p.shape, p.dtype) == ((10, 2), np.float32)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    e = np.exp(scores)
    np.testing.assert_allclose(p, e / e.sum(axis=1, keepdims=True), rtol=1e-5)


def test_predicting_leaves_modes_as_they_were() -> None:
    class Watch(Module):
        def forward(self, x: Tensor) -> Tensor:
            assert not self.training
            assert not (x * Tensor([1.0], requires_grad=True)).requires_grad
            return x

    model = Sequential(Watch(), Watch())
    model[1].training = False
    model.predict(np.ones((2, 2)))
    assert [module.training for module in model.modules()] == [True, True, False]


def test_a_single_output_predicts_values() -> None:
    model = Sequential(Linear(2, 1, seed=0))
    X = np.ones((3, 2), np.float32)
    predicted = model.predict(X)
    assert predicted.shape == (3,)
    np.testing.assert_allclose(predicted, X @ model[0].weight.data[:, 0], rtol=1e-6)
    with pytest.raises(ValueError, match="2 or more output columns, got 1"):
        model.predict_proba(X)


def test_no_rows_have_no_scores(model: Sequential) -> None:
    nothing = np.ones((0, 4), np.float32)
    assert model.scores(nothing).shape == model.predict_proba(nothing).shape == (0, 2)
    predicted = model.predict(nothing)
    assert predicted.shape == (0,)
    assert predicted.dtype == np.int64


def test_predict_errors(model: Sequential) -> None:
    with pytest.raises(ValueError, match=r"X wants rows, got a single number, 3\.0"):
        model.predict(3.0)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        model.predict(np.ones((2, 4)), batch_size=0)


def test_summary(model: Sequential) -> None:
    lines = model.summary().splitlines()
    assert [line.split() for line in lines] == [
        ["parameter", "shape", "number"],
        ["0.weight", "4", "x", "3", "12"],
        ["0.bias", "3", "3"],
        ["2.weight", "3", "x", "2", "6"],
        ["total", "float32", "21"],
        ["0.000", "MB"],
    ]
    assert "total" in ReLU().summary()


# --- the registry ---------------------------------------------------------------------


def test_describe_and_build() -> None:
    model = Sequential(
        Flatten(),
        models.mlp(4, (3,), 2, activation="tanh", dtype="float64"),
        Sequential(Linear(2, 2, bias=False), Sigmoid(), ReLU()),
    )
    description = json.loads(json.dumps(registry.describe(model)))
    twin = registry.build(description, "float64")
    assert registry.describe(twin) == description
    twin.load_state_dict(model.astype("float64").state_dict())
    X = np.random.default_rng(0).standard_normal((5, 2, 2))
    assert np.array_equal(twin.scores(X), model.scores(X))
    assert registry.build(description).dtype == np.float32


def test_functions_as_init_have_no_name_to_save() -> None:
    layer = Linear(2, 2, init=init.zeros)
    assert registry.describe(layer)["config"] == {
        "in_features": 2, "out_features": 2, "bias": True,
    }  # fmt: skip


@pytest.fixture
def clean_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_classes", dict(registry._classes))


@pytest.mark.usefixtures("clean_registry")
def test_users_register_by_a_name_of_their_own() -> None:
    @register_module("mine/gain")
    class Gain(Module):
        def __init__(self, start: float) -> None:
            self.gain = Parameter([start])

        def config(self) -> dict[str, float]:
            return {"start": float(self.gain.data[0])}

    @register_module
    class Plain(Module):
        pass

    described = {"type": "mine/gain", "config": {"start": 2.0}}
    assert registry.describe(Gain(2.0)) == described
    assert type(registry.build({"type": "mine/gain", "config": {"start": 3.0}})) is Gain
    assert type(registry.create("Plain", {})) is Plain


@pytest.mark.usefixtures("clean_registry")
def test_a_name_is_taken_once() -> None:
    def define(kind: type[Module]) -> type[Module]:
        @register_module("Redefined")
        class Redefined(kind):
            pass

        return Redefined

    define(ReLU)
    # Run the cell again, and the class is the new one.
    assert type(registry.create("Redefined", {})) is not define(Tanh)
    assert isinstance(registry.create("Redefined", {}), Tanh)
    with pytest.raises(ValueError, match="'ReLU' is taken by fastnn"):
        register_module("ReLU")(Branches)


@pytest.mark.usefixtures("clean_registry")
def test_registering_what_could_not_be_built_again() -> None:
    class Needy(Module):
        def __init__(self, width: int) -> None:
            self.width = width

    with pytest.raises(TypeError, match=r"config\(\).*constructor \(width\)"):
        register_module("needy")(Needy)
    with pytest.raises(TypeError, match="subclass of Module"):
        register_module("number")(int)


def test_unregistered_modules_cannot_be_described() -> None:
    class Deeper(ReLU):  # registered is the parent, which would be built instead
        pass

    for module in (Branches(), Deeper(), Sequential(Deeper())):
        with pytest.raises(TypeError, match="not registered"):
            registry.describe(module)


@pytest.mark.parametrize(
    "description",
    [
        "Linear",
        {"type": "Linear"},
        {"type": "os.system", "config": {}},
        {"type": ["Linear"], "config": {}},
        {"type": "Linear", "config": {"in_features": 2}},
        {"type": "Linear", "config": {"in_features": 2, "out_features": 0}},
        {"type": "Linear", "config": None},
        {"type": "Sequential", "config": 3},
        {"type": "Sequential", "config": ["ReLU"]},
    ],
)
def test_bad_descriptions(description) -> None:
    with pytest.raises(ValueError, match=r"layer|wants|must be"):
        registry.build(description)


def test_public_names() -> None:
    assert all(hasattr(layers, name) for name in layers.__all__)


@pytest.mark.parametrize("wrong", [np.zeros(2) * 1j, ["a", "b"], np.ma.masked_equal([0, 1], 0)])
def test_load_state_dict_is_all_or_nothing(wrong) -> None:
    layer = Linear(3, 2, seed=0)
    before = layer.state_dict()
    with pytest.raises(TypeError, match="bias: "):
        layer.load_state_dict({"weight": np.ones((3, 2)), "bias": wrong})
    np.testing.assert_array_equal(layer.weight.data, before["weight"])


def test_lists_of_numbers_are_arrays() -> None:
    layer = Linear(3, 2, seed=0)
    rows = [[1.0, 2.0, 3.0]]
    np.testing.assert_array_equal(layer(rows).data, layer(np.array(rows)).data)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (np.ma.masked_equal(np.zeros((2, 3)), 0), TypeError, "masked"),
        (np.zeros((2, 3)) * 1j, TypeError, "complex128"),
        (np.array([[0, 0, 0], [0, np.nan, 0]]), ValueError, r"X: value nan at position \(1, 1\)"),
        (np.full((1, 3), 1e39), ValueError, "not finite in float32"),
    ],
)
def test_what_no_prediction_is_made_of(wrong, error, message) -> None:
    layer = Linear(3, 2, seed=0)
    for use in (layer.scores, layer.predict, layer.predict_proba):
        with pytest.raises(error, match=message):
            use(wrong)
    if error is TypeError:
        with pytest.raises(TypeError, match=f"input.*{message}"):
            layer(wrong)


@pytest.mark.parametrize("wrong", ["x", 3.0, None, [["a"]]])
def test_linear_wants_an_array(wrong) -> None:
    with pytest.raises(TypeError, match="Linear wants a Tensor or an array, got"):
        Linear(3, 2)(wrong)
