"""What is trained, and how much faster than its peers fastnn has to be."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]  # weight (in, out) and bias (out,) of each


@dataclass(frozen=True)
class Work:
    """Steps of SGD on a net of linear layers with ReLUs between them, float32.

    Attributes:
        name, title: for the command line, and for readers.
        widths: of the input, of the hidden layers, of the scores.
        batch: samples of a step.
        steps: different batches of an epoch, so that the data come from beyond the cache.
        loss: "cross_entropy" or "hinge".
        bars: how many times faster than each side fastnn has to be.
        peak_bar: the percentage of the measured FMA peak that it has to reach.
        memory_bound: whether reading X, and not arithmetic, limits the step.
    """

    name: str
    title: str
    widths: tuple[int, ...]
    batch: int
    steps: int
    loss: str = "cross_entropy"
    lr: float = 0.01
    bars: dict[str, float] = field(default_factory=dict)
    peak_bar: float | None = None
    memory_bound: bool = False

    @property
    def flops(self) -> int:
        """Operations of a step's products; nobody needs the gradient of the data."""
        products = [a * b for a, b in zip(self.widths, self.widths[1:], strict=False)]
        return 2 * self.batch * (3 * sum(products) - products[0])

    @property
    def traffic(self) -> int:
        """Bytes that a step has to read: X, forward and backward."""
        return 2 * 4 * self.batch * self.widths[0]

    def layers(self, seed: int = 0) -> Layers:
        """Initial weights, those of He, and zero biases."""
        return initial_layers(self.widths, seed)

    def batches(self) -> tuple[np.ndarray, np.ndarray]:
        """X (steps, batch, features), float32, and labels (steps, batch), int64."""
        rng = np.random.default_rng(1)
        shape = (self.steps, self.batch, self.widths[0])
        X = rng.standard_normal(shape, np.float32)
        return X, rng.integers(self.widths[-1], size=shape[:2])

    def smaller(self) -> Work:
        """The same with few and narrow layers, to see that all runs."""
        widths = tuple(min(width, 48) for width in self.widths)
        return replace(self, widths=widths, batch=16, steps=3)


def initial_layers(widths: tuple[int, ...], seed: int = 0) -> Layers:
    """He's normal weights and zero biases, float32."""
    rng = np.random.default_rng(seed)
    return [
        (
            (rng.standard_normal((a, b)) * (2 / a) ** 0.5).astype(np.float32),
            np.zeros(b, np.float32),
        )
        for a, b in itertools.pairwise(widths)
    ]


WORKS = [
    Work(
        "mlp784",
        "MLP 784-256-128-10, batch 128",
        (784, 256, 128, 10),
        batch=128,
        steps=16,
        bars={"numpy": 2.4, "jax": 1.4, "torch": 3.3, "sklearn": 4.6},
        peak_bar=85,
    ),
    Work(
        "mlp1024",
        "MLP 1024-1024-1024-10, batch 128",
        (1024, 1024, 1024, 10),
        batch=128,
        steps=8,
        bars={"numpy": 3.0, "jax": 1.4},
        peak_bar=88,
    ),
    Work(
        "mlp64",
        "MLP 64-32-10, batch 64",
        (64, 32, 10),
        batch=64,
        steps=200,
        bars={"numpy": 7, "jax": 2.2, "torch": 25},
    ),
    Work(
        "softmax",
        "Softmax classifier 3072×10, batch 256",
        (3072, 10),
        batch=256,
        steps=32,
        bars={"numpy": 2.6},
        memory_bound=True,
    ),
    Work(
        "hinge",
        "Hinge classifier 3072×10, batch 256",
        (3072, 10),
        batch=256,
        steps=32,
        loss="hinge",
        bars={"numpy": 2.6},
        memory_bound=True,
    ),
]
