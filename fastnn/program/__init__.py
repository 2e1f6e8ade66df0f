"""Programs: a training step that Python describes once and C replays."""

from fastnn.program.errors import CaptureError
from fastnn.program.replay import Program, capture, iterate

__all__ = ["CaptureError", "Program", "capture", "iterate"]
