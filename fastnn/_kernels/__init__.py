"""The kernels, by name: ``relu(x)``, ``linear(x, W, b)`` ...

Each is compiled code behind the doorway, with the name and the arguments of its twin in
``reference.py``.  The best instruction set that this processor runs is picked here, once;
the environment variable ``FASTNN_ISA`` (baseline, avx2 or avx512) picks another.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

from fastnn._kernels import _doorway
from fastnn._kernels.signatures import ROWS
from fastnn._kernels.threads import default_threads

kernels: dict[str, Any] = {name: _doorway.Kernel(name) for name in ROWS}
globals().update(kernels)


def _built_isas() -> tuple[str, ...]:
    """The instruction sets that this processor runs and this build holds, the best last."""
    return tuple(
        isa
        for isa in _doorway.supported_isas()
        if importlib.util.find_spec(f"fastnn._kernels._{isa}")
    )


def _pick_isa() -> str:
    wanted = os.environ.get("FASTNN_ISA", "").strip().lower()
    if not wanted:
        return isas[-1]
    if wanted not in isas:
        raise ImportError(
            f"FASTNN_ISA is {wanted!r}, but this processor and this build of fastnn "
            f"offer {', '.join(isas)}"
        )
    return wanted


isas = _built_isas()
isa = _pick_isa()
_doorway.use(importlib.import_module(f"fastnn._kernels._{isa}").capsule, kernels)
_doorway.set_num_threads(default_threads())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_doorway.after_fork_in_child)


def __getattr__(name: str) -> Any:
    raise AttributeError(f"there is no kernel {name!r}; there are {', '.join(ROWS)}")
