"""The chart of the works: how many times faster than each peer fastnn is."""

from __future__ import annotations

from math import log10

from benchmarks.chart import FASTNN, LEFT, NUMPY, RIGHT, SLOWER, WIDTH, Canvas

from .rounds import Row
from .tables import seconds_text, share_text, title_of

TICKS = (1, 2, 5, 10, 20, 50, 100, 200)
BAR, GAP, HEAD = 12, 5, 24
BAR_MARK = "#1f2328"


def draw(result: Row) -> str:
    """The chart as SVG text."""
    canvas = Canvas()
    canvas.title(
        f"Training: how many times as fast as its peers, {result['threads']} threads each",
        "logarithmic; longer is better for fastnn; in brackets the time of the peer",
    )
    canvas.legend(
        [(FASTNN, "fastnn is faster"), (SLOWER, "slower"), (BAR_MARK, "the bar to be met")]
    )
    ratios = [each["ratio"] for row in result["rows"] for each in row["against"]]
    low, high = min(0.9, *ratios) / 1.05, max(ratios) * 1.1
    left, span = LEFT + 20, WIDTH - LEFT - 20 - RIGHT - 40

    def position(value: float) -> float:
        return left + span * log10(value / low) / log10(high / low)

    canvas.y += 12
    top = canvas.y + 4
    lines = len(canvas.shapes)
    for row in result["rows"]:
        canvas.y += HEAD
        share = share_text(row)
        note = f"{seconds_text(row['microseconds']['fastnn'])} a {row['unit']}"
        note += "" if share == "–" else f", {share}"
        canvas.text(12, canvas.y - 6, row["title"], style='font-weight="600"')
        canvas.text(WIDTH - 12, canvas.y - 6, note, "end", 'fill="#57606a"')
        for each in sorted(row["against"], key=lambda each: each["ratio"]):
            ratio, bar = each["ratio"], each["bar"]
            canvas.text(left - 8, canvas.y + 10, title_of(result, each["side"]), "end")
            start, end = sorted((position(1), position(ratio)))
            canvas.bar(canvas.y, start, end, BAR, FASTNN if ratio >= 1 else SLOWER)
            if bar is not None:
                canvas.bar(canvas.y - 2, position(bar) - 1, position(bar) + 1, BAR + 4, BAR_MARK)
            time = seconds_text(row["microseconds"][each["side"]])
            label = f"{ratio:.3g}× ({time})"
            x = max(position(ratio), position(1), position(bar or 1)) + 6
            canvas.text(x, canvas.y + 10, label, style='font-size="10"')
            canvas.y += BAR + GAP
    bottom = canvas.y
    # Behind the bars, and away from the titles of the works.
    drawn, canvas.shapes = canvas.shapes[lines:], canvas.shapes[:lines]
    for tick in TICKS:
        if low <= tick <= high:
            canvas.rule(position(tick), top, bottom, "#d0d7de" if tick != 1 else NUMPY)
            canvas.text(position(tick), top - 4, f"{tick:g}×", "middle", 'fill="#57606a"')
    canvas.shapes += drawn
    machine, versions = result["machine"], result["versions"]
    canvas.y += 22
    canvas.text(
        12,
        canvas.y,
        f"{machine['processor']}, {machine['cores']} cores, {machine['instruction_set']}; NumPy "
        f"{versions['numpy']} ({versions['blas']}), fastnn {versions['fastnn']}; {result['date']}",
        style='fill="#57606a" font-size="11"',
    )
    return canvas.svg()
