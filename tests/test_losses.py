"""Losses on Tensors: known values, gradients, weights, and errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numerical import check_gradients

import fastnn
from fastnn import losses
from fastnn.modes import no_grad
from fastnn.tensor import Tensor

LABELS = np.array([2, 0, 1, 2])


@pytest.fixture
def scores(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((4, 3))


def test_values_by_formula() -> None:
    x, t = np.array([3.0, -1.0]), np.array([1.0, -1.5])  # differences 2 and 0.5
    assert losses.mse_loss(x, t).item() == (4 + 0.25) / 2
    assert losses.l1_loss(x, t).item() == (2 + 0.5) / 2
    assert losses.huber_loss(x, t).item() == ((2 - 0.5) + 0.125) / 2
    assert losses.huber_loss(x, t, delta=3.0).item() == (2 + 0.125) / 2
    expected = (math.log1p(math.exp(-3)) + math.log1p(math.exp(-1))) / 2
    assert losses.binary_cross_entropy(x, [1, 0]).item() == pytest.approx(expected)
    s = np.array([[3.2, 5.1, -1.7]])
    assert losses.hinge_loss(s, [0]).item() == pytest.approx(2.9)
    assert losses.hinge_loss(s, [0], delta=0.1).item() == pytest.approx(2.0)
    expected = -math.log(math.exp(3.2) / sum(map(math.exp, s[0])))
    assert losses.cross_entropy(s, [0]).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    "loss",
    [
        lambda s: losses.cross_entropy(s, LABELS),
        lambda s: losses.cross_entropy(s, LABELS, [1.0, 2.0, 0.5], [1.0, 0, 2, 3]),
        lambda s: losses.hinge_loss(s, LABELS),
        lambda s: losses.hinge_loss(s, LABELS, 0.3, [1.0, 2.0, 0.5], [1.0, 0, 2, 3]),
        lambda s: losses.binary_cross_entropy(s, np.eye(3)[LABELS]),
        lambda s: losses.binary_cross_entropy(s, np.eye(3)[LABELS], [1.0, 0, 2, 3]),
        lambda s: losses.cross_entropy(s * 2, LABELS) * 3 + losses.mse_loss(s, s * 2),
    ],
)
def test_gradients(loss, scores: np.ndarray) -> None:
    check_gradients(loss, scores)


@pytest.mark.parametrize(
    "loss",
    [
        losses.mse_loss,
        losses.l1_loss,
        losses.huber_loss,
        lambda p, t: losses.huber_loss(p, t, 0.4),
        lambda p, t: losses.mse_loss(p, t, [1.0, 0, 2, 3]),
        lambda p, t: losses.l1_loss(p, t, [1.0, 0, 2, 3]),
        lambda p, t: losses.huber_loss(p, t, 0.4, [1.0, 0, 2, 3]),
    ],
)
def test_gradients_by_prediction_and_target(
    loss, scores: np.ndarray, rng: np.random.Generator
) -> None:
    check_gradients(loss, scores, rng.standard_normal(scores.shape))


def test_weights_are_a_weighted_mean(scores: np.ndarray) -> None:
    per_row = np.array([losses.cross_entropy(s[None], [y]).item()
                        for s, y in zip(scores, LABELS, strict=True)])  # fmt: skip
    weight, sample = np.array([1, 2, 0.5]), np.array([1, 0, 2, 3])
    w = weight[LABELS] * sample
    loss = losses.cross_entropy(scores, LABELS, weight, sample)
    assert loss.item() == pytest.approx((w * per_row).sum() / w.sum())


def test_kinks_are_flat() -> None:
    x = Tensor([[1.0, 2.0]], requires_grad=True)
    losses.l1_loss(x, [[1.0, 2.0]]).backward()
    losses.hinge_loss(x, [1]).backward()  # the margin is exactly zero
    assert x.grad.tolist() == [[0, 0]]


def test_results_are_scalars_of_the_scores_dtype(scores: np.ndarray, dtype: np.dtype) -> None:
    s = Tensor(scores.astype(dtype), requires_grad=True)
    target = np.zeros((4, 3))  # float64 whatever the scores are
    for loss in (
        losses.cross_entropy(s, LABELS),
        losses.hinge_loss(s, LABELS),
        losses.mse_loss(s, target),
        losses.l1_loss(s, target),
        losses.huber_loss(s, target),
        losses.binary_cross_entropy(s, target),
    ):
        assert isinstance(loss, Tensor)
        assert (loss.shape, loss.dtype) == ((), dtype)
        s.grad = None
        loss.backward()
        assert s.grad.dtype == dtype


def test_the_value_alone_is_the_same_value(scores: np.ndarray) -> None:
    s = Tensor(scores, requires_grad=True)
    for loss in (
        lambda: losses.cross_entropy(s, LABELS),
        lambda: losses.hinge_loss(s, LABELS, 0.5),
        lambda: losses.huber_loss(s, scores + 1, 0.5),
    ):
        with no_grad():
            value = loss()
        assert not value.requires_grad
        assert value.item() == loss().item()


def test_labels_of_any_integer_dtype_and_from_tensors(scores: np.ndarray) -> None:
    expected = losses.cross_entropy(scores, LABELS).item()
    for labels in (
        LABELS.astype(np.uint8),
        LABELS.astype(np.int32),
        LABELS.tolist(),
        Tensor(LABELS),
    ):
        assert losses.cross_entropy(scores, labels).item() == expected


def test_errors_name_the_argument(scores: np.ndarray) -> None:
    with pytest.raises(ValueError, match="3"):
        losses.cross_entropy(scores, [0, 1, 2, 3])
    with pytest.raises(TypeError, match="y"):
        losses.cross_entropy(scores, LABELS * 1.0)
    with pytest.raises(ValueError, match="target"):
        losses.mse_loss(scores, np.zeros((4, 1)))
    t = Tensor(np.full((4, 3), 0.5), requires_grad=True)
    with pytest.raises(TypeError, match="no derivative"):
        losses.binary_cross_entropy(scores, t).backward()


@pytest.mark.parametrize(
    "loss",
    [fastnn.mse_loss, fastnn.l1_loss, fastnn.huber_loss, fastnn.binary_cross_entropy],
)
def test_targets_that_are_no_real_numbers(loss) -> None:
    pred = fastnn.Tensor(np.zeros((2, 1)), requires_grad=True)
    for wrong in (np.ma.masked_equal([[0.0], [1.0]], 1), np.ones((2, 1)) * 1j, [["a"], ["b"]]):
        with pytest.raises(TypeError, match="target"):
            loss(pred, wrong)


def test_lists_are_arrays() -> None:
    assert fastnn.mse_loss([1.0, 2.0], [1.0, 4.0]).item() == 2
    assert fastnn.cross_entropy([[0.0, 0.0]], [1]).item() == pytest.approx(np.log(2))


def test_no_prediction_is_named() -> None:
    with pytest.raises(TypeError, match=r"pred: .* got None"):
        fastnn.mse_loss(None, [1.0])
