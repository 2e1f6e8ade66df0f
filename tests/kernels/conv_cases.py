"""The convolution's rows of the table of cases: strides, padding, dilation, groups."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from kernels.harness import Arguments, Case

from fastnn._kernels import reference

Geometry = dict[str, int]
BACKWARDS = ("dx", "dW", "db")


def geometry_of(arguments: Arguments) -> Geometry:
    return {name: value for name, value in arguments.items() if isinstance(value, int)}


def _make(
    backward: bool, taps: tuple[int, int], bias: bool = True, groups: int = 1, **geometry: int
) -> Callable:
    def make(rng, dtype, n, c):
        depth, filters = 1 + c % 7, groups * (1 + n % 29)
        images = min(n, 2 + n // 200)
        x = rng.standard_normal((images, groups * depth, 5 + c % 31, 6 + (n + c) % 23))
        W = rng.standard_normal((filters, depth, *taps))
        arguments = {"x": x.astype(dtype), "W": W.astype(dtype), "groups": groups, **geometry}
        b = rng.standard_normal(filters).astype(dtype)
        if not backward:
            return {**arguments, "b": b if bias else None}
        shape = reference.conv2d(**arguments).shape
        return {"dout": rng.standard_normal(shape).astype(dtype), **arguments}

    return make


def conv2d_magnitudes(arguments, results):
    sizes = {name: np.abs(arguments[name]) for name in "xW"}
    b = arguments.get("b")
    size = reference.conv2d(**sizes, b=None if b is None else np.abs(b), **geometry_of(arguments))
    return ((arguments["W"][0].size + 1, size),)


def conv2d_backward_magnitudes(arguments, results):
    arrays = {name: np.abs(arguments[name]) for name in ("dout", "x", "W")}
    dx, dW, db = reference.conv2d_backward(**arrays, **geometry_of(arguments))
    places = arguments["dout"].size // max(arguments["dout"].shape[1], 1)
    return (arguments["W"][:, 0].size, dx), (places, dW), (places, db)


_GEOMETRIES: dict[str, dict] = {
    "": {"taps": (3, 3)},
    "/padding": {"taps": (5, 3), "bias": False, "padding_h": 2, "padding_w": 1},
    "/stride": {"taps": (3, 4), "stride_h": 2, "stride_w": 3, "padding_w": 2},
    "/dilation": {"taps": (2, 3), "dilation_h": 3, "dilation_w": 2, "stride_w": 2},
    "/groups": {"taps": (3, 2), "groups": 2, "padding_h": 1},
    "/1x1": {"taps": (1, 1)},
    "/stride beyond the taps": {"taps": (2, 1), "stride_h": 3, "stride_w": 2},
}

CONVOLUTIONS: list[Case] = [
    *(
        Case(f"conv2d{tag}", "conv2d", _make(False, **options), conv2d_magnitudes)
        for tag, options in _GEOMETRIES.items()
    ),
    *(
        Case(
            f"conv2d_backward{tag}",
            "conv2d_backward",
            _make(True, **options),
            conv2d_backward_magnitudes,
            BACKWARDS,
        )
        for tag, options in _GEOMETRIES.items()
    ),
]
