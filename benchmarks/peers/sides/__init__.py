"""The sides: a module each, which does the same works with its own library.

A side has a ``TITLE``, and of the following what its library can do:

``epoch(work, layers, X, y)``
    a function that makes one SGD step with each batch of X (steps, batch, features) and y
    (steps, batch), going on with its weights, and returns the losses (steps,), or their mean.
``images(net, X, y)``
    the same as ``epoch`` for a :class:`~benchmarks.peers.nets.Net` of images.
``eleven_lines(X, y, w0, w1, n)``
    a function that runs the lecture's 11-line net from w0, w1 and returns its weights.
``fit(task)``
    trains as a :class:`~benchmarks.peers.task.Task` says, and returns a ``Fitted``.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

# By name: the library, and the module here.
_SIDES = {
    "fastnn": "fastnn_replay",
    "numpy": "numpy_by_hand",
    "jax": "jax_scan",
    "torch": "torch_eager",
    "sklearn": "sklearn_mlp",
    "mygrad": "mygrad_graph",
}
NAMES = tuple(_SIDES)


def load(names: tuple[str, ...] = NAMES) -> dict[str, ModuleType]:
    """The sides of these names whose library is installed, by name."""
    return {
        name: import_module(f"{__name__}.{_SIDES[name]}")
        for name in names
        if find_spec(name) is not None
    }
