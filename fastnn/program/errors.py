"""What goes wrong when a step is captured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["CaptureError"]


class CaptureError(RuntimeError):
    """A step that cannot be replayed; the message says what in it, and where."""


@contextmanager
def naming(op: str) -> Iterator[None]:
    """A CaptureError in this block says that it is about this op."""
    try:
        yield
    except CaptureError as error:
        raise CaptureError(f"the op {op}: {error}") from None


class NotFiniteError(FloatingPointError):
    """A value that a step must not go on with: what it is, and the value."""

    def __init__(self, what: str, value: float) -> None:
        super().__init__(f"the {what} is {value}")
        self.what, self.value = what, value
