"""Programs: a training step that Python describes once and C replays."""

from fastnn.program.capture import Program, capture, iterate
from fastnn.program.errors import CaptureError

__all__ = ["CaptureError", "Program", "capture", "iterate"]
