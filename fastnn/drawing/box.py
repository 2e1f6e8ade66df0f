"""Box: what the layout knows of a thing that it places."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """One thing to place: its anchor stands on the line on which its output leaves it.

    Attributes:
        left: how far it reaches to the left of its anchor.
        right: how far to the right; there its output begins.
        height: half of it above its anchor, half below.
        ports: where its inputs arrive, in their order, as (x, y) from its anchor; from the
            top to the bottom.
        is_symmetric: whether the inputs may take the ports in any order.
        is_near: of a box without inputs, whether it stands beside the first that needs it.
        caption: the width and height of what its output is called where it enters a row.
    """

    left: float
    right: float
    height: float
    ports: tuple[tuple[float, float], ...] = ()
    is_symmetric: bool = False
    is_near: bool = False
    caption: tuple[float, float] = (0.0, 0.0)
