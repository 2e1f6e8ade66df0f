"""What goes wrong when a step is captured."""

from __future__ import annotations

__all__ = ["CaptureError"]


class CaptureError(RuntimeError):
    """A step that cannot be replayed; the message says what in it, and where."""
