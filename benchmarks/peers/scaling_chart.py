"""Two log-log panels: the time of a step by width, and by batch, above the limit."""

from __future__ import annotations

from math import ceil, floor, log10

from benchmarks.chart import FASTNN, NUMPY, Canvas

from .rounds import Row
from .tables import seconds_text

COLORS = {"fastnn": FASTNN, "numpy": NUMPY, "jax": "#1a7f37", "torch": "#d1242f"}
LIMIT = "#1f2328"
PANEL, HEIGHT, MARGIN = 330, 300, 62
NAMES = {
    "width": "width W of a net W-W-W-10, batch 128",
    "batch": "batch, of a net 784-256-128-10",
}


def draw(result: Row) -> str:
    """The chart as SVG text."""
    canvas = Canvas()
    canvas.title(
        f"One step of SGD, float32, {result['threads']} threads on every side",
        "both axes logarithmic; dashed: the arithmetic at the measured peak, "
        f"{result['peak_gflops']:.0f} GFLOP/s",
    )
    legend = [(COLORS[name], title) for name, title in result["titles"].items()]
    canvas.legend([*legend, (LIMIT, "limit")])
    top = canvas.y + 8
    for number, axis in enumerate(NAMES):
        rows = [row for row in result["rows"] if row["axis"] == axis]
        _panel(canvas, rows, axis, MARGIN + number * (PANEL + MARGIN + 10), top, result)
    machine = result["machine"]
    canvas.y = top + HEIGHT + 66
    canvas.text(
        12,
        canvas.y,
        f"{machine['processor']}, {machine['cores']} cores, {machine['instruction_set']}; "
        f"{result['date']}",
        style='fill="#57606a" font-size="11"',
    )
    return canvas.svg()


def _panel(
    canvas: Canvas, rows: list[Row], axis: str, left: float, top: float, result: Row
) -> None:
    times = [each for row in rows for each in row["microseconds"].values()]
    low = floor(log10(min([*times, *(row["limit_microseconds"] for row in rows)])))
    high = ceil(log10(max(times)))
    first, last = rows[0][axis], rows[-1][axis]

    def place(value: float, microseconds: float) -> tuple[float, float]:
        x = left + PANEL * log10(value / first) / log10(last / first)
        return x, top + HEIGHT * (high - log10(microseconds)) / (high - low)

    for power in range(low, high + 1):
        _, y = place(first, 10.0**power)
        canvas.bar(y, left, left + PANEL, 1, "#d0d7de")
        canvas.text(left - 6, y + 4, seconds_text(10.0**power), "end", 'fill="#57606a"')
    for row in rows:
        x, _ = place(row[axis], 1)
        canvas.rule(x, top, top + HEIGHT, "#eaeef2")
        canvas.text(x, top + HEIGHT + 16, str(row[axis]), "middle", 'fill="#57606a"')
    canvas.text(left + PANEL / 2, top + HEIGHT + 36, NAMES[axis], "middle")
    limit = [place(row[axis], row["limit_microseconds"]) for row in rows]
    canvas.curve(limit, LIMIT, 'stroke-dasharray="5 4"')
    for name in reversed(result["titles"]):
        curve = [place(row[axis], row["microseconds"][name]) for row in rows]
        canvas.curve(curve, COLORS[name])
        for x, y in curve:
            canvas.bar(y - 2.5, x - 2.5, x + 2.5, 5, COLORS[name])
