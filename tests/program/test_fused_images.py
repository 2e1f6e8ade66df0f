"""Calls that follow each block of a convolution or a pooling's backward, and no bit changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import functional, layers, ops, optim
from fastnn.program.recording import Recording


@pytest.fixture(params=[1, 2], ids=["1 thread", "2 threads"], autouse=True)
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = fastnn.get_num_threads()
    fastnn.set_num_threads(request.param)
    yield
    fastnn.set_num_threads(before)


def replayed(
    fuses: bool, step: Callable[..., Any], X: np.ndarray, *args: Any
) -> tuple[list[Any], list[str]]:
    """What some replays give, each on other values, and the names of the program's calls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recording, "fuses", fuses)
        program = fastnn.capture(step)
        results = [program(X * factor, *args) for factor in (1, -2, 3)]
    tape = program.recordings[-1].tape
    return results, [name for i, (name, _) in enumerate(tape.calls) if not tape.is_fused(i)]


def training(model: Any) -> Callable[..., Any]:
    """A step of SGD."""
    made = optim.SGD(model.parameters(), lr=0.1)

    def step(X: Any, y: Any) -> Any:
        made.zero_grad()
        loss = fastnn.cross_entropy(model(X), y)
        loss.backward()
        made.step()
        return loss

    return step


@pytest.mark.parametrize("taps", [3, 5])
def test_after_tiles_too(taps: int) -> None:
    """Filters of many channels, across images and in groups, and their gradients."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((9, 12, 13, 27)).astype(np.float32)
    y = rng.integers(0, 3, 9)
    found = []
    for fuses in (True, False):
        model = layers.Sequential(
            layers.Conv2d(12, 32, taps, padding=taps // 2), layers.ReLU(),
            layers.Conv2d(32, 48, taps, padding=taps // 2, groups=2), layers.Tanh(),
            layers.Conv2d(48, 20, taps), layers.ReLU(), layers.AdaptiveAvgPool2d(1),
            layers.Flatten(), layers.Linear(20, 3), seed=1,
        )  # fmt: skip
        losses, names = replayed(fuses, training(model), X, y)
        assert names.count("conv2d+relu") == 2 * fuses
        assert names.count("conv2d_backward+relu_backward") == fuses
        assert names.count("conv2d_backward+tanh_backward") == fuses
        found.append([*losses, *(each.data for each in model.parameters())])
    for together, alone in zip(*found, strict=True):
        np.testing.assert_array_equal(np.asarray(together), np.asarray(alone))


@pytest.mark.parametrize("activation", [layers.ReLU, layers.Sigmoid, layers.Tanh])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("images", "size"), [(1, 11), (3, 21), (16, 40)])
def test_no_bit_changes(activation: Any, dtype: str, images: int, size: int) -> None:
    """Whole planes and blocks of their rows, groups, strides, overlapping windows."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((images, 2, size, size)).astype(dtype)
    y = rng.integers(0, 3, images)
    found = []
    for fuses in (True, False):
        model = layers.Sequential(
            layers.Conv2d(2, 10, 3, padding=1), activation(),
            layers.Conv2d(10, 12, 3, groups=2), activation(), layers.MaxPool2d(3, 2),
            layers.Conv2d(12, 9, 2, stride=2), activation(), layers.AdaptiveAvgPool2d(1),
            layers.Flatten(), layers.Linear(9, 3), seed=1,
        ).astype(dtype)  # fmt: skip
        losses, names = replayed(fuses, training(model), X, y)
        found.append([*losses, *(p.data for p in model.parameters())])
        name = activation.__name__.lower()
        assert names.count(f"conv2d+{name}") == 3 * fuses
        assert names.count(f"conv2d_backward+{name}_backward") == fuses
        assert names.count(f"max_pool2d_backward+{name}_backward") == fuses
        assert names.count(f"{name}_backward") == (1 if fuses else 3)
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("activation", [layers.ReLU, layers.Sigmoid, None])
@pytest.mark.parametrize("pool", [layers.MaxPool2d(2), layers.MaxPool2d(3, 2, padding=1)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("images", "size", "filters", "taps"),
    [(16, 20, 4, 3), (35, 8, 20, 3), (17, 9, 70, 3), (16, 22, 32, 5), (18, 40, 40, 1)],
)
def test_the_first_convolution_makes_the_poolings_gradient(
    activation: Any, pool: Any, dtype: str, images: int, size: int, filters: int, taps: int
) -> None:
    """In chunks of some images, at once and one by one; with more threads than chunks, and more
    channels than a task has of others."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((images, 7, size, size)).astype(dtype)  # one more may be transformed
    y = rng.integers(0, 3, images)
    found = []
    for fuses in (True, False):
        model = layers.Sequential(
            layers.Conv2d(7, filters, taps, padding=taps // 2),
            *([activation()] if activation else []), pool,
            layers.AdaptiveAvgPool2d(1), layers.Flatten(), layers.Linear(filters, 3), seed=1,
        ).astype(dtype)  # fmt: skip
        for threads in (fastnn.get_num_threads(), 24):
            fastnn.set_num_threads(threads)
            losses, names = replayed(fuses, training(model), X, y)
            assert any("max_pool" in name and "+conv2d" in name for name in names) == fuses
            found.append([*losses, *(p.data.copy() for p in model.parameters())])
    for one, two in zip(found[0] + found[1], found[2] + found[3], strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("why", ["the images' gradient", "many channels", "groups", "a sum"])
def test_a_poolings_gradient_that_others_need_is_made_by_itself(why: str) -> None:
    rng = np.random.default_rng(0)
    channels = 16 if why == "many channels" else 4
    X = rng.standard_normal((17, channels, 10, 10)).astype(np.float32)
    conv = layers.Conv2d(channels, 16, 3, groups=2 if why == "groups" else 1, seed=1)
    pool = layers.MaxPool2d(2)
    found = []
    for fuses in (True, False):

        def step(X: Any) -> Any:
            conv.weight.grad = conv.bias.grad = None
            x = fastnn.Tensor(X, requires_grad=why == "the images' gradient")
            z = conv(x)
            loss = (pool(z) ** 2).sum()
            if why == "a sum":
                loss = loss + z.sum()
            loss.backward()
            return [each.grad for each in (conv.weight, conv.bias, x) if each.grad is not None]

        results, names = replayed(fuses, step, X)
        assert any("max_pool2d_backward" in name for name in names)
        assert not any("max_pool" in name and "+conv2d" in name for name in names)
        found.append([each for both in results for each in both])
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def pooled_images(F: Any, z: Any, dp: Any, x: Any, W: Any) -> Any:
    """The pooling's gradient is also the convolution's images."""
    wider = W[:, :1].repeat(4, 1)
    d = F.max_pool2d_backward(dp, z, 2)
    return F.conv2d_backward(d, d, wider, padding=1, dx=False)[1:]


def kept_beside(F: Any, z: Any, dp: Any, x: Any, W: Any) -> Any:
    """What follows the pooling writes over its own argument."""
    y = F.relu(z)
    z = z * 2
    e = F.tanh_backward(F.max_pool2d_backward(dp, y, 2), z, out=z)
    return [*F.conv2d_backward(e, x, W, padding=1, dx=False)[1:], e]


def over_its_argument(F: Any, z: Any, dp: Any, x: Any, W: Any) -> Any:
    d = F.max_pool2d_backward(dp, F.relu(z), 2)
    return [F.relu(F.relu_backward(d, z, out=z))]


@pytest.mark.parametrize("step", [pooled_images, kept_beside, over_its_argument])
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_what_writes_over_its_argument_is_not_made_too_early(step: Any, threads: int) -> None:
    rng = np.random.default_rng(0)
    shapes = (16, 4, 12, 12), (16, 4, 6, 6), (16, 3, 12, 12), (4, 3, 3, 3)
    z, *others = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    fastnn.set_num_threads(threads)
    found = [
        replayed(fuses, lambda z, *rest: step(functional, z.copy(), *rest), z, *others)[0]
        for fuses in (True, False)
    ]
    for together, alone in zip(*found, strict=True):
        for one, two in zip(together, alone, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("use", ["returned", "read", "viewed", "summed", "remembered"])
@pytest.mark.parametrize("layer", [layers.Conv2d(2, 4, 3, seed=1), layers.Linear(8, 4, seed=1)])
def test_a_result_with_another_reader_is_kept(use: str, layer: Any) -> None:
    """An activation is made in the place of its argument only where nobody reads that later."""
    rng = np.random.default_rng(0)
    shape = (3, 2, 8, 8) if isinstance(layer, layers.Conv2d) else (5, 8)
    X = rng.standard_normal(shape).astype(np.float32)
    found = []
    for fuses in (True, False):

        def step(X: Any) -> Any:
            layer.weight.grad = layer.bias.grad = None
            z = layer(X)
            y = ops.relu(z)
            loss = (y * y).sum()
            if use == "read":
                loss = loss + (y * z).sum()
            elif use == "viewed":
                loss = loss + np.exp(z[1:2]).sum()
            elif use == "summed":
                loss = loss + z.sum()
            loss.backward()
            if use == "remembered":
                layer.last = z.data
            return (loss, z) if use == "returned" else loss

        results, names = replayed(fuses, step, X)
        assert any("+relu" in name for name in names) == fuses
        parts = [each for result in results for each in (result if use == "returned" else [result])]
        found.append([*parts, layer.weight.grad, layer.bias.grad])
        if use == "remembered":
            found[-1].append(np.array(layer.last))
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
