"""The optimizers' rows of the table of cases: every update with every option."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from kernels.harness import Arguments, Case


def _optimizer(state: tuple[str, ...], **options: Any) -> Callable:
    def make(rng, dtype, n, c):
        shape = (n, c)
        arguments = {name: rng.standard_normal(shape).astype(dtype) for name in "wg"}
        for name in state:
            values = rng.standard_normal(shape)
            squared = name in ("v", "s")
            arguments[name] = (values**2 if squared else values).astype(dtype)
        return {**arguments, **options}

    return make


def _gradient_size(a: Arguments) -> np.ndarray:
    return np.abs(a["g"]) + a.get("weight_decay", 0.0) * np.abs(a["w"])


def _sgd_magnitudes(a, results):
    momentum = a.get("momentum", 0.0)
    size = _gradient_size(a)
    if not momentum:
        return ((3, np.abs(a["w"]) + a["lr"] * size),)
    velocity = momentum * np.abs(a["velocity"]) + size
    step = size + momentum * velocity if a.get("nesterov") else velocity
    return (4, np.abs(a["w"]) + a["lr"] * step), (3, velocity)


def _adam_magnitudes(a, results):
    beta1, beta2, step = 0.9, 0.999, a["step"]
    size = _gradient_size(a)
    m = beta1 * np.abs(a["m"]) + (1 - beta1) * size
    v = beta2 * a["v"] + (1 - beta2) * size**2
    root = np.sqrt(results[2] / (1 - beta2**step))
    moved = a["lr"] / (1 - beta1**step) * m / root * (v / results[2])
    return (6, np.abs(a["w"]) + moved), (3, m), (3, v)


def _rmsprop_magnitudes(a, results):
    size = _gradient_size(a)
    v = 0.99 * a["v"] + 0.01 * size**2
    moved = size / np.sqrt(results[1]) * (v / results[1])
    if "velocity" not in a:
        return (5, np.abs(a["w"]) + a["lr"] * moved), (3, v)
    velocity = a["momentum"] * np.abs(a["velocity"]) + moved
    return (6, np.abs(a["w"]) + a["lr"] * velocity), (3, v), (5, velocity)


def _adagrad_magnitudes(a, results):
    size = _gradient_size(a)
    s = a["s"] + size**2
    moved = size / np.sqrt(results[1]) * (s / results[1])
    return (5, np.abs(a["w"]) + a["lr"] * moved), (3, s)


def _cases() -> list[Case]:
    def case(label, kernel, state, magnitudes, **options):
        make = _optimizer(state, lr=0.05, **options)
        return Case(label, kernel, make, magnitudes, (), ("w", *state))

    decay = {"weight_decay": 0.1}
    fast = {"momentum": 0.9}
    sgd = ("sgd_update", ("velocity",), _sgd_magnitudes)
    adam = ("adam_update", ("m", "v"), _adam_magnitudes)
    rms = ("rmsprop_update", ("v",), _rmsprop_magnitudes)
    rms_fast = ("rmsprop_update", ("v", "velocity"), _rmsprop_magnitudes)
    adagrad = ("adagrad_update", ("s",), _adagrad_magnitudes)
    return [
        case("sgd", "sgd_update", (), _sgd_magnitudes),
        case("sgd/decay", "sgd_update", (), _sgd_magnitudes, **decay),
        case("sgd/momentum", *sgd, **fast),
        case("sgd/momentum+decay", *sgd, **fast, **decay),
        case("sgd/nesterov", *sgd, **fast, nesterov=True),
        case("sgd/nesterov+decay", *sgd, **fast, **decay, nesterov=True),
        case("adam/first", *adam, step=1),
        case("adam/later", *adam, step=1000),
        case("adam/decay", *adam, step=3, **decay),
        case("adam/decoupled", *adam, step=3, **decay, decoupled=True),
        case("rmsprop", *rms),
        case("rmsprop/decay", *rms, **decay),
        case("rmsprop/momentum", *rms_fast, **fast),
        case("rmsprop/momentum+decay", *rms_fast, **fast, **decay),
        case("adagrad", *adagrad),
        case("adagrad/decay", *adagrad, **decay),
    ]


UPDATES = _cases()
