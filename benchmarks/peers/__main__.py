"""``python -m benchmarks.peers`` measures training by fastnn and by its peers, in one run.

Without a section it measures the works that have a bar, and writes
``benchmarks/results/peers.json`` (all numbers), ``peers.md`` (all rows), ``peers.svg`` (the
chart), a profile of fastnn's program for each work that misses a bar
(``profiles/NAME.txt``), and the README's table between its two marker comments.  The other
sections write a JSON file, a table and a chart of their own.

NumPy takes part always; PyTorch, JAX, scikit-learn and MyGrad where they are installed
(``pip install -e ".[bench]"``).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from . import environment

SECTIONS = ("bars", "conv", "scaling", "startup", "memory")
RESULTS = Path(__file__).parent.parent / "results"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("section", nargs="?", choices=SECTIONS, default="bars")
    made.add_argument("--only", action="append", metavar="NAME", help="this work; may be repeated")
    made.add_argument("--sides", help="of these sides, with commas between them; fastnn always")
    made.add_argument("--quick", action="store_true", help="tiny sizes, few rounds: does it run?")
    made.add_argument("--draw", action="store_true", help="measure nothing: tables and charts")
    made.add_argument(
        "--results",
        type=Path,
        metavar="FOLDER",
        help="write there, and not to the README; a run of a part writes nothing without it",
    )
    return made


def main(argv: list[str] | None = None) -> None:
    arguments = parser().parse_args(argv)
    environment.prepare()
    from . import bars, conv, memory, scaling, startup
    from .options import Options

    whole = not (arguments.only or arguments.sides or arguments.quick)
    options = Options(
        only=arguments.only,
        sides=arguments.sides.split(",") if arguments.sides else None,
        quick=arguments.quick,
        draw=arguments.draw,
        results=arguments.results or (RESULTS if whole else None),
        readme=whole and arguments.results is None,
    )
    sections = {
        "bars": bars, "conv": conv, "scaling": scaling, "startup": startup, "memory": memory,
    }  # fmt: skip
    sections[arguments.section].main(options)


if __name__ == "__main__":
    main()
