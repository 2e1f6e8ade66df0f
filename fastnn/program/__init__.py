"""Programs: a training step that Python describes once and C replays.

The machinery of recording is imported when a step is first recorded.
"""

from typing import TYPE_CHECKING

from fastnn.program.errors import CaptureError

if TYPE_CHECKING:
    from fastnn.program.replay import Program, capture, iterate

__all__ = ["CaptureError", "Program", "capture", "iterate"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fastnn.program import replay

    return getattr(replay, name)
