"""The works that have a bar: how many times faster than its peers fastnn is."""

from __future__ import annotations

from types import ModuleType

from benchmarks.measure import threads
from benchmarks.tables import replace_between_markers

from . import eleven_lines, fit, steps
from .chart import draw
from .environment import threads_of
from .options import ROOT, Options, described
from .rounds import Row
from .tables import full_table, readme_table
from .works import WORKS

COMMAND = "python -m benchmarks.peers"


def main(options: Options) -> None:
    """All works, or those asked for."""
    options.check_names([*(work.name for work in WORKS), eleven_lines.NAME, fit.NAME])
    result = options.keep("peers", lambda: measure(options), {"md": full_table, "svg": draw})
    if options.readme:
        replace_between_markers(ROOT / "README.md", "peers", COMMAND, readme_table(result))


def measure(options: Options) -> Row:
    """All rows, on this machine, now."""
    if options.wants(fit.NAME):
        fit.require_data()
    sides = options.load_sides()
    with threads(threads_of(options.quick)):
        return {**described(COMMAND, options.quick), **_measured(options, sides)}


def _measured(options: Options, sides: dict[str, ModuleType]) -> Row:
    quick = options.quick
    limits = steps.Limits(quick)
    limits.look(memory=True)
    rows = []
    for work in WORKS:
        if options.wants(work.name):
            row = steps.measured(work, sides, limits, quick)
            row["trainer_microseconds"] = steps.in_trainer(work, quick)
            rows.append(row)
            print(_told(row), flush=True)
    works = {work.name: work for work in WORKS}
    for row in rows:
        steps.add_limits(row, works[row["name"]], limits)
        if steps.missed(row) and options.results is not None and not quick:
            row["profile"] = steps.save_profile(works[row["name"]], options.results / "profiles")
    for section in (eleven_lines, fit):
        if options.wants(section.NAME):
            rows.append(section.measured(sides, quick))
            print(_told(rows[-1]), flush=True)
    return {**limits.as_row(), "titles": {n: s.TITLE for n, s in sides.items()}, "rows": rows}


def _told(row: Row) -> str:
    ratios = ", ".join(f"{each['side']} {each['ratio']:.3g}" for each in row["against"])
    return f"{row['title']}: fastnn {row['microseconds']['fastnn']:,.4g} µs; times {ratios}"
