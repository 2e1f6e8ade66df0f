"""Reads a drawing back from its SVG, with widths of a real font, and finds what collides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import matplotlib
from fontTools.ttLib import TTFont

Point = tuple[float, float]


class Area(NamedTuple):
    """A rectangle, and what is in it."""

    left: float
    top: float
    right: float
    bottom: float
    what: str = ""
    fill: str = ""

    def overlaps(self, other: Area) -> bool:
        """Whether both have some point inside."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def contains(self, other: Area) -> bool:
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )

    def is_entered_at(self, point: Point) -> bool:
        """Whether this is a place at its left edge, or at that of a circle in it."""
        x, y = point
        middle, radius = (self.top + self.bottom) / 2, (self.right - self.left) / 2
        edge = self.left
        if abs(self.bottom - self.top - 2 * radius) < 0.2:
            edge += radius - max(radius**2 - (y - middle) ** 2, 0) ** 0.5
        return self.top + 2 < y < self.bottom - 2 and abs(x - edge) < 0.3

    def has(self, point: Point) -> bool:
        return self.left < point[0] < self.right and self.top < point[1] < self.bottom


class Font:
    """The advances of DejaVu Sans, the widest of the fonts that a drawing asks for."""

    def __init__(self) -> None:
        font = TTFont(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf")
        self._units = font["head"].unitsPerEm
        self._names = font.getBestCmap()
        self._metrics = font["hmtx"]

    def has(self, character: str) -> bool:
        return ord(character) in self._names

    def width(self, text: str, size: float) -> float:
        names = [self._names.get(ord(each), ".notdef") for each in text]
        return sum(self._metrics[name][0] for name in names) * size / self._units


FONT = Font()


class Picture:
    """The shapes and texts of an SVG.

    Attributes:
        width, height: in pixels.
        texts: where each line of text is.
        bodies: the circles and boxes of the ops.
        wires: the points along each wire, close to each other.
        arrows: the tip of each arrow.
    """

    def __init__(self, svg: str) -> None:
        root = ElementTree.fromstring(svg)
        self.width, self.height = float(root.get("width")), float(root.get("height"))
        (drawn,) = root.findall("{*}g")
        dx, dy = map(float, re.findall(r"[\d.]+", drawn.get("transform")))
        self.offset = dx, dy
        self.texts: list[Area] = []
        self.bodies: list[Area] = []
        self.wires: list[list[Point]] = []
        self.arrows: list[Point] = []
        self._read(drawn, float(drawn.get("font-size")), drawn.get("fill"))

    def _read(self, element: ElementTree.Element, size: float, fill: str) -> None:
        for child in element:
            tag = child.tag.partition("}")[2]
            child_fill = child.get("fill", fill)
            if tag == "g":
                self._read(child, size, child_fill)
            elif tag == "text":
                self.texts.append(_area_of_text(child, float(child.get("font-size", size)), fill))
            elif tag == "rect":
                x, y, w, h = (float(child.get(each)) for each in ("x", "y", "width", "height"))
                self.bodies.append(Area(x, y, x + w, y + h))
            elif tag == "path" and fill == "none":
                self.wires.append(list(_points(child.get("d"))))
            elif tag == "path":
                self.arrows.append(next(_points(child.get("d"))))

    def collisions(self) -> list[str]:
        """Everything that lies on something else."""
        dx, dy = self.offset
        paper = Area(-dx, -dy, self.width - dx, self.height - dy)
        areas = self.texts + self.bodies
        found = [f"{one} is off the paper" for one in areas if not paper.contains(one)]
        found += [
            f"{one} overlaps {other}"
            for i, one in enumerate(areas)
            for other in areas[:i]
            if one.overlaps(other)
            and not (one in self.texts and other.contains(one))
            and not (other in self.texts and one.contains(other))
        ]
        for text in self.texts:
            found += [f"{text} is crossed at {at}" for at in self._wired(text)]
        for body in self.bodies:
            # Half a pixel: coordinates are rounded.  A wire ends at the circle, inside its square.
            inner = Area(body.left + 0.5, body.top + 0.5, body.right - 0.5, body.bottom - 0.5)
            tips = [tip for tip in self.arrows if body.is_entered_at(tip)]
            found += [
                f"{body} is crossed at {(x, y)}"
                for x, y in self._wired(inner)
                if not any(abs(y - tip[1]) < 0.2 and x <= tip[0] + 0.2 for tip in tips)
            ]
        loose = [
            tip for tip in self.arrows if not any(body.is_entered_at(tip) for body in self.bodies)
        ]
        if len(loose) != 1:  # the arrow of the result
            found.append(f"arrows end nowhere: {loose}")
        return found

    def _wired(self, area: Area) -> Iterator[Point]:
        """The points of wires inside an area."""
        return (point for wire in self.wires for point in wire if area.has(point))

    def texts_in(self, fill: str) -> list[str]:
        """All texts of a colour."""
        return [text.what for text in self.texts if text.fill == fill]


def _area_of_text(element: ElementTree.Element, size: float, fill: str) -> Area:
    pieces = [(" " if each.get("dx") else "") + (each.text or "") for each in element]
    text = "".join([element.text or "", *pieces])
    gaps = sum(float(each.get("dx", 0)) for each in element)
    # The gap takes the place of the space.
    width = FONT.width("".join(element.itertext()), size) + gaps
    x, y = float(element.get("x")), float(element.get("y"))
    left = {"start": x, "middle": x - width / 2, "end": x - width}[element.get("text-anchor")]
    fill = element.get("fill") or (element[-1].get("fill") if len(element) else fill)
    # From the top of a capital to the bottom of a g.
    return Area(left, y - 0.73 * size, left + width, y + 0.23 * size, text, fill)


def _points(path: str) -> Iterator[Point]:
    at = (0.0, 0.0)
    for letter, numbers in re.findall(r"([A-Z])([^A-Z]*)", path):
        values = [float(each) for each in numbers.split()]
        if letter == "M":
            at = values[0], values[1]
            yield at
        elif letter == "L":
            yield from _between(at, at, (values[0], values[1]), (values[0], values[1]))
            at = values[0], values[1]
        elif letter == "C":
            one, two, end = zip(values[::2], values[1::2], strict=True)
            yield from _between(at, one, two, end)
            at = end


def _between(a: Point, b: Point, c: Point, d: Point) -> Iterator[Point]:
    """Points on a cubic Bezier curve, at most a pixel or so apart."""
    steps = int(abs(d[0] - a[0]) + abs(d[1] - a[1])) * 2 + 1
    for step in range(steps + 1):
        t = step / steps
        u = 1 - t
        weights = u**3, 3 * u * u * t, 3 * u * t * t, t**3
        yield tuple(
            sum(w * p[axis] for w, p in zip(weights, (a, b, c, d), strict=True)) for axis in (0, 1)
        )
