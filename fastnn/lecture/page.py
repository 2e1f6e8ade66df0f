"""Page: where a topic shows its numbers, and where its drawings go."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from fastnn.lecture.chart import chart
from fastnn.lecture.nodes import rows
from fastnn.serialize import atomic_write
from fastnn.tensor import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Page"]


_WIDTH = 86


class Page:
    """Prints what a topic shows, and writes its drawings into a folder.

    Args:
        folder: an existing folder, whose files of the same names are replaced; None for
            numbers alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.drawings: list[str] = []  # the names of those that there are, or would be
        self.missing: list[str] = []  # the names of those that could not be drawn

    # Each of these prints a paragraph, after an empty line.

    def say(self, text: str) -> None:
        """Print text, wherever its lines were broken, in lines of its own."""
        print("\n" + textwrap.fill(" ".join(text.split()), _WIDTH, break_on_hyphens=False))

    def table(self, columns: Mapping[str, Sequence[str]]) -> None:
        """Print columns of text under their headings, numbers to the right."""
        print()
        cells = [[heading, *column] for heading, column in columns.items()]
        widths = [max(map(len, column)) for column in cells]
        to_the_right = [all(map(_is_number, column[1:])) for column in cells]
        for row in zip(*cells, strict=True):
            parts = [
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(row, widths, to_the_right, strict=True)
            ]
            print("  " + "   ".join(parts).rstrip())

    def graph(self, result: Tensor, name: str, number: str = ".4g") -> None:
        """Print the graph behind result, a line a node, and draw it as NAME.svg.

        The gradients are those of result, which is a single value; nothing is freed.
        """
        found = rows(result, number)
        self.table(
            {
                "node": [row.name for row in found],
                "made by": [row.made_by for row in found],
                "value": [row.value for row in found],
                "gradient": [row.gradient for row in found],
            }
        )
        path = self._place(f"{name}.svg")
        if path is not None:
            import fastnn

            fastnn.draw(result).save(path)

    def lines(self, lines: Sequence[str]) -> None:
        """Print lines as they are, but for a small indentation."""
        print()
        for line in lines:
            print(f"  {line}".rstrip())

    def chart(self, curves: Mapping[str, Any], **how: Any) -> None:
        """Print curves as a chart of text: see :func:`fastnn.lecture.chart.chart`."""
        self.lines(chart(curves, **how))

    def picture(self, name: str, paint: Callable[[Figure], None]) -> None:
        """Draw NAME.png: paint gets an empty figure, if matplotlib is installed."""
        path = self._place(f"{name}.png")
        if path is None:
            return
        try:
            from fastnn.lecture.figure import save
        except ImportError:
            self.missing.append(self.drawings.pop())
            return
        write: Callable[[BinaryIO], None] = partial(save, paint)
        atomic_write(path, write)

    def _place(self, name: str) -> Path | None:
        self.drawings.append(name)
        return None if self.folder is None else self.folder / name

    def end(self, topic: str) -> None:
        """Print where the drawings are, or how to get them."""
        print()
        if self.folder is None:
            print(f"drawings, with 'fastnn lecture {topic} --save FOLDER':")
            print("  " + "  ".join(self.drawings))
        elif self.drawings:
            print(f"drawings, in {self.folder}:")
            print("  " + "  ".join(self.drawings))
        if self.missing:
            print(f"no {', '.join(self.missing)}: matplotlib is missing")


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "").replace("%", ""))
    except ValueError:
        return cell in ("", ".")
    return True
