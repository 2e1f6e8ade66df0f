"""One table of calls that every generic kernel test walks: kernels x their options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from kernels.augment_cases import AUGMENTATIONS
from kernels.conv_cases import CONVOLUTIONS
from kernels.harness import Arguments, Case, Magnitudes
from kernels.layer_cases import LAYERS
from kernels.random_cases import RANDOM
from kernels.update_cases import UPDATES


def exact(arguments: Arguments, results: tuple) -> Magnitudes:
    return tuple((0, 0.0) for _ in results)


def relative(arguments: Arguments, results: tuple) -> Magnitudes:
    return tuple((1, np.abs(r)) for r in results)


# --- matrix multiply ------------------------------------------------------------------


def _matmul(bias: bool) -> Callable:
    def make(rng, dtype, n, c):
        inner = (7 * n + 3 * c) % 41 + 1
        return {
            "a": rng.standard_normal((n, inner)).astype(dtype),
            "b": rng.standard_normal((inner, c)).astype(dtype),
            "bias": rng.standard_normal(c).astype(dtype) if bias else None,
        }

    return make


def matmul_magnitudes(arguments, results):
    a, b, bias = arguments["a"], arguments["b"], arguments["bias"]
    size = np.abs(a) @ np.abs(b) + (0 if bias is None else np.abs(bias))
    return ((a.shape[1] + 1, size),)


def _linear(rng, dtype, n, c):
    arguments = _matmul(True)(rng, dtype, n, c)
    return {"x": arguments["a"], "W": arguments["b"], "b": arguments["bias"]}


def _linear_magnitudes(arguments, results):
    x, W, b = (arguments[name] for name in ("x", "W", "b"))
    return matmul_magnitudes({"a": x, "b": W, "bias": b}, results)


def _linear_backward(rng, dtype, n, c):
    arguments = _linear(rng, dtype, n, c)
    dout = rng.standard_normal((n, c)).astype(dtype)
    return {"dout": dout, "x": arguments["x"], "W": arguments["W"]}


def linear_backward_magnitudes(arguments, results):
    dout, x, W = (np.abs(arguments[name]) for name in ("dout", "x", "W"))
    n, c = dout.shape
    return (c, dout @ W.T), (n, x.T @ dout), (n, dout.sum(axis=0))


# --- activations ----------------------------------------------------------------------


def _activation(rng, dtype, n, c):
    return {"x": (3 * rng.standard_normal((n, c))).astype(dtype)}


def _backward(saved: str, values: Callable) -> Callable:
    def make(rng, dtype, n, c):
        x = rng.standard_normal((n, c))
        dout = rng.standard_normal((n, c)).astype(dtype)
        return {"dout": dout, saved: values(x).astype(dtype)}

    return make


def _pointwise_backward(arguments, results):
    y = arguments["y"]
    return ((1, np.abs(arguments["dout"]) * (1 + y * y)),)


def _softmax_magnitudes(arguments, results):
    # A relative bound: exp(x - max) sees the same rounded x - max on both sides.
    return ((arguments["x"].shape[-1], results[0]),)


def _log_softmax_magnitudes(arguments, results):
    c = arguments["x"].shape[-1]
    return ((c, np.abs(results[0]) + 1 + np.log(c)),)


def _softmax_backward_magnitudes(arguments, results):
    dout, y = np.abs(arguments["dout"]), arguments["y"]
    return ((y.shape[-1], y * (dout + (dout * y).sum(axis=-1, keepdims=True))),)


def _log_softmax_backward_magnitudes(arguments, results):
    dout, y = np.abs(arguments["dout"]), arguments["y"]
    c = y.shape[-1]
    return ((c, dout + (1 + np.abs(y)) * np.exp(y) * dout.sum(-1, keepdims=True)),)


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x)
    return e / e.sum(axis=-1, keepdims=True)


# --- losses ---------------------------------------------------------------------------


def _labelled(weights: bool, **options: Any) -> Callable:
    def make(rng, dtype, n, c):
        arguments = {
            "scores": (2 * rng.standard_normal((n, c))).astype(dtype),
            "y": rng.integers(c, size=n),
            **options,
        }
        if weights:
            arguments["weight"] = rng.uniform(0.5, 2, c).astype(dtype)
            arguments["sample_weight"] = rng.uniform(0.1, 3, n).astype(dtype)
        return arguments

    return make


def _share(arguments: Arguments) -> np.ndarray:
    y, weight = arguments["y"], arguments.get("weight")
    w = np.ones(len(y)) if weight is None else weight.astype(np.float64)[y]
    if arguments.get("sample_weight") is not None:
        w = w * arguments["sample_weight"]
    return w / w.sum()


def _cross_entropy_magnitudes(arguments, results):
    scores, y = arguments["scores"].astype(np.float64), arguments["y"]
    c = scores.shape[1]
    share = _share(arguments)[:, None]
    p = _softmax(scores - scores.max(axis=1, keepdims=True))
    spread = np.abs(scores - scores.max(axis=1, keepdims=True)) + 1 + np.log(c)
    picked = np.arange(c) == y[:, None]
    return (c, (share * spread * picked).sum()), (c, share * (p * spread + picked))


def _hinge_magnitudes(arguments, results):
    scores, y = arguments["scores"].astype(np.float64), arguments["y"]
    share = _share(arguments)[:, None]
    true = np.abs(scores[np.arange(len(y)), y])[:, None]
    size = np.abs(scores) + true + abs(arguments.get("delta", 1.0))
    return (scores.shape[1], (share * size).sum()), (1, np.abs(results[1]))


def _regression(first: str, weights: bool, target: str = "any", **options: Any):
    def make(rng, dtype, n, c):
        draw = rng.uniform if target == "probability" else rng.standard_normal
        arguments = {
            first: (2 * rng.standard_normal((n, c))).astype(dtype),
            "target": draw(size=(n, c)).astype(dtype),
            **options,
        }
        if weights:
            arguments["sample_weight"] = rng.uniform(0.1, 3, n).astype(dtype)
        return arguments

    return make


def _binary_magnitudes(arguments, results):
    x, t = np.abs(arguments["logits"]).astype(np.float64), arguments["target"]
    weights = arguments.get("sample_weight")
    share = np.ones(len(x)) if weights is None else weights.astype(np.float64)
    share = (share / share.sum() / (x.size // len(x))).reshape(-1, *[1] * (x.ndim - 1))
    return (1, (share * (x * (1 + t) + 1)).sum()), (1, share * (1 + t))


# --- in-place helpers and gathers -----------------------------------------------------


def _inplace(**options: Any) -> Callable:
    def make(rng, dtype, n, c):
        return {"x": rng.standard_normal((n, c)).astype(dtype), **options}

    return make


def _gather(source: str, **options: Any) -> Callable:
    def make(rng, dtype, n, c):
        if source == "bytes":
            rows = rng.integers(256, size=(n + 3, c)).astype(np.uint8)
        else:
            rows = rng.standard_normal((n + 3, c)).astype(dtype)
        return {"source": rows, "indices": rng.integers(n + 3, size=n), **options}

    return make


def _gather_magnitudes(arguments, results):
    rows = arguments["source"][arguments["indices"]].astype(np.float64)
    size = np.abs(rows * arguments.get("scale", 1.0)) + abs(arguments.get("shift", 0.0))
    return ((1, size),)


def _gather_labels(rng, dtype, n, c):
    return {"y": rng.integers(c, size=n + 3), "indices": rng.integers(n + 3, size=n)}


# --- the table ------------------------------------------------------------------------


def _loss_cases() -> list[Case]:
    cases = []
    for tag, weights in (("", False), ("/weights", True)):
        both = {"outputs": ("loss", "dscores"), "takes_empty": False}
        cases.append(
            Case(
                f"cross_entropy{tag}",
                "cross_entropy",
                _labelled(weights),
                _cross_entropy_magnitudes,
                **both,
            )
        )
        cases += [
            Case(
                f"hinge_loss/delta={delta}{tag}",
                "hinge_loss",
                _labelled(weights, delta=delta),
                _hinge_magnitudes,
                **both,
            )
            for delta in (0.0, 1.0, 2.5)
        ]
        both["outputs"] = ("loss", "dpred")
        for name in ("mse_loss", "l1_loss"):
            make = _regression("pred", weights)
            cases.append(Case(f"{name}{tag}", name, make, relative, **both))
        cases += [
            Case(
                f"huber_loss/delta={delta}{tag}",
                "huber_loss",
                _regression("pred", weights, delta=delta),
                relative,
                **both,
            )
            for delta in (0.5, 1.0)
        ]
        both["outputs"] = ("loss", "dlogits")
        cases.append(
            Case(
                f"binary_cross_entropy{tag}",
                "binary_cross_entropy",
                _regression("logits", weights, "probability"),
                _binary_magnitudes,
                **both,
            )
        )
    return cases


_BACKWARDS = ("dx", "dW", "db")
_y = {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "softmax": _softmax}

CASES: list[Case] = [
    Case("matmul", "matmul", _matmul(False), matmul_magnitudes),
    Case("matmul/bias", "matmul", _matmul(True), matmul_magnitudes),
    Case("linear", "linear", _linear, _linear_magnitudes, ("y",)),
    Case(
        "linear_backward",
        "linear_backward",
        _linear_backward,
        linear_backward_magnitudes,
        _BACKWARDS,
    ),
    Case("relu", "relu", _activation, exact),
    Case("relu_backward", "relu_backward", _backward("x", np.copy), exact),
    Case("sigmoid", "sigmoid", _activation, relative),
    Case(
        "sigmoid_backward",
        "sigmoid_backward",
        _backward("y", _y["sigmoid"]),
        _pointwise_backward,
    ),
    Case("tanh", "tanh", _activation, relative),
    Case("tanh_backward", "tanh_backward", _backward("y", np.tanh), _pointwise_backward),
    Case("softmax", "softmax", _activation, _softmax_magnitudes),
    Case(
        "softmax_backward",
        "softmax_backward",
        _backward("y", _softmax),
        _softmax_backward_magnitudes,
    ),
    Case("log_softmax", "log_softmax", _activation, _log_softmax_magnitudes),
    Case(
        "log_softmax_backward",
        "log_softmax_backward",
        _backward("y", lambda x: np.log(_softmax(x))),
        _log_softmax_backward_magnitudes,
    ),
    *_loss_cases(),
    *UPDATES,
    Case(
        "sum_of_squares",
        "sum_of_squares",
        _inplace(),
        lambda a, r: ((a["x"].size, r[0]),),
    ),
    Case("scale", "scale", _inplace(factor=0.3), exact, (), ("x",)),
    Case("clip_value", "clip_value", _inplace(limit=0.5), exact, (), ("x",)),
    Case("gather_rows", "gather_rows", _gather("floats"), exact),
    Case(
        "gather_rows/scale",
        "gather_rows",
        _gather("floats", scale=0.7, shift=0.2),
        _gather_magnitudes,
    ),
    Case(
        "gather_rows/shift",
        "gather_rows",
        _gather("floats", shift=-0.5),
        _gather_magnitudes,
    ),
    Case(
        "gather_rows/bytes",
        "gather_rows",
        _gather("bytes", scale=1 / 255, shift=0.5),
        _gather_magnitudes,
    ),
    Case("gather_labels", "gather_labels", _gather_labels, exact),
    *CONVOLUTIONS,
    *LAYERS,
    *RANDOM,
    *AUGMENTATIONS,
]
BY_LABEL = {case.label: case for case in CASES}
