"""Convolution, pooling and normalisation against what PyTorch gave, in float64."""

from __future__ import annotations

import json

import numpy as np
import pytest
from kernels.torch_oracle import (
    BATCH_NORMS,
    CONVOLUTIONS,
    MEANS,
    PATH,
    POOLINGS,
    RESPONSE_NORMS,
    wave,
)

import fastnn
from fastnn import functional as F
from fastnn import layers

ORACLE = json.loads(PATH.read_text())


def assert_as_made(name, y, gradients):
    entry = ORACLE[name]
    assert list(y.shape) == entry["shape"]
    for result, wanted in zip((y, *gradients), (entry["y"], *entry["gradients"]), strict=True):
        np.testing.assert_allclose(result.ravel(), wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution(name):
    shape, filters, options = CONVOLUTIONS[name]
    x, W, b = wave(0.1, *shape), wave(0.2, *filters), wave(0.3, filters[0])
    y = F.conv2d(x, W, b, **options)
    gradients = F.conv2d_backward(wave(0.9, *y.shape), x, W, **options)
    assert_as_made(f"conv2d {name}", y, gradients)


@pytest.mark.parametrize("name", POOLINGS)
def test_pooling(name):
    shape, options = POOLINGS[name]
    x = wave(0.1, *shape)
    y = F.max_pool2d(x, **options)
    dout = wave(0.9, *y.shape)
    assert_as_made(f"max_pool2d {name}", y, [F.max_pool2d_backward(dout, x, **options)])
    dx = F.avg_pool2d_backward(dout, shape[2:], **options)
    assert_as_made(f"avg_pool2d {name}", F.avg_pool2d(x, **options), [dx])


@pytest.mark.parametrize("name", MEANS)
def test_means_of_images(name):
    shape, size = MEANS[name]
    x = fastnn.Tensor(wave(0.1, *shape), requires_grad=True)
    y = layers.AdaptiveAvgPool2d(size)(x)
    y.backward(wave(0.9, *y.shape))
    assert_as_made(f"adaptive_avg_pool2d {name}", y.data, [x.grad])


@pytest.mark.parametrize("name", RESPONSE_NORMS)
def test_local_response_norm(name):
    shape, options = RESPONSE_NORMS[name]
    x, dout = wave(0.1, *shape), wave(0.9, *shape)
    y = F.local_response_norm(x, **options)
    dx = F.local_response_norm_backward(dout, x, **options)
    assert_as_made(f"local_response_norm {name}", y, [dx])


@pytest.mark.parametrize("name", BATCH_NORMS)
def test_batch_norm(name):
    shape = BATCH_NORMS[name]
    x, dout = wave(0.1, *shape), wave(0.9, *shape)
    gamma, beta = wave(0.2, shape[1]), wave(0.3, shape[1])
    running = [wave(0.4, shape[1]), wave(0.5, shape[1]) ** 2]

    y = F.batch_norm_eval(x, *running, gamma, beta, 1e-3)
    rstd = 1 / np.sqrt(running[1] + 1e-3)
    gradients = F.batch_norm_backward(dout, x, running[0], rstd, gamma, training=False)
    assert_as_made(f"batch_norm {name} eval", y, gradients)

    y, mean, rstd = F.batch_norm(x, gamma, beta, *running, momentum=0.2, eps=1e-3)
    assert_as_made(f"batch_norm {name} train", y, F.batch_norm_backward(dout, x, mean, rstd, gamma))
    for moved, wanted in zip(running, ORACLE[f"batch_norm {name} train"]["running"], strict=True):
        np.testing.assert_allclose(moved, wanted, rtol=1e-13)
