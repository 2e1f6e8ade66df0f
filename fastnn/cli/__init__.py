"""The command ``fastnn``: train, evaluate, predict, gradcheck, info.

Exit status: 0 done; 1 a file is bad or missing, training diverged, or gradcheck found a wrong
gradient; 2 bad usage; 130 stopped by Ctrl-C; 141 whoever read the output went away. Every
failure is one line on standard error, but for gradcheck's report.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # type checkers take it for typing's, whose import takes longer
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (default: that of the process), return its status.

    Nothing is raised: a bug in fastnn is one line too, unless the environment variable
    ``FASTNN_TRACEBACK`` is set. Nothing is imported before the call, so that Ctrl-C is
    answered here from the start; without ``argv`` it is ignored from the end on, when
    the interpreter has only itself to tidy up.
    """
    try:
        from fastnn.cli.command import run

        status = run(argv)
    except KeyboardInterrupt:  # during that import, or again while one is answered
        print("fastnn: interrupted", file=sys.stderr)
        status = 130
    if argv is None:
        from fastnn.cli.interrupts import ignore_from_now_on

        ignore_from_now_on()
    return status
