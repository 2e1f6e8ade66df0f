"""``--augment``: how images are varied, as text."""

from __future__ import annotations

import inspect
from typing import Any

from fastnn.augment import Augment

_NAMES = [name for name in inspect.signature(Augment).parameters if name != "crop"]


def augmentation(text: str) -> Augment | None:
    """What ``"shift=2,flip,rotation=10,occlusion=4x6"`` asks for; None for no text.

    Raises ValueError, naming the part that is wrong.
    """
    options: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name == "crop":
            raise ValueError(
                "crop changes the size of the images, which is for Trainer.fit from Python; shift "
                "is a crop after padding"
            )
        if name not in _NAMES or name in options:
            what = "twice" if name in options else f"not {', '.join(_NAMES)}"
            raise ValueError(f"{name!r} is {what}")
        if part == "flip":
            options[name] = True
            continue
        try:
            options[name] = _number(value)
        except ValueError:
            raise ValueError(f"{part!r}: wanted {name}=NUMBER") from None
    try:
        return Augment(**options) if options else None
    except TypeError as error:
        raise ValueError(str(error)) from None


def _number(text: str) -> float | tuple[int, ...]:
    """2 or 0.5, or 4x6 for (4, 6)."""
    if "x" in text:
        return tuple(int(part) for part in text.split("x"))
    return int(text) if text.lstrip("-").isdecimal() else float(text)
