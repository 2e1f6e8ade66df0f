"""The ndarray API: thin over the kernels, which tests/kernels holds to their twins."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

from fastnn import functional as F
from fastnn._kernels import reference

LAYERS = ["linear", "linear_backward", "matmul"]
ACTIVATIONS = ["relu", "sigmoid", "tanh", "softmax", "log_softmax"]
LOSSES = [
    "cross_entropy", "hinge_loss", "mse_loss", "l1_loss", "huber_loss",
    "binary_cross_entropy",
]  # fmt: skip
UPDATES = ["sgd_update", "adam_update", "rmsprop_update", "adagrad_update"]
SAME_AS_TWIN = [
    *LAYERS,
    *ACTIVATIONS,
    *(f"{name}_backward" for name in ACTIVATIONS),
    *LOSSES,
    *UPDATES,
    "gather_rows",
]


@pytest.mark.parametrize("name", SAME_AS_TWIN)
def test_arguments_are_those_of_the_twin(name):
    """Losses take no outputs here, and the output of ``linear`` is named as all are."""
    wanted = list(inspect.signature(getattr(reference, name)).parameters)
    if name in LOSSES:
        wanted = wanted[:-2]
    if name == "linear":
        wanted[-1] = "out"
    assert list(inspect.signature(getattr(F, name)).parameters) == wanted


@pytest.mark.parametrize("name", SAME_AS_TWIN)
def test_a_docstring_says_what_comes_in_and_goes_out(name):
    assert inspect.getdoc(getattr(F, name))


def calls(rng, dtype):
    """A call of every function: name, arguments; in-place ones own their first."""
    x, z, W = (rng.standard_normal(s).astype(dtype) for s in ((6, 4), (6, 3), (4, 3)))
    b, y = rng.standard_normal(3).astype(dtype), rng.integers(3, size=6)
    state = np.abs(x)
    return [
        ("matmul", (x, W, b)),
        ("linear", (x, W, b)),
        ("linear_backward", (z, x, W)),
        ("relu", (x,)),
        ("relu_backward", (x, x[::-1])),
        ("sigmoid", (x,)),
        ("sigmoid_backward", (x, state)),
        ("tanh", (x,)),
        ("tanh_backward", (x, state)),
        ("softmax", (x,)),
        ("softmax_backward", (x, state)),
        ("log_softmax", (x,)),
        ("log_softmax_backward", (x, -state)),
        ("cross_entropy", (z, y, np.ones(3, dtype), np.arange(6, dtype=dtype))),
        ("hinge_loss", (z, y, 0.5, np.ones(3, dtype), np.arange(6, dtype=dtype))),
        ("mse_loss", (x, x[::-1], np.arange(6, dtype=dtype))),
        ("l1_loss", (x, x[::-1], np.arange(6, dtype=dtype))),
        ("huber_loss", (x, x[::-1], 0.5, np.arange(6, dtype=dtype))),
        ("binary_cross_entropy", (x, state / 9, np.arange(6, dtype=dtype))),
        ("sgd_update", (x, x[::-1], 0.1, 0.9, True, 0.01, state)),
        ("adam_update", (x, x[::-1], x / 2, state, 3, 0.1, 0.8, 0.99, 1e-6, 0.1, True)),
        ("rmsprop_update", (x, x[::-1], state, 0.1, 0.9, 1e-6, 0.01, 0.5, x / 3)),
        ("adagrad_update", (x, x[::-1], state, 0.1, 1e-6, 0.01)),
        ("gather_rows", (x, y, 0.5, 2.0)),
    ]


def copied(arguments):
    return [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]


def test_every_argument_reaches_its_place(dtype, rng):
    """Each result is the twin's: no option is dropped or swapped on the way."""
    seen = set()
    for name, arguments in calls(rng, dtype):
        seen.add(name)
        ours, theirs = copied(arguments), copied(arguments)
        result = getattr(F, name)(*ours)
        expected = getattr(reference, name)(*theirs)
        rtol = 100 * np.finfo(dtype).eps
        for got, wanted in [(result, expected), *zip(ours, theirs, strict=True)]:
            for one, other in zip(
                got if isinstance(got, tuple) else [got],
                wanted if isinstance(wanted, tuple) else [wanted],
                strict=True,
            ):
                np.testing.assert_allclose(
                    one, other, rtol=rtol, atol=rtol, err_msg=name
                )
    assert seen == set(SAME_AS_TWIN)


def test_losses_are_scalars_of_the_dtype_of_the_scores(dtype, rng):
    for name, arguments in calls(rng, dtype):
        if name in LOSSES:
            loss, _ = getattr(F, name)(*arguments)
            assert type(loss) is dtype.type


@pytest.mark.parametrize("name", ["linear", "mse_loss", "sgd_update", "relu_backward"])
def test_mixed_float_types_are_refused(name):
    arguments = [np.ones((2, 2), np.float32), np.ones((2, 2))]
    if name == "sgd_update":
        arguments.append(0.1)
    with pytest.raises(TypeError, match=r"float64.*float32"):
        getattr(F, name)(*arguments)


def gradients(dtype, *values):
    return [np.array(value, dtype) for value in values]


def test_clip_norm_scales_all_gradients_by_one_factor(dtype):
    grads = gradients(dtype, [3, 0], [[0, 4]])
    assert F.clip_norm(grads, 1.0) == pytest.approx(5)
    np.testing.assert_allclose(grads[0], [0.6, 0], rtol=1e-6)
    np.testing.assert_allclose(grads[1], [[0, 0.8]], rtol=1e-6)


def test_clip_norm_leaves_small_and_broken_gradients_alone(dtype):
    for values, limit in (([3, 4], 5.0), ([3, math.nan], 1.0), ([math.inf, 1], 1.0)):
        grads = gradients(dtype, values)
        norm = F.clip_norm(grads, limit)
        np.testing.assert_equal(norm, np.linalg.norm(values))
        np.testing.assert_array_equal(grads[0], np.array(values, dtype))
    assert F.clip_norm([], 1.0) == 0


@pytest.mark.parametrize("limit", [-1.0, math.nan])
def test_clip_norm_refuses_a_limit_that_is_none(limit):
    with pytest.raises(ValueError, match=r"max_norm.*at least 0.*" + str(limit)[:2]):
        F.clip_norm([np.ones(3)], limit)


def test_clip_norm_takes_a_generator(dtype):
    """The norm uses it up; what is clipped must be what was measured."""
    grads = gradients(dtype, [3], [4])
    assert F.clip_norm((g for g in grads), 1.0) == pytest.approx(5)
    np.testing.assert_allclose(np.concatenate(grads), [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize("clip", [F.clip_norm, F.clip_value])
@pytest.mark.parametrize(
    ("bad", "error", "got"),
    [
        (np.ones(2, int), TypeError, "int64"),
        ([1.0], TypeError, "list"),
        (np.broadcast_to(1.0, 2), ValueError, "read-only"),
    ],
)
def test_clipping_names_the_bad_gradient_and_changes_none(clip, bad, error, got):
    good = np.full(2, 9.0)
    with pytest.raises(error, match=rf"grads\[1\].*{got}"):
        clip([good, bad], 1.0)
    np.testing.assert_array_equal(good, 9)


def test_clipping_wants_a_list():
    with pytest.raises(TypeError, match="grads must be a list"):
        F.clip_norm(np.ones(3), 1.0)


def test_clip_value_clips_each_element(dtype):
    grads = gradients(dtype, [3, -0.5], [[-9]])
    F.clip_value(grads, 1.0)
    np.testing.assert_array_equal(grads[0], [1, -0.5])
    np.testing.assert_array_equal(grads[1], [[-1]])


def test_a_net_written_by_hand_learns(rng):
    """Two layers on XOR-like data, ten lines of NumPy and F: the loss falls near 0."""
    X = rng.uniform(-1, 1, (400, 2)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
    W1, W2 = rng.standard_normal((2, 32)), rng.standard_normal((32, 2)) / 4
    params = [W1, np.zeros(32), W2, np.zeros(2)]
    W1, b1, W2, b2 = params = [p.astype(np.float32) for p in params]
    velocity = [np.zeros_like(p) for p in params]
    losses = []
    for _ in range(300):
        h = F.linear(X, W1, b1)
        a = F.relu(h)
        loss, dscores = F.cross_entropy(F.linear(a, W2, b2), y)
        da, dW2, db2 = F.linear_backward(dscores, a, W2)
        _, dW1, db1 = F.linear_backward(F.relu_backward(da, h), X, W1, dx=False)
        for p, g, v in zip(params, (dW1, db1, dW2, db2), velocity, strict=True):
            F.sgd_update(p, g, 0.3, momentum=0.9, velocity=v)
        losses.append(float(loss))
    assert losses[0] > 0.5
    assert losses[-1] < 0.1
