"""What check_gradients takes, what it calls it, what it leaves alone, and what it refuses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from gradcheck_helpers import passes

import fastnn
from fastnn import Tensor, check_gradients, ops

# --- arguments ------------------------------------------------------------------------


class Layer(NamedTuple):
    W: np.ndarray
    b: np.ndarray


def test_nested_arguments_and_their_names(rng: np.random.Generator) -> None:
    layers = [Layer(rng.standard_normal((4, 5)), np.zeros(5)), (np.ones((5, 3)), [0.5, 0.0, 1.0])]
    options = {"scale": 2.0, "power": 2, "what": "x"}

    def loss(X, layers, y, options, *rest):
        assert isinstance(layers[0], Layer)
        assert options["power"] == 2
        assert options["what"] == "x"
        hidden = np.tanh(X @ layers[0].W + layers[0].b)
        scores = hidden @ layers[1][0] + np.stack(layers[1][1])
        return options["scale"] * fastnn.cross_entropy(scores, y) * rest[0]

    y = rng.integers(0, 3, 6)
    report = passes(loss, rng.standard_normal((6, 4)), layers, y, options, np.float64(3))
    assert [each.name for each in report.arguments] == [
        "X", "layers[0][0]", "layers[0][1]", "layers[1][0]", "layers[1][1][0]",
        "layers[1][1][1]", "layers[1][1][2]", "options['scale']", "argument 4",
    ]  # fmt: skip


def test_names_of_tensors_and_of_functions_without_a_signature() -> None:
    report = passes(np.multiply, Tensor([1.0, 2.0], name="price"), np.ones(2))
    assert [each.name for each in report.arguments] == ["price", "x2"]
    report = passes(ops.matmul, np.ones((2, 2)), np.eye(2))
    assert [each.name for each in report.arguments] == ["a", "b"]


def test_what_holds_no_floats_is_passed_as_it_is() -> None:
    class Anything:
        factor = 3

    given = Anything()
    labels = np.array([0, 1])

    def f(x, y, flag, other, nothing):
        assert y is labels
        assert flag is True
        assert other is given
        assert nothing is None
        return np.sum(x[y]) * other.factor

    (argument,) = passes(f, np.ones(2), labels, True, given, None).arguments
    assert argument.backward == 3


def test_nothing_of_the_users_is_changed(rng: np.random.Generator) -> None:
    x, W = rng.standard_normal((2, 3)), Tensor(rng.standard_normal((3, 2)), requires_grad=True)
    closed = Tensor(rng.standard_normal((3, 2)), requires_grad=True)
    before = [x.copy(), W.data.copy(), closed.data.copy()]
    x.flags.writeable = False
    passes(lambda x, W: np.tanh(x @ (W + closed)), x, W)
    for now, then in zip([x, W.data, closed.data], before, strict=True):
        assert now.tobytes() == then.tobytes()
    assert W.grad is None
    assert closed.grad is None


def test_an_f_that_writes_to_its_arguments_is_told() -> None:
    def f(x):
        x.data *= 2
        return x * x

    with pytest.raises(ValueError, match="read-only"):
        check_gradients(f, np.ones(2))


def test_a_model_is_left_as_it_was(rng: np.random.Generator) -> None:
    model = fastnn.models.mlp(4, (5,), 3)
    model[0].bias.requires_grad = False
    for parameter in model.parameters():
        parameter.grad = np.full(parameter.shape, 7.0, np.float32)
    nodes = [each._node for each in model.parameters()]
    state = {name: each.copy() for name, each in model.state_dict().items()}
    X, y = rng.standard_normal((6, 4)), rng.integers(0, 3, 6)
    report = passes(model, "cross_entropy", X, y)
    assert [each.name for each in report.arguments] == ["0.weight", "2.weight", "2.bias"]

    def broken(scores, y):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        check_gradients(model, broken, X, y)
    assert [each._node for each in model.parameters()] == nodes
    assert all(np.all(each.grad == 7) for each in model.parameters())
    for name, now in model.state_dict().items():
        assert now.tobytes() == state[name].tobytes()


def test_a_layer_is_checked_by_its_inputs_too(rng: np.random.Generator) -> None:
    report = passes(fastnn.Linear(3, 2, dtype="float64"), rng.standard_normal((4, 3)))
    assert [each.name for each in report.arguments] == ["weight", "bias", "x"]
    report = passes(fastnn.ReLU(), rng.standard_normal((4, 3)))
    assert [each.name for each in report.arguments] == ["x"]


def test_a_loss_of_ones_own(rng: np.random.Generator) -> None:
    model = fastnn.models.mlp(4, (5,), 3)

    def loss(scores, y):
        return fastnn.cross_entropy(scores, y.data, weight=[1.0, 2.0, 3.0])

    passes(model, loss, rng.standard_normal((6, 4)), rng.integers(0, 3, 6))


def test_a_part_of_a_larger_graph_is_checked(rng: np.random.Generator) -> None:
    """f may close over Tensors that need a gradient themselves, and use grad inside."""
    W = Tensor(rng.standard_normal((3, 2)), requires_grad=True)
    passes(lambda x: np.tanh(x @ (W * 2)), rng.standard_normal((4, 3)))
    passes(lambda x: fastnn.grad(lambda t: np.sum(np.sin(t) * t))(x), rng.standard_normal(3))


# --- what it refuses ------------------------------------------------------------------

RANDOM = np.random.default_rng(1)


def weighted(weight):
    return ops.cross_entropy(np.ones((2, 2)), np.array([0, 1]), weight, None)


@pytest.mark.parametrize(
    ("error", "message", "f", "args"),
    [
        (TypeError, "f must be a function or a Module, got 3", 3, (1.0,)),
        (TypeError, "hold no floating-point numbers", lambda y: y, (np.arange(3),)),
        (TypeError, "hold no floating-point numbers", lambda: 0, ()),
        (TypeError, "must return a Tensor.*got float", lambda x: 3.0, (1.0,)),
        (TypeError, "must return a Tensor.*float64", lambda x: np.sum(x.data), (np.ones(2),)),
        (ValueError, "must depend on its arguments", lambda x: Tensor([1.0]), (1.0,)),
        (ValueError, "must depend on its arguments", lambda x: x.detach() * 2, (1.0,)),
        (
            ValueError,
            "alone.*and then .*dropout",
            lambda x: x * RANDOM.random(),
            (1.0,),
        ),
        (ValueError, r"finite numbers.*\[-inf, +0", lambda x: np.log(x), (np.array([0.0, 1]),)),
        (TypeError, "X and y.*got 1 argument", fastnn.Linear(2, 3), ("mse", np.ones((2, 2)))),
        (ValueError, "none called 'mce'", fastnn.Linear(2, 3), ("mce", np.ones((2, 2)), [0, 1])),
        (ValueError, "y: label 3", fastnn.Linear(2, 3), ("hinge", np.ones((2, 2)), [0, 3])),
        (TypeError, "no parameter that needs", fastnn.ReLU(), (np.arange(3),)),
        (TypeError, "cross_entropy has no derivative", weighted, (np.ones(2),)),
    ],
)
def test_what_cannot_be_checked_is_an_error(error, message: str, f, args) -> None:
    with pytest.raises(error, match=message):
        check_gradients(f, *args)


@pytest.mark.parametrize(
    ("error", "message", "options"),
    [
        (ValueError, "order must be 1 or 2, got 3", {"order": 3}),
        (ValueError, "gradient depends on its arguments: that of a linear", {"order": 2}),
        (ValueError, r"rtol must be a number in \(0, 1\)", {"rtol": 1}),
        (ValueError, r"atol must be a number in \[0, inf\)", {"atol": -1}),
        (TypeError, "max_coordinates must be an integer", {"max_coordinates": 1.5}),
        (ValueError, "directions must be at least 1", {"directions": 0}),
        (ValueError, "seed must be at least 0", {"seed": -1}),
    ],
)
def test_options_that_make_no_sense_are_named(error, message: str, options) -> None:
    with pytest.raises(error, match=message):
        check_gradients(lambda x: 3 * x, np.ones(2), **options)
