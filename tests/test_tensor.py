"""Tensor: the graph's semantics, NumPy's protocols, and what becomes of memory."""

from __future__ import annotations

import copy
import json
import math
import pickle

import numpy as np
import pytest

from fastnn.tensor import Tensor, wrap


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
    # The very dtype object of NumPy, which is what compares fastest.
    for foreign in (np.ones(2, ">f8"), pickle.loads(pickle.dumps(np.ones(2)))):
        assert Tensor(foreign).dtype is np.dtype(np.float64)
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
    assert repr(leaf(1, 2.5)) == ("Tensor([1. , 2.5], dtype=float64, requires_grad=True)")
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


def test_results_are_not_copied_with_their_graph() -> None:
    y = leaf(1, 2) * 2
    for copies in (copy.deepcopy, pickle.dumps, lambda t: copy.deepcopy({"loss": [t]})):
        with pytest.raises(TypeError, match=r"result of multiply .* \.detach\(\)"):
            copies(y)
    assert copy.deepcopy(y.detach()).data.tolist() == [2, 4]
    assert copy.copy(y).data is y.data


def test_pickled_leaves() -> None:
    t = Tensor([1.0, 2.0], requires_grad=True, name="W")
    (t * 3).sum().backward()
    twin = pickle.loads(pickle.dumps(t))
    assert (twin.requires_grad, twin.name, twin.grad.tolist()) == (True, "W", [3, 3])


@pytest.mark.parametrize(
    "lose",
    [
        lambda t: np.asarray(t),
        lambda t: np.array(t, np.float32),
        lambda t: np.array([t, t]),
        lambda t: np.array([[1.0, t]]),
        lambda t: np.r_[t, t],
        lambda t: np.r_[1.0, t],
        lambda t: np.c_[t],
        lambda t: np.float64(t),
        lambda t: np.full(3, t),
        lambda t: np.arange(t),
        lambda t: np.mean([t, t]),
        lambda t: np.random.default_rng(0).normal(t),
        lambda t: np.vectorize(abs)(t),
        lambda t: np.ma.array(t),
        lambda t: np.zeros(3).__setitem__(slice(None), t),
        lambda t: complex(t),
        lambda t: math.sin(t),
        lambda t: math.floor(t),
        lambda t: "%f" % t,  # noqa: UP031
        lambda t: [1, 2, 3][t],
        lambda t: range(t),
        lambda t: 1 if t else 2,
        lambda t: t and 2,
        lambda t: not t,
    ],
)
def test_no_other_way_loses_a_gradient_silently(lose) -> None:
    with pytest.raises(TypeError, match=r"would silently lose the gradient.*(item|detach)\(\)"):
        lose(leaf(2).sum())


def test_python_knows_tensors() -> None:
    t = leaf(3, 1, 2)
    assert sum([t, t, t]).requires_grad
    assert math.prod([t, t]).data.tolist() == [9, 1, 4]
    assert max(t).item() == 3
    assert sorted(t)[0].requires_grad
    assert [row.item() for row in reversed(t)] == [2, 1, 3]
    first, *_ = t
    assert first.requires_grad
    assert 2.0 in t
    with pytest.raises(TypeError, match="JSON"):
        json.dumps(t)


def test_formats() -> None:
    t = leaf(2, 3)
    assert f"{t.sum():.3f} {t.sum():>6.1f}" == "5.000    5.0"
    assert f"{t}" == repr(t)
    with pytest.raises(TypeError, match=r"shape \(2,\).*\.item\(\)"):
        f"{t:.3f}"


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
        (lambda t: np.gcd(t, 1), r"np\.gcd "),
        (lambda t: np.subtract.reduce(t), r"np\.subtract\.reduce"),
        (lambda t: np.add.reduce(t, dtype=np.float32), r"reduce\(\).*dtype"),
        (lambda t: np.exp(t, where=[True, False]), r"np\.exp with where="),
        (lambda t: np.unique(t), r"np\.unique"),
        (lambda t: np.linalg.qr(np.outer(t, t)), r"np\.linalg\.qr"),
        (lambda t: np.fft.fft(t), r"np\.fft\.fft"),
        (lambda t: np.sum(t, dtype=np.float32), r"np\.sum\(\).*dtype"),
        (lambda t: np.max(t, initial=3), r"np\.max\(\).*initial"),
    ],
)
def test_the_unsupported_is_named(call, name: str) -> None:
    with pytest.raises(TypeError, match=name):
        call(leaf(1, 2))


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


def test_wrapping_shares() -> None:
    array = np.ones(2)
    assert wrap(array).data is array
