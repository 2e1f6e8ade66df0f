"""What becomes of memory: long chains, no cycles, and steps that leave nothing behind."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import ops
from fastnn.modes import no_grad
from fastnn.tensor import Tensor, record

LONG = 100_000


def leaf(*values: float) -> Tensor:
    return Tensor(np.array(values, float), requires_grad=True)


def chain(x: Tensor, n: int = LONG) -> Tensor:
    for _ in range(n):
        x = x + 1
    return x


# --- long chains ----------------------------------------------------------------------


def test_a_long_chain_goes_backward_and_is_freed() -> None:
    x = leaf(1)
    y = chain(x)
    y.backward()
    assert x.grad.item() == 1
    assert y._node.args is None


def test_a_long_chain_is_freed_without_backward() -> None:
    y = leaf(1)
    for _ in range(3 * LONG):
        y = -y
    last = weakref.ref(y)
    del y
    assert last() is None


def test_a_long_chain_goes_backward_with_a_graph() -> None:
    x = leaf(1.0001)
    y = x
    for _ in range(LONG):
        y = y * 1.00001
    (y * y).backward(create_graph=True)
    first, x.grad = x.grad, None
    first.backward()
    slope = 1.00001**LONG
    np.testing.assert_allclose(x.grad, [2 * slope**2], rtol=1e-9)


def test_a_long_chain_in_nested_derivatives() -> None:
    def f(x: Tensor) -> Tensor:
        y = chain(x)
        return y * y * x

    # (x + n)^2 x: 2 (x + n) x + (x + n)^2, and 6 x + 4 n
    assert fastnn.grad(f)(1.0) == 2 * (1 + LONG) + (1 + LONG) ** 2
    assert fastnn.grad(fastnn.grad(f))(1.0) == 6 + 4 * LONG


def test_a_long_chain_of_assignments() -> None:
    x = leaf(1, 2)
    y = x * 1
    for _ in range(LONG // 4):
        y[0] = y[1]
    y.backward([1, 1])
    assert x.grad.tolist() == [0, 2]


# --- no cycles ------------------------------------------------------------------------


def garbage_of(work: Callable[[], object]) -> int:
    """How many objects only the collector of cycles could free after the work."""
    work()
    gc.collect()
    gc.disable()
    try:
        work()
        return gc.collect()
    finally:
        gc.enable()


X = np.random.default_rng(0).standard_normal((4, 3))
W = leaf(*np.linspace(-1, 1, 6))
PARAMETERS = {"W": np.ones((3, 2)), "b": [np.zeros(2)]}


def network(W: Tensor) -> Tensor:
    scores = np.exp(np.maximum(0, X @ W.reshape(3, 2))).reshape(2, 4)[0:2].T.sum(axis=1)
    loss = record(ops.mse_loss, (scores, np.ones(4), None))
    return loss + scores.max() + fastnn.cross_entropy(X @ W.reshape(3, 2), [0, 1, 1, 0])


def of_parameters(p: dict) -> Tensor:
    return fastnn.cross_entropy(X @ p["W"] + p["b"][0], [0, 1, 1, 0])


def backward_of_backward() -> None:
    network(W).backward(create_graph=True)
    first, W.grad = W.grad, None
    np.sum(first * first).backward()
    W.grad = None


def assignments() -> None:
    t = W * 1
    view = t[1:]
    t[0] = view[0]
    np.add.at(t, [0, 0], W[:2])
    t += 1
    t.sum().backward()


def generator() -> None:
    @no_grad()
    def values():
        yield W * 2

    list(values())


def refused() -> None:
    with pytest.raises(TypeError):
        np.fft.fft(W)
    with pytest.raises(RuntimeError):
        network(W).detach().backward()


gate = fastnn.op(lambda x, y: x * y, lambda dz, z, x, y: (dz * y, dz * x), name="gate")

WORK: dict[str, Callable[[], object]] = {
    "forward": lambda: network(W),
    "backward": lambda: network(W).backward(),
    "retained": lambda: network(W).backward(retain_graph=True),
    "backward of backward": backward_of_backward,
    "grad": lambda: fastnn.grad(of_parameters)(PARAMETERS),
    "grad of grad": lambda: fastnn.grad(fastnn.grad(lambda x: x**3))(2.0),
    "hessian": lambda: fastnn.jacobian(fastnn.grad(network))(np.ones(6)),
    "assignments": assignments,
    "generator": generator,
    "user's op": lambda: gate(W, W).sum().backward(),
    "refused": refused,
}


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_no_reference_cycles(work: Callable[[], object]) -> None:
    assert garbage_of(work) == 0


def test_backward_frees_the_graph_it_has_walked() -> None:
    y = np.exp(leaf(1, 2))
    inner = weakref.ref(y._node)
    loss = y.sum()
    del y
    assert inner() is not None
    loss.backward()
    assert inner() is None


# --- steps ----------------------------------------------------------------------------

STATM = Path("/proc/self/statm")


def resident() -> int:
    """Bytes of this process in memory; where the system does not tell, Python's own."""
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * 4096
    return tracemalloc.get_traced_memory()[0]


def test_100_000_steps_grow_the_process_by_less_than_a_megabyte() -> None:
    W = Tensor(np.ones((3, 2)), requires_grad=True)

    def steps(n: int) -> None:
        for _ in range(n):
            np.maximum(W, 0).sum().backward()
            W.data -= 1e-9 * W.grad
            W.grad = None

    if not STATM.exists():
        tracemalloc.start()
    steps(2_000)
    gc.collect()
    before = resident()
    steps(100_000)
    assert resident() - before < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("work", ["backward of backward", "grad", "hessian", "assignments"])
def test_other_steps_do_not_grow_memory(work: str) -> None:
    for _ in range(20):
        WORK[work]()
    W.grad = None
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(60):
            WORK[work]()
        W.grad = None
        gc.collect()  # or Python keeps tuples for its own use
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()
