"""Markdown tables of a result: a short one for the README, and one with every row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

Row = dict[str, Any]


def conditions(result: Row) -> str:
    """One sentence: machine, versions, command."""
    machine, versions = result["machine"], result["versions"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, "
        f"{machine['instruction_set']}; fastnn {versions['fastnn']}, "
        f"NumPy {versions['numpy']} ({versions['blas']}), "
        f"Python {versions['python']}; `{result['command']}`, {result['date']}"
    )


def time_text(microseconds: float) -> str:
    if microseconds < 1000:
        return f"{microseconds:.3g} µs"
    return f"{microseconds / 1000:.3g} ms"


def _limit(row: Row) -> str:
    if "fastnn_percent_of_peak" in row:
        return (
            f"{row['fastnn_percent_of_peak']:.0f} % of peak "
            f"(NumPy {row['numpy_percent_of_peak']:.0f} %)"
        )
    if "gb_per_s" in row:
        return f"{row['gb_per_s']:.0f} GB/s, {row['percent_of_bandwidth']:.0f} %"
    return ""


def _find(result: Row, **wanted: Any) -> list[Row]:
    return [row for row in result["rows"] if all(row[k] == v for k, v in wanted.items())]


def slower(result: Row) -> list[str]:
    """Every kernel that lost to its twin somewhere, said openly."""
    return [
        f"`{row['kernel']}` {row['size']}, {row['dtype']}, {row['threads']} "
        f"thread{'s' if row['threads'] > 1 else ''}: "
        f"{row['speedup']:.2f} times NumPy's speed"
        for row in result["rows"]
        if row["speedup"] < 1
    ]


def _slower_paragraph(result: Row) -> str:
    losers = slower(result)
    if not losers:
        return "No kernel was slower than its twin at any measured size."
    return "Slower than the twin:\n\n" + "\n".join(f"- {line}" for line in losers)


def readme_table(result: Row) -> str:
    """Matrix multiply against the peak, float32; the chart shows the other kernels."""
    lines = [
        "| float32 | 1 thread | of peak | 2 threads | of peak | NumPy, 2 threads |",
        "|---|---|---|---|---|---|",
    ]
    for one in _find(result, kernel="matmul", dtype="float32", threads=1):
        (two,) = _find(result, kernel="matmul", dtype="float32", threads=2, size=one["size"])
        lines.append(
            f"| {one['size']} | {time_text(one['fastnn_us'])} "
            f"| {one['fastnn_percent_of_peak']:.0f} % | {time_text(two['fastnn_us'])} "
            f"| {two['fastnn_percent_of_peak']:.0f} % "
            f"| {two['numpy_percent_of_peak']:.0f} % of peak |"
        )
    count = len(slower(result))
    summary = (
        "No kernel was slower than its NumPy twin at any measured size."
        if count == 0
        else f"{count} of {len(result['rows'])} rows are slower than the NumPy twin; "
        "they are listed first in the full table."
    )
    return "\n".join(
        [
            *lines,
            "",
            f"{summary} [All rows](benchmarks/results/kernels.md).",
            f"{conditions(result)}.",
        ]
    )


def full_table(result: Row) -> str:
    """Every measured row."""
    peaks = "; ".join(
        f"{dtype} {peak['1']:.0f} GFLOP/s on 1 thread, {peak['2']:.0f} on 2"
        for dtype, peak in result["peak_gflops"].items()
    )
    bandwidth = ", ".join(
        f"{rate:.0f} GB/s on {number}" for number, rate in result["bandwidth_gb_per_s"].items()
    )
    lines = [
        "# Every kernel against its NumPy twin",
        "",
        f"{conditions(result)}.",
        "Best of interleaved rounds, the same call on both sides, both on the same",
        f"number of threads. Peak: fused multiply-adds, the best seen: {peaks}.",
        f"Memory: a += b beyond the caches, {bandwidth} threads.",
        "",
        _slower_paragraph(result),
        "",
        "| kernel | size | dtype | threads | fastnn | NumPy | times as fast | limit |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['kernel']} | {row['size']} | {row['dtype']} | {row['threads']} "
        f"| {time_text(row['fastnn_us'])} | {time_text(row['numpy_us'])} "
        f"| {row['speedup']:.3g} | {_limit(row)} |"
        for row in result["rows"]
    ]
    return "\n".join(lines) + "\n"


def replace_between_markers(path: Path, name: str, command: str, text: str) -> None:
    """Put ``text`` into the README; without both markers, say what is missing."""
    begin = f"<!-- {name}: begin (written by {command}) -->"
    end = f"<!-- {name}: end -->"
    content = path.read_text()
    if begin not in content or end not in content:
        raise SystemExit(f"{path.name} lacks the lines '{begin}' and '{end}'")
    before, rest = content.split(begin, 1)
    after = rest.split(end, 1)[1]
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}")
