"""Sizes of a call that follow from others, and what to say where they contradict.

The compiled counterpart, for calls in which all is well, is ``windows.pxi``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn._kernels.signatures import GROUPS, WINDOWS, Argument, Window

Numbers = dict[str, Any]


def relate_sizes(
    kernel: str,
    arguments: Sequence[Argument],
    given: dict[str, Any],
    sizes: dict[str, int],
    scalars: Numbers,
) -> None:
    """Add to ``sizes`` those that scalars, windows and groups give."""
    _divide_channels(kernel, given, sizes, scalars)
    dims = {dim for argument in arguments for dim in argument.dims}
    sizes.update({dim: int(scalars[dim]) for dim in dims & scalars.keys()})
    for window in WINDOWS.get(kernel, ()):
        known = {**scalars, **sizes}
        places = _places(kernel, window, known)
        if sizes.setdefault(window.places, places) != places:
            wrong = next(a for a in arguments if window.places in a.dims)
            raise ValueError(
                f"{kernel}: {wrong.name} must have {window.places}={places}, because "
                + ", ".join(f"{name}={known[name]}" for name in window[1:] if name is not None)
                + f"; got shape {np.shape(given[wrong.name])}"
            )


def _places(kernel: str, window: Window, known: Numbers) -> int:
    """How many places the window has."""
    size, taps, padding = known[window.size], known[window.kernel], known[window.padding]
    dilation = 1 if window.dilation is None else known[window.dilation]
    if window.dilation is None and 2 * padding > taps:
        raise ValueError(
            f"{kernel}: {window.padding} must be at most half of {window.kernel}={taps}, "
            f"got {padding}"
        )
    room, span = size + 2 * padding, 1 + dilation * (taps - 1)
    if span > room:
        spread = f", spread over {span} by {window.dilation}={dilation}" if dilation > 1 else ""
        raise ValueError(
            f"{kernel}: the kernel is larger than the padded input: "
            f"{window.kernel}={taps}{spread}, "
            f"but {window.size}={size} and {window.padding}={padding} on both sides make {room}; "
            "the output would be empty"
        )
    return int((room - span) // known[window.stride]) + 1


def _divide_channels(
    kernel: str, given: dict[str, Any], sizes: dict[str, int], scalars: Numbers
) -> None:
    names = GROUPS.get(kernel)
    if names is None:
        return
    channels, depth, filters = (sizes[name] for name in names[:3])
    groups = scalars[names.groups]
    if channels != depth * groups:
        raise ValueError(
            f"{kernel}: x has {channels} channels, but W of shape {np.shape(given['W'])} "
            f"with groups={groups} takes {depth * groups}"
        )
    if filters % groups:
        raise ValueError(
            f"{kernel}: W has {filters} filters, which groups={groups} does not divide"
        )
