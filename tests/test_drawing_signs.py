"""What stands in the circles: signs of ops, constants, options; and numbers as text."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from drawn_graphs import leaf

import fastnn
from fastnn import Tensor, ops
from fastnn.drawing.labels import elements, number, summary
from fastnn.drawing.signs import Sign, sign_of
from fastnn.node import Node

X = leaf(np.arange(1.0, 13).reshape(3, 4) / 13, "X")
S = leaf(np.eye(4) * 2, "S")
LABELS = np.array([0, 1, 2])


def sign(tensor: Tensor) -> Sign:
    node = tensor._node
    assert node.op is not None
    return sign_of(node.op, node.arguments())


def text(found: Sign) -> str:
    return "".join(each for each, _ in found.pieces)


# In the circle, with constants between braces.
FORMULAS: list[tuple[str, Callable[[], Tensor]]] = [
    ("+{1}", lambda: X + 1),
    ("+{1}", lambda: 1 + X),
    ("+{-1}", lambda: X + -1),
    ("-{1}", lambda: X - 1),
    ("{1}-x", lambda: 1 - X),
    ("*{-1}", lambda: X * np.float32(-1)),
    ("*{0.001}", lambda: np.multiply(np.array(1e-3), X)),
    ("/{3}", lambda: X / 3),
    ("{1}/x", lambda: 1 / X),
    ("x^{2}", lambda: X**2),
    ("{2}^x", lambda: 2**X),
    ("x^{0.5}", lambda: np.power(X, 0.5)),
    ("x%{2}", lambda: X % 2),
    ("{2}//x", lambda: 2 // X),
    ("max({0}, x)", lambda: np.maximum(0, X)),
    ("min({1}, x)", lambda: np.minimum(X, 1)),
    ("+", lambda: X + X),
    ("-", lambda: X - X * 2),
    ("@", lambda: X @ S),
    ("max", lambda: np.maximum(X, X * 2)),
    ("-x", lambda: -X),
    ("|x|", lambda: abs(X)),
    ("x²", lambda: np.square(X)),
    ("1/x", lambda: np.reciprocal(X)),
    ("exp", lambda: np.exp(X)),
    ("T", lambda: X.T),
    ("[0]", lambda: X[0]),
    ("[:, 1:3]", lambda: X[:, 1:3]),
    ("[::2, ..., None]", lambda: X[::2, ..., None]),
    ("[[0, 1, 2]]", lambda: X[LABELS]),
    ("[(3, 4)]", lambda: X[X.data > 0.5]),
    ("[ ]", lambda: X[np.array([0, 1, 2]), np.array([0, 1, 2])]),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "make"), FORMULAS, ids=[each for each, _ in FORMULAS])
def test_formulas(wanted: str, make: Callable[[], Tensor]) -> None:
    found = sign(make())
    assert "".join(f"{{{each}}}" if constant else each for each, constant in found.pieces) == wanted
    assert found.options == ""
    assert all(type(each) is Node for each in found.operands)


OPTIONS: list[tuple[str, str, Callable[[], Tensor]]] = [
    ("sum", "", lambda: np.sum(X)),
    ("sum", "axis=0", lambda: np.sum(X, axis=0, keepdims=True)),
    ("sum", "(0, 1)", lambda: np.sum(X, axis=(0, 1))),
    ("mean", "axis=-1", lambda: X.mean(-1)),
    ("max", "axis=1", lambda: X.max(1)),
    ("var", "axis=1 ddof=1", lambda: np.var(X, axis=1, ddof=1)),
    ("reshape", "(2, 6)", lambda: X.reshape(2, 6)),
    ("transpose", "(1, 0)", lambda: np.transpose(X, (1, 0))),
    ("concatenate", "axis=1", lambda: np.concatenate([X, X], axis=1)),
    ("einsum", "ij,jk ->ik", lambda: np.einsum("ij,jk->ik", X, S)),
    ("clip", "low=0 high=1", lambda: np.clip(X, 0, 1)),
    ("clip", "high=0.5", lambda: np.clip(X, None, 0.5)),
    ("tril", "k=1", lambda: np.tril(X, 1)),
    ("astype", "float32", lambda: X.astype("float32")),
    ("broadcast_to", "(2, 3, 4)", lambda: np.broadcast_to(X, (2, 3, 4))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "make"), OPTIONS, ids=lambda each: str(each)[:20])
def test_axes_and_shapes_stand_below_the_name(
    name: str, options: str, make: Callable[[], Tensor]
) -> None:
    found = sign(make())
    assert (text(found), found.options) == (name, options)
    assert all(type(each) is Node for each in found.operands)


def test_options_that_are_too_long_are_left_out() -> None:
    found = sign(X.reshape(1, 1, 1, 1, 3, 1, 2, 2))
    assert (text(found), found.options) == ("reshape", "")


CONSTANTS: list[tuple[str, list[str], Callable[[], Tensor]]] = [
    ("@", ["(5, 3)"], lambda: np.ones((5, 3)) @ X),
    ("+", ["[1, 1, 1, 1]"], lambda: X + np.ones(4)),
    ("hypot", ["2"], lambda: np.hypot(X, 2)),
    ("where", ["(3, 4)", "0"], lambda: np.where(X.data > 0.5, X, 0)),
    ("cross_entropy", ["[0, 1, 2]"], lambda: fastnn.cross_entropy(X, LABELS)),
    ("hinge_loss", ["[0, 1, 2]", "2"], lambda: fastnn.hinge_loss(X, LABELS, delta=2.0)),
    ("average", ["[1, 2, 3]"], lambda: np.average(X, axis=0, weights=np.array([1.0, 2, 3]))),
    ("[0] =", ["5"], lambda: _assigned(5.0)),
]  # fmt: skip


def _assigned(value: float) -> Tensor:
    t = X.copy()
    t[0] = value
    return t


@pytest.mark.parametrize(("name", "constants", "make"), CONSTANTS, ids=lambda each: str(each)[:20])
def test_other_numbers_and_arrays_are_operands(
    name: str, constants: list[str], make: Callable[[], Tensor]
) -> None:
    found = sign(make())
    assert text(found) == name
    assert [summary(each) for each in found.operands if type(each) is not Node] == constants
    vertices = fastnn.draw(make())._vertices
    assert [each.name for each in vertices if each.is_constant] == constants


def test_operands_keep_their_order_unless_it_makes_no_difference() -> None:
    assert sign(X + X).is_symmetric
    assert not sign(X - X).is_symmetric
    assert not sign(X @ S).is_symmetric
    assert sign(np.maximum(X, X)).is_symmetric


def test_an_op_of_the_users_own_has_its_name_whatever_that_is() -> None:
    multiply = fastnn.op(lambda x, y: x * y, lambda g, _z, x, y: (g * y, g * x), "multiply")
    found = sign(multiply(X, X))
    assert (text(found), found.options, found.is_symmetric) == ("multiply", "", False)
    scaled = sign(multiply(X, 2.0))
    assert [each if type(each) is float else "X" for each in scaled.operands] == ["X", 2.0]


def test_activations_and_layers_have_their_names() -> None:
    assert text(sign(ops.sigmoid(X))) == "sigmoid"
    layer = fastnn.Linear(4, 2, seed=0)
    found = sign(layer(X))
    assert (text(found), len(found.operands)) == ("linear", 3)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0.0, "0"), (-0.0, "0"), (-12.0, "-12"), (0.7310585786, "0.731"), (0.2, "0.2"),
        (-0.5301, "-0.53"), (1234.5, "1.23e3"), (1234, "1234"), (1234.0, "1234"),
        (1e6, "1e6"), (12345678, "1.23e7"), (1.5e-7, "1.5e-7"), (-2e-10, "-2e-10"),
        (0.00012345, "0.000123"), (float("inf"), "inf"), (float("-inf"), "-inf"),
        (float("nan"), "nan"), (True, "True"), (np.float32(0.1), "0.1"), (np.array(2), "2"),
        (np.bool_(False), "False"), (np.float16(65504), "65504"), (np.longdouble(0.25), "0.25"),
    ],
)  # fmt: skip
def test_numbers(value: object, wanted: str) -> None:
    assert number(value) == wanted


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (np.array([1.0, -0.5]), "[1, -0.5]"),
        (np.array([[1, 2], [3, 4]]), "[[1, 2], [3, 4]]"),
        (np.array([[0.25]]), "[[0.25]]"),
        (np.zeros(5), None),
        (np.zeros((0, 3)), None),
        (np.array([-0.123, -0.234, -0.345, -0.456]), None),  # too long
    ],
)
def test_small_arrays(array: np.ndarray, wanted: str | None) -> None:
    assert elements(array) == wanted
    assert summary(array) == (wanted or str(array.shape))
