"""Makes ``torch_trajectory.json``: ten steps of the CIFAR net in PyTorch, in float64.

Run by hand, in an environment with PyTorch (2.13.0 made the committed file), from ``tests``:
``python -m torch_trajectory``.  Weights and images are sines, so no generator matters.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from kernels.torch_oracle import wave

PATH = Path(__file__).with_suffix(".json")
STEPS, BATCH = 10, 8
OPTIONS = {"lr": 0.003, "momentum": 0.9, "weight_decay": 1e-3}


def weights() -> list[np.ndarray]:
    """Of each layer with parameters, weight and bias; those of linear ones (in, out)."""
    shapes = ((32, 3, 3, 3), (64, 32, 3, 3), (4096, 128), (128, 10))
    arrays = []
    for i, shape in enumerate(shapes):
        inputs = np.prod(shape[1:]) if len(shape) == 4 else shape[0]
        arrays.append(wave(0.1 * i, *shape) / np.sqrt(inputs))
        arrays.append(0.1 * wave(0.7 + i, shape[0] if len(shape) == 4 else shape[1]))
    return arrays


def batch(step: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (8, 3, 32, 32) and their labels."""
    kind = step % 2  # the two batches come again, so there is something to learn
    return wave(0.37 * kind, BATCH, 3, 32, 32), (np.arange(BATCH) * 7 + kind) % 10


def marks(parameter: np.ndarray) -> list[float]:
    """What is kept of a parameter: its sum, its norm and some of its elements."""
    some = parameter.ravel()[:: max(parameter.size // 7, 1)]
    return [float(parameter.sum()), float(np.sqrt((parameter**2).sum())), *some.tolist()]


def _made() -> dict[str, Any]:
    import torch
    from torch import nn

    model = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(4096, 128), nn.ReLU(), nn.Linear(128, 10),
    ).double()  # fmt: skip
    parameters = list(model.parameters())
    with torch.no_grad():
        for parameter, values in zip(parameters, weights(), strict=True):
            # PyTorch keeps the weights of a linear layer as (out, in).
            parameter.copy_(torch.tensor(values.T if values.ndim == 2 else values))
    biases = {"params": parameters[1::2], "weight_decay": 0.0}
    optimizer = torch.optim.SGD([{"params": parameters[::2]}, biases], **OPTIONS)
    losses = []
    for step in range(STEPS):
        images, labels = batch(step)
        loss = nn.functional.cross_entropy(model(torch.tensor(images)), torch.tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    arrays = [p.detach().numpy() for p in parameters]
    final = [marks(np.ascontiguousarray(a.T) if a.ndim == 2 else a) for a in arrays]
    return {"torch": torch.__version__, "losses": losses, "parameters": final}


if __name__ == "__main__":
    PATH.write_text(json.dumps(_made(), indent=0) + "\n")
