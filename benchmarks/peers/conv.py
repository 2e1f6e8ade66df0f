"""Nets of images: steps of SGD beside PyTorch, in both of its memory layouts, and JAX."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.measure import PEERS_PAUSE, interleaved, threads

from .environment import threads_of
from .nets import NETS, Net
from .options import Options, conditions, described
from .rounds import Row, check_losses, rounded, two_epochs
from .steps import Limits, profile_of
from .tables import seconds_text, verdict

COMMAND = "python -m benchmarks.peers conv"
SECONDS = 100.0  # for the interleaved rounds of one net, on a machine that others use too
LAST = "torch_last"
TITLES = {LAST: "PyTorch eager, channels last", "jax": "JAX jit"}


def main(options: Options) -> None:
    """All nets, or those asked for."""
    options.check_names([net.name for net in NETS])
    options.keep("conv", lambda: measure(options), {"md": table})


def measure(options: Options) -> Row:
    """All rows, on this machine, now."""
    sides = {name: side for name, side in options.load_sides().items() if hasattr(side, "images")}
    with threads(threads_of(options.quick)):
        limits = Limits(options.quick)
        limits.look()
        rows = [_measured(net, sides, limits, options) for net in NETS if options.wants(net.name)]
        for row in rows:
            rate = row["gflop"] / row["microseconds"]["fastnn"] * 1e6
            row["percent_of_peak"] = rounded(100 * rate / limits.gflops)
            if row["peak_bar"] is not None:
                row["peak_met"] = row["percent_of_peak"] >= row["peak_bar"]
        return {
            **described(COMMAND, options.quick),
            **limits.as_row(),
            "titles": {**{name: side.TITLE for name, side in sides.items()}, **TITLES},
            "rows": rows,
        }


def _measured(net: Net, sides: dict[str, ModuleType], limits: Limits, options: Options) -> Row:
    quick = options.quick
    net = net.smaller() if quick else net
    X, y = net.batches()
    makers: dict[str, Callable[..., Any]] = {name: side.images for name, side in sides.items()}
    if "torch" in makers:
        makers[LAST] = partial(makers["torch"], channels_last=True)
    runs = {name: make(net, X, y) for name, make in makers.items()}
    losses = {name: two_epochs(run) for name, run in runs.items()}
    differences = check_losses(net.name, losses)
    limits.look()
    best = interleaved(list(runs.values()), *((0.0, 0.0) if quick else (SECONDS, PEERS_PAUSE)))
    limits.look()
    for name, run in runs.items():
        assert np.isfinite(run()).all(), f"{net.name}: {name} diverged"
    times = {name: rounded(1e6 * t / net.steps) for name, t in zip(runs, best, strict=True)}
    row: Row = {
        "name": net.name,
        "title": net.title,
        "batch": net.batch,
        "gflop": net.flops / 1e9,
        "microseconds": times,
        "loss_differences": differences,
        "against": _compared(net, times),
        "peak_bar": net.peak_bar,
    }
    if options.results is not None and not quick:
        row["profile"] = _save_profile(net, X, y, options.results / "profiles")
    print(f"{net.title}: " + ", ".join(f"{n} {t:,.4g} µs" for n, t in times.items()), flush=True)
    return row


def _compared(net: Net, times: dict[str, float]) -> list[Row]:
    """The bar is for PyTorch's better layout."""
    layouts = [name for name in ("torch", LAST) if name in times]
    better = min(layouts, key=times.__getitem__) if layouts else None
    rows = []
    for name, time in times.items():
        if name != "fastnn":
            ratio = rounded(time / times["fastnn"])
            bar = net.torch_bar if name == better else None
            rows.append(
                {"side": name, "ratio": ratio, "bar": bar, "met": bar and bool(ratio >= bar)}
            )
    return rows


def _save_profile(net: Net, X: np.ndarray, y: np.ndarray, folder: Path) -> str:
    """Write where fastnn's time goes, call by call, and return the file's name."""
    import fastnn

    from .sides.fastnn_replay import net_of

    steps = max(3, 16 // net.steps)
    text = profile_of(net_of(net), net.lr, fastnn.cross_entropy, X[0], y[0], steps)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{net.name}.txt"
    path.write_text(f"{net.title}\n\n{text}\n")
    return path.name


def table(result: Row) -> str:
    """A row for each net and side."""
    lines = [
        "# Nets of images, by fastnn and by its peers",
        "",
        f"{conditions(result)}.",
        "One step of SGD, float32, of the same net from the same weights on the same batches,",
        "losses compared to 1e-4 before times; no dropout on any side, as its masks differ.",
        "Batches lie ready, PyTorch's in its layout; PyTorch and JAX are called once a step,",
        "fastnn replays its program over all of them. PyTorch's ReLUs are in place, as",
        "torchvision has them.",
        "Best of interleaved rounds. The bar is for PyTorch's better memory layout.",
        "Shares of the peak count the products of a convolution as it is defined; fastnn's",
        "3×3 layers make about a quarter of them, its 5×5 layers less than half (Winograd's",
        "minimal filtering, as in cuDNN),",
        "so a layer can go beyond its 100 %.",
        f"FMA peak {result['peak_gflops']:.0f} GFLOP/s.",
        "",
        "| net | fastnn | of peak | against | its time | times faster | bar |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        times = row["microseconds"]
        share = f"{row['percent_of_peak']:.0f} %"
        if row["peak_bar"] is not None:
            share += f" ({verdict(row['peak_bar'], row['peak_met'])})"
        if "profile" in row:
            share = f"[{share}](profiles/{row['profile']})"
        lines += [
            f"| {row['title']} | {seconds_text(times['fastnn'])} | {share} "
            f"| {result['titles'][each['side']]} | {seconds_text(times[each['side']])} "
            f"| {each['ratio']:.3g} | {verdict(each['bar'], each['met'])} |"
            for each in row["against"]
        ]
    return "\n".join(lines) + "\n"
