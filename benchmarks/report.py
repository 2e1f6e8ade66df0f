"""``python -m benchmarks.report`` measures all kernels, writes what the README shows.

It writes ``benchmarks/results/kernels.json`` (all numbers), ``kernels.md`` (all rows),
``kernels.svg`` (the chart), and the README's table between its two marker comments.
``--draw`` only writes the table and the chart again, from the committed JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from .cases import BENCHMARKS, Benchmark
from .chart import draw
from .machine import machine, today, versions
from .tables import full_table, readme_table, replace_between_markers

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
COMMAND = "python -m benchmarks.report"
SECONDS = 0.12  # measured per kernel, size, dtype and number of threads, both sides
PRODUCT_SECONDS = 0.8  # the same for matrix products, whose bars are the tightest

Row = dict[str, Any]


def _row(case: Benchmark, dtype: str, number: int, limits: Row) -> Row:
    """One measured pair; the peak is sought beside every product, as the clock drifts."""
    from fastnn.runtime import peak_gflops

    from .measure import PAUSE, interleaved, prepared, threads

    with threads(number):
        calls = prepared(case, np.dtype(dtype))
        if case.kernel == "matmul":
            before = peak_gflops(number, dtype)
        # NumPy's products have threads of their own, which take a while to fall asleep.
        pause = PAUSE if case.flops and number > 1 else 0.0
        seconds = PRODUCT_SECONDS if case.flops else SECONDS
        fastnn, numpy = interleaved(calls, seconds, pause)
        if case.kernel == "matmul":
            peaks, key = limits["peak"][dtype], str(number)
            peaks[key] = max(peaks.get(key, 0), before, peak_gflops(number, dtype))
    row: Row = {
        "kernel": case.kernel,
        "size": case.size,
        "dtype": dtype,
        "threads": number,
        "fastnn_us": _rounded(1e6 * fastnn),
        "numpy_us": _rounded(1e6 * numpy),
        "speedup": _rounded(numpy / fastnn),
        "training": case.training,
    }
    if case.kernel == "matmul":
        for side, seconds in (("fastnn", fastnn), ("numpy", numpy)):
            rate = case.flops / seconds / 1e9
            row[f"{side}_gflops"] = _rounded(rate)
    if case.traffic is not None:
        rate = case.traffic(np.dtype(dtype).itemsize) / fastnn / 1e9
        row["gb_per_s"] = _rounded(rate)
        row["percent_of_bandwidth"] = _rounded(100 * rate / limits["bandwidth"][number])
    return row


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def measure() -> Row:
    """All rows, on this machine, now."""
    from .measure import bandwidth

    limits: Row = {"bandwidth": {number: bandwidth(number) for number in (1, 2)}}
    limits["peak"] = {"float32": {}, "float64": {}}
    rows = []
    for case in BENCHMARKS:
        for dtype in ("float32", "float64"):
            rows += [_row(case, dtype, number, limits) for number in (1, 2)]
        print(f"{case.label}: {rows[-3]['speedup']:.3g}x", flush=True)
    for row in rows:
        if row["kernel"] == "matmul":
            peak = limits["peak"][row["dtype"]][str(row["threads"])]
            for side in ("fastnn", "numpy"):
                share = row[f"{side}_gflops"] / peak
                row[f"{side}_percent_of_peak"] = _rounded(100 * share)
    return {
        "command": COMMAND,
        "date": today(),
        "machine": machine(),
        "versions": versions(),
        "peak_gflops": {
            dtype: {number: _rounded(peak) for number, peak in peaks.items()}
            for dtype, peaks in limits["peak"].items()
        },
        "bandwidth_gb_per_s": {
            str(number): _rounded(rate) for number, rate in limits["bandwidth"].items()
        },
        "rows": rows,
    }


def save(result: Row, path: Path) -> None:
    """One measured row a line, so that a diff of two runs can be read."""
    lines = [json.dumps(row, ensure_ascii=False) for row in result["rows"]]
    rows = ",\n".join(f"    {line}" for line in lines)
    head = json.dumps({**result, "rows": []}, indent=2, ensure_ascii=False)
    path.parent.mkdir(exist_ok=True)
    path.write_text(head.replace('"rows": []', f'"rows": [\n{rows}\n  ]') + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    path = RESULTS / "kernels.json"
    if not parser.parse_args().draw:
        save(measure(), path)
    result = json.loads(path.read_text())
    (RESULTS / "kernels.md").write_text(full_table(result))
    (RESULTS / "kernels.svg").write_text(draw(result))
    replace_between_markers(ROOT / "README.md", "kernels", COMMAND, readme_table(result))


if __name__ == "__main__":
    main()
