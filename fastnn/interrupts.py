"""Ctrl-C that waits for the end of a step."""

from __future__ import annotations

import threading
from types import FrameType, TracebackType

__all__ = ["Interrupts"]


class Interrupts:
    """Within ``with interrupts:``, blocks of ``with interrupts.held:`` are never torn.

    A Ctrl-C during a held block raises KeyboardInterrupt at its end; anywhere else at
    once.  Only where Python's own handler is in force, in the main thread: another
    thread gets no KeyboardInterrupt, and another handler has its own ideas.
    """

    def __init__(self) -> None:
        self.held = _Held()
        self._installed = False

    def __enter__(self) -> Interrupts:
        import signal  # when needed: loading it takes longer than this file

        self._installed = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._installed:
            signal.signal(signal.SIGINT, self.held.on_signal)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._installed:
            import signal

            signal.signal(signal.SIGINT, signal.default_int_handler)


class _Held:
    def __init__(self) -> None:
        self._busy = self._pending = False

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self._busy:
            import signal

            signal.default_int_handler(number, frame)
        self._pending = True

    def __enter__(self) -> None:
        self._busy = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._busy = False
        if self._pending:
            self._pending = False
            raise KeyboardInterrupt
