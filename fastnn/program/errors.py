"""What goes wrong when a step is captured."""

from __future__ import annotations

__all__ = ["CaptureError"]


class CaptureError(RuntimeError):
    """A step that cannot be replayed; the message says what in it, and where."""


class NotFiniteError(FloatingPointError):
    """A value that a step must not go on with: what it is, and the value."""

    def __init__(self, what: str, value: float) -> None:
        super().__init__(f"the {what} is {value}")
        self.what, self.value = what, value
