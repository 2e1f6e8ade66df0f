"""How long it takes until a step is done: importing, and capturing or compiling."""

from __future__ import annotations

from . import child, stacked_chart
from .options import Options, conditions, described
from .rounds import Row, rounded
from .tables import seconds_text
from .works import WORKS

COMMAND = "python -m benchmarks.peers startup"
NAMES = ("mlp784", "mlp64")
SIDES = ("fastnn", "numpy", "jax", "torch", "sklearn")
PROCESSES = 3  # the best of so many, each new


def main(options: Options) -> None:
    """All sides, in processes of their own."""
    options.check_names(list(NAMES))
    options.keep("startup", lambda: measure(options), {"md": table, "svg": chart})


def measure(options: Options) -> Row:
    """All rows, on this machine, now."""
    sides = {name: side for name, side in options.load_sides().items() if name in SIDES}
    rows = [
        _measured(work.name, work.title, side, options.quick)
        for work in WORKS
        if work.name in NAMES and options.wants(work.name)
        for side in sides
    ]
    titles = {name: side.TITLE for name, side in sides.items()}
    return {**described(COMMAND, options.quick), "titles": titles, "rows": rows}


def _measured(name: str, title: str, side: str, quick: bool) -> Row:
    found = [child.ask("startup", name, side, quick) for _ in range(1 if quick else PROCESSES)]
    best = {key: min(each[key] for each in found) for key in found[0]}
    return {
        "name": name,
        "title": title,
        "side": side,
        **{f"{key}_microseconds": rounded(1e6 * each) for key, each in best.items()},
    }


def table(result: Row) -> str:
    """A row for each work and side."""
    lines = [
        "# Time to the first step",
        "",
        f"{conditions(result)}.",
        "Best of new processes. The first step counts from arrays of data and weights on: it",
        "builds the net, and fastnn captures it, JAX compiles it. The import is on top of NumPy's.",
        "",
        "| work | side | import | first step | second step |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['title']} | {result['titles'][row['side']]} | "
        + " | ".join(
            seconds_text(row[f"{key}_microseconds"]) for key in ("import", "first", "second")
        )
        + " |"
        for row in result["rows"]
    ]
    return "\n".join(lines) + "\n"


def chart(result: Row) -> str:
    """The import, and the first step after it."""
    keys = ("import_microseconds", "first_microseconds")
    return stacked_chart.draw(
        result,
        "Time to the first step, in a new process",
        "the import is on top of NumPy's; the first step holds fastnn's capture, JAX's compiling",
        ("import", "first step"),
        (
            (row, *(row[key] for key in keys), " + ".join(seconds_text(row[key]) for key in keys))
            for row in result["rows"]
        ),
    )
