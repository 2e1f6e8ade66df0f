"""Nets of images: what they consist of, said once for all sides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

Arrays = list[np.ndarray]


@dataclass(frozen=True)
class Conv:
    """Square filters on every channel, then a ReLU."""

    filters: int
    size: int
    stride: int = 1
    padding: int = 0


@dataclass(frozen=True)
class Pool:
    """Maxima of squares."""

    size: int
    stride: int


@dataclass(frozen=True)
class Linear:
    """On the flattened images, and a ReLU after each but the last."""

    width: int


Part = Conv | Pool | Linear


@dataclass(frozen=True)
class Net:
    """Steps of SGD on a net of images, float32, without dropout, whose masks differ by library.

    Attributes:
        name, title: for the command line, and for readers.
        image: channels, height, width.
        parts: from the image to the scores.
        batch: images of a step.
        steps: different batches of an epoch.
        torch_bar: how many times faster than PyTorch's better layout fastnn has to be.
        peak_bar: the percentage of the measured FMA peak that it has to reach.
    """

    name: str
    title: str
    image: tuple[int, int, int]
    parts: tuple[Part, ...]
    batch: int
    steps: int
    lr: float = 1e-3  # with more the losses of the sides would drift apart
    torch_bar: float | None = None
    peak_bar: float | None = None
    seed: int = field(default=0, repr=False)

    def shapes(self) -> Iterator[tuple[Part, tuple[int, ...], tuple[int, ...]]]:
        """Each part with the shapes, of one image, that it takes and makes."""
        shape: tuple[int, ...] = self.image
        for part in self.parts:
            before = shape
            if isinstance(part, Conv):
                shape = (part.filters, *(_places(n, part.size, part.stride, part.padding)
                                         for n in shape[1:]))  # fmt: skip
            elif isinstance(part, Pool):
                shape = (shape[0], *(_places(n, part.size, part.stride) for n in shape[1:]))
            else:
                shape = (part.width,)
            yield part, before, shape

    @property
    def flops(self) -> int:
        """Operations of a step's products; nobody needs the gradient of the images."""
        total, first = 0, 0
        for part, before, after in self.shapes():
            if isinstance(part, Conv):
                products = int(np.prod(after)) * before[0] * part.size**2
            elif isinstance(part, Linear):
                products = int(np.prod(before)) * part.width
            else:
                continue
            first = first or products
            total += products
        return 2 * self.batch * (3 * total - first)

    def weights(self) -> Arrays:
        """Of each part that has them He's normal weights, and zero biases."""
        rng = np.random.default_rng(self.seed)
        arrays: Arrays = []
        for part, before, after in self.shapes():
            if isinstance(part, Pool):
                continue
            inputs = before[0] * part.size**2 if isinstance(part, Conv) else int(np.prod(before))
            if isinstance(part, Conv):
                values = rng.standard_normal((part.filters, before[0], part.size, part.size))
            else:
                values = rng.standard_normal((inputs, part.width))
            arrays.append((values * (2 / inputs) ** 0.5).astype(np.float32))
            arrays.append(np.zeros(after[0], np.float32))
        return arrays

    def batches(self) -> tuple[np.ndarray, np.ndarray]:
        """X (steps, batch, channels, height, width), float32, and labels (steps, batch), int64."""
        rng = np.random.default_rng(1)
        X = rng.standard_normal((self.steps, self.batch, *self.image), np.float32)
        return X, rng.integers(self.parts[-1].width, size=X.shape[:2])  # type: ignore[union-attr]

    def smaller(self) -> Net:
        """The same with few images, to see that all runs."""
        return replace(self, batch=2, steps=2)


def _places(length: int, size: int, stride: int, padding: int = 0) -> int:
    return (length + 2 * padding - size) // stride + 1


NETS = [
    Net(
        "lenet",
        "LeNet-like (8 and 16 filters 5×5), 28×28, batch 64",
        (1, 28, 28),
        (Conv(8, 5, padding=2), Pool(2, 2), Conv(16, 5, padding=2), Pool(2, 2), Linear(10)),
        batch=64,
        steps=32,
        torch_bar=2.5,
    ),
    Net(
        "convnet",
        "ConvNet 32-64 3×3, 32×32×3, batch 64",
        (3, 32, 32),
        (Conv(32, 3, padding=1), Pool(2, 2), Conv(64, 3, padding=1), Pool(2, 2), Linear(128),
         Linear(10)),
        batch=64,
        steps=8,
        torch_bar=2.1,
        peak_bar=70,
    ),
    Net(
        "alexnet",
        "AlexNet, 224×224×3, batch 16",
        (3, 224, 224),
        (Conv(64, 11, 4, 2), Pool(3, 2), Conv(192, 5, padding=2), Pool(3, 2),
         Conv(384, 3, padding=1), Conv(256, 3, padding=1), Conv(256, 3, padding=1), Pool(3, 2),
         Linear(4096), Linear(4096), Linear(1000)),
        batch=16,
        steps=2,
        lr=1e-5,  # with a larger one random images make it diverge
        torch_bar=1.3,
        peak_bar=66,
    ),
]  # fmt: skip
