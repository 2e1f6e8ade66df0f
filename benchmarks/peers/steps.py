"""Steps of SGD: the same batches, weights and arithmetic for every side."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.measure import PEERS_PAUSE, bandwidth, interleaved
from fastnn.runtime import get_num_threads, peak_gflops

from .rounds import Row, check_losses, compared, rounded, two_epochs
from .works import Work

SECONDS = {"full": 36.0, "quick": 0.0}  # for the interleaved rounds of one work


class Limits:
    """The best that the machine has shown in this run."""

    def __init__(self, quick: bool) -> None:
        self._quick = quick
        self.gflops = 0.0
        self.gb_per_s = 0.0

    def look(self, memory: bool = False) -> None:
        """Measure again, as the clock drifts."""
        seconds = 0.005 if self._quick else 0.1
        self.gflops = max(self.gflops, peak_gflops(get_num_threads(), seconds=seconds))
        if memory:
            seconds = 0.0 if self._quick else 1.0
            self.gb_per_s = max(self.gb_per_s, bandwidth(get_num_threads(), seconds))

    def as_row(self) -> Row:
        """What was measured."""
        found = {"peak_gflops": rounded(self.gflops)}
        return {**found, "bandwidth_gb_per_s": rounded(self.gb_per_s)} if self.gb_per_s else found


def measured(work: Work, sides: dict[str, ModuleType], limits: Limits, quick: bool) -> Row:
    """Losses compared, then microseconds of a step, by side."""
    if quick:
        work = work.smaller()
    X, y = work.batches()
    able = {name: side for name, side in sides.items() if work.loss in side.LOSSES}
    layers = work.layers()
    runs = {name: side.epoch(work, layers, X, y) for name, side in able.items()}
    differences = check_losses(work.name, {name: two_epochs(run) for name, run in runs.items()})
    if not quick:
        limits.look(memory=work.memory_bound)
    best = interleaved(
        list(runs.values()), SECONDS["quick" if quick else "full"], 0.0 if quick else PEERS_PAUSE
    )
    if not quick:
        limits.look(memory=work.memory_bound)
    for name, run in runs.items():
        # Arithmetic with NaN would be no work that anybody wants.
        assert np.isfinite(run()).all(), f"{work.name}: {name} diverged"
    seconds = {name: each / work.steps for name, each in zip(runs, best, strict=True)}
    return {
        "name": work.name,
        "title": work.title,
        "unit": "step",
        "batch": work.batch,
        "widths": list(work.widths),
        "gflop": work.flops / 1e9,
        "gb_read": work.traffic / 1e9,
        "microseconds": {name: rounded(1e6 * each) for name, each in seconds.items()},
        "loss_differences": differences,
        "against": compared(seconds, work.bars),
    }


def add_limits(row: Row, work: Work, limits: Limits) -> None:
    """fastnn's share of what the machine can do, known when all is measured."""
    seconds = row["microseconds"]["fastnn"] / 1e6
    rate = row["gflop"] / seconds
    row["gflops"] = rounded(rate)
    row["percent_of_peak"] = rounded(100 * rate / limits.gflops)
    if work.memory_bound:
        traffic = row["gb_read"] / seconds
        row["gb_per_s"] = rounded(traffic)
        row["percent_of_bandwidth"] = rounded(100 * traffic / limits.gb_per_s)
    row["peak_bar"] = work.peak_bar
    if work.peak_bar is not None:
        row["peak_met"] = row["percent_of_peak"] >= work.peak_bar


def in_trainer(work: Work, quick: bool) -> float:
    """Microseconds of a step of ``Trainer.fit``, gathering shuffled rows and counting hits."""
    import fastnn

    from .sides.fastnn_replay import model_of

    if quick:
        work = work.smaller()
    X, y = work.batches()
    model = model_of(work.layers())
    optimizer = fastnn.SGD(model.parameters(), lr=work.lr)
    trainer = fastnn.Trainer(model, "hinge" if work.loss == "hinge" else work.loss, optimizer)
    history = trainer.fit(
        X.reshape(-1, X.shape[2]),
        y.ravel(),
        epochs=3 if quick else 30,
        batch_size=work.batch,
        progress=False,
    )
    # The first epoch holds the capture.
    return rounded(1e6 * float(np.min(history["seconds"][1:])) / work.steps)


def profile(work: Work) -> str:
    """Where fastnn's time goes, call by call, with the calls as the program has them."""
    from .sides.fastnn_replay import LOSSES, model_of

    X, y = work.batches()
    return profile_of(model_of(work.layers()), work.lr, LOSSES[work.loss], X[0], y[0], 200)


def profile_of(
    model: Any, lr: float, loss_of: Any, x: np.ndarray, labels: np.ndarray, steps: int
) -> str:
    """The same of a model's steps of SGD on one batch."""
    import fastnn

    optimizer = fastnn.SGD(model.parameters(), lr=lr)

    def step(x: Any, labels: Any) -> Any:
        loss = loss_of(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    program = fastnn.capture(step)
    program(x, labels)
    program.profile(max(steps // 10, 1))
    return program.profile(steps)


def missed(row: Row) -> bool:
    """Whether fastnn is below one of the row's bars."""
    return any(each["met"] is False for each in row["against"]) or row.get("peak_met") is False


def save_profile(work: Work, folder: Path) -> str:
    """Write the profile, and return the file's name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{work.name}.txt"
    path.write_text(f"{work.title}\n\n{profile(work)}\n")
    return path.name
