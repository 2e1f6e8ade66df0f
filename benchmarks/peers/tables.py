"""Markdown tables of the works and their bars."""

from __future__ import annotations

from benchmarks.tables import time_text

from .options import conditions
from .rounds import Row

# The two sides that are one library measured twice.
COMPILED = {"jax_compiled": "JAX jit, scan, without compiling"}
COLUMNS = {"numpy": "NumPy", "torch": "PyTorch", "jax": "JAX", "sklearn": "scikit-learn"}


def title_of(result: Row, side: str) -> str:
    """What readers call the side."""
    return COMPILED.get(side) or result["titles"][side]


def seconds_text(microseconds: float) -> str:
    """A time in µs, ms or s."""
    if microseconds < 1e6:
        return time_text(microseconds)
    return f"{microseconds / 1e6:.3g} s"


def verdict(bar: float | None, met: bool | None) -> str:
    """A bar and whether it is met."""
    return "–" if bar is None else f"{bar:g}: {'met' if met else '**missed**'}"


def share_text(row: Row) -> str:
    """What part of the machine's limit fastnn reaches."""
    if "percent_of_bandwidth" in row:
        return f"{row['gb_per_s']:.0f} GB/s, {row['percent_of_bandwidth']:.0f} % of triad"
    if "percent_of_peak" in row:
        return f"{row['percent_of_peak']:.0f} % of FMA peak"
    return "–"


def full_table(result: Row) -> str:
    """A row for each work and side."""
    lines = [
        "# Training by fastnn and by its peers",
        "",
        f"{conditions(result)}.",
        "The same arithmetic on the same data from the same weights, losses compared to 1e-4",
        "before times (final weights to 1e-9 for the 11-line net). Best of interleaved rounds.",
        "A step takes a batch that lies where it is: no side gathers or counts hits, and none",
        "captures or compiles; what `Trainer.fit` takes, which gathers each batch from shuffled",
        "rows and counts hits, stands below. The 11-line net holds fastnn's capture, of a step",
        "whose code it has recorded before, except against JAX, whose compiling is left out too.",
        f"FMA peak {result['peak_gflops']:.0f} GFLOP/s"
        + (
            f", triad (a += b beyond the caches) {result['bandwidth_gb_per_s']:.0f} GB/s."
            if "bandwidth_gb_per_s" in result
            else "."
        ),
        "",
        "| work | fastnn | against | its time | times faster | bar |",
        "|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        times = row["microseconds"]
        lines += [
            f"| {row['title']} | {seconds_text(times['fastnn'])} "
            f"| {title_of(result, each['side'])} | {seconds_text(times[each['side']])} "
            f"| {each['ratio']:.3g} | {verdict(each['bar'], each['met'])} |"
            for each in row["against"]
        ]
    lines += [
        "",
        "| work | share of the limit | bar, % | `Trainer.fit`, a step | profile |",
        "|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        if row["unit"] == "step":
            name = row.get("profile")
            profile = f"[where the time goes](profiles/{name})" if name else "–"
            lines.append(
                f"| {row['title']} | {share_text(row)} "
                f"| {verdict(row['peak_bar'], row.get('peak_met'))} "
                f"| {seconds_text(row['trainer_microseconds'])} | {profile} |"
            )
    lines += ["", *(_notes(result, row) for row in result["rows"] if row["unit"] != "step")]
    return "\n".join(lines) + "\n"


def _notes(result: Row, row: Row) -> str:
    if row["unit"] == "fit":
        found = ", ".join(f"{title_of(result, n)} {a:.2f} %" for n, a in row["accuracy"].items())
        return (
            f"{row['title']}: mean test accuracy {found}; at most {row['accuracy_bar']} points "
            f"below a peer: {'met' if row['accuracy_met'] else '**missed**'}.\n"
        )
    return (
        f"{row['title']}: of fastnn's {seconds_text(row['microseconds']['fastnn'])}, the capture "
        f"and one iteration take {seconds_text(row['capture_microseconds'])}.\n"
    )


def readme_table(result: Row) -> str:
    """A row for each work: how many times faster, and the bars that are missed."""
    lines = [
        "| times faster than | " + " | ".join(COLUMNS.values()) + " | fastnn | limit |",
        "|---" * (len(COLUMNS) + 3) + "|",
    ]
    for row in result["rows"]:
        against = {each["side"]: each for each in row["against"]}
        if "jax_compiled" in against:
            against["jax"] = against["jax_compiled"]
        cells = [_cell(against.get(side)) for side in COLUMNS]
        fastnn = seconds_text(row["microseconds"]["fastnn"])
        lines.append(
            f"| {row['title']} | " + " | ".join(cells) + f" | {fastnn} | {share_text(row)} |"
        )
    return "\n".join(
        [
            *lines,
            "",
            (
                "In brackets the bar that the project has set itself; a missed one is bold. "
                "[All rows, and how it is measured](benchmarks/results/peers.md)."
            ),
            f"{conditions(result)}.",
        ]
    )


def _cell(row: Row | None) -> str:
    if row is None:
        return "–"
    text = f"{row['ratio']:.3g}"
    if row["bar"] is not None:
        text += f" ({row['bar']:g})"
    return f"**{text}**" if row["met"] is False else text
