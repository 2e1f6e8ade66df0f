"""check_gradients: right gradients pass, also where there are kinks; a wrong backward is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import Tensor, check_gradients, layers, numerical_gradient, ops
from fastnn import functional as F

SEEDS = range(8)


def data(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((6, 4)), rng.integers(0, 3, 6)


# --- numerical_gradient ---------------------------------------------------------------------


def test_differences_of_a_polynomial() -> None:
    def f(x: Any) -> Any:
        return np.sum(x**4 / 2 - 2 * x**2 + x + 5)

    x = np.array([-2.0, 0.0, 1.0, 3.0])
    exact = 2 * x**3 - 4 * x + 1
    np.testing.assert_allclose(numerical_gradient(f, x), exact, rtol=1e-7, atol=1e-7)
    # Centred, with h = 0.001: the error is h**2 / 6 of the third derivative, 12 x.
    found = numerical_gradient(f, x, h=1e-3)
    np.testing.assert_allclose(found - exact, 2e-6 * x, atol=1e-9)


def test_the_lectures_one_sided_formula() -> None:
    x = np.array([1.0, 2.0])
    found = numerical_gradient(lambda x: np.sum(x * x), x, h=1e-3, one_sided=True)
    np.testing.assert_allclose(found, 2 * x + 1e-3, rtol=1e-9)


def test_float32_gets_a_step_of_its_own_and_nothing_is_changed() -> None:
    x = np.array([[0.5, -1.5], [2.0, 100.0]], np.float32)
    before = x.copy()
    found = numerical_gradient(lambda x: np.sum(np.sin(x)), x)
    assert found.shape == x.shape
    np.testing.assert_allclose(found, np.cos(x.astype(float)), atol=2e-2)
    np.testing.assert_array_equal(x, before)


# --- right gradients pass ---------------------------------------------------------------------

X, Y = data(0)
RIGHT: dict[str, tuple[Any, list[tuple[int, ...]]]] = {
    "mlp": (
        lambda W1, b, W2: fastnn.cross_entropy(np.maximum(0, X @ W1 + b) @ W2, Y),
        [(4, 7), (7,), (7, 3)],
    ),
    "hinge": (lambda W: fastnn.hinge_loss(X @ W, Y), [(4, 3)]),
    "max": (lambda x: np.max(x, axis=0), [(5, 3)]),
    "abs": (lambda x: np.sum(np.abs(x)), [(9,)]),
    "clip": (lambda x: np.sum(np.clip(x, -0.5, 0.5) ** 2), [(9,)]),
    "where": (lambda x: np.sum(np.where(x > 0, x * x, 3 * x)), [(9,)]),
    "sort": (lambda x: np.sum(np.sort(x) * np.arange(6)), [(6,)]),
    "einsum": (lambda a, b: np.einsum("ij,jk->ki", a, b), [(3, 4), (4, 2)]),
    "solve": (lambda a, b: np.linalg.solve(a + 5 * np.eye(3), b), [(3, 3), (3,)]),
    "floor": (lambda x: np.sum(np.floor(3 * x) * 0 + x), [(5,)]),
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("seed", SEEDS)
def test_right_gradients_pass(name: str, seed: int) -> None:
    f, shapes = RIGHT[name]
    rng = np.random.default_rng(100 + seed)
    args = [rng.standard_normal(shape) for shape in shapes]
    before = [each.copy() for each in args]
    report = check_gradients(f, *args, seed=seed)
    assert report.ok, report
    assert report.max_relative_error < 1e-6
    for each, copy in zip(args, before, strict=True):
        np.testing.assert_array_equal(each, copy)


def test_kinks_are_set_aside_and_counted() -> None:
    x = np.array([0.0, 1.0, -1.0, 0.0])
    report = check_gradients(lambda x: np.sum(np.maximum(x, 0) + np.abs(x)), x)
    assert report.ok
    assert report.arguments[0].set_aside == 2
    assert "there is no derivative to compare with" in str(report)
    tie = np.array([2.0, 2.0, 1.0])
    report = check_gradients(lambda x: np.max(x), tie)
    assert report.ok
    assert report.arguments[0].set_aside == 2


def test_a_kink_is_no_excuse_for_a_wrong_slope_beside_it() -> None:
    wrong = fastnn.op(
        lambda x: np.maximum(x, 0), lambda g, y, x: 1.02 * g * (np.asarray(x) > 0), "wrong relu"
    )
    report = check_gradients(lambda x: np.sum(wrong(x)), np.array([0.0, 1.0, -1.0]))
    assert not report.ok
    assert [each.name for each in report.wrong_ops] == ["wrong relu"]


def test_large_arguments_are_checked_along_directions() -> None:
    rng = np.random.default_rng(0)
    W = rng.standard_normal((4, 300))
    report = check_gradients(lambda W: np.sum(np.tanh(X @ W)), W)
    assert report.ok
    assert report.arguments[0].kind == "directions"
    assert "seed 0" in str(report)


def test_nested_arguments_and_labels() -> None:
    rng = np.random.default_rng(0)
    params = {"W": rng.standard_normal((4, 3)), "b": [rng.standard_normal(3)]}

    def f(params: Any, y: Any) -> Any:
        return fastnn.cross_entropy(X @ params["W"] + params["b"][0], y)

    report = check_gradients(f, params, Y)
    assert report.ok
    assert len(report.arguments) == 2
    assert "['W']" in str(report)


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model(loss: str, dtype: str) -> None:
    model = fastnn.models.mlp(4, (7, 5), 3, seed=1, dtype=dtype)
    state = model.state_dict()
    report = check_gradients(model, loss, X.astype(dtype), Y)
    assert report.ok, report
    assert [each.name for each in report.arguments][:2] == ["0.weight", "0.bias"]
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, state[name])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_second_derivatives() -> None:
    rng = np.random.default_rng(0)
    args = [rng.standard_normal((4, 5)), rng.standard_normal((5, 3))]
    report = check_gradients(
        lambda A, B: fastnn.cross_entropy(np.tanh(X @ A) @ B, Y), *args, order=2
    )
    assert report.ok, report


# --- a wrong backward is found, and named -------------------------------------------------------


def multiply(dx: Any, dy: Any, name: str) -> Any:
    return fastnn.op(lambda x, y: x * y, lambda dz, z, x, y: (dx(dz, x, y), dy(dz, x, y)), name)


def deep(gate: Any) -> Any:
    """A function with the gate in its middle."""
    return lambda a, b: np.sum(np.exp(np.sin(gate(np.tanh(a), b * 1.5)) * 0.5))


PLANTED = {
    "a factor": multiply(lambda g, x, y: 1.01 * g * y, lambda g, x, y: g * x, "a factor"),
    "swapped": multiply(lambda g, x, y: g * x, lambda g, x, y: g * y, "swapped"),
    "a sign": multiply(lambda g, x, y: g * y, lambda g, x, y: -g * x, "a sign"),
    "forgotten": multiply(lambda g, x, y: g * y, lambda g, x, y: 0 * g, "forgotten"),
    "a mean": multiply(lambda g, x, y: g * y, lambda g, x, y: np.mean(g) * x, "a mean"),
}


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_wrong_backward_of_a_users_op_is_named(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    report = check_gradients(
        deep(PLANTED[name]), rng.standard_normal(5), rng.standard_normal(5), seed=seed
    )
    assert not report.ok
    assert {each.name for each in report.wrong_ops} == {name}
    assert f"the backward of {name!r}" in str(report)


def test_a_right_users_op_passes() -> None:
    gate = multiply(lambda g, x, y: g * y, lambda g, x, y: g * x, "multiply")
    rng = np.random.default_rng(0)
    assert check_gradients(deep(gate), rng.standard_normal(5), rng.standard_normal(5)).ok


TABLE = {
    "sigmoid": (ops.sigmoid, lambda g, y, _x: g * y * (1 - y) * 0.99),
    "tanh": (ops.tanh, lambda g, y, _x: g * (1 - y)),
    "softmax": (ops.softmax, lambda g, y, _x: g * y),
    "log_softmax": (ops.log_softmax, lambda g, y, _x: g - np.exp(y) * np.mean(g)),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_wrong_row_of_the_table_is_named_in_a_deep_net(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    op, rule = TABLE[name]
    rng = np.random.default_rng(3)
    A, B, C = (rng.standard_normal(shape) for shape in ((4, 6), (6, 5), (5, 3)))

    def f(A: Any, B: Any, C: Any) -> Any:
        return np.sum(np.sin(op(np.tanh(X @ A) @ B) @ C))

    assert check_gradients(f, A, B, C).ok
    monkeypatch.setattr(op, "rules", (rule,))
    report = check_gradients(f, A, B, C)
    assert not report.ok
    assert {each.name for each in report.wrong_ops} == {name}


def test_a_missing_sum_over_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    def joint(g: Any, _y: Any, needs: Any, x: Any, W: Any, _b: Any) -> Any:
        return g @ W.T, x.T @ g, g[0].copy()  # the bias's gradient wants the sum over rows

    model = layers.Sequential(layers.Linear(4, 5), layers.Tanh(), layers.Linear(5, 3), seed=1)
    monkeypatch.setattr(ops.linear, "joint", joint)
    report = check_gradients(model.astype("float64"), "cross_entropy", X, Y)
    assert not report.ok
    assert {each.name for each in report.wrong_ops} == {"linear"}
    assert "argument 2" in str(report)
    wrong = {each.name for each in report.arguments if not each.ok}
    assert wrong == {"0.bias", "2.bias"}


# --- what cannot be checked ----------------------------------------------------------------------


def test_what_cannot_be_checked_is_said() -> None:
    x = np.ones(3)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="not a function of its arguments alone"):
        check_gradients(lambda x: np.sum(x * rng.standard_normal(3)), x)
    with pytest.raises(ValueError, match="must depend on its arguments"):
        check_gradients(lambda x: Tensor(3.0), x)
    with pytest.raises(TypeError):
        check_gradients(lambda x: 3.0, x)
    with pytest.raises(TypeError, match="float"):
        check_gradients(lambda y: fastnn.cross_entropy(np.ones((3, 2)), y), np.array([0, 1, 0]))
    with pytest.raises(ValueError, match="order"):
        check_gradients(lambda x: np.sum(x), x, order=3)


def test_the_kernels_of_hand_written_nets_agree() -> None:
    """F's own gradient of a loss, by the same differences."""
    scores = np.random.default_rng(0).standard_normal((6, 3))
    found = numerical_gradient(lambda s: F.hinge_loss(s, Y)[0], scores)
    np.testing.assert_allclose(found, F.hinge_loss(scores, Y)[1], atol=1e-7)
