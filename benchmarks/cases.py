"""What is measured: every kernel at the sizes of small nets, and beyond the caches.

Both sides get the same call and allocate the same results.  ``training`` marks the one
size a kernel is judged by in the README: a 784-256-128-10 net with batches of 128.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn._kernels import reference

Arguments = dict[str, Any]
Rng = np.random.Generator
BEYOND_CACHES = 16_000_000


@dataclass(frozen=True)
class Benchmark:
    """One call, with its ``flops``, or the bytes it must move if memory bounds it."""

    kernel: str
    size: str
    make: Callable[[Rng, np.dtype], Arguments]
    flops: int = 0
    traffic: Callable[[int], int] | None = None
    training: bool = False

    @property
    def label(self) -> str:
        return f"{self.kernel} {self.size}"


def normal(rng: Rng, dtype: np.dtype, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape, np.float32).astype(dtype)


def _matmul(m: int, inner: int, n: int, bias: bool = False) -> Benchmark:
    def make(rng: Rng, dtype: np.dtype) -> Arguments:
        a, b = normal(rng, dtype, m, inner), normal(rng, dtype, inner, n)
        return {"a": a, "b": b, "bias": normal(rng, dtype, n) if bias else None}

    size = f"{m}x{inner}x{n}" + (" + bias" if bias else "")
    training = (m, inner, n) == (128, 784, 256) and not bias
    return Benchmark("matmul", size, make, flops=2 * m * inner * n, training=training)


def _linear(n: int, d: int, c: int, training: bool = False) -> list[Benchmark]:
    def forward(rng: Rng, dtype: np.dtype) -> Arguments:
        x, W = normal(rng, dtype, n, d), normal(rng, dtype, d, c)
        return {"x": x, "W": W, "b": normal(rng, dtype, c)}

    def backward(rng: Rng, dtype: np.dtype) -> Arguments:
        arguments = forward(rng, dtype)
        dout = normal(rng, dtype, n, c)
        return {"dout": dout, "x": arguments["x"], "W": arguments["W"]}

    size, flops = f"{n}x{d}x{c}", 2 * n * d * c
    return [
        Benchmark("linear", size, forward, flops, training=training),
        Benchmark("linear_backward", size, backward, 2 * flops, training=training),
    ]


def _activations(n: int, c: int, names: list[str], training: bool) -> list[Benchmark]:
    """A backward reads what its forward returns, relu's what its forward reads."""

    def benchmark(name: str) -> Benchmark:
        def make(rng: Rng, dtype: np.dtype) -> Arguments:
            x = normal(rng, dtype, n, c)
            if not name.endswith("_backward"):
                return {"x": x}
            saved = "x" if name == "relu_backward" else "y"
            return {"dout": normal(rng, dtype, n, c), saved: np.abs(x) / 4}

        return Benchmark(name, f"{n}x{c}", make, training=training)

    return [benchmark(name) for name in names]


def _class_losses(n: int, c: int, training: bool) -> list[Benchmark]:
    def make(rng: Rng, dtype: np.dtype) -> Arguments:
        return {"scores": normal(rng, dtype, n, c), "y": rng.integers(c, size=n)}

    return [
        Benchmark(name, f"{n}x{c}", make, training=training)
        for name in ("cross_entropy", "hinge_loss")
    ]


def _target_losses(n: int, c: int, training: bool) -> list[Benchmark]:
    def benchmark(name: str, first: str) -> Benchmark:
        def make(rng: Rng, dtype: np.dtype) -> Arguments:
            target = rng.random((n, c)).astype(dtype)
            return {first: normal(rng, dtype, n, c), "target": target}

        return Benchmark(name, f"{n}x{c}", make, training=training)

    names = [(name, "pred") for name in ("mse_loss", "l1_loss", "huber_loss")]
    return [benchmark(*row) for row in [*names, ("binary_cross_entropy", "logits")]]


# Arrays read and written by one step: what a memory-bound update has to move.
_UPDATES: list[tuple[str, str, str, int, Arguments]] = [
    ("sgd_update", "", "", 3, {"lr": 1e-4}),
    ("sgd_update", " momentum", "velocity", 5, {"lr": 1e-4, "momentum": 0.9}),
    ("adam_update", "", "m v", 7, {"step": 10, "lr": 1e-4}),
    ("rmsprop_update", "", "v", 5, {"lr": 1e-4}),
    ("adagrad_update", "", "s", 5, {"lr": 1e-4}),
    ("sum_of_squares", "", "", 1, {}),
    ("scale", "", "", 2, {"factor": 0.999999}),
    ("clip_value", "", "", 2, {"limit": 2.0}),
]


def _updates(weights: int, training: bool = False) -> list[Benchmark]:
    def benchmark(name, tag, state, streams, options) -> Benchmark:
        def make(rng: Rng, dtype: np.dtype) -> Arguments:
            names = ["w", "g"] if name.endswith("_update") else ["x"]
            arguments = {key: normal(rng, dtype, weights) for key in names}
            for key in state.split():
                arguments[key] = np.abs(normal(rng, dtype, weights)) + dtype.type(0.1)
            return {**arguments, **options}

        def traffic(itemsize: int) -> int:
            return streams * weights * itemsize

        return Benchmark(
            name,
            f"{weights:,}{tag}".replace(",", " "),
            make,
            traffic=traffic if weights == BEYOND_CACHES else None,
            training=training,
        )

    return [benchmark(*row) for row in _UPDATES]


_MOVED: Arguments = {"shift_h": 2, "shift_w": 2, "flip": 0.5}
_TURNED: Arguments = {"rotation": 10.0, "brightness": 0.2, "contrast": 0.2, **_MOVED}


def _gathers() -> list[Benchmark]:
    """A batch of images from a training set of 60 000, far larger than the caches."""

    def from_bytes(rng: Rng, dtype: np.dtype) -> Arguments:
        source = rng.integers(256, size=(60_000, 784), dtype=np.uint8)
        out = np.empty((128, 784), dtype)
        return {
            "source": source,
            "indices": rng.integers(60_000, size=128),
            "scale": 1 / 255,
            "out": out,
        }

    def from_floats(rng: Rng, dtype: np.dtype) -> Arguments:
        source = normal(rng, dtype, 60_000, 784)
        return {"source": source, "indices": rng.integers(60_000, size=128)}

    def labels(rng: Rng, dtype: np.dtype) -> Arguments:
        indices = rng.integers(60_000, size=128)
        return {"y": rng.integers(10, size=60_000), "indices": indices}

    def images(transforms: Arguments) -> Callable[[Rng, np.dtype], Arguments]:
        def make(rng: Rng, dtype: np.dtype) -> Arguments:
            table = reference.draw_transforms(np.arange(128), (1, 0), **transforms)
            arguments = from_bytes(rng, dtype)
            arguments["source"] = arguments["source"].reshape(-1, 1, 28, 28)
            arguments["out"] = np.empty((128, 1, 28, 28), dtype)
            return {**arguments, "transforms": table, "height": 28, "width": 28}

        return make

    def draws(rng: Rng, dtype: np.dtype) -> Arguments:
        return {"indices": rng.integers(60_000, size=128), "state": np.array([1, 2]), **_TURNED}

    return [
        Benchmark("gather_images", "128x1x28x28 of uint8, moved", images(_MOVED)),
        Benchmark("gather_images", "128x1x28x28 of uint8, turned", images(_TURNED)),
        Benchmark("draw_transforms", "128", draws),
        Benchmark("gather_rows", "128x784 of uint8", from_bytes, training=True),
        Benchmark("gather_rows", "128x784 of floats", from_floats),
        Benchmark("gather_labels", "128", labels, training=True),
    ]


# Layers of LeNet, of a ConvNet for 32x32 images, and of AlexNet: images, channels, size, filters,
# taps, stride, padding.
_LAYERS = [
    (64, 1, 28, 8, 5, 1, 2),
    (64, 8, 14, 16, 5, 1, 2),
    (64, 3, 32, 32, 3, 1, 1),
    (64, 32, 16, 64, 3, 1, 1),
    (16, 3, 224, 64, 11, 4, 2),
    (16, 64, 27, 192, 5, 1, 2),
    (16, 192, 13, 384, 3, 1, 1),
    (16, 256, 14, 256, 1, 1, 0),
]


def _convolution(
    n: int, c: int, size: int, filters: int, taps: int, stride: int, padding: int
) -> list[Benchmark]:
    places = (size + 2 * padding - taps) // stride + 1
    options = {"stride_h": stride, "stride_w": stride, "padding_h": padding, "padding_w": padding}

    def forward(rng: Rng, dtype: np.dtype) -> Arguments:
        x, W = normal(rng, dtype, n, c, size, size), normal(rng, dtype, filters, c, taps, taps)
        return {"x": x, "W": W, "b": normal(rng, dtype, filters), **options}

    def backward(rng: Rng, dtype: np.dtype) -> Arguments:
        arguments = forward(rng, dtype)
        del arguments["b"]
        return {"dout": normal(rng, dtype, n, filters, places, places), **arguments}

    label = f"{n}x{c}x{size}x{size}, {filters} of {taps}x{taps}"
    flops = 2 * n * filters * c * taps * taps * places * places
    return [
        Benchmark("conv2d", label, forward, flops),
        Benchmark("conv2d_backward", label, backward, 2 * flops),
    ]


def _image_layers(n: int, c: int, size: int, kernel: int) -> list[Benchmark]:
    """What stands between convolutions, on the results of one."""
    window = {"kernel_h": kernel, "kernel_w": kernel, "stride_h": 2, "stride_w": 2}
    places = (size - kernel) // 2 + 1

    def image(rng: Rng, dtype: np.dtype) -> np.ndarray:
        return normal(rng, dtype, n, c, size, size)

    def pooled(rng: Rng, dtype: np.dtype) -> np.ndarray:
        return normal(rng, dtype, n, c, places, places)

    def statistics(rng: Rng, dtype: np.dtype) -> Arguments:
        return {"mean": normal(rng, dtype, c), "rstd": np.ones(c, dtype)}

    makers: dict[str, Callable[[Rng, np.dtype], Arguments]] = {
        "max_pool2d": lambda r, t: {"x": image(r, t), **window},
        "max_pool2d_backward": lambda r, t: {"dout": pooled(r, t), "x": image(r, t), **window},
        "avg_pool2d": lambda r, t: {"x": image(r, t), **window},
        "avg_pool2d_backward": lambda r, t: {
            "dout": pooled(r, t), "height": size, "width": size, **window},
        "local_response_norm": lambda r, t: {"x": image(r, t), "size": 5},
        "local_response_norm_backward": lambda r, t: {
            "dout": image(r, t), "x": image(r, t), "size": 5},
        "batch_norm": lambda r, t: {"x": image(r, t)},
        "batch_norm_eval": lambda r, t: {
            "x": image(r, t), "running_mean": normal(r, t, c), "running_var": np.ones(c, t)},
        "batch_norm_backward": lambda r, t: {
            "dout": image(r, t), "x": image(r, t), **statistics(r, t)},
        "dropout": lambda r, t: {"x": image(r, t), "p": 0.5, "state": np.array([1, 2])},
    }  # fmt: skip
    return [Benchmark(name, f"{n}x{c}x{size}x{size}", make) for name, make in makers.items()]


def _random(n: int, c: int) -> list[Benchmark]:
    """Against the twins, which make the same numbers in NumPy: slower than its own generators."""
    state = np.array([1, 2])

    def floats(rng: Rng, dtype: np.dtype) -> Arguments:
        return {"out": np.empty((n, c), dtype), "state": state}

    def integers(rng: Rng, dtype: np.dtype) -> Arguments:
        return {"out": np.empty((n, c), np.int64), "bounds": np.array([0, 9]), "state": state}

    return [
        Benchmark("random_uniform", f"{n}x{c}", floats),
        Benchmark("random_normal", f"{n}x{c}", floats),
        Benchmark("random_integers", f"{n}x{c}", integers),
    ]


_POINTWISE = [f"{name}{way}" for name in ("relu", "sigmoid", "tanh") for way in ("", "_backward")]
_ROWWISE = [f"{name}{way}" for name in ("softmax", "log_softmax") for way in ("", "_backward")]

# Next to no arithmetic: what is left is the call, with the checks of its arguments.
_CALLS: list[Benchmark] = [
    *_activations(1, 4, ["relu"], training=False),
    *_linear(1, 4, 3),
    *_class_losses(1, 3, training=False),
    *_updates(4)[:1],
]

BENCHMARKS: list[Benchmark] = [
    _matmul(128, 784, 256),
    _matmul(128, 256, 128),
    _matmul(128, 128, 10),
    _matmul(64, 64, 32),
    _matmul(512, 512, 512),
    _matmul(128, 1024, 1024),
    _matmul(1024, 1024, 1024),
    _matmul(128, 784, 256, bias=True),
    *_linear(128, 784, 256, training=True),
    *_linear(64, 64, 32),
    *_activations(128, 256, _POINTWISE, training=True),
    *_activations(64, 32, _POINTWISE, training=False),
    *_activations(2000, 1000, _POINTWISE, training=False),
    *_activations(128, 10, _ROWWISE, training=True),
    *_activations(256, 1000, _ROWWISE, training=False),
    *_class_losses(128, 10, training=True),
    *_class_losses(256, 1000, training=False),
    *_target_losses(128, 10, training=True),
    *_target_losses(256, 1000, training=False),
    *_updates(784 * 256, training=True),
    *_updates(64 * 32),
    *_updates(BEYOND_CACHES),
    *_gathers(),
    *(row for layer in _LAYERS for row in _convolution(*layer)),
    *_image_layers(64, 8, 28, 2),
    *_image_layers(16, 64, 55, 3),
    *_random(128, 784),
    *_CALLS,
]
