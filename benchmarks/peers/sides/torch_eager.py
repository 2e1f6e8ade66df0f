"""PyTorch, eager: a Sequential, autograd, and an optimizer of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.peers.environment import THREADS
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
    model = model_of(layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=work.lr)
    loss_of = LOSSES[work.loss]
    batches = list(zip(torch.from_numpy(X), torch.from_numpy(y), strict=True))

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
