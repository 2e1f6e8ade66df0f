"""Calls that follow each block of a product: which they are, and that no bit changes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import functional, layers, optim
from fastnn.program.recording import Recording

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.01),
    "nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=1e-2),
    "rmsprop": lambda p: optim.RMSprop(p, lr=1e-3, momentum=0.5),
    "adagrad": lambda p: optim.Adagrad(p, lr=1e-2),
}


@pytest.fixture(params=[1, 2], ids=["1 thread", "2 threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = fastnn.get_num_threads()
    fastnn.set_num_threads(request.param)
    yield request.param
    fastnn.set_num_threads(before)


def trained(
    activation: Any,
    optimizer: str,
    widths: tuple[int, ...],
    batch: int,
    dtype: str,
    steps: int = 4,
    keep_grad: bool = True,
) -> tuple[list[np.ndarray], fastnn.Program]:
    """Weights, losses and gradients that are kept after some replays, and the program."""
    rng = np.random.default_rng(0)
    parts: list[Any] = []
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        parts += [layers.Linear(inputs, outputs)] + ([activation()] if i + 2 < len(widths) else [])
    model = layers.Sequential(*parts, seed=1).astype(dtype)
    made = OPTIMIZERS[optimizer](model.parameters())
    X = rng.standard_normal((batch, widths[0])).astype(dtype)
    y = rng.integers(0, widths[-1], batch)

    def step(X: Any, y: Any) -> Any:
        made.zero_grad()
        loss = fastnn.cross_entropy(model(X), y)
        loss.backward()
        made.step()
        return loss

    program = fastnn.capture(step, keep_grad=keep_grad)
    losses = [program(X, y) for _ in range(steps)]
    weights = [p.data for p in model.parameters()]
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return [*weights, *losses, *gradients], program


def names(program: fastnn.Program) -> list[str]:
    tape = program.recordings[-1].tape
    return [name for i, (name, _) in enumerate(tape.calls) if not tape.is_fused(i)]


@pytest.mark.parametrize("activation", [layers.ReLU, layers.Sigmoid, layers.Tanh])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_bit_changes(
    activation: Any, optimizer: str, dtype: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whole and partial tiles, several blocks of a sum, products that are shared and turned over.
    for widths, batch in (((70, 33, 17, 10), 19), ((300, 130, 10), 300)):
        given = (activation, optimizer, widths, batch, dtype)
        fused, program = trained(*given)
        passed_on, _ = trained(*given, keep_grad=False)
        with monkeypatch.context() as patch:
            patch.setattr(Recording, "fuses", False)
            apart, other = trained(*given)
        assert any("+" in name for name in names(program))
        assert not any("+" in name for name in names(other))
        assert len(names(program)) < len(names(other))
        for one, two in zip(fused, apart, strict=True):
            np.testing.assert_array_equal(one, two)
        depth = len(widths) - 1
        assert len(apart) - len(passed_on) == depth
        for one, two in zip(passed_on[: 2 * depth + 4], apart, strict=False):  # weights, losses
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch", [1, 19, 77])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_bit_changes_with_a_large_matrix(
    optimizer: str, batch: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At small batches a task owns rows of it: it makes their dx, and updates them before other
    tasks have made theirs.  At larger ones what it is multiplied with is packed before."""
    given = (layers.ReLU, optimizer, (570, 1040, 530, 10), batch, dtype)
    before = fastnn.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 8):
            fastnn.set_num_threads(threads)
            fused, program = trained(*given)
            assert any("relu_backward+" in name for name in names(program))
            found += [fused, trained(*given, keep_grad=False)[0]]
            with monkeypatch.context() as patch:
                patch.setattr(Recording, "fuses", False)
                found.append(trained(*given)[0])
    finally:
        fastnn.set_num_threads(before)
    for other in found[1:]:
        for one, two in zip(found[0][: 6 + 4], other, strict=False):  # weights, losses
            np.testing.assert_array_equal(one, two)
    np.testing.assert_equal(found[0][6 + 4 :], found[2][6 + 4 :])  # gradients, where kept


@pytest.mark.parametrize("batch", [1, 9, 32, 77])
def test_a_step_in_python_updates_a_large_matrix_to_the_same_bits(batch: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((batch, 1040)).astype(np.float32)
    y = rng.integers(0, 530, batch)
    found = []
    for captured in (True, False):
        model = layers.Sequential(
            layers.Linear(1040, 1040), layers.Tanh(), layers.Linear(1040, 530), seed=1
        )
        made = optim.Adam(model.parameters(), lr=1e-2)

        def step(X: Any, y: Any, made: Any = made, model: Any = model) -> Any:
            made.zero_grad()
            loss = fastnn.cross_entropy(model(X), y)
            loss.backward()
            made.step()
            return loss

        run = fastnn.capture(step) if captured else step
        losses = [np.asarray(run(X, y).item()) for _ in range(3)]
        found.append([*losses, *(p.data for p in model.parameters())])
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_an_update_of_rows_that_other_tasks_read_waits() -> None:
    """The matrix moved by a row is updated: each task would write what the next one reads."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((9, 1100)).astype(np.float32)
    dout = rng.standard_normal((9, 530)).astype(np.float32)
    start = rng.standard_normal((1101, 530)).astype(np.float32)

    def step(base: Any, dout: Any, x: Any) -> Any:
        dx, dW, _ = functional.linear_backward(dout, x, base[:-1])
        functional.sgd_update(base[1:], dW, 0.1)
        return dx

    found = []
    for fuses in (True, False):
        program, base = fastnn.capture(step), start.copy()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Recording, "fuses", fuses)
            results = [program(base, dout, x) for _ in range(3)]
        assert ("linear_backward+sgd_update" in names(program)) == fuses
        found.append([base, *results])
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (10, 3000), (3000, 10), (700, 300)])
@pytest.mark.parametrize("batch", [1, 3, 40])
def test_a_gradient_that_is_passed_on(shape: tuple[int, int], batch: int, threads: int) -> None:
    """Narrow, tall and wide ones, and of so few samples that one task makes all of it."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((batch, shape[0])).astype(np.float32)
    wanted = rng.standard_normal((batch, shape[1])).astype(np.float32)
    found = []
    for keep_grad in (False, True):
        layer = layers.Linear(*shape, seed=1)
        made = optim.SGD(layer.parameters(), lr=0.01, momentum=0.9)

        def step(X: Any, wanted: Any, made: Any = made, layer: Any = layer) -> Any:
            made.zero_grad()
            loss = fastnn.mse_loss(layer(X), wanted)
            loss.backward()
            made.step()
            return loss

        program = fastnn.capture(step, keep_grad=keep_grad)
        losses = [program(X, wanted) for _ in range(3)]
        assert (layer.weight.grad is None) != keep_grad
        assert layer.bias.grad is not None
        found.append([layer.weight.data, layer.bias.data, *losses])
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("use", ["returned", "added", "remembered", "seen through a view"])
def test_a_gradient_with_a_reader_is_kept(use: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 6)).astype(np.float32)
    found = []
    for fuses in (True, False):
        layer = layers.Linear(6, 4, seed=1)
        made = optim.SGD(layer.parameters(), lr=0.1)
        total = fastnn.Tensor(np.zeros((6, 4), np.float32))

        def step(X: Any, made: Any = made, layer: Any = layer, total: Any = total) -> Any:
            made.zero_grad()
            loss = (layer(X) ** 2).sum()
            loss.backward()
            made.step()
            if use == "returned":
                return layer.weight.grad
            if use == "added":
                total.data += layer.weight.grad
            elif use == "remembered":
                layer.last = layer.weight.grad
            else:
                return loss, layer.weight.grad[1:3].T * 2
            return loss

        program = fastnn.capture(step)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Recording, "fuses", fuses)
            results = [program(X) for _ in range(3)]
        found.append([layer.weight.data, layer.weight.grad, total.data, results[-1]])
    np.testing.assert_equal(*found)


def test_an_update_waits_for_the_readers_of_its_weights() -> None:
    """dx = dout @ W.T reads W while a thread ahead of it could update W.

    More threads than cores: now and then one of them is interrupted within its block of dx.
    """
    results = []
    before = fastnn.get_num_threads()
    try:
        for threads in (1, 8):
            fastnn.set_num_threads(threads)
            widths = (64, 512, 512, 10)
            arrays, program = trained(layers.ReLU, "sgd", widths, 256, "float32", steps=100)
            assert "linear_backward+relu_backward+sgd_update" in names(program)
            results.append(arrays)
    finally:
        fastnn.set_num_threads(before)
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


def test_what_follows_what() -> None:
    _, program = trained(layers.ReLU, "sgd", (20, 16, 10), 8, "float32")
    found = [name for name in names(program) if "+" in name]
    assert found == [
        "linear+relu",
        "linear_backward+relu_backward+sgd_update",
        "linear_backward+sgd_update",
    ]


def test_an_update_waits_for_a_check_of_all_gradients() -> None:
    """A norm that is not finite must find the weights as they were."""
    rng = np.random.default_rng(0)
    model = fastnn.models.mlp(5, (8,), 3, seed=1)
    trainer = fastnn.Trainer(model, "cross_entropy", "sgd", clip_norm=0.1)
    X, y = rng.standard_normal((32, 5)), rng.integers(0, 3, 32)
    trainer.fit(X, y, epochs=2, batch_size=8, progress=False)
    other = fastnn.models.mlp(5, (8,), 3, seed=1)
    slow = fastnn.Trainer(other, "cross_entropy", "sgd", clip_norm=0.1, capture=False)
    slow.fit(X, y, epochs=2, batch_size=8, progress=False)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(one.data, two.data)


def test_weights_that_are_used_again_are_not_updated_before() -> None:
    """Two losses share a layer: its update waits for the second backward."""
    layer = layers.Linear(6, 4, seed=1)
    twin = layers.Linear(6, 4, seed=1)
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((2, 5, 6)).astype(np.float32)

    def step_of(layer: Any) -> Any:
        made = optim.SGD(layer.parameters(), lr=0.1)

        def step(A: Any, B: Any) -> Any:
            made.zero_grad()
            loss = (layer(A) ** 2).sum() + layer(B).sum()
            loss.backward()
            made.step()
            return loss

        return step

    program, eager = fastnn.capture(step_of(layer)), step_of(twin)
    for _ in range(3):
        np.testing.assert_array_equal(program(A, B), eager(A, B).detach().numpy())
    np.testing.assert_array_equal(layer.weight.data, twin.weight.data)


def test_an_update_does_not_wait_for_dropout() -> None:
    """Its state is integers, as labels are, but no value of it is wrong."""
    model = layers.Sequential(
        layers.Linear(6, 8), layers.ReLU(), layers.Dropout(0.5), layers.Linear(8, 3), seed=1
    )
    made = optim.SGD(model.parameters(), lr=0.1)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5, 6)).astype(np.float32), rng.integers(0, 3, 5)

    def step(X: Any, y: Any) -> Any:
        made.zero_grad()
        loss = fastnn.cross_entropy(model(X), y)
        loss.backward()
        made.step()
        return loss

    program = fastnn.capture(step)
    program(X, y)
    assert names(program).count("linear_backward+sgd_update") == 2


def test_an_update_waits_for_a_check_of_targets() -> None:
    """What comes between a gradient and its update may end the step: weights are as they were."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 6)).astype(np.float32)
    layer = layers.Linear(6, 1, seed=1)
    made = optim.SGD(layer.parameters(), lr=0.1)

    def step(X: Any, targets: Any) -> Any:
        made.zero_grad()
        loss = (layer(X) ** 2).sum()
        loss.backward()
        other = fastnn.binary_cross_entropy(fastnn.Tensor(X[:, :1]), targets)
        made.step()
        return loss, other

    program = fastnn.capture(step)
    program(X, np.ones((5, 1), np.float32))
    before = layer.weight.data.copy()
    with pytest.raises(ValueError, match="target"):
        program(X, np.full((5, 1), 1.5, np.float32))
    np.testing.assert_array_equal(layer.weight.data, before)
