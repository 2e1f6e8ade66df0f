"""Planted wrong backwards: every one is found, and named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastnn
from fastnn import GradientReport, check_gradients, ops
from fastnn.ops import factorizations, linalg
from fastnn.ops.elementwise import ELEMENTWISE

SEEDS = pytest.mark.parametrize("seed", range(5))
DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])


def finds(name: str, f: Any, *args: Any, **options: Any) -> GradientReport:
    """The report of a check that blames this op, and no other."""
    report = check_gradients(f, *args, **options)
    assert not report.ok
    assert not report
    assert {op.name for op in report.wrong_ops} == {name}, report
    assert f"the backward of '{name}'" in str(report)
    return report


# --- ops of a user --------------------------------------------------------------------


def swish(factor: float) -> Any:
    """x sigmoid(x), with a derivative that is wrong by a factor."""

    def backward(g, y, x):
        s = 1 / (1 + np.exp(-x))
        return factor * g * (s + y * (1 - s))

    return fastnn.op(lambda x: x / (1 + np.exp(-x)), backward, name="swish")


@SEEDS
@DTYPES
@pytest.mark.parametrize("factor", [1.01, 0.99, 1.0001, -1.0, 0.0, 2.0])
def test_a_wrong_factor_is_found_and_told(seed: int, dtype: str, factor: float) -> None:
    x = np.random.default_rng(seed).standard_normal((3, 4)).astype(dtype)
    report = finds("swish", swish(factor), x)
    (wrong,) = report.wrong_ops
    assert (wrong.argument, wrong.shape, wrong.uses, wrong.wrong_uses) == (0, (3, 4), 1, 1)
    if factor:
        assert f"is {factor:g} times the derivative of its forward" in wrong.what
        assert wrong.backward / wrong.numerical == pytest.approx(factor, rel=1e-5)
    else:
        assert "is zero" in wrong.what
    error = abs(factor - 1) / max(abs(factor), 1)
    assert report.max_relative_error == pytest.approx(error, rel=1e-2)
    (argument,) = report.arguments
    assert not argument.ok
    assert argument.backward == pytest.approx(factor * argument.numerical, rel=1e-6)
    assert check_gradients(swish(1.0), x)


@given(st.floats(1e-5, 1e3), st.sampled_from([-1, 1]))
def test_any_factor_but_one_is_found(away: float, side: int) -> None:
    x = np.array([[0.3, -1.2], [2.0, 0.7]])
    finds("swish", lambda x: np.sum(np.cos(swish(1 + side * away)(x))), x)


def times(x, y):
    return x * y


MULTIPLY_WRONGLY = {
    "swapped": lambda g, z, x, y: (g * x, g * y),
    "a lost sign": lambda g, z, x, y: (g * y, -g * x),
    "the first alone": lambda g, z, x, y: (g * y, 0 * x),
    "the forward again": lambda g, z, x, y: (z, g * x),
    "without the gradient": lambda g, z, x, y: (y, g * x),
    "one element": lambda g, z, x, y: (g * y, g * x * np.where(np.arange(5) == 3, 2, 1)),
    "not linear": lambda g, z, x, y: (g * g * y, g * x),
}  # fmt: skip


@SEEDS
@DTYPES
@pytest.mark.parametrize("mistake", MULTIPLY_WRONGLY)
def test_mistakes_in_an_op_of_two_arguments(mistake: str, seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.standard_normal((2, 5)).astype(dtype) for _ in range(2))
    multiply = fastnn.op(times, MULTIPLY_WRONGLY[mistake], name="multiply")
    report = finds("multiply", lambda x, y: np.mean(np.sin(multiply(x, y))), x, y)
    wrong = {op.argument: op.what for op in report.wrong_ops}
    if mistake == "swapped":
        assert "which argument 1 got" in wrong[0]
        assert "which argument 0 got" in wrong[1]
    else:
        right = 0 if mistake in ("a lost sign", "the first alone", "one element") else 1
        assert list(wrong) == [1 - right]


@SEEDS
@pytest.mark.parametrize(
    "by_bias",
    [lambda g: g[0], lambda g: np.mean(g, axis=0), lambda g: np.sum(g[1:], axis=0), lambda g: g],
    ids=["one row", "the mean", "a lost row", "no sum"],
)
def test_a_missing_sum_over_the_batch(by_bias: Callable[[Any], Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    add_bias = fastnn.op(np.add, lambda g, y, x, b: (g, by_bias(g)), name="add_bias")
    X, W, b = rng.standard_normal((6, 4)), rng.standard_normal((4, 3)), np.zeros(3)
    y = rng.integers(0, 3, 6)
    report = finds("add_bias", lambda W, b: fastnn.cross_entropy(add_bias(X @ W, b), y), W, b)
    (wrong,) = report.wrong_ops
    assert wrong.argument == 1
    if report.arguments:
        assert [each.ok for each in report.arguments] == [True, False]
    else:
        assert r"wants a gradient of shape (3,), got (6, 3)" in wrong.what
        assert report.max_relative_error == np.inf


def test_a_gradient_computed_in_place_of_the_one_that_came(rng: np.random.Generator) -> None:
    def backward(g, y, x):
        g *= 2 * x
        return g

    square = fastnn.op(np.square, backward, name="square")
    report = finds("square", lambda x: np.sum((square(x) + x) * 1.5), rng.standard_normal(4))
    assert "in place" in report.wrong_ops[0].what


def test_a_gradient_that_is_no_number() -> None:
    root = fastnn.op(np.sqrt, lambda g, y, x: g / (2 * y), name="root")
    report = finds("root", lambda x: np.sum(root(x * x)), np.array([0.0, 1.0]))
    assert report.max_relative_error == np.inf
    assert "is not finite" in report.wrong_ops[0].what
    assert report.arguments[0].index == (0,)


# --- rows of the table ----------------------------------------------------------------


def scaled(rule: Callable[..., Any], factor: float) -> Callable[..., Any]:
    return lambda g, y, *args: factor * rule(g, y, *args)


ROWS = {
    "relu": (ops.relu, lambda x: ops.relu(x)),
    "sigmoid": (ops.sigmoid, lambda x: ops.sigmoid(x)),
    "softmax": (ops.softmax, lambda x: ops.softmax(x)),
    "matmul": (ops.matmul, lambda x: x @ x),
    "maximum": (ELEMENTWISE[np.maximum], lambda x: np.maximum(x, 0.1)),
    "multiply": (ops.multiply, lambda x: x * 0.3),
    "divide": (ops.divide, lambda x: x / 1e6),
    "exp": (ELEMENTWISE[np.exp], np.exp),
    "mean": (ops.mean, lambda x: np.mean(x, axis=0)),
    "max": (ops.max, lambda x: np.max(x, axis=1)),
    "var": (ops.var, lambda x: np.var(x, axis=0)),
    "cumsum": (ops.cumsum, lambda x: np.cumsum(x, axis=1)),
    "getitem": (ops.getitem, lambda x: x[1:]),
    "transpose": (ops.transpose, lambda x: x.T),
    "inv": (linalg.inv, np.linalg.inv),
    "det": (linalg.det, np.linalg.det),
    "cholesky": (factorizations.cholesky, lambda x: np.linalg.cholesky(x @ x.T + np.eye(4))),
    "eigh": (factorizations.eigh, lambda x: np.linalg.eigvalsh(x + x.T)),
    "hinge_loss": (ops.hinge_loss, lambda x: fastnn.hinge_loss(x, [0, 1, 2, 3])),
    "cross_entropy": (ops.cross_entropy, lambda x: fastnn.cross_entropy(x, [0, 1, 2, 3])),
}


@DTYPES
@pytest.mark.parametrize("factor", [1.01, -1.0])
@pytest.mark.parametrize("name", ROWS)
def test_a_wrong_row_of_the_table_is_named(
    name: str, factor: float, dtype: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    op, f = ROWS[name]
    x = rng.standard_normal((4, 4)).astype(dtype)
    assert check_gradients(lambda x: np.tanh(f(x)), x)
    monkeypatch.setattr(op, "rules", tuple(rule and scaled(rule, factor) for rule in op.rules))
    finds(name, lambda x: np.tanh(f(x)), x)


@DTYPES
def test_a_wrong_joint_backward_is_named(
    dtype: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The linear layer's, that forgets the sum over the batch in the bias."""
    right = ops.linear.joint

    def wrong(g, y, needs, x, W, b):
        dx, dW, db = right(g, y, needs, x, W, b)
        return dx, dW, None if db is None else db / len(x)

    monkeypatch.setattr(ops.linear, "joint", wrong)
    model = fastnn.models.mlp(5, (7,), 3, dtype=dtype)
    X, y = rng.standard_normal((6, 5)), rng.integers(0, 3, 6)
    report = finds("linear", model, "cross_entropy", X, y)
    (op,) = report.wrong_ops
    assert (op.argument, op.uses, op.wrong_uses) == (2, 2, 2)
    assert {each.name for each in report.arguments if not each.ok} == {"0.bias", "2.bias"}


def test_a_kernel_that_is_wrong_in_float32_alone(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    (right,) = ops.tanh.rules

    def wrong(g, y, x):
        return right(g, y, x) * (1.01 if x.dtype == np.float32 else 1)

    monkeypatch.setattr(ops.tanh, "rules", (wrong,))
    model = fastnn.models.mlp(5, (7,), 3, activation="tanh")
    X, y = rng.standard_normal((6, 5)), rng.integers(0, 3, 6)
    report = finds("tanh", model, "cross_entropy", X, y)
    assert report.wrong_ops[0].what.endswith("in float32")
    assert check_gradients(model.astype("float64"), "cross_entropy", X, y)


def test_a_wrong_second_derivative_is_named(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fastnn.ops.activations import sigmoid_backward

    by_g, by_s = sigmoid_backward.rules
    monkeypatch.setattr(sigmoid_backward, "rules", (by_g, scaled(by_s, 1.01)))
    x = rng.standard_normal((2, 3))
    assert check_gradients(ops.sigmoid, x)
    finds("sigmoid_backward", ops.sigmoid, x, order=2)


# --- where it is hard to see ----------------------------------------------------------


@SEEDS
@DTYPES
@pytest.mark.parametrize("factor", [1.01, 0.0])
def test_an_op_in_the_middle_of_a_deep_net(seed: int, dtype: str, factor: float) -> None:
    rng = np.random.default_rng(seed)
    X, W, V = (rng.standard_normal(shape) for shape in ((5, 4), (4, 8), (8, 4)))

    def net(W, V):
        h = np.maximum(X @ W, 0) @ V
        for _ in range(8):
            h = np.tanh(h)
        h = swish(factor)(h)
        for _ in range(8):
            h = np.maximum(np.sin(h), 0.01 * h)
        return np.mean(h * h)

    finds("swish", net, W.astype(dtype), V.astype(dtype))


def test_an_op_whose_gradient_vanishes_or_is_dead(rng: np.random.Generator) -> None:
    def vanishing(x):
        h = swish(1.01)(x)
        for _ in range(40):
            h = np.tanh(0.1 * h)
        return np.sum(h)

    x = rng.standard_normal(4)
    finds("swish", vanishing, x)
    report = finds("swish", lambda x: np.sum(ops.relu(swish(1.01)(x) - 100)), x)
    assert report.max_relative_error == 0
    assert "right at this point, and wrong at others" in str(report)


@SEEDS
def test_ties_elsewhere_excuse_nothing(seed: int) -> None:
    """All hidden units of the zero rows stand at their kink; the wrong op is smooth."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-1, 2, (6, 5)).astype(float)
    X[:4] = 0
    affine = fastnn.op(
        lambda x, W: x @ W, lambda g, y, x, W: (g @ W.T, 1.01 * (x.T @ g)), name="affine"
    )

    def loss(W, b, V):
        return fastnn.hinge_loss(np.maximum(affine(X, W) + b, 0) @ V, np.zeros(6, int))

    W, V = rng.standard_normal((5, 8)), rng.standard_normal((8, 3))
    report = finds("affine", loss, W, np.zeros(8), V)
    assert [each.ok for each in report.arguments] == [False, True, True]


def test_an_op_with_kinks_that_is_wrong_beside_them(rng: np.random.Generator) -> None:
    leaky = fastnn.op(
        lambda x: np.where(x > 0, x, 0.01 * x),
        lambda g, y, x: g * np.where(x > 0, 1, 0.1),
        name="leaky",
    )
    x = rng.integers(-1, 2, (5, 6)).astype(float)
    report = finds("leaky", leaky, x)
    assert report.arguments[0].set_aside == np.count_nonzero(x == 0)


def test_one_number_among_many_is_found(rng: np.random.Generator) -> None:
    def backward(g, y, x, W):
        by_W = x.T @ g
        by_W[12, 7] *= 1.01
        return g @ W.T, by_W

    affine = fastnn.op(lambda x, W: x @ W, backward, name="affine")
    X, W = rng.standard_normal((32, 100)), rng.standard_normal((100, 60))
    report = finds("affine", lambda W: np.mean(np.tanh(affine(X, W) / 10)), W)
    (argument,) = report.arguments
    assert (argument.kind, argument.index) == ("directions", (12, 7))
    assert argument.max_relative_error == pytest.approx(0.01 / 1.01, rel=1e-3)


def test_one_use_among_many_is_found() -> None:
    """An op that is wrong for large numbers only, in a chain of which a part is checked."""
    double = fastnn.op(
        lambda x: 2 * x, lambda g, y, x: g * (2.1 if x > 1e250 else 2), name="double"
    )

    def chain(x):
        for _ in range(1000):
            x = double(x)
        return np.log(x)

    report = finds("double", chain, 0.7)
    (wrong,) = report.wrong_ops
    assert report.ops == 1001
    assert wrong.uses < report.ops / 2
    assert 0.15 < wrong.wrong_uses / wrong.uses < 0.2


def test_a_wrong_use_that_the_part_has_missed_is_found() -> None:
    """The only one where x is 601."""
    double = fastnn.op(lambda x: 2 * x, lambda g, y, x: g * (2.1 if x == 601 else 2), name="double")

    def chain(x):
        for _ in range(1200):
            x = double(x) / 2 + 1
        return x

    (wrong,) = finds("double", chain, 1.0).wrong_ops
    assert wrong.wrong_uses == 1


def test_a_derivative_far_steeper_than_its_neighbours(rng: np.random.Generator) -> None:
    """Beside 1e12 an error of 1 % of a slope of 1 is small: each counts by itself."""
    x = np.array([0.5, 1.0, 2.0, 1e-6])
    inverse = fastnn.op(
        lambda x: 1 / x, lambda g, y, x: -g * y * y * np.array([1.01, 1, 1, 1]), name="inverse"
    )
    report = finds("inverse", inverse, x)
    assert report.arguments[0].index == (0,)
    # Where no gradient arrives, and in other units.
    for unit in (1e-9, 1, 1e9):
        finds("inverse", lambda x: np.sum(ops.relu(inverse(x) - 1e20)), x * unit)


@pytest.mark.parametrize("size", [0, 1e-20, 1e-12, 1e-6, 1e-3, 1e3])
def test_errors_at_every_size_of_argument(size: float) -> None:
    x = size * np.array([1, -2, 0.5])
    rises = fastnn.op(
        lambda x: np.exp(np.sin(x)) + 5,
        lambda g, y, x: 1.001 * g * np.exp(np.sin(x)) * np.cos(x),
        name="rises",
    )
    finds("rises", rises, x)
    finds("rises", lambda x: np.sum(ops.relu(rises(x) - 100)), x)
    assert check_gradients(lambda x: np.sin(x) + 5 + 1e-3 * x.data, x).lost_values


def test_a_gradient_that_overflows_in_float32_alone() -> None:
    x = np.array([1e-25, 2e-25])
    f = lambda x: np.sum(x / 1e-30 / 1e-30)  # noqa: E731
    assert check_gradients(f, x)
    report = check_gradients(f, x.astype(np.float32))
    assert not report.ok
    assert report.arguments[0].backward == np.inf


# --- values that leave the graph ------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "argument", "f"),
    [
        ("multiply", 1, lambda x: np.sum(x * x.data)),
        ("add", 1, lambda x: np.sum(x) + np.sum(x.detach() ** 2)),
        ("multiply", 1, lambda x: np.sum(np.tanh(x) * np.sum(x.data).item())),
        ("divide", 1, lambda x: np.sum(x / np.max(x).item())),
    ],
)
def test_a_lost_value_is_told(name: str, argument: int, f, rng: np.random.Generator) -> None:
    report = check_gradients(f, rng.standard_normal((3, 4)))
    assert not report.ok
    assert report.wrong_ops == ()
    (lost,) = report.lost_values
    assert (lost.name, lost.argument, lost.depends_on) == (name, argument, "x")
    assert f"'{name}' got as its argument {argument} a value that changes with x" in str(report)


def test_a_lost_value_in_a_large_net_is_no_kink(rng: np.random.Generator) -> None:
    X, W = rng.standard_normal((64, 100)), rng.standard_normal((100, 64))

    def f(W):
        h = np.tanh(X @ W / 10)
        return np.mean((h - 0.5 * h.detach()) ** 2)

    report = check_gradients(f, W, directions=4)
    assert not report.ok
    assert report.arguments[0].set_aside == 0
    assert report.lost_values[0].name == "subtract"
