"""PyTorch, eager: a Sequential, autograd, and an optimizer of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.peers.environment import THREADS
from benchmarks.peers.nets import Conv, Net, Pool
from benchmarks.peers.task import Fitted, Task
from benchmarks.peers.works import Layers, Work

TITLE = "PyTorch eager"
torch.set_num_threads(THREADS)


def model_of(layers: Layers) -> nn.Sequential:
    """The net with copies of these weights."""
    modules: list[nn.Module] = []
    for W, b in layers:
        linear = nn.Linear(*W.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T))
            linear.bias.copy_(torch.from_numpy(b))
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def hinge(scores: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """PyTorch's multi-class hinge is a mean over the classes too."""
    return scores.shape[1] * F.multi_margin_loss(scores, y)


LOSSES = {"cross_entropy": F.cross_entropy, "hinge": hinge}


def epoch(work: Work, layers: Layers, X: np.ndarray, y: np.ndarray) -> Callable[[], np.ndarray]:
    batches = list(zip(torch.from_numpy(X), torch.from_numpy(y), strict=True))
    return _steps(model_of(layers), work.lr, LOSSES[work.loss], batches)


def _steps(
    model: nn.Module,
    lr: float,
    loss_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    batches: list[tuple[torch.Tensor, torch.Tensor]],
) -> Callable[[], np.ndarray]:
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)

    def run() -> np.ndarray:
        losses = []
        for x, labels in batches:
            loss = loss_of(model(x), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses).numpy()

    return run


def images(
    net: Net, X: np.ndarray, y: np.ndarray, channels_last: bool = False
) -> Callable[[], np.ndarray]:
    modules: list[nn.Module] = []
    arrays = iter(net.weights())
    for part, before, _ in net.shapes():
        made: nn.Module
        if isinstance(part, Pool):
            modules.append(nn.MaxPool2d(part.size, part.stride))
            continue
        if isinstance(part, Conv):
            made = nn.Conv2d(before[0], part.filters, part.size, part.stride, part.padding)
        else:
            if len(before) == 3:
                modules.append(nn.Flatten())
            made = nn.Linear(int(np.prod(before)), part.width)
        weight, bias = next(arrays), next(arrays)
        with torch.no_grad():
            made.weight.copy_(torch.from_numpy(weight.T if weight.ndim == 2 else weight))
            made.bias.copy_(torch.from_numpy(bias))
        modules += [made, nn.ReLU(inplace=True)]
    model = nn.Sequential(*modules[:-1])
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = model.to(memory_format=layout)
    batches = [
        (torch.from_numpy(x).to(memory_format=layout), torch.from_numpy(labels))
        for x, labels in zip(X, y, strict=True)
    ]
    return _steps(model, net.lr, F.cross_entropy, batches)


def fit(task: Task) -> Fitted:
    images = torch.from_numpy(task.X).float().div_(255)
    labels = torch.from_numpy(task.y)
    model = model_of(task.layers)
    optimizer = torch.optim.Adam(model.parameters(), lr=task.lr)
    means = []
    for number in range(task.epochs):
        order, total = torch.from_numpy(task.order(number)), torch.zeros(())
        for rows in order.split(task.batch):
            loss = F.cross_entropy(model(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        means.append(total.item() / len(order))

    def predict(X: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(torch.from_numpy(X).float() / 255).argmax(dim=1).numpy()

    return Fitted(means, predict)
