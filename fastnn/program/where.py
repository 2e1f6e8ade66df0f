"""Where in the caller's code a call comes from."""

from __future__ import annotations

import sys
from types import FrameType

__all__ = ["where"]


def where() -> str:
    """The line of the caller's step that is running, for an error."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] not in ("fastnn", "numpy", "contextlib"):
            return f" ({frame.f_code.co_filename}, line {frame.f_lineno})"
        frame = frame.f_back
    return ""
