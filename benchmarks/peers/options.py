"""What a section is asked for, and how it keeps what it found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.machine import blas_kernel, machine, today, versions

from . import sides
from .environment import threads_of
from .rounds import Row

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("torch", "jax", "scikit-learn", "mygrad")


@dataclass(frozen=True)
class Options:
    """The command line.

    Attributes:
        only: the names of the works wanted, or None for all.
        sides: the names of the sides wanted, or None for all.
        results: the folder to write to, or None.
        readme: whether to write the README's table too.
    """

    only: list[str] | None
    sides: list[str] | None
    quick: bool
    draw: bool
    results: Path | None
    readme: bool

    def wants(self, name: str) -> bool:
        """Whether the work of this name is asked for."""
        return self.only is None or name in self.only

    def check_names(self, known: list[str]) -> None:
        """Stop if ``--only`` has a name that no work has."""
        unknown = sorted(set(self.only or ()) - set(known))
        if unknown:
            raise SystemExit(f"--only {unknown[0]}: the works are {', '.join(known)}")

    def side_names(self) -> tuple[str, ...]:
        """The sides wanted, fastnn and NumPy among them."""
        unknown = sorted(set(self.sides or ()) - set(sides.NAMES))
        if unknown:
            raise SystemExit(f"--sides {unknown[0]}: the sides are {', '.join(sides.NAMES)}")
        wanted = sides.NAMES if self.sides is None else ("fastnn", "numpy", *self.sides)
        return tuple(name for name in sides.NAMES if name in wanted)

    def load_sides(self) -> dict[str, ModuleType]:
        """The sides wanted whose library is installed; the others are named."""
        loaded = sides.load(self.side_names())
        for name in self.side_names():
            if name not in loaded:
                print(f"{name} is not installed, and takes no part")
        return loaded

    def keep(
        self, name: str, measure: Callable[[], Row], texts: dict[str, Callable[[Row], str]]
    ) -> Row:
        """Measure, or with ``--draw`` read; write ``name``.json and a text of each kind."""
        if self.draw:
            if self.results is None:
                raise SystemExit("--draw wants --results with a part of the works")
            result: Row = json.loads((self.results / f"{name}.json").read_text())
        else:
            result = measure()
        made = {kind: text(result) for kind, text in texts.items()}
        if self.results is not None:
            self.results.mkdir(parents=True, exist_ok=True)
            if not self.draw:
                save(result, self.results / f"{name}.json")
            for kind, text in made.items():
                (self.results / f"{name}.{kind}").write_text(text)
        print(made["md"])
        return result


def described(command: str, quick: bool) -> Row:
    """When, where and with what a result is measured."""
    return {
        "command": command,
        "date": today(),
        "quick": quick,
        "threads": threads_of(quick),
        "machine": machine(),
        "versions": {**versions(*PACKAGES), "blas_kernel": blas_kernel()},
    }


def conditions(result: Row) -> str:
    """One sentence: machine, versions, command."""
    machine, versions = result["machine"], result["versions"]
    names = {"torch": "PyTorch", "jax": "JAX", "scikit-learn": "scikit-learn", "mygrad": "MyGrad"}
    peers = [f"{title} {versions[name]}" for name, title in names.items() if versions[name]]
    quick = "Tiny sizes and few rounds, which measure nothing; " if result["quick"] else ""
    return (
        f"{quick}{machine['processor']}, {machine['cores']} cores, {machine['instruction_set']}; "
        f"{result['threads']} threads on every side; fastnn {versions['fastnn']}, NumPy "
        f"{versions['numpy']} ({versions['blas']}, {versions['blas_kernel']} kernels), "
        + "".join(f"{each}, " for each in peers)
        + f"Python {versions['python']}; `{result['command']}`, {result['date']}"
    )


def save(result: Row, path: Path) -> None:
    """One measured row a line, so that a diff of two runs can be read."""
    lines = [json.dumps(row, ensure_ascii=False) for row in result["rows"]]
    rows = ",\n".join(f"    {line}" for line in lines)
    head: Any = json.dumps({**result, "rows": []}, indent=2, ensure_ascii=False)
    path.write_text(head.replace('"rows": []', f'"rows": [\n{rows}\n  ]') + "\n")
