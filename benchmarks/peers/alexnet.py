"""AlexNet, steps of SGD with momentum from uint8 images: what takes memory, by library."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

NAME = "alexnet"
TITLE = "AlexNet, 224×224 images, batch 128"
PARAMETERS = 61_100_840  # of the net of Krizhevsky, 2014, for 1000 classes
BAR = 1.3  # times PyTorch's peak, which fastnn may take
BATCHES, EPOCHS = 2, 2
CLASSES = 1000
LR, MOMENTUM = 0.01, 0.9
SCALE, SHIFT = 1 / 128, -1.0
# By name: how it is titled, and its library.
_SIDES = {
    "fastnn": ("fastnn", "fastnn"),
    "fastnn_eager": ("fastnn, not replayed", "fastnn"),
    "torch": ("PyTorch eager", "torch"),
}
Train = Callable[[], object]


def titles(wanted: tuple[str, ...]) -> dict[str, str]:
    """The sides that are installed and whose library is wanted, by name."""
    return {
        name: title
        for name, (title, library) in _SIDES.items()
        if library in wanted and find_spec(library) is not None
    }


def images(quick: bool) -> tuple[np.ndarray, np.ndarray]:
    """Two batches, uint8 (N, 3, 224, 224) and labels (N,); small and few where it is quick."""
    batch, size = (2, 63) if quick else (128, 224)
    rng = np.random.default_rng(0)
    X = rng.integers(256, size=(BATCHES * batch, 3, size, size), dtype=np.uint8)
    return X, rng.integers(CLASSES, size=len(X))


def trainer(side: str, X: np.ndarray, y: np.ndarray) -> Train:
    """What makes the steps of two epochs.

    Raises:
        AssertionError: it has not AlexNet's parameters.
    """
    if side == "torch":
        return _by_torch(X, y)
    return _by_fastnn(X, y, capture=side == "fastnn")


def _by_fastnn(X: np.ndarray, y: np.ndarray, capture: bool) -> Train:
    import fastnn

    def train() -> None:
        model = fastnn.models.alexnet(CLASSES)
        assert sum(p.size for p in model.parameters()) == PARAMETERS
        optimizer = fastnn.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
        fastnn.Trainer(
            model, "cross_entropy", optimizer, scale=SCALE, shift=SHIFT, capture=capture
        ).fit(X, y, epochs=EPOCHS, batch_size=len(X) // BATCHES, progress=False)

    return train


def _by_torch(X: np.ndarray, y: np.ndarray) -> Train:
    import torch
    from torch.nn import functional as F

    from .environment import THREADS

    torch.set_num_threads(THREADS)
    images, labels = torch.from_numpy(X), torch.from_numpy(y)

    def train() -> None:
        model = _torch_net()
        assert sum(p.numel() for p in model.parameters()) == PARAMETERS
        optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(X)).split(len(X) // BATCHES):
                x = images[rows].float().mul_(SCALE).add_(SHIFT)
                optimizer.zero_grad()
                loss = F.cross_entropy(model(x), labels[rows])
                loss.backward()
                optimizer.step()

    return train


def _torch_net() -> Any:
    """The layers of ``fastnn.models.alexnet``, with ReLUs in place, as torchvision has them."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.AdaptiveAvgPool2d(6),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(256 * 6 * 6, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Linear(4096, CLASSES),
    )
