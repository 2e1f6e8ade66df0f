"""How much memory training takes, by side."""

from __future__ import annotations

from . import alexnet, child, stacked_chart
from .fit import NAME as FIT
from .fit import TITLE as FIT_TITLE
from .fit import require_data
from .options import Options, conditions, described
from .rounds import Row, rounded
from .works import WORKS

COMMAND = "python -m benchmarks.peers memory"
NAMES = ("mlp784", "mlp1024", FIT, alexnet.NAME)
SIDES = ("fastnn", "numpy", "jax", "torch", "sklearn")


def main(options: Options) -> None:
    """All sides, in processes of their own."""
    options.check_names(list(NAMES))
    if not child.STATUS.exists():
        raise SystemExit(f"memory reads {child.STATUS}, which this system does not have")
    options.keep("memory", lambda: measure(options), {"md": table, "svg": chart})


def measure(options: Options) -> Row:
    """All rows, on this machine, now."""
    if options.wants(FIT) and not options.quick:
        require_data()
    sides = {name: side for name, side in options.load_sides().items() if name in SIDES}
    names_of = {name: side.TITLE for name, side in sides.items()}
    of_alexnet = alexnet.titles(options.side_names())
    titles = {work.name: work.title for work in WORKS}
    titles |= {FIT: FIT_TITLE, alexnet.NAME: alexnet.TITLE}
    rows: list[Row] = []
    for name in NAMES:
        if not options.wants(name) or (options.quick and name == FIT):
            continue
        for side in of_alexnet if name == alexnet.NAME else names_of:
            found = child.ask("memory", name, side, options.quick)
            rows.append(
                {
                    "name": name,
                    "title": titles[name],
                    "side": side,
                    "loaded_mb": found["loaded"],
                    "peak_mb": found["peak"],
                    "training_mb": round(found["peak"] - found["loaded"], 1),
                }
            )
            print(rows[-1], flush=True)
    _compare_with_torch([row for row in rows if row["name"] == alexnet.NAME])
    return {
        **described(COMMAND, options.quick),
        "titles": of_alexnet | names_of,
        "rows": rows,
    }


def _compare_with_torch(rows: list[Row]) -> None:
    """Say of fastnn's rows how many times PyTorch's peak they take, where it took part."""
    for torch in rows:
        if torch["side"] == "torch":
            for row in rows:
                row["times_torch"] = rounded(row["peak_mb"] / torch["peak_mb"])
                row["bar"] = alexnet.BAR if row is not torch else None


def table(result: Row) -> str:
    """A row for each work and side."""
    lines = [
        "# Memory while training",
        "",
        f"{conditions(result)}.",
        "Resident memory of a new process: with library and data loaded, and what training adds",
        "to that at its highest. Fashion-MNIST is fitted for one epoch.",
        "",
        "| work | side | loaded | training adds | peak |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['title']} | {result['titles'][row['side']]} | {row['loaded_mb']:.0f} MB "
        f"| {row['training_mb']:.1f} MB | {row['peak_mb']:.0f} MB |"
        for row in result["rows"]
    ]
    compared = [row for row in result["rows"] if row.get("bar")]
    if compared:
        lines.append("")
    lines += [
        f"{row['title']}: the peak of {result['titles'][row['side']]} is {row['times_torch']:.2f} "
        f"times PyTorch's (at most {row['bar']})."
        for row in compared
    ]
    return "\n".join(lines) + "\n"


def chart(result: Row) -> str:
    """What is loaded, and what training adds."""
    keys = ("loaded_mb", "training_mb")
    return stacked_chart.draw(
        result,
        "Resident memory while training",
        "library and data loaded, and what training adds to them at its highest",
        ("loaded", "training adds"),
        (
            (row, *(row[key] for key in keys), " + ".join(f"{row[key]:.0f} MB" for key in keys))
            for row in result["rows"]
        ),
    )
