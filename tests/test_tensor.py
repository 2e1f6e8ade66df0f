"""Tensor: the graph's semantics, NumPy's protocols, and what becomes of memory."""

from __future__ import annotations

import copy
import gc
import threading
import tracemalloc
import warnings
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn import ops
from fastnn.tensor import Tensor, no_grad, record, wrap


def leaf(*values: float, dtype: str = "float64") -> Tensor:
    return Tensor(np.array(values, dtype), requires_grad=True)


# --- the array ------------------------------------------------------------------------


def test_attributes() -> None:
    t = Tensor(np.zeros((2, 3), np.float32))
    assert (t.shape, t.dtype, t.ndim, t.size, len(t)) == ((2, 3), np.float32, 2, 6, 2)
    assert t.grad is None
    assert not t.requires_grad
    assert Tensor([1, 2]).dtype == np.int64
    assert Tensor(3.5).item() == 3.5


def test_data_is_copied_contiguous_and_native() -> None:
    x = np.arange(6.0).reshape(2, 3)
    t = Tensor(x.T, requires_grad=True)
    t.data[0, 0] = 99
    assert x[0, 0] == 0
    assert t.data.flags.c_contiguous
    assert Tensor(np.ones(2, ">f8")).dtype.isnative
    assert Tensor(Tensor([1.0])).data.tolist() == [1]


def test_assigning_data_copies_in_place() -> None:
    t = leaf(1, 2)
    array = t.data
    t.data = [3, 4]
    assert t.data is array
    assert array.tolist() == [3, 4]
    t.data -= 1
    assert t.data is array
    assert array.tolist() == [2, 3]
    with pytest.raises(ValueError, match=r"\(2,\), got \(3,\)"):
        t.data = np.ones(3)
    with pytest.raises(TypeError, match="complex"):
        t.data = np.ones(2, complex)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.ma.masked_array([1.0], [True]), "masked"),
        (np.array([1j]), "complex"),
        (np.array(["a"]), "dtype"),
        ([None], "object"),
    ],
)
def test_data_that_is_no_real_numbers(data, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Tensor(data)


def test_only_floats_have_gradients() -> None:
    with pytest.raises(TypeError, match="int64"):
        Tensor([1, 2], requires_grad=True)


def test_repr() -> None:
    assert repr(leaf(1, 2.5)) == (
        "Tensor([1. , 2.5], dtype=float64, requires_grad=True)"
    )
    assert repr(Tensor(np.float32(2))) == "Tensor(2., dtype=float32)"


@pytest.mark.parametrize(
    ("lose", "remedy"),
    [
        (np.asarray, r"\.detach\(\)"),
        (lambda t: np.array([t, t]), r"\.detach\(\)"),
        (lambda t: t.numpy(), r"\.detach\(\)"),
        (float, r"\.item\(\)"),
        (int, r"\.item\(\)"),
        (bool, r"\.item\(\)"),
        (Tensor, r"\.detach\(\)"),
    ],
)
def test_a_gradient_is_not_lost_silently(lose, remedy: str) -> None:
    with pytest.raises(TypeError, match=remedy):
        lose(leaf(2).sum())
    lose(leaf(2).sum().detach())


def test_plain_values() -> None:
    t = leaf(2).sum()
    assert t.item() == 2.0
    plain = t.detach()
    assert plain.data is t.data
    assert (float(plain), int(plain), bool(plain)) == (2.0, 2, True)
    assert np.asarray(plain, np.float32).dtype == np.float32
    assert list(Tensor([1, 2]))[1].item() == 2
    with pytest.raises(TypeError):
        len(plain)
    with pytest.raises(TypeError):
        iter(plain)


def test_copying_a_leaf_keeps_it_a_leaf() -> None:
    t = leaf(1, 2)
    twin = copy.deepcopy(t)
    (twin * 3).sum().backward()
    assert twin.grad.tolist() == [3, 3]
    assert t.grad is None


# --- NumPy's protocols ----------------------------------------------------------------


def test_plain_numpy_builds_the_graph(rng: np.random.Generator) -> None:
    X = rng.standard_normal((5, 4))
    W1 = Tensor(rng.standard_normal((4, 3)), requires_grad=True)
    W2 = Tensor(rng.standard_normal((3, 2)), requires_grad=True)
    scores = np.maximum(0, X @ W1) @ W2
    assert isinstance(scores, Tensor)
    scores.sum().backward()
    hidden = np.maximum(0, X @ W1.data)
    ones = np.ones((5, 2))
    np.testing.assert_allclose(W2.grad, hidden.T @ ones)
    np.testing.assert_allclose(W1.grad, X.T @ (ones @ W2.data.T * (hidden > 0)))


def test_the_eleven_line_net_converges() -> None:
    # The lecture's: sigmoid from elementary gates, and its own update.
    X = np.array([[0.0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    y = np.array([[0.0, 1, 1, 0]]).T
    rng = np.random.default_rng(1)
    W0 = Tensor(2 * rng.random((3, 4)) - 1, requires_grad=True)
    W1 = Tensor(2 * rng.random((4, 1)) - 1, requires_grad=True)
    for _ in range(2000):
        hidden = 1 / (1 + np.exp(-np.dot(X, W0)))
        out = 1 / (1 + np.exp(-np.dot(hidden, W1)))
        loss = np.sum(np.square(out - y)) / 2
        loss.backward()
        for W in (W0, W1):
            W.data -= 2 * W.grad
            W.grad = None
    assert loss.item() < 1e-2
    assert np.array_equal(np.round(out.detach().numpy()), y)


@pytest.mark.parametrize("scalar", [2, 2.5, np.float32(2), np.float64(2)])
def test_promotion_is_numpys(scalar) -> None:
    x = np.ones(3, np.float32)
    t = Tensor(x, requires_grad=True)
    for both in (lambda a: a * scalar, lambda a: scalar * a, lambda a: a**scalar):
        y = both(t)
        assert y.dtype == both(x).dtype
        y.sum().backward()
        assert t.grad.dtype == np.float32
    assert (t + np.ones(3)).dtype == np.float64
    assert (Tensor([1, 2]) / 2).dtype == np.float64
    assert (t.sum() * 2.5).dtype == np.float32


def test_comparisons_are_plain_arrays() -> None:
    t = leaf(1, 2, 3)
    for answer, expected in (
        (t > 2, [False, False, True]),
        (t >= [1, 3, 3], [True, False, True]),
        (t < Tensor(2), [True, False, False]),
        (np.array([1, 3, 3]) <= t, [True, False, True]),
        (t == 2, [False, True, False]),
        (t != 2, [True, False, True]),
        (np.isfinite(t), [True, True, True]),
    ):
        assert isinstance(answer, np.ndarray)
        assert answer.tolist() == expected
    assert len({t, t}) == 1


def test_functions_without_a_gradient_give_plain_values() -> None:
    t = Tensor([[1.0, 3.0], [4.0, 2.0]], requires_grad=True)
    assert np.argmax(t, axis=1).tolist() == t.argmax(axis=1).tolist() == [1, 0]
    assert (np.shape(t), np.ndim(t), np.size(t)) == ((2, 2), 2, 4)
    assert type(np.zeros_like(t)) is np.ndarray
    assert np.allclose(a=t, b=t)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda t: np.sin(t), r"np\.sin "),
        (lambda t: np.add.reduce(t), r"np\.add\.reduce"),
        (lambda t: np.exp(t, where=[True, False]), r"np\.exp with where="),
        (lambda t: np.concatenate([t, t]), r"np\.concatenate"),
        (lambda t: np.linalg.norm(t), r"np\.linalg\.norm"),
        (lambda t: np.sum(t, dtype=np.float32), r"sum\(\).*dtype"),
        (lambda t: np.max(t, initial=3), r"max\(\).*initial"),
    ],
)
def test_the_unsupported_is_named(call, name: str) -> None:
    with pytest.raises(TypeError, match=name):
        call(leaf(1, 2))


def test_writing_a_tensor_into_an_array_names_the_fix() -> None:
    z = np.zeros(2)
    t = leaf(1, 2)
    with pytest.raises(TypeError, match="z = z \\+ t"):
        z += t
    with pytest.raises(TypeError, match="out="):
        np.exp(t, out=z)
    assert z.tolist() == [0, 0]


def test_in_place_operators_make_new_nodes() -> None:
    x = leaf(1, 2)
    t = before = x * 2
    t += 1
    t *= 3
    t -= x
    t /= 2
    assert t is not before
    assert before.data.tolist() == [2, 4]
    t.sum().backward()
    assert x.grad.tolist() == [2.5, 2.5]


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/"])
def test_in_place_operators_spare_leaves(symbol: str) -> None:
    with pytest.raises(TypeError, match=rf"t\.data \{symbol}= v"):
        exec(f"t {symbol}= 1", {"t": leaf(1)})
    scope = {"t": Tensor([4.0])}
    exec(f"t {symbol}= 2", scope)
    assert scope["t"].item() == eval(f"4.0 {symbol} 2")


def test_foreign_operands_get_their_turn() -> None:
    class Foreign:
        def __rmul__(self, other: object) -> str:
            return "mine"

        def __mul__(self, other: object) -> str:
            return "mine too"

    assert leaf(1) * Foreign() == "mine"
    assert Foreign() * leaf(1) == "mine too"
    with pytest.raises(TypeError):
        leaf(1) * object()
    with pytest.raises(TypeError):
        object() * leaf(1)


# --- the way back ---------------------------------------------------------------------


def test_gates_of_the_lecture() -> None:
    x, y, z = leaf(-2), leaf(5), leaf(-4)
    f = (x + y) * z
    f.backward()
    assert (f.item(), x.grad.item(), y.grad.item(), z.grad.item()) == (-12, -4, -4, 3)


def test_gradients_add_where_a_value_branches() -> None:
    x = leaf(3)
    y = x * x
    (y * x + y + x).backward()  # x**3 + x**2 + x
    assert x.grad.item() == 3 * 9 + 2 * 3 + 1


def test_gradients_accumulate_without_touching_the_old() -> None:
    x = leaf(1, 2)
    (x * 3).sum().backward()
    first = x.grad
    (x * 4).sum().backward()
    assert first.tolist() == [3, 3]
    assert x.grad.tolist() == [7, 7]


@pytest.mark.parametrize(
    "f",
    [
        lambda a, b: a + b,
        lambda a, b: a.reshape(3, 1) + b.reshape(3, 1),
        lambda a, b: (a + b).sum(),
        lambda a, b: a[::-1] + b,
    ],
)
def test_gradients_of_two_leaves_share_no_memory(f) -> None:
    a, b = leaf(1, 2, 3), leaf(4, 5, 6)
    y = f(a, b)
    seed = np.ones(y.shape)
    y.backward(seed)
    for gradient in (a.grad, b.grad):
        assert gradient.flags.writeable
        gradient += 5
    assert a.grad.tolist() == b.grad.tolist() == [6, 6, 6]
    assert np.all(seed == 1)


def test_a_leaf_is_its_own_root() -> None:
    x = leaf(2)
    x.backward()
    x.backward([3])
    assert x.grad.tolist() == [4]


def test_non_scalars_want_a_gradient_of_their_shape() -> None:
    y = leaf(1, 2) * 2
    with pytest.raises(ValueError, match=r"shape \(2,\) wants grad"):
        y.backward()
    with pytest.raises(ValueError, match=r"\(2,\), got \(1,\)"):
        y.backward([1.0])
    y.backward(Tensor([1.0, 1.0]))


def test_the_second_time_is_an_error() -> None:
    x = leaf(2)
    y = x * x
    z = y + 1
    z.backward()
    with pytest.raises(RuntimeError, match="second time"):
        z.backward()
    with pytest.raises(RuntimeError, match="second time"):
        (y * 2).backward()  # its part of the graph is gone too
    assert x.grad.item() == 4


def test_retained_graphs_go_back_again(rng: np.random.Generator) -> None:
    scores = Tensor(rng.standard_normal((2, 3)), requires_grad=True)
    y = np.array([0, 2])
    loss = record(ops.cross_entropy, (scores, y, None, None)) * 2
    loss.backward(retain_graph=True)
    once = scores.grad.copy()
    scores.grad *= 1  # the caller's own, to do with as he likes
    loss.backward()
    np.testing.assert_allclose(scores.grad, 2 * once)


def test_nothing_to_differentiate() -> None:
    with pytest.raises(RuntimeError, match="needs no gradient"):
        (Tensor([1.0]) * 2).backward()


def test_argument_without_derivative_is_named(rng: np.random.Generator) -> None:
    weight = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"cross_entropy has no derivative.* 2"):
        record(
            ops.cross_entropy, (rng.standard_normal((3, 2)), [0, 1, 1], weight, None)
        ).backward()


def test_a_backward_of_the_wrong_shape_is_named() -> None:
    wrong = ops.Op("wrong", np.sin, lambda g, y, x: g[:1])
    with pytest.raises(ValueError, match=r"backward of wrong .*\(2,\), got \(1,\)"):
        wrong(leaf(1, 2)).sum().backward()


def test_frozen_and_plain_arguments_get_no_gradient() -> None:
    x, frozen = leaf(2), Tensor([3.0])
    (x * frozen).backward()
    assert x.grad.item() == 3
    assert frozen.grad is None


def test_users_op_with_a_rule_for_all_arguments() -> None:
    def backward(g, y, needs, a, b):
        assert needs == [False, True]
        return None, g * a

    gate = ops.Op("gate", lambda a, b: a * b, joint=backward)
    a, b = Tensor([2.0]), leaf(5)
    gate(a, b).backward()
    assert b.grad.item() == 2


# --- no_grad --------------------------------------------------------------------------


def test_no_grad() -> None:
    x = leaf(1)
    with no_grad():
        with no_grad():
            pass
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad

    @no_grad()
    def double(t: Tensor) -> Tensor:
        return t * 2

    assert not double(x).requires_grad
    with pytest.raises(ZeroDivisionError), no_grad():
        1 / 0  # noqa: B018
    assert (x * 2).requires_grad


def test_no_grad_is_the_threads_own() -> None:
    x = leaf(1)
    seen = []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append((x * 2).requires_grad))
        thread.start()
        thread.join()
    assert seen == [True]


# --- memory ---------------------------------------------------------------------------


def test_deep_chain_goes_backward_and_is_freed() -> None:
    x = leaf(1)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1
    del y


def test_deep_chain_is_freed_without_backward() -> None:
    y = leaf(1)
    for _ in range(300_000):
        y = -y
    last = weakref.ref(y)
    del y
    assert last() is None


def test_no_reference_cycles(rng: np.random.Generator) -> None:
    X = rng.standard_normal((4, 3))
    W = Tensor(rng.standard_normal((3, 2)), requires_grad=True)

    def graph() -> Tensor:
        scores = np.exp(np.maximum(0, X @ W)).reshape(2, 4)[0:2].T.sum(axis=1)
        return record(ops.mse_loss, (scores, np.ones(4), None)) + scores.max()

    gc.collect()
    gc.disable()
    try:
        for finish in (lambda t: None, Tensor.backward):
            loss = graph()
            finish(loss)
            watched = [weakref.ref(loss)]
            watched += [weakref.ref(parent) for _, parent in loss._parents]
            del loss
            assert [each() for each in watched] == [None] * len(watched)
    finally:
        gc.enable()


def test_backward_frees_the_graph_it_has_walked() -> None:
    y = np.exp(leaf(1, 2))
    inner = weakref.ref(y)
    loss = y.sum()
    del y
    assert inner() is not None
    loss.backward()
    assert inner() is None


def test_steps_do_not_grow_memory() -> None:
    x = leaf(*range(10))

    def steps(n: int) -> None:
        for _ in range(n):
            np.square(x).sum().backward()
            x.grad = None

    steps(100)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        steps(1000)
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()


def test_wrapping_shares() -> None:
    array = np.ones(2)
    assert wrap(array).data is array


@given(st.lists(st.sampled_from("+*m"), max_size=12), st.integers(0, 2**16))
def test_random_graphs_agree_with_dual_numbers(gates: list[str], seed: int) -> None:
    """Forward-mode derivatives, computed along, of a graph that branches at random."""
    rng = np.random.default_rng(seed)
    x = leaf(0.5)
    nodes, values, slopes = [x], [0.5], [1.0]
    for gate in gates:
        i, j = rng.integers(len(nodes), size=2)
        u, v, du, dv = values[i], values[j], slopes[i], slopes[j]
        if gate == "+":
            node, value, slope = nodes[i] + nodes[j], u + v, du + dv
        elif gate == "*":
            node, value, slope = nodes[i] * nodes[j], u * v, du * v + u * dv
        else:
            node = np.tanh(nodes[i])
            value, slope = np.tanh(u), du * (1 - np.tanh(u) ** 2)
        nodes.append(node)
        values.append(value)
        slopes.append(slope)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deep products may overflow, in both alike
        nodes[-1].backward()
    np.testing.assert_allclose(x.grad.item(), slopes[-1], rtol=1e-9)
