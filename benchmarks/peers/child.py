"""What is measured in a process of its own: ``python -m benchmarks.peers.child``.

The arguments are a kind of measurement, the name of a work and a side, and ``--quick``; the
result goes to standard output as JSON.  The environment is that of the process that starts it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

Found = dict[str, float]
STATUS = Path("/proc/self/status")


def ask(kind: str, work: str, side: str, quick: bool) -> Found:
    """What a new process finds."""
    command = [sys.executable, "-m", "benchmarks.peers.child", kind, work, side]
    done = subprocess.run(
        [*command, *(["--quick"] if quick else [])],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent.parent,
    )
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def startup(work: Any, side: str) -> Found:
    """Seconds of the import without NumPy's, of the first step from arrays, and of the second."""
    from . import sides

    began = perf_counter()
    module = sides.load((side,))[side]
    imported = perf_counter()
    work = replace(work, steps=1)
    X, y = work.batches()
    layers = work.layers()
    ready = perf_counter()
    run = module.epoch(work, layers, X, y)
    run()
    first = perf_counter()
    run()
    second = perf_counter()
    return {"import": imported - began, "first": first - ready, "second": second - first}


def memory(work: Any, side: str) -> Found:
    """Megabytes: with the library and data loaded, and the most while it trains."""
    from . import sides

    module = sides.load((side,))[side]
    if work is None:
        from .fit import images_task

        task = images_task()
        return _grown(lambda: module.fit(task))
    X, y = work.batches()
    layers = work.layers()

    def train() -> None:
        run = module.epoch(work, layers, X, y)
        for _ in range(3):
            run()

    return _grown(train)


def alexnet(side: str, quick: bool) -> Found:
    """As ``memory``: AlexNet's steps."""
    from .alexnet import images, trainer

    return _grown(trainer(side, *images(quick)))


def _grown(train: Any) -> Found:
    Path("/proc/self/clear_refs").write_text("5")  # forget the highest so far
    before = _megabytes("VmRSS")
    train()
    return {"loaded": before, "peak": _megabytes("VmHWM")}


def _megabytes(field: str) -> float:
    lines = STATUS.read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith(field))
    return round(int(kilobytes) * 1024 / 1e6, 1)


def main() -> None:
    kind, name, side = sys.argv[1:4]
    quick = "--quick" in sys.argv
    if name == "alexnet":
        print(json.dumps(alexnet(side, quick)))
        return
    from .works import WORKS

    work = next((each for each in WORKS if each.name == name), None)
    if work is not None and quick:
        work = work.smaller()
    print(json.dumps({"startup": startup, "memory": memory}[kind](work, side)))


if __name__ == "__main__":
    main()
