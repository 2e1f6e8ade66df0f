"""Ctrl-C at moments when it must not strike."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any


@contextmanager
def held() -> Iterator[None]:
    """A Ctrl-C within the block becomes a KeyboardInterrupt at its end.

    In a module that is being imported it could become any other error: C code makes an
    ImportError of it, and a class in the making a RuntimeError.
    """
    pressed = []
    with _answered_by(lambda *_: pressed.append(True)):
        yield
    if pressed:
        raise KeyboardInterrupt


def ignored() -> AbstractContextManager[None]:
    """No Ctrl-C is heard within the block."""
    return _answered_by(signal.SIG_IGN)


def ignore_from_now_on() -> None:
    """No Ctrl-C is heard any more."""
    if _answered_here():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _answered_here() -> bool:
    """Whether a Ctrl-C raises here: another thread gets none, another handler decides."""
    return (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )


@contextmanager
def _answered_by(handler: Any) -> Iterator[None]:
    if not _answered_here():
        yield
        return
    usual = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
