"""From a command line to an exit status: every failure is one line."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence

from fastnn.cli.interrupts import held
from fastnn.cli.usage import UsageError

_INTERRUPTED = 128 + 2
_BROKEN_PIPE = 128 + 13


def run(argv: Sequence[str] | None) -> int:
    """What ``fastnn.cli.main`` promises, but for what a second Ctrl-C does."""
    _write_any_character()
    name = "fastnn"
    try:
        try:
            with held():
                from fastnn.cli.parser import make_parser
            args = make_parser().parse_args(argv)
            name = f"fastnn {args.command}"
            status: int = args.run(args)
        except SystemExit as stop:  # argparse after --help, --version or bad usage
            status = int(stop.code or 0)
        _flush()
    except UsageError as error:
        return _fail(2, name, f"{error} (see '{name} --help')")
    except KeyboardInterrupt:
        return _fail(_INTERRUPTED, name, "interrupted", kind="")
    except BrokenPipeError:
        _drop_output()
        return _BROKEN_PIPE
    except OSError as error:
        return _fail(1, name, _os_error(error))
    except MemoryError as error:
        return _fail(1, name, f"not enough memory: {error}")
    except (ValueError, FloatingPointError, ImportError) as error:
        return _fail(1, name, str(error))
    except Exception as error:
        if os.environ.get("FASTNN_TRACEBACK"):
            raise
        return _fail(
            1,
            name,
            f"{type(error).__name__}: {error}; this is a bug in fastnn: please report "
            "it, with what FASTNN_TRACEBACK=1 shows",
        )
    return status


def _fail(status: int, name: str, message: str, kind: str = "error: ") -> int:
    line = " ".join(message.split("\n"))
    with contextlib.suppress(OSError, AttributeError):
        print(f"{name}: {kind}{line}", file=sys.stderr, flush=True)
    try:
        _flush()
    except OSError:
        _drop_output()
    return status


def _os_error(error: OSError) -> str:
    if error.filename is None:
        return error.strerror or str(error)
    return f"{os.fsdecode(error.filename)}: {error.strerror}"


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _write_any_character() -> None:
    """A path that the terminal cannot show is shown escaped, it is not an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Send what is still buffered nowhere: Python flushes once more when it exits."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
