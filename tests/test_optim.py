"""Optimizers against their formulas over several steps, groups, state and errors."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fastnn import models, optim
from fastnn.layers import Parameter
from fastnn.tensor import Tensor

STEPS = 5


def sgd(w, grads, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    v = np.zeros_like(w)
    for g in grads:
        g = g + weight_decay * w
        v = momentum * v + g
        w = w - lr * (g + momentum * v if nesterov else v)
    return w


def adam(w, grads, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    m = v = np.zeros_like(w)
    for t, g in enumerate(grads, 1):
        g = g + weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
        w = w - lr * m_hat / (np.sqrt(v_hat) + eps)
    return w


def adamw(w, grads, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    m = v = np.zeros_like(w)
    for t, g in enumerate(grads, 1):
        w = w - lr * weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
        w = w - lr * m_hat / (np.sqrt(v_hat) + eps)
    return w


def rmsprop(w, grads, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0):
    v = b = np.zeros_like(w)
    for g in grads:
        g = g + weight_decay * w
        v = alpha * v + (1 - alpha) * g**2
        b = momentum * b + g / (np.sqrt(v) + eps)
        w = w - lr * b
    return w


def adagrad(w, grads, lr=1e-2, eps=1e-10, weight_decay=0.0):
    s = np.zeros_like(w)
    for g in grads:
        g = g + weight_decay * w
        s = s + g**2
        w = w - lr * g / (np.sqrt(s) + eps)
    return w


CASES = [
    (optim.SGD, sgd, {"lr": 0.1}),
    (optim.SGD, sgd, {"lr": 0.1, "weight_decay": 0.1}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9}),
    (optim.SGD, sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (
        optim.SGD,
        sgd,
        {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.2},
    ),
    (optim.Adam, adam, {}),
    (
        optim.Adam,
        adam,
        {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.1, "weight_decay": 0.2},
    ),
    (optim.AdamW, adamw, {}),
    (
        optim.AdamW,
        adamw,
        {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.1, "weight_decay": 0.2},
    ),
    (optim.RMSprop, rmsprop, {}),
    (
        optim.RMSprop,
        rmsprop,
        {"lr": 0.1, "alpha": 0.7, "eps": 0.1, "weight_decay": 0.2, "momentum": 0.6},
    ),
    (optim.Adagrad, adagrad, {}),
    (optim.Adagrad, adagrad, {"lr": 0.3, "eps": 0.1, "weight_decay": 0.2}),
]
IDS = [f"{case[0].__name__}-{i}" for i, case in enumerate(CASES)]


def start(rng: np.random.Generator, dtype="float64") -> tuple[np.ndarray, np.ndarray]:
    w = rng.standard_normal((4, 3)).astype(dtype)
    return w, rng.standard_normal((STEPS, 4, 3)).astype(dtype)


def run(optimizer: optim.Optimizer, w: Tensor, grads: np.ndarray) -> None:
    for g in grads:
        w.grad = g.copy()
        optimizer.step()


@pytest.mark.parametrize(("make", "formula", "options"), CASES, ids=IDS)
def test_formula(make, formula, options, rng: np.random.Generator, dtype) -> None:
    w0, grads = start(rng, dtype)
    w = Parameter(w0)
    array = w.data
    run(make([w], **options), w, grads)
    assert w.data is array
    assert w.data.dtype == dtype
    expected = formula(w0.astype(np.float64), grads.astype(np.float64), **options)
    rtol = 1e-12 if dtype == np.float64 else 2e-5
    np.testing.assert_allclose(w.data, expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize(("make", "formula", "options"), CASES, ids=IDS)
def test_stop_and_resume_gives_the_same_bits(
    make, formula, options, rng: np.random.Generator
) -> None:
    w0, grads = start(rng, "float32")
    whole, first = Parameter(w0), Parameter(w0)
    run(make([whole], **options), whole, grads)
    stopped = make([first], **options)
    run(stopped, first, grads[:2])
    state, second = stopped.state_dict(), Parameter(first.data)
    run(stopped, first, grads[2:3])  # the state is a copy: this must not reach it
    resumed = make([second], **{**options, "lr": 123.0})
    resumed.load_state_dict(state)
    run(resumed, second, grads[2:])
    assert np.array_equal(second.data, whole.data)


def test_decay_spares_what_does_not_decay(rng: np.random.Generator) -> None:
    w0, grads = start(rng)
    for make, formula in (
        (optim.SGD, sgd),
        (optim.Adam, adam),
        (optim.AdamW, adamw),
        (optim.RMSprop, rmsprop),
        (optim.Adagrad, adagrad),
    ):
        b = Parameter(w0, decay=False)
        run(make([b], lr=0.1, weight_decay=0.5), b, grads)
        expected = formula(w0, grads, lr=0.1, weight_decay=0.0)
        np.testing.assert_allclose(b.data, expected, rtol=1e-12)


def test_plain_tensors_can_be_optimized(rng: np.random.Generator) -> None:
    w0, grads = start(rng)
    w = Tensor(w0, requires_grad=True)
    run(optim.SGD([w], lr=0.1, weight_decay=0.5), w, grads)
    expected = sgd(w0, grads, lr=0.1, weight_decay=0.5)
    np.testing.assert_allclose(w.data, expected, rtol=1e-12)


def test_parameters_without_gradient_stay() -> None:
    moving, still = Parameter([1.0]), Parameter([1.0])
    optimizer = optim.Adam([moving, still])
    moving.grad = np.ones(1)
    optimizer.step()
    assert moving.data[0] < 1
    assert still.data[0] == 1
    assert optimizer.state_dict()["state"][1] == {}
    optimizer.zero_grad()
    assert moving.grad is None


def test_gradients_are_not_changed(rng: np.random.Generator) -> None:
    w0, grads = start(rng)
    for make, _, options in CASES:
        w = Parameter(w0)
        w.grad = grads[0].copy()
        make([w], **options).step()
        assert np.array_equal(w.grad, grads[0])


def test_groups_have_options_of_their_own(rng: np.random.Generator) -> None:
    w0, grads = start(rng)
    a, b, c = Parameter(w0), Parameter(w0), Parameter(w0)
    groups = [{"params": [a], "lr": 0.5, "momentum": 0.9}, {"params": iter([b])}]
    optimizer = optim.SGD([*groups, {"params": c, "weight_decay": 0.1}], lr=0.1)
    for g in grads:
        a.grad, b.grad, c.grad = g, g, g
        optimizer.step()
    np.testing.assert_allclose(a.data, sgd(w0, grads, 0.5, 0.9), rtol=1e-12)
    np.testing.assert_allclose(b.data, sgd(w0, grads, 0.1), rtol=1e-12)
    expected = sgd(w0, grads, 0.1, weight_decay=0.1)
    np.testing.assert_allclose(c.data, expected, rtol=1e-12)
    assert groups[0].keys() == {"params", "lr", "momentum"}  # the caller's, as it was


def test_options_are_read_at_every_step() -> None:
    w = Parameter([1.0])
    optimizer = optim.SGD([w], lr=0.5)
    optimizer.param_groups[0]["lr"] = 0.25
    w.grad = np.ones(1)
    optimizer.step()
    assert w.data[0] == 0.75


def test_lr_keeps_the_ratio_of_the_groups() -> None:
    a, b = Parameter([1.0]), Parameter([1.0])
    optimizer = optim.SGD([{"params": [a]}, {"params": [b], "lr": 0.1}], lr=0.4)
    for lr in (0.2, 0.0, 0.8):  # through zero and back
        optimizer.lr = lr
        assert optimizer.lr == lr
        assert optimizer.param_groups[1]["lr"] == pytest.approx(lr / 4)
    with pytest.raises(ValueError, match="lr must be"):
        optimizer.lr = -1


def test_regularization() -> None:
    model = models.linear(2, 2, dtype="float32")
    model[0].weight.data = [[1, 2], [3, 4]]
    model[0].bias.data = [100, 100]
    extra = Parameter(np.array([10.0]))
    groups = [{"params": model.parameters()}, {"params": [extra], "weight_decay": 0.5}]
    value = optim.SGD(groups, lr=0.1, weight_decay=0.1).regularization()
    assert isinstance(value, float)
    assert value == pytest.approx(0.1 / 2 * 30 + 0.5 / 2 * 100)
    assert optim.SGD(model.parameters(), lr=0.1).regularization() == 0.0


def test_param_groups_of_the_state_are_json() -> None:
    a, b = Parameter([1.0]), Parameter([1.0])
    optimizer = optim.AdamW([{"params": [b]}, {"params": [a], "lr": 0.5}])
    groups = json.loads(json.dumps(optimizer.state_dict()["param_groups"]))
    assert [group["params"] for group in groups] == [[0], [1]]
    assert [group["lr"] for group in groups] == [1e-3, 0.5]
    optimizer.load_state_dict({"state": {}, "param_groups": groups})
    a.grad = b.grad = np.ones(1)
    optimizer.step()


def test_state_of_something_else_is_refused() -> None:
    w = Parameter(np.ones((2, 3)))
    optimizer = optim.Adam([w])
    w.grad = np.ones((2, 3))
    optimizer.step()
    state = optimizer.state_dict()
    with pytest.raises(ValueError, match="of SGD with the options"):
        optim.SGD([w], lr=0.1).load_state_dict(state)
    with pytest.raises(ValueError, match="wants 2 groups"):
        optim.Adam([{"params": [w]}, {"params": [Parameter([1.0])]}]).load_state_dict(state)
    with pytest.raises(ValueError, match="in another way"):
        optim.Adam([w, Parameter([1.0])]).load_state_dict(state)
    other = optim.Adam([Parameter(np.ones((3, 2)))], lr=0.7)
    with pytest.raises(ValueError, match=r"wants shape \(3, 2\), got \(2, 3\)"):
        other.load_state_dict(state)
    assert other.lr == 0.7
    state["param_groups"][0]["lr"] = -1
    with pytest.raises(ValueError, match="lr must be"):
        optimizer.load_state_dict(state)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (optim.SGD, {"lr": -0.1}, "lr must be"),
        (optim.SGD, {"lr": float("nan")}, "lr must be"),
        (optim.SGD, {"lr": float("inf")}, "lr must be"),
        (optim.SGD, {"lr": 0.1, "momentum": 1.0}, "momentum must be"),
        (optim.SGD, {"lr": 0.1, "nesterov": True}, "nesterov wants a momentum"),
        (optim.SGD, {"lr": 0.1, "weight_decay": -1}, "weight_decay must be"),
        (optim.Adam, {"betas": (0.9, 1.0)}, "betas must be"),
        (optim.Adam, {"betas": (0.9,)}, "betas must be two"),
        (optim.Adam, {"eps": 0.0}, "eps must be"),
        (optim.AdamW, {"weight_decay": -1}, "weight_decay must be"),
        (optim.RMSprop, {"alpha": 1.0}, "alpha must be"),
        (optim.RMSprop, {"eps": -1.0}, "eps must be"),
        (optim.RMSprop, {"momentum": -0.1}, "momentum must be"),
        (optim.Adagrad, {"eps": 0.0}, "eps must be"),
    ],
)
def test_options_out_of_range(make, options, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make([Parameter([1.0])], **options)
    lr = {"lr": options.get("lr", 0.1)} if make is optim.SGD else {}
    good = {"lr": 0.1} if make is optim.SGD else {}
    with pytest.raises(ValueError, match=message):
        make([{"params": [Parameter([1.0])], **options, **lr}], **good)


def test_bad_parameters() -> None:
    w = Parameter([1.0])
    for params, error, message in (
        ([], ValueError, "at least one"),
        ([{"params": []}], ValueError, "at least one"),
        ([w, w], ValueError, "twice"),
        ([{"params": [w]}, {"params": [w]}], ValueError, "twice"),
        ([np.ones(1)], TypeError, "ndarray"),
        ([Tensor([1.0])], ValueError, "needs a gradient"),
        ([{"lr": 0.1}], TypeError, '"params"'),
        ([{"params": [w]}, w], TypeError, '"params"'),
        ([{"params": [w], "beta": 1}], ValueError, "got beta"),
    ):
        with pytest.raises(error, match=message):
            optim.SGD(params, lr=0.1)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (optim.SGD, {"lr": None}, "lr must be a number .*, got None"),
        (optim.SGD, {"lr": 0.1, "momentum": "0.9"}, "momentum must be a number"),
        (optim.Adam, {"betas": 0.9}, "betas must be two numbers, got 0.9"),
        (optim.Adam, {"betas": (0.9, None)}, "betas must be a number .*, got None"),
    ],
)
def test_options_of_another_type(make, options, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make([Parameter([1.0])], **options)


def test_what_would_train_nothing_is_refused() -> None:
    W = Parameter(np.ones((2, 3)))
    model = models.mlp(3, (2,), 2)
    for params, message in [
        (W, "params wants a list of Tensors, got Parameter"),
        ({"params": [W]}, "params wants a list of Tensors, got dict"),
        (None, "params wants a list of Tensors, got NoneType"),
        ([W * 2], "got the result of multiply"),
        ([W, 3], "params wants Tensors, got int"),
        (model, r"got a Sequential: pass its .parameters\(\)"),
        ([{"params": model}], r"got a Sequential: pass its .parameters\(\)"),
    ]:
        with pytest.raises(TypeError, match=message):
            optim.SGD(params, 0.1)
    W.requires_grad = False
    with pytest.raises(ValueError, match="nothing to train"):
        optim.SGD([W], 0.1)


def test_frozen_parameters_stay_and_thaw() -> None:
    frozen, free = Parameter([1.0, 2.0]), Parameter([3.0])
    frozen.requires_grad = False
    optimizer = optim.Adam([frozen, free], weight_decay=0.5)
    assert optimizer.regularization() == pytest.approx(0.25 * 9)
    frozen.grad, free.grad = np.ones(2), np.ones(1)
    optimizer.step()
    np.testing.assert_array_equal(frozen.data, [1.0, 2.0])
    assert free.data[0] < 3
    frozen.requires_grad = True
    optimizer.step()
    assert (frozen.data < [1.0, 2.0]).all()
