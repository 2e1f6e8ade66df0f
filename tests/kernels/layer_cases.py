"""Rows of the table of cases: pooling, normalisation and dropout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from kernels.harness import Arguments, Case

from fastnn._kernels import reference


def _exact(arguments: Arguments, results: tuple) -> tuple:
    return tuple((0, 0.0) for _ in results)


def _images(rng, dtype, n, c):
    """(N, C, H, W) of small whole numbers now and then, so that windows have ties."""
    shape = (min(n, 2 + n // 300), 1 + c % 5, 6 + c % 29, 6 + (n + c) % 25)
    x = rng.standard_normal(shape)
    return (np.round(x) if n % 2 else x).astype(dtype)


# --- pooling --------------------------------------------------------------------------


def _pooling(kind: str, backward: bool, **window: int) -> Callable:
    def make(rng, dtype, n, c):
        x = _images(rng, dtype, n, c)
        if not backward:
            return {"x": x, **window}
        shape = reference.max_pool2d(x, **window).shape
        dout = rng.standard_normal(shape).astype(dtype)
        if kind == "max":
            return {"dout": dout, "x": x, **window}
        return {"dout": dout, "height": x.shape[2], "width": x.shape[3], **window}

    return make


def _window_magnitudes(name: str) -> Callable:
    def magnitudes(arguments, results):
        first = "x" if "dout" not in arguments else "dout"
        size = getattr(reference, name)(**{**arguments, first: np.abs(arguments[first])})
        return ((arguments["kernel_h"] * arguments["kernel_w"], size),)

    return magnitudes


_WINDOWS: dict[str, dict[str, int]] = {
    "": {"kernel_h": 2, "kernel_w": 2, "stride_h": 2, "stride_w": 2},
    "/overlapping": {"kernel_h": 3, "kernel_w": 3, "stride_h": 2, "stride_w": 2},
    "/padding": {
        "kernel_h": 5, "kernel_w": 4, "stride_h": 1, "stride_w": 3,
        "padding_h": 2, "padding_w": 2,
    },
    "/apart": {"kernel_h": 1, "kernel_w": 2, "stride_h": 3, "stride_w": 4},
}  # fmt: skip


def _pooling_cases() -> list[Case]:
    cases = []
    for tag, window in _WINDOWS.items():
        for kind in ("max", "avg"):
            for way in ("", "_backward"):
                name = f"{kind}_pool2d{way}"
                exact = name == "max_pool2d"
                cases.append(
                    Case(
                        f"{name}{tag}",
                        name,
                        _pooling(kind, bool(way), **window),
                        _exact if exact else _window_magnitudes(name),
                    )
                )
    return cases


# --- normalisation --------------------------------------------------------------------


def _response_norm(backward: bool, **options: Any) -> Callable:
    def make(rng, dtype, n, c):
        x = 3 * rng.standard_normal((min(n, 2 + n // 300), 1 + c % 9, 4 + n % 40, 3 + c % 20))
        dout = rng.standard_normal(x.shape).astype(dtype)
        return {**({"dout": dout} if backward else {}), "x": x.astype(dtype), **options}

    return make


def _response_norm_magnitudes(arguments, results):
    # d is a sum of positive terms, so its rounding is relative, and so is a power's
    return ((20 + arguments["size"], np.abs(results[0])),)


def _response_norm_backward_magnitudes(arguments, results):
    forward = {name: value for name, value in arguments.items() if name != "dout"}
    x, dout = np.abs(arguments["x"]), np.abs(arguments["dout"])
    first = dout * np.abs(reference.local_response_norm(**{**forward, "x": x}) / x)
    whole = np.abs(reference.local_response_norm_backward(**{**arguments, "x": x, "dout": -dout}))
    return ((20 + arguments["size"], 2 * first + whole),)


def _batch(flat: bool, scaled: bool, name: str) -> Callable:
    def make(rng, dtype, n, c):
        rows = n if name == "batch_norm_eval" else max(n, 2)
        shape = (rows, c) if flat else (min(rows, 3 + n // 100), c % 17 + 1, 3 + n % 9, 1 + c % 30)
        channels = shape[1]
        arguments = {"x": (2 * rng.standard_normal(shape) + 1).astype(dtype)}
        if name == "batch_norm_backward":
            arguments["dout"] = rng.standard_normal(shape).astype(dtype)
            arguments["mean"] = rng.standard_normal(channels).astype(dtype)
            arguments["rstd"] = rng.uniform(0.5, 2, channels).astype(dtype)
        if name == "batch_norm_eval":
            arguments["running_mean"] = rng.standard_normal(channels).astype(dtype)
            arguments["running_var"] = rng.uniform(0, 2, channels).astype(dtype)
        if scaled:
            arguments["gamma"] = rng.standard_normal(channels).astype(dtype)
            if name != "batch_norm_backward":
                arguments["beta"] = rng.standard_normal(channels).astype(dtype)
        return arguments

    return make


def _by_channel(values, x):
    return np.abs(np.asarray(values, np.float64)).reshape(-1, *(1,) * (x.ndim - 2))


def _normal_size(a: Arguments, mean, rstd) -> np.ndarray:
    x = a["x"]
    return (np.abs(x.astype(np.float64)) + _by_channel(mean, x)) * _by_channel(rstd, x)


def _scale_size(a: Arguments, mean, rstd) -> np.ndarray:
    size = _normal_size(a, mean, rstd)
    for name in ("gamma", "beta"):
        if a.get(name) is not None:
            part = _by_channel(a[name], a["x"])
            size = size * part if name == "gamma" else size + part
    return size


def _batch_norm_magnitudes(a, results):
    _, mean, rstd = results
    count = a["x"].size // a["x"].shape[1]
    size = np.abs(a["x"].astype(np.float64)).mean(axis=(0, *range(2, a["x"].ndim)))
    # the deviation's own rounding, of the size of x, against a spread of 1 / rstd
    return (count, _scale_size(a, mean, rstd)), (count, size), (count, rstd * (1 + size * rstd))


def _batch_norm_eval_magnitudes(a, results):
    rstd = 1 / np.sqrt(a["running_var"].astype(np.float64) + 1e-5)
    return ((4, _scale_size(a, a["running_mean"], rstd)),)


def _batch_norm_backward_magnitudes(a, results):
    axes = (0, *range(2, a["x"].ndim))
    normal, dout = _normal_size(a, a["mean"], a["rstd"]), np.abs(a["dout"].astype(np.float64))
    factor = _by_channel(a["rstd"], a["x"])
    if "gamma" in a:
        factor = factor * _by_channel(a["gamma"], a["x"])
    means = (dout.mean(axis=axes), (dout * normal).mean(axis=axes))
    dx = dout + _by_channel(means[0], a["x"]) + normal * _by_channel(means[1], a["x"])
    count = dout.size // dout.shape[1]
    return (4, factor * dx), (count, count * means[1]), (count, count * means[0])


_BATCH_OUTPUTS = {
    "batch_norm": (("out", "mean", "rstd"), _batch_norm_magnitudes),
    "batch_norm_eval": (("out",), _batch_norm_eval_magnitudes),
    "batch_norm_backward": (("dx", "dgamma", "dbeta"), _batch_norm_backward_magnitudes),
}


def _batch_norm_cases() -> list[Case]:
    return [
        Case(
            f"{name}{'/flat' if flat else ''}{'/scaled' if scaled else ''}",
            name,
            _batch(flat, scaled, name),
            magnitudes,
            outputs,
            takes_empty=name == "batch_norm_eval",
        )
        for name, (outputs, magnitudes) in _BATCH_OUTPUTS.items()
        for flat in (False, True)
        for scaled in (False, True)
    ]


# --- dropout --------------------------------------------------------------------------


def _dropout(p: float) -> Callable:
    def make(rng, dtype, n, c):
        state = rng.integers(-(2**63), 2**63, size=2)
        return {"x": rng.standard_normal((n, c)).astype(dtype), "p": p, "state": state}

    return make


LAYERS: list[Case] = [
    *_pooling_cases(),
    *(
        Case(
            f"local_response_norm{way}{tag}",
            f"local_response_norm{way}",
            _response_norm(bool(way), **options),
            _response_norm_backward_magnitudes if way else _response_norm_magnitudes,
        )
        for way in ("", "_backward")
        for tag, options in (
            ("", {"size": 5, "alpha": 5e-4, "k": 2.0}),
            ("/even", {"size": 4, "alpha": 0.3, "beta": 0.6}),
            ("/one channel", {"size": 1, "alpha": 0.1, "beta": 0.5}),
        )
    ),
    *_batch_norm_cases(),
    *(Case(f"dropout/p={p}", "dropout", _dropout(p), _exact) for p in (0.0, 0.3, 0.5, 1.0)),
]
