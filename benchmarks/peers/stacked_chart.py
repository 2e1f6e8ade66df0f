"""Bars of two parts, in groups: what a library costs at first, and what training adds."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.chart import FADED, FASTNN, LEFT, RIGHT, WIDTH, Canvas

from .rounds import Row

BAR, GAP, HEAD = 13, 5, 24


def draw(
    result: Row,
    title: str,
    subtitle: str,
    parts: tuple[str, str],
    bars: Iterable[tuple[Row, float, float, str]],
) -> str:
    """The chart as SVG text.

    Args:
        parts: what the two parts of a bar are called.
        bars: a row of the result, the lengths of its two parts, in one unit, and the text at
            the end; a heading goes before each row with another title.
    """
    canvas = Canvas()
    canvas.title(title, subtitle)
    canvas.legend([(FADED, parts[0]), (FASTNN, parts[1])])
    bars = list(bars)
    scale = (WIDTH - LEFT - RIGHT - 60) / max(first + second for _, first, second, _ in bars)
    heading = None
    for row, first, second, text in bars:
        if row["title"] != heading:
            heading = row["title"]
            canvas.y += HEAD
            canvas.text(12, canvas.y - 6, heading, style='font-weight="600"')
        middle, end = LEFT + scale * first, LEFT + scale * (first + second)
        canvas.text(LEFT - 8, canvas.y + 11, result["titles"][row["side"]], "end")
        canvas.bar(canvas.y, LEFT, middle, BAR, FADED)
        canvas.bar(canvas.y, middle, end, BAR, FASTNN)
        canvas.text(max(end, middle + 1) + 6, canvas.y + 11, text, style='font-size="10"')
        canvas.y += BAR + GAP
    machine = result["machine"]
    canvas.y += 18
    canvas.text(
        12,
        canvas.y,
        f"{machine['processor']}, {machine['cores']} cores, {machine['instruction_set']}; "
        f"{result['date']}",
        style='fill="#57606a" font-size="11"',
    )
    return canvas.svg()
