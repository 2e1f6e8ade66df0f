"""``fastnn lecture``: what it lists, prints and draws."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import COMMAND, environment
from cli_helpers import one_thread as one_thread

import fastnn
from fastnn import Tensor
from fastnn.cli import main
from fastnn.lecture import TOPICS, topic
from fastnn.lecture.chart import chart
from fastnn.lecture.nodes import named, rows, values
from fastnn.lecture.page import Page

# What a reader of the topic must find on its page.
NUMBERS = {
    "gates": ["q      x + y         3         -4", "f = -12, df/dx = -4, df/dy = -4, df/dz = 3"],
    "sigmoid": ["h      1 / g      0.73       1.00", "f      exp(e)     0.37      -0.53"],
    "slope": ["2x^3 - 4x + 1", "9.010004", "9.000000"],
    "numerical": ["(1.25322 - 1.25347) / 0.0001   -2.5", "(1.25353 - 1.25347) / 0.0001    0.6"],
    "relu": ["409,600 x 409,600   167,772,160,000   625.00 GiB", "to the bit: yes"],
    "nets": ["3-layer   64-100-50-10    11,900"],
    "eleven": ["0.4964100319   0.4964100319", "0.0035101226   0.0035101226"],
    "descent": ["1.26704", "-1.52569", "sum|W - W_old| <= 1e-06"],
    "minibatch": ["all 1438", "deviation x root of the size"],
    "rates": ["too high, 0.33", "2/c = 0.318"],
    "losses": ["1.58, the sum", "1.04, -log(0.353), natural", "0.452", "[10, -100, -100]"],
    "alike": ["read as", "the mean 9"],
    "features": ["60 of 60,000 images", "oriented gradients 1,296", "ConvNet, end to end 84"],
}
OPTIONS = {"features": ["--samples", "60"]}


def shown(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["lecture", *argv]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_the_list_names_every_topic(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys).splitlines()
    assert lines[len(TOPICS)] == ""
    assert "--save FOLDER" in lines[len(TOPICS) + 1]
    lines = lines[: len(TOPICS)]
    assert [line.split()[0] for line in lines] == list(TOPICS)
    for line, title in zip(lines, TOPICS.values(), strict=True):
        assert line.endswith(f" {title}")
        assert len(line) <= 90


def words(text: str) -> str:
    """Without its line breaks and columns."""
    return " ".join(text.split())


@pytest.mark.parametrize("name", TOPICS)
def test_a_topic_prints_its_numbers_on_a_page_that_fits(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shown(capsys, name, *OPTIONS.get(name, []))
    assert out.startswith(f"{name}: {TOPICS[name]}\n====")
    assert f"drawings, with 'fastnn lecture {name} --save FOLDER':" in out
    for number in NUMBERS[name]:
        assert words(number) in words(out)
    lines = out.splitlines()
    assert max(map(len, lines)) <= 90
    assert len(lines) <= 62
    assert all(line == line.rstrip() for line in lines)
    assert out.isascii()  # any terminal can show it
    assert "nan" not in out


def test_every_topic_has_its_numbers_here() -> None:
    assert list(NUMBERS) == list(TOPICS)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with the drawings of all topics, and what the command printed."""
    folder = tmp_path_factory.mktemp("a") / "new" / "folder ü"
    done = subprocess.run(
        [*COMMAND, "lecture", "all", "--save", str(folder), *OPTIONS["features"]],
        capture_output=True,
        check=True,
        encoding="utf-8",
        env={**environment(), "PYTHONIOENCODING": "utf-8"},
    )
    assert done.stderr == ""
    return folder, done.stdout.splitlines()


def test_all_prints_the_topics_in_order(drawn: tuple[Path, list[str]]) -> None:
    lines = drawn[1]
    titles = [i for i, line in enumerate(lines) if set(line) == {"="}]
    assert [lines[i - 1].partition(":")[0] for i in titles] == list(TOPICS)


def test_the_drawings_are_those_that_the_pages_name(drawn: tuple[Path, list[str]]) -> None:
    pytest.importorskip("matplotlib", reason="the curves are for those who have it")
    folder, lines = drawn
    headings = [i for i, line in enumerate(lines) if line == f"drawings, in {folder}:"]
    assert len(headings) == len(TOPICS)
    named = [name for i in headings for name in lines[i + 1].split()]
    assert sorted(named) == sorted(path.name for path in folder.iterdir())
    assert len(named) == len(set(named)) == 18
    for file in folder.glob("*.png"):
        content = file.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) > 10_000
    for file in folder.glob("*.svg"):
        assert ET.parse(file).getroot().tag.endswith("svg")


def test_the_drawn_graph_has_the_lectures_numbers(drawn: tuple[Path, list[str]]) -> None:
    texts = "".join(ET.parse(drawn[0] / "gates.svg").getroot().itertext())
    for number in ("-12", "-4", "3", "5", "q", "f"):
        assert number in texts


def test_without_matplotlib_the_numbers_are_printed_and_one_line_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "fastnn.lecture.figure", None)
    out = shown(capsys, "nets", "--save", str(tmp_path))
    assert out.endswith(
        f"drawings, in {tmp_path}:\n  nets.svg\nno nets-training.png: matplotlib is missing\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["nets.svg"]
    out = shown(capsys, "slope", "--save", str(tmp_path))
    assert out.endswith("\n\nno slope.png: matplotlib is missing\n")
    assert "9.010004" in out


def test_a_drawing_replaces_that_of_the_same_name_only(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "relu.svg").write_text("old")
    (tmp_path / "mine.svg").write_text("mine")
    shown(capsys, "relu", "--save", str(tmp_path))
    assert "<svg" in (tmp_path / "relu.svg").read_text(encoding="utf-8")
    assert (tmp_path / "mine.svg").read_text() == "mine"


def test_a_folder_that_cannot_be_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert main(["lecture", "relu", "--save", str(file)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"fastnn lecture: error: {file}: ")
    assert err.count("\n") == 1


def test_the_code_of_a_topic_is_printed_and_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code = shown(capsys, "eleven", "--code")
    assert "l2_delta = (y - l2) * (l2 * (1 - l2))" in code
    file = tmp_path / "mine.py"
    file.write_text(code + "\nprint(predict(*train(*initial(), 2000)[0]).round())\n", "utf-8")
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout == "[0. 1. 1. 0.]\n"


def test_the_code_of_all_topics(capsys: pytest.CaptureFixture[str]) -> None:
    code = shown(capsys, "all", "--code")
    assert code.count("def show(page: Page") == len(TOPICS)


def test_the_list_loads_no_kernel() -> None:
    code = (
        "import sys; from fastnn.cli.parser import make_parser; import fastnn.lecture\n"
        "make_parser().parse_args(['lecture', 'gates'])\n"
        "print([name for name in sys.modules if name in ('numpy', 'fastnn.tensor')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    assert done.stdout == "[]\n"


def test_an_unknown_topic_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="page"):
        topic("page")


# --- the parts of a page --------------------------------------------------------------


def test_a_table_puts_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    Page().table({"name": ["a", "bcdef"], "n": ["1,000", "2.5%"], "": ["x", ""]})
    assert capsys.readouterr().out == ("\n  name        n\n  a       1,000   x\n  bcdef    2.5%\n")


def test_a_paragraph_is_filled(capsys: pytest.CaptureFixture[str]) -> None:
    Page().say("one\n      two " + "word " * 30)
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == ""
    assert second.startswith("one two word")
    assert 80 < len(second) <= 86
    assert third.startswith("word")


def test_the_rows_of_a_graph() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    W = np.ones((2, 5))
    y = np.sum(np.exp(x) @ W / 3)
    found = rows(y, ".2f")
    assert [row.name for row in found] == ["x", "#1", "#2", "#3", "#4"]
    made_by = ["", "exp(x)", "#1 @ (2, 5)", "#2 / 3", "sum(#3)"]
    assert [row.made_by for row in found] == made_by
    assert found[0].value == "[1, 2]"
    assert found[2].value == found[2].gradient == "(5,)"
    assert found[4][2:] == (f"{(np.e + np.e**2) * 5 / 3:.2f}", "1.00")


def test_what_needs_no_gradient_has_none() -> None:
    x = Tensor(2.0, requires_grad=True, name="x")
    result = named("y", x * Tensor(5.0, name="five"))
    assert [row.gradient for row in rows(result)] == ["5", "", "1"]
    assert values(result) == {"x": (2, 5), "y": (10, 1)}


def test_a_chart() -> None:
    lines = chart({"down": [3, 2.2, 1.2, 0.8, 0], "level": [0, 0]}, x="x", width=5, height=4)
    assert lines == [
        "3 |.",
        "  | .",
        "  |  ..",
        "0 |ooooo",
        "  +-----",
        "     x",
        "   . down   o level",
    ]


def test_a_chart_leaves_out_what_is_not_in_it() -> None:
    lines = chart({"": [np.nan, 1, np.inf, 9, 5]}, low=0, high=6, width=5, height=7)
    assert [line[3:].rstrip() for line in lines[:7]] == ["", "    .", "", "", "", " .", ""]


def test_a_chart_of_a_constant_and_of_too_many_curves() -> None:
    assert chart({"": [2, 2]}, width=3, height=2)[:2] == ["2 |...", "2 |"]
    with pytest.raises(ValueError, match="at most 6 curves, got 7"):
        chart({str(i): [0, 1] for i in range(7)})


def test_a_logarithmic_chart_is_straight_for_powers() -> None:
    lines = chart({"": 10.0 ** np.arange(5)}, log=True, width=5, height=5)
    assert [line.partition("|")[2] for line in lines[:5]] == [
        "    .", "   .", "  .", " .", "."
    ]  # fmt: skip


def test_the_lecture_is_in_the_package() -> None:
    folder = Path(fastnn.__file__).parent / "lecture"
    assert {f"{name}.py" for name in TOPICS} <= set(os.listdir(folder))
