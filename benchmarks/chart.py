"""The README's chart, an SVG written by hand: two panels of horizontal bars."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from math import log10
from typing import Any

Row = dict[str, Any]

WIDTH, LEFT, RIGHT = 820, 180, 90
BAR, GAP = 15, 7
FASTNN, FADED, NUMPY, SLOWER = "#1f6feb", "#9cc3ff", "#8c959f", "#d1242f"
TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)


class Canvas:
    """Collects shapes; knows how far down the next one goes."""

    def __init__(self) -> None:
        self.shapes: list[str] = []
        self.y = 0.0

    def text(self, x: float, y: float, text: str, anchor: str = "start", style: str = "") -> None:
        self.shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {style}>{escape(text)}</text>'
        )

    def bar(self, y: float, start: float, end: float, height: float, color: str) -> None:
        self.shapes.append(
            f'<rect x="{start:.1f}" y="{y:.1f}" width="{max(end - start, 1):.1f}" '
            f'height="{height:.1f}" fill="{color}"/>'
        )

    def rule(self, x: float, top: float, bottom: float, color: str) -> None:
        self.shapes.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}" stroke="{color}"/>'
        )

    def curve(self, points: Iterable[tuple[float, float]], color: str, style: str = "") -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.shapes.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2" {style}/>'
        )

    def title(self, title: str, subtitle: str) -> None:
        self.y += 24
        self.text(12, self.y, title, style='font-size="15" font-weight="600"')
        self.y += 18
        self.text(12, self.y, subtitle, style='fill="#57606a"')
        self.y += 14

    def legend(self, entries: Iterable[tuple[str, str]]) -> None:
        x = float(LEFT)
        for color, label in entries:
            self.bar(self.y, x, x + 12, 12, color)
            self.text(x + 18, self.y + 10, label)
            x += 40 + 6.6 * len(label)
        self.y += 22

    def svg(self) -> str:
        """All of it as SVG text."""
        height = self.y + 12
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
            f'height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}" '
            "font-family=\"-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif\" "
            'font-size="12" fill="#1f2328">'
        )
        return "\n".join(
            [
                head,
                f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>',
                *self.shapes,
                "</svg>",
                "",
            ]
        )


def _pick(result: Row, **wanted: Any) -> list[Row]:
    return [row for row in result["rows"] if all(row[k] == v for k, v in wanted.items())]


def _products(canvas: Canvas, result: Row) -> None:
    canvas.title(
        "Matrix multiply, float32, 2 threads",
        "percent of this machine's measured fused-multiply-add peak; longer is faster",
    )
    canvas.legend([(FASTNN, "fastnn"), (NUMPY, "NumPy")])
    span, top = WIDTH - LEFT - RIGHT, canvas.y
    for row in _pick(result, kernel="matmul", dtype="float32", threads=2):
        canvas.text(LEFT - 8, canvas.y + 16, row["size"], "end")
        for offset, side, color in ((0, "fastnn", FASTNN), (11, "numpy", NUMPY)):
            percent = row[f"{side}_percent_of_peak"]
            end = LEFT + span * percent / 100
            canvas.bar(canvas.y + offset, LEFT, end, 10, color)
            style = 'font-size="10"'
            canvas.text(end + 5, canvas.y + offset + 9, f"{percent:.0f} %", style=style)
        canvas.y += 22 + GAP
    canvas.rule(LEFT, top - 2, canvas.y - 2, "#57606a")
    canvas.y += 10


def _speedups(canvas: Canvas, result: Row) -> None:
    canvas.title(
        "Every kernel at a training size, float32, against its plain-NumPy twin",
        "times as fast, logarithmic; sizes of a 784-256-128-10 net with batches of 128",
    )
    canvas.legend([(FASTNN, "2 threads"), (FADED, "1 thread"), (SLOWER, "slower than NumPy")])
    twos = _pick(result, training=True, dtype="float32", threads=2)
    ones = {
        (row["kernel"], row["size"]): row
        for row in _pick(result, training=True, dtype="float32", threads=1)
    }
    pairs = [(two, ones[two["kernel"], two["size"]]) for two in twos]
    pairs.sort(key=lambda pair: -pair[0]["speedup"])
    values = [row["speedup"] for pair in pairs for row in pair]
    low, high = min(0.8, *values), max(values) * 1.1
    span = WIDTH - LEFT - RIGHT

    def position(value: float) -> float:
        return LEFT + span * (log10(value / low)) / log10(high / low)

    top = canvas.y + 14
    bottom = top + len(pairs) * (BAR + GAP)
    for tick in TICKS:
        if low <= tick <= high:
            canvas.rule(position(tick), top, bottom, "#d0d7de")
            canvas.text(position(tick), canvas.y + 8, f"{tick:g}×", "middle")
    canvas.y = top + 4
    for two, one in pairs:
        name = two["kernel"] + (" momentum" if "momentum" in two["size"] else "")
        canvas.text(LEFT - 8, canvas.y + 11, name, "end")
        for row, y, height, color in (
            (one, canvas.y + 8, 7, FADED),
            (two, canvas.y, 8, FASTNN),
        ):
            speedup = row["speedup"]
            start, end = sorted((position(1), position(speedup)))
            canvas.bar(y, start, end, height, color if speedup >= 1 else SLOWER)
        end = max(position(value["speedup"]) for value in (one, two))
        label = f"{two['speedup']:.3g}× / {one['speedup']:.3g}×"
        canvas.text(max(end, position(1)) + 5, canvas.y + 11, label, style='font-size="10"')
        canvas.y += BAR + GAP
    canvas.rule(position(1), top, bottom, "#57606a")
    canvas.y = bottom + 8


def draw(result: Row) -> str:
    """The chart as SVG text."""
    canvas = Canvas()
    _products(canvas, result)
    _speedups(canvas, result)
    machine, versions = result["machine"], result["versions"]
    canvas.y += 14
    canvas.text(
        12,
        canvas.y,
        f"{machine['processor']}, {machine['cores']} cores, "
        f"{machine['instruction_set']}; NumPy {versions['numpy']} "
        f"({versions['blas']}), fastnn {versions['fastnn']}; {result['date']}",
        style='fill="#57606a" font-size="11"',
    )
    return canvas.svg()
