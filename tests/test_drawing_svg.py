"""The drawing as SVG, read back with the widths of a real font: nothing lies on anything."""

from __future__ import annotations

import string
from collections.abc import Callable

import numpy as np
import pytest
from drawn_graphs import GRAPHS, leaf
from hypothesis import given, settings
from hypothesis import strategies as st
from svg_reader import FONT, Picture

import fastnn
from fastnn import Tensor
from fastnn.drawing.svg import GREEN, GREY, RED
from fastnn.drawing.text import clean, width_of

PAGE = 900.0  # pixels
SMALLEST = 11.0

# Characters that XML must escape or cannot hold, and some of other scripts.
NAMES = st.text(
    st.sampled_from("aWm_0 <&>\"'\\\n\t\x00\x1b\ud800\ufffe≤αЖ中é🙂\u0301"), max_size=30
)


@pytest.mark.parametrize("graph", GRAPHS)
def test_nothing_collides(graph: Callable[[], Tensor]) -> None:
    assert Picture(fastnn.draw(graph()).svg).collisions() == []


@pytest.mark.parametrize("graph", GRAPHS)
def test_letters_are_readable_at_page_width(graph: Callable[[], Tensor]) -> None:
    picture = Picture(fastnn.draw(graph()).svg)
    smallest = min(text.bottom - text.top for text in picture.texts) / 0.96
    assert smallest * min(1, PAGE / picture.width) >= SMALLEST


SHAPED = st.sampled_from([[0.25], [-1.5, 1e-7, 2.0], [[0.125] * 3] * 40])


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """Graphs of a few leaves and up to 25 ops on scalars and arrays, with names of any kind."""
    made = [
        Tensor(draw(SHAPED), requires_grad=True, name=draw(st.none() | NAMES))
        for _ in range(draw(st.integers(1, 4)))
    ]
    binary = [np.add, np.multiply, np.subtract, np.maximum, np.arctan2]
    unary = [
        np.tanh,
        np.sin,
        lambda t: t * 1e-5,
        lambda t: 1 - t,
        lambda t: np.sum(t, axis=-1, keepdims=True),
    ]
    for _ in range(draw(st.sampled_from([0, 3, 10, 25]))):
        pick = st.integers(max(0, len(made) - draw(st.sampled_from([2, 6, 40]))), len(made) - 1)
        if draw(st.booleans()):
            t = draw(st.sampled_from(binary))(made[draw(pick)], made[draw(pick)])
        else:
            t = draw(st.sampled_from(unary))(made[draw(pick)])
        t.name = draw(st.none() | NAMES)
        made.append(t)
    return made[-1]


@given(tensors(), st.sampled_from([400, 960]), st.booleans())
def test_nothing_collides_in_any_graph(t: Tensor, width: int, values: bool) -> None:
    drawing = fastnn.draw(t, np.ones(t.shape), width=width, values=values)
    assert Picture(drawing.svg).collisions() == []


@given(NAMES)
def test_any_name_makes_well_formed_xml(name: str) -> None:
    x = leaf(1.0, name)
    gate = fastnn.op(lambda x: x * 2, lambda g, _y, _x: g * 2, name)
    y = gate(x)
    y.name = name
    texts = [text.what for text in Picture(fastnn.draw(y).svg).texts]
    if shown := clean(name, 24):
        assert texts.count(shown) == 2  # the leaf and the op
        assert f"{shown} = 2" in texts


@pytest.mark.parametrize("name", ["<script>&\"'", "W₁", "重み", "vérité"])
def test_names_are_shown_as_they_are(name: str) -> None:
    assert name in [text.what for text in Picture(fastnn.draw(leaf(1.0, name)).svg).texts]


def test_a_long_name_is_cut() -> None:
    name = "encoder.layers.3.attention.query.weight"
    drawing = fastnn.draw(leaf(1.0, name))
    assert Picture(drawing.svg).texts[0].what == "encoder.layers.3.attent…"
    assert name in drawing.svg  # in what is shown to whoever points at it


def test_values_stand_above_the_wire_and_gradients_below() -> None:
    x = leaf(2.0, "x")
    picture = Picture(fastnn.draw(np.exp(x)).svg)
    of = {text.what: text for text in picture.texts}
    (x_wire, result_wire) = picture.wires
    assert x_wire[0][0] > of["x"].right  # the name is at the left of its wire
    for value, gradient, wire in (("2", "7.39", x_wire), ("7.39", "1", result_wire)):
        ys = {round(y, 3) for _, y in wire}
        assert len(ys) == 1  # a level wire
        above = [t for t in picture.texts if t.what == value and t.fill == GREEN]
        below = [t for t in picture.texts if t.what == gradient and t.fill == RED]
        assert len(above) == len(below) == 1
        assert above[0].bottom < min(ys) < below[0].top
        for text in (*above, *below):
            assert wire[0][0] <= text.left < text.right <= wire[-1][0]
    assert picture.wires[0][0][0] < picture.bodies[0].left < picture.bodies[0].right
    assert [tip[0] for tip in picture.arrows] == [picture.bodies[0].left, result_wire[-1][0]]


def test_constants_are_grey() -> None:
    x = leaf([1.0, 2.0], "x")
    picture = Picture(fastnn.draw(np.sum(x + np.array([3.0, 4.0]) - 5)).svg)
    assert picture.texts_in(GREY)[0] == "[3, 4]"
    assert f'<tspan fill="{GREY}">5</tspan>' in fastnn.draw(np.sum(x - 5)).svg


@given(st.text(st.characters(max_codepoint=0x500), max_size=30))
@settings(max_examples=200)
def test_texts_are_not_wider_than_estimated(text: str) -> None:
    known = "".join(each for each in text if FONT.has(each) and each.isprintable())
    assert FONT.width(known, 12) <= width_of(known, 12) + 1e-9


def test_ascii_is_estimated_closely() -> None:
    text = string.printable[:95]
    assert 1 <= width_of(text, 12) / FONT.width(text, 12) < 1.03
