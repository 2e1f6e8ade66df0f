"""``fastnn.draw``: what a drawing shows of a graph, what it leaves alone and what it refuses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from cli_helpers import environment
from drawn_graphs import chain, leaf, recurrent, sigmoid_neuron, two_layers, xyz
from svg_reader import Picture

import fastnn
from fastnn import Tensor
from fastnn.drawing.graph import Vertex
from fastnn.drawing.svg import GREEN, RED


def shown(tensor: Tensor, *args: object, **options: object) -> list[Vertex]:
    return fastnn.draw(tensor, *args, **options)._vertices


def of(vertices: list[Vertex], name: str) -> Vertex:
    (vertex,) = (each for each in vertices if each.name == name)
    return vertex


def signs(vertices: list[Vertex]) -> list[str]:
    return ["".join(text for text, _ in vertex.pieces) for vertex in vertices if vertex.is_op]


# --- the lecture's pictures -----------------------------------------------------------


def test_x_plus_y_times_z() -> None:
    """The numbers of the slide."""
    vertices = shown(xyz())
    wanted = {
        "x": ("-2", "-4"),
        "y": ("5", "-4"),
        "z": ("-4", "3"),
        "q": ("3", "-4"),
        "f": ("-12", "1"),
    }
    assert {each.name: (each.value, each.gradient) for each in vertices} == wanted
    assert signs(vertices) == ["+", "*"]
    picture = Picture(fastnn.draw(xyz()).svg)
    assert sorted(picture.texts_in(RED)) == ["-4", "-4", "-4", "1", "3"]
    assert sorted(picture.texts_in(GREEN)) == ["-2", "-4", "5", "f = -12", "q = 3"]


def test_the_sigmoid_neuron() -> None:
    """Every value and gradient of the slide, which has two decimals."""
    vertices = shown(sigmoid_neuron())
    slide = [
        ("*", -2, 0.2), ("*", 6, 0.2), ("+", 4, 0.2), ("+", 1, 0.2), ("*-1", -1, -0.2),
        ("exp", 0.37, -0.53), ("+1", 1.37, -0.53), ("1/x", 0.73, 1),
    ]  # fmt: skip
    leaves = {
        "w0": (2, -0.2),
        "x0": (-1, 0.39),
        "w1": (-3, -0.39),
        "x1": (-2, -0.59),
        "w2": (-3, 0.2),
    }
    ops = [each for each in vertices if each.is_op]
    assert signs(vertices) == [sign for sign, _, _ in slide]
    for vertex, (_, value, gradient) in zip(ops, slide, strict=True):
        assert float(vertex.value) == pytest.approx(value, abs=0.005)
        assert float(vertex.gradient) == pytest.approx(gradient, abs=0.005)
    for name, (value, gradient) in leaves.items():
        assert float(of(vertices, name).value) == value
        # The slide rounds 0.1966 to 0.2 before it multiplies by x0 and w0.
        assert float(of(vertices, name).gradient) == pytest.approx(gradient, abs=0.0075)


def test_arrays_are_shown_by_their_shapes_and_small_ones_in_full() -> None:
    vertices = shown(two_layers())
    assert (of(vertices, "W1").value, of(vertices, "W1").gradient) == ("(20, 16)", "(20, 16)")
    assert of(vertices, "b2").value == "[0, 0, 0]"
    assert of(vertices, "b2").gradient.startswith("[-0.0783, ")
    assert signs(vertices) == ["@", "+", "max(0, x)", "@", "+", "cross_entropy"]
    # X and y are plain arrays.
    assert [each.name for each in vertices if each.is_constant] == ["(64, 20)", "(64,)"]


def test_gradients_are_those_of_backward() -> None:
    loss = two_layers()
    (vertex,) = (each for each in shown(loss) if each.name == "b2")
    leaves = {node.name: node for node in _nodes(loss)}
    loss.backward()
    assert vertex.gradient == "[" + ", ".join(f"{g:.3g}" for g in leaves["b2"].grad) + "]"


def _nodes(tensor: Tensor) -> list:
    from fastnn.node import nodes_of

    return nodes_of(tensor._node)


# --- edges ----------------------------------------------------------------------------


def test_a_leaf_that_is_used_twice_is_drawn_once_with_two_edges() -> None:
    x = leaf(3.0, "x")
    vertices = shown(x * x + x)
    assert [each.name for each in vertices].count("x") == 1
    assert [each.inputs for each in vertices] == [(), (0, 0), (1, 0)]
    assert of(vertices, "x").gradient == "7"  # what all edges bring, added
    assert len(Picture(fastnn.draw(x * x + x).svg).arrows) == 4 + 1  # and the result's


def test_an_array_that_is_used_twice_is_drawn_once() -> None:
    x, c = leaf([1.0, 2.0], "x"), np.array([3.0, 4.0])
    vertices = shown(np.sum(x * c - c))
    assert [each.name for each in vertices if each.is_constant] == ["[3, 4]"]
    assert [each.inputs for each in vertices if each.is_op] == [(0, 1), (2, 1), (3,)]


def test_inputs_stand_in_the_order_of_the_arguments() -> None:
    later, sooner = leaf(1.0, "later"), leaf(2.0, "sooner")
    vertices = shown(sooner / later)
    assert [each.name for each in vertices] == ["sooner", "later", ""]


def test_tensors_that_need_no_gradient_have_none() -> None:
    vertices = shown(leaf(2.0, "x") * leaf(3.0, "c", requires_grad=False))
    assert (of(vertices, "c").value, of(vertices, "c").gradient) == ("3", "")
    assert not of(vertices, "c").is_constant


# --- options --------------------------------------------------------------------------


def test_what_is_no_single_number_needs_grad_to_have_gradients() -> None:
    x = leaf([1.0, 2.0], "x")
    assert [each.gradient for each in shown(x * 3)] == ["", ""]
    assert [each.gradient for each in shown(x * 3, [1, 10])] == ["[3, 30]", "[1, 10]"]
    assert [each.gradient for each in shown(np.sum(x * 3), 2.0)] == ["[6, 6]", "[2, 2]", "2"]


def test_gradients_and_values_can_be_left_out() -> None:
    assert {each.gradient for each in shown(xyz(), gradients=False)} == {""}
    vertices = shown(xyz(), values=False)
    assert {each.value for each in vertices} == {""}
    assert of(vertices, "z").gradient == "3"
    nothing = Picture(fastnn.draw(xyz(), gradients=False, values=False).svg)
    assert [text.what for text in nothing.texts] == ["x", "y", "+", "q", "z", "*", "f"]


def test_width_is_kept_by_more_rows() -> None:
    widths = [
        Picture(fastnn.draw(recurrent(), width=width).svg).width for width in (500, 960, 9999)
    ]
    assert widths[0] <= 500 < widths[1] <= 960 < widths[2]


def test_a_result_without_a_graph_is_drawn_alone() -> None:
    with fastnn.no_grad():
        y = leaf(2.0, "x") * 3
    y.name = "y"
    assert [(each.name, each.value, each.gradient) for each in shown(y)] == [("y", "6", "")]


def test_gradients_can_be_drawn_too() -> None:
    x = leaf(3.0, "x")
    (x**3).backward(create_graph=True)
    vertices = shown(x.grad)
    assert (of(vertices, "x").value, of(vertices, "x").gradient) == ("3", "18")
    x.grad = None


# --- what is left alone ---------------------------------------------------------------


def test_drawing_changes_nothing() -> None:
    loss = two_layers()
    nodes = _nodes(loss)
    before = [node.data.copy() for node in nodes]
    drawing = fastnn.draw(loss)
    first = drawing.svg
    assert all(node.grad is None for node in nodes)
    assert all((node.data == old).all() for node, old in zip(nodes, before, strict=True))
    assert fastnn.draw(loss).svg == first
    loss.backward()  # the graph is still there
    assert drawing.svg == first
    assert all((node.grad is not None) == (node.is_leaf and node.requires_grad) for node in nodes)


def test_the_same_graph_gives_the_same_bytes_in_any_process() -> None:
    code = (
        "from drawn_graphs import recurrent, two_layers; import fastnn, hashlib\n"
        "drawings = [fastnn.draw(graph()) for graph in (recurrent, two_layers)]\n"
        "text = ''.join(each.svg + each.dot for each in drawings)\n"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    sums = set()
    for seed in ("1", "2"):
        env = {**environment(), "PYTHONHASHSEED": seed}
        env["PYTHONPATH"] += f":{Path(__file__).parent}"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True
        )
        sums.add(done.stdout)
    assert len(sums) == 1


# --- what is refused ------------------------------------------------------------------


def test_a_freed_graph_says_when_to_draw() -> None:
    loss = xyz()
    loss.backward()
    with pytest.raises(
        RuntimeError, match=r"draw it before, or call backward\(retain_graph=True\)"
    ):
        fastnn.draw(loss)


def test_a_graph_that_is_freed_in_part_says_so_too() -> None:
    h = leaf(2.0, "x") * 3
    one, other = h * 2, h * 5
    one.backward()
    with pytest.raises(RuntimeError, match="freed by backward"):
        fastnn.draw(other, gradients=False)


def test_a_retained_graph_can_be_drawn() -> None:
    loss = xyz()
    before = fastnn.draw(loss).svg
    loss.backward(retain_graph=True)
    assert fastnn.draw(loss).svg == before


def test_a_value_changed_in_place_is_noticed() -> None:
    x = leaf([1.0, 2.0], "x")
    y = np.sum(x * x)
    x.data += 1
    with pytest.raises(RuntimeError, match="changed in place"):
        fastnn.draw(y)
    assert of(shown(y, gradients=False), "x").value == "[2, 3]"


def test_wrong_arguments_are_named() -> None:
    x = leaf([1.0, 2.0])
    with pytest.raises(TypeError, match=r"tensor wants a fastnn\.Tensor, got ndarray"):
        fastnn.draw(np.ones(3))
    with pytest.raises(ValueError, match=r"grad wants the tensor's shape \(2,\), got \(3,\)"):
        fastnn.draw(x * 2, np.ones(3))
    with pytest.raises(ValueError, match="grad is given with gradients=False"):
        fastnn.draw(x * 2, np.ones(2), gradients=False)
    with pytest.raises(ValueError, match="grad is given with a tensor that needs no gradient"):
        fastnn.draw(Tensor([1.0]), np.ones(1))
    with pytest.raises(ValueError, match="max_nodes must be at least 1, got 0"):
        fastnn.draw(x, max_nodes=0)
    with pytest.raises(TypeError, match="width must be an integer"):
        fastnn.draw(x, width="wide")


def test_a_large_graph_is_refused_by_its_number_of_nodes() -> None:
    assert len(shown(chain(), max_nodes=13)) == 13
    with pytest.raises(ValueError, match="the graph has 13 nodes, more than max_nodes=12"):
        fastnn.draw(chain(), max_nodes=12)
    t = leaf(1.0)
    for _ in range(20_000):
        t = t + 1
    with pytest.raises(ValueError, match="20001 nodes, more than max_nodes=200"):
        fastnn.draw(t)


# --- files ----------------------------------------------------------------------------


def test_a_drawing_is_saved_as_its_name_says(tmp_path: Path) -> None:
    drawing = fastnn.draw(xyz())
    for name, text in (
        ("graph.svg", drawing.svg),
        ("graph.SVG", drawing.svg),
        ("graph.dot", drawing.dot),
        ("graph.gv", drawing.dot),
    ):
        drawing.save(tmp_path / name)
        assert (tmp_path / name).read_text(encoding="utf-8") == text
    drawing.save(str(tmp_path / "graph.html"))
    page = (tmp_path / "graph.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert drawing.svg in page


@pytest.mark.parametrize("name", ["graph.png", "graph", ".svg"])
def test_other_names_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"path wants a name in \.svg, \.html, \.dot or \.gv"):
        fastnn.draw(xyz()).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_notebooks_and_print_show_the_svg() -> None:
    drawing = fastnn.draw(xyz())
    assert drawing._repr_svg_() == str(drawing) == drawing.svg
    assert ElementTree.fromstring(drawing.svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert repr(drawing) == "<Drawing of 5 nodes>"


# --- DOT ------------------------------------------------------------------------------


def test_dot_of_x_plus_y_times_z() -> None:
    dot = fastnn.draw(xyz()).dot
    edges = re.findall(r"(\w+) -> (\w+)", dot)
    assert edges == [("n0", "n2"), ("n1", "n2"), ("n2", "n4"), ("n3", "n4"), ("n4", "result")]
    assert 'n2 [label="+", shape=circle' in dot
    assert 'n0 [label="x", shape=plaintext' in dot
    assert f'<font color="{GREEN}">q = 3</font><br/><font color="{RED}">-4</font>' in dot
    assert dot.startswith("digraph {\n  rankdir=LR;")
    assert dot.endswith("}\n")


def test_dot_escapes_names() -> None:
    x = leaf(1.0, 'a "b" \\ <c> & d')
    y = x * 2
    y.name = x.name
    dot = fastnn.draw(y).dot
    assert r'n0 [label="a \"b\" \\ <c> & d"' in dot
    assert "&lt;c&gt; &amp; d = 2</font>" in dot
