"""How the time of a step grows with the width of the net and with the batch."""

from __future__ import annotations

from types import ModuleType

from benchmarks.measure import PEERS_PAUSE, interleaved, threads

from .environment import threads_of
from .options import Options, conditions, described
from .rounds import Row, check_losses, rounded, two_epochs
from .scaling_chart import draw
from .steps import Limits
from .tables import seconds_text
from .works import Work

COMMAND = "python -m benchmarks.peers scaling"
SIDES = ("fastnn", "numpy", "jax", "torch")
WIDTHS = (64, 128, 256, 512, 1024, 2048, 4096)
BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
SECONDS = 8.0  # for the interleaved rounds of one point
EPOCH_FLOPS = 2e9


def main(options: Options) -> None:
    """Both axes."""
    options.check_names([])
    options.keep("scaling", lambda: measure(options), {"md": table, "svg": draw})


def points(quick: bool) -> list[tuple[str, int, Work]]:
    """Axis, value, and the net that is trained there."""
    widths, batches = ((16, 32), (1, 16)) if quick else (WIDTHS, BATCHES)
    made = [("width", width, _work((width, width, width, 10), 128)) for width in widths]
    hidden = (784, 32, 10) if quick else (784, 256, 128, 10)
    return [*made, *(("batch", batch, _work(hidden, batch)) for batch in batches)]


def _work(widths: tuple[int, ...], batch: int) -> Work:
    # A batch of one has steep gradients: with a larger rate it would diverge.
    work = Work("-".join(map(str, widths)), "", widths, batch, steps=1, lr=1e-4)
    steps = min(64, max(2, int(EPOCH_FLOPS / work.flops)))
    return Work(work.name, work.name, widths, batch, steps, lr=work.lr)


def measure(options: Options) -> Row:
    """All points, on this machine, now."""
    names = [name for name in options.side_names() if name in SIDES]
    sides = {name: side for name, side in options.load_sides().items() if name in names}
    with threads(threads_of(options.quick)):
        limits = Limits(options.quick)
        rows = [
            _measured(axis, value, work, sides, limits, options.quick)
            for axis, value, work in points(options.quick)
        ]
        for row in rows:
            row["limit_microseconds"] = rounded(1e3 * row["gflop"] / limits.gflops * 1e3)
            share = row["limit_microseconds"] / row["microseconds"]["fastnn"]
            row["percent_of_peak"] = rounded(100 * share)
        return {
            **described(COMMAND, options.quick),
            **limits.as_row(),
            "titles": {name: side.TITLE for name, side in sides.items()},
            "rows": rows,
        }


def _measured(
    axis: str, value: int, work: Work, sides: dict[str, ModuleType], limits: Limits, quick: bool
) -> Row:
    X, y = work.batches()
    layers = work.layers()
    runs = {name: side.epoch(work, layers, X, y) for name, side in sides.items()}
    differences = check_losses(work.name, {name: two_epochs(run) for name, run in runs.items()})
    limits.look()
    best = interleaved(
        list(runs.values()), 0.0 if quick else SECONDS, 0.0 if quick else PEERS_PAUSE
    )
    row: Row = {
        axis: value,
        "net": work.name,
        "batch": work.batch,
        "gflop": rounded(work.flops / 1e9),
        "microseconds": {
            name: rounded(1e6 * each / work.steps) for name, each in zip(runs, best, strict=True)
        },
        "loss_differences": differences,
        "axis": axis,
    }
    times = ", ".join(f"{name} {each:,.4g} µs" for name, each in row["microseconds"].items())
    print(f"{axis} {value}: {times}", flush=True)
    return row


def table(result: Row) -> str:
    """A row for each point."""
    titles = result["titles"]
    lines = [
        "# How the time of a step grows",
        "",
        f"{conditions(result)}.",
        "One step of SGD, float32, as in [peers.md](peers.md). The limit is the arithmetic of the",
        f"products at the measured FMA peak, {result['peak_gflops']:.0f} GFLOP/s.",
        "",
        "| net | batch | " + " | ".join(titles.values()) + " | limit | fastnn of peak |",
        "|---" * (len(titles) + 4) + "|",
    ]
    for row in result["rows"]:
        times = " | ".join(seconds_text(row["microseconds"][name]) for name in titles)
        lines.append(
            f"| {row['net']} | {row['batch']} | {times} "
            f"| {seconds_text(row['limit_microseconds'])} | {row['percent_of_peak']:.0f} % |"
        )
    return "\n".join(lines) + "\n"
