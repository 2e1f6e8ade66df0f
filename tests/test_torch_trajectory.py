"""Training as PyTorch does it: ten steps of the CIFAR net from the same weights, in float64."""

from __future__ import annotations

import json

import numpy as np
import pytest
from torch_trajectory import OPTIONS, PATH, STEPS, batch, marks, weights

import fastnn
from fastnn import models, optim

ORACLE = json.loads(PATH.read_text())


@pytest.mark.parametrize("replayed", [False, True])
def test_ten_steps_are_those_of_pytorch(replayed: bool) -> None:
    model = models.cifar_convnet(dtype="float64")
    for parameter, values in zip(model.parameters(), weights(), strict=True):
        parameter.data = values
    optimizer = optim.SGD(model.parameters(), **OPTIONS)

    def step(images, labels):
        loss = fastnn.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run = fastnn.capture(step) if replayed else step
    losses = [float(np.asarray(run(*batch(i)).data)) for i in range(STEPS)]
    np.testing.assert_allclose(losses, ORACLE["losses"], rtol=1e-9)
    assert losses[0] > losses[-1] > 0.1  # it learns, and is not done
    for parameter, wanted in zip(model.parameters(), ORACLE["parameters"], strict=True):
        np.testing.assert_allclose(marks(parameter.data), wanted, rtol=1e-9, atol=1e-9)
