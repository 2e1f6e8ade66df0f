"""What a report says, and how it looks."""

from __future__ import annotations

import re

import numpy as np
import pytest

import fastnn
from fastnn import GradientReport, check_gradients, ops

X = np.random.default_rng(0).standard_normal((8, 5))
Y = np.arange(8) % 3
ARGUMENTS = {
    "W1": np.random.default_rng(1).standard_normal((5, 7)),
    "b1": np.zeros(7),
    "W2": np.random.default_rng(2).standard_normal((7, 3)),
}

softplus = fastnn.op(
    lambda x: np.logaddexp(0, x), lambda g, y, x: 1.01 * g / (1 + np.exp(-x)), name="softplus"
)


def net(W1, b1, W2):
    return fastnn.cross_entropy(np.maximum(X @ W1 + b1, 0) @ W2, Y)


def wrong_net(W1, b1, W2):
    hidden = softplus(X @ W1 + b1)
    hidden.name = "hidden"
    return fastnn.cross_entropy(hidden @ W2, Y)


def unwrapped(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def rows(report: GradientReport) -> list[list[str]]:
    """The table, its cells parted by two spaces or more."""
    block = str(report).split("\n\n")[1].splitlines()
    return [re.split(r"\s{2,}", line) for line in block]


def test_a_good_report() -> None:
    report = check_gradients(net, *ARGUMENTS.values())
    lines = str(report).splitlines()
    assert re.fullmatch(
        r"gradient ok: largest relative error \d\.\de-\d\d, allowed is 1e-06", lines[0]
    )
    table = rows(report)
    header = ["argument", "shape", "checked", "aside", "error", "at", "backward", "numerical"]
    assert table[0] == header
    assert [row[:4] for row in table[1:]] == [
        ["W1", "(5, 7)", "35 coordinates", "0"],
        ["b1", "(7,)", "7 coordinates", "0"],
        ["W2", "(7, 3)", "21 coordinates", "0"],
    ]
    gradients = fastnn.grad(net, (0, 1, 2))(*ARGUMENTS.values())
    for row, argument, gradient in zip(table[1:], report.arguments, gradients, strict=True):
        assert float(row[4]) == pytest.approx(argument.max_relative_error, rel=0.1)
        assert row[5] == f"[{', '.join(map(str, argument.index))}]"
        assert float(row[6]) == pytest.approx(gradient[argument.index], rel=1e-7)
        assert float(row[7]) == pytest.approx(gradient[argument.index], rel=1e-6)
        assert argument.max_allclose < 1
    text = unwrapped(str(report))
    assert "|a - n| / max(|a|, |n|)" in text
    assert "times (atol + rtol |n|), with rtol 1e-06 and atol" in text
    assert "ops 5 checked, each alone: its backward is the derivative" in text
    assert "aside at a kink" not in text
    assert "random" not in text
    assert "float32" not in text


def test_a_bad_report() -> None:
    report = check_gradients(wrong_net, *ARGUMENTS.values())
    text = str(report)
    assert text.startswith("gradient WRONG: largest relative error 9.9e-03, allowed is 1e-06\n")
    assert (
        "wrong op the backward of 'softplus', which makes hidden, by its argument 0 of shape "
        "(8, 7) is 1.01 times the derivative of its forward ("
    ) in unwrapped(text)
    assert [row[-1] == "wrong" for row in rows(report)[1:]] == [True, True, False]
    assert "its backward is the derivative" not in text


def test_both_conventions_tell_the_same_error() -> None:
    report = check_gradients(wrong_net, *ARGUMENTS.values())
    for each in report.arguments[:2]:
        a, n = each.backward, each.numerical
        assert each.max_relative_error == pytest.approx(abs(a - n) / max(abs(a), abs(n)))
        assert each.max_relative_error == pytest.approx(0.01 / 1.01, rel=1e-3)
        assert each.max_allclose > 1e3
        assert not np.allclose(a, n, rtol=report.rtol, atol=each.atol)
    assert report.max_relative_error == max(each.max_relative_error for each in report.arguments)
    good = report.arguments[2]
    assert np.allclose(good.backward, good.numerical, rtol=report.rtol, atol=good.atol)


def test_what_is_set_aside_is_told() -> None:
    text = unwrapped(str(check_gradients(ops.relu, np.array([0.0, 1.0]))))
    assert "x (2,) 1 coordinate 1 " in text
    assert "aside at a kink (of ReLU, max, abs ...)" in text
    report = check_gradients(ops.relu, np.zeros(2))
    assert str(report).startswith("gradient ok: nothing to compare it with\n")
    assert "unchecked all of x" in unwrapped(str(report))
    (argument,) = report.arguments
    assert (argument.checked, argument.set_aside, argument.index) == (0, 2, None)
    assert report.max_relative_error == 0


def test_directions_are_told() -> None:
    report = check_gradients(np.tanh, np.ones((30, 20)), seed=3)
    assert rows(report)[1][2:6:3] == ["16 directions", "a direction"]
    assert "random ones of all coordinates, seed 3" in unwrapped(str(report))


def test_a_symmetric_matrix_is_told() -> None:
    text = unwrapped(str(check_gradients(np.linalg.cholesky, np.eye(3))))
    assert "f reads one triangle of a: [i, j] and [j, i] move together" in text


def test_the_order_and_the_precision_are_told() -> None:
    x = np.ones(3, np.float32)
    text = unwrapped(str(check_gradients(np.sin, x, order=2)))
    assert text.startswith("gradient of the gradient ok")
    assert "precision float64, and each op's backward in float32 as well" in text
    assert "precision" not in str(check_gradients(lambda x: x.astype(np.float32) ** 2, x))


def test_a_report_that_is_long_in_every_way_stays_narrow() -> None:
    model = fastnn.models.mlp(20, (30, 20), 10)
    texts = [str(check_gradients(model, "cross_entropy", np.ones((4, 20)), [1, 2, 3, 4]))]
    add = fastnn.op(np.add, lambda g, y, x, b: (g, g), name="add_bias_to_every_row")
    texts.append(str(check_gradients(add, X, X[0])))
    texts.append(str(check_gradients(lambda x: x * x.data, X)))
    for text in texts:
        assert max(map(len, text.splitlines())) <= 100
        assert text == text.strip()
    assert "gradient WRONG: it cannot be computed\n" in texts[1]
    assert "raises an error: the backward of add_bias_to_every_row wants" in unwrapped(texts[1])


def test_notebooks_and_assertions_show_the_text() -> None:
    report = check_gradients(np.sin, np.ones(2))
    assert repr(report) == str(report)
    with pytest.raises(AssertionError, match="the backward of 'softplus'"):
        assert check_gradients(softplus, np.ones(2))
