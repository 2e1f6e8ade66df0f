"""What the lecture trains: nets, descent, minibatch, rates."""

from __future__ import annotations

import numpy as np
import pytest
from cli_helpers import one_thread as one_thread

import fastnn
from fastnn.lecture import descent, minibatch, nets, rates
from fastnn.lecture.training import accuracy, batches, descend, weights


def test_the_nets_are_the_lectures_formulas(rng: np.random.Generator) -> None:
    """f = W2 max(0, W1 x) for one image as a column, W in the lecture's orientation."""
    W1, W2, W3 = (rng.standard_normal(shape) for shape in ((5, 4), (3, 5), (2, 3)))
    X = rng.standard_normal((6, 4))
    two = [(W2 @ np.maximum(0, W1 @ x)) for x in X]
    three = [W3 @ np.maximum(0, W2 @ np.maximum(0, W1 @ x)) for x in X]
    np.testing.assert_allclose(nets.linear(X, W1.T), [W1 @ x for x in X], rtol=1e-12)
    np.testing.assert_allclose(nets.two_layers(X, W1.T, W2.T), two, rtol=1e-12)
    np.testing.assert_allclose(nets.three_layers(X, W1.T, W2.T, W3.T), three, rtol=1e-12)


def test_the_nets_learn_the_digits() -> None:
    trained = {name: nets.train(name) for name in nets.NETS}
    for each in trained.values():
        assert len(each.losses) == nets.EPOCHS
        assert each.losses[-1] < each.losses[0] / 5
        assert each.test > 0.95
    linear, two, three = trained.values()
    assert linear.losses[-1] > two.losses[-1] > three.losses[-1]
    assert min(two.test, three.test) > linear.test
    assert three.training > 0.995


def test_batches_hold_every_sample_once_an_epoch() -> None:
    X = np.arange(10)
    drawn = list(batches(X, -X, 4, epochs=2))
    assert [len(x) for x, _ in drawn] == [4, 4, 2, 4, 4, 2]
    for epoch in (drawn[:3], drawn[3:]):
        samples = np.concatenate([x for x, _ in epoch])
        np.testing.assert_array_equal(np.sort(samples), X)
        np.testing.assert_array_equal(np.concatenate([y for _, y in epoch]), -samples)
    assert drawn[0][0].tolist() != drawn[3][0].tolist()


def test_descend_makes_the_lectures_step() -> None:
    """sum (X w)^2 for X = 2 has the gradient 8w; the loss comes before its step."""
    w = fastnn.Tensor([[3.0]], requires_grad=True)
    data = [(np.array([[2.0]]), None)] * 2
    losses = list(descend(lambda X, _y, w: np.sum((X @ w) ** 2), [w], data, lr=0.1))
    np.testing.assert_allclose(losses, [36, 4 * 0.6**2], rtol=1e-12)
    np.testing.assert_allclose(w.data, 3 * (1 - 0.8) ** 2, rtol=1e-12)
    assert w.grad is None


def test_weights_and_accuracy() -> None:
    Ws = weights(400, 300, 2)
    assert [W.shape for W in Ws] == [(400, 300), (300, 2)]
    assert [W.name for W in Ws] == ["W1", "W2"]
    assert Ws[0].data.std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)
    assert accuracy(np.array([[1, 2], [2, 1], [0, 5]]), np.array([1, 1, 1])) == pytest.approx(2 / 3)


@pytest.mark.parametrize("beginning", descent.BEGINNINGS)
def test_gradient_descent_stops_in_a_valley(beginning: float) -> None:
    path = descent.descend(beginning)
    steps = np.abs(np.diff(path))
    assert steps[-1] <= descent.GOAL
    assert (steps[:-1] > descent.GOAL).all()
    left, hilltop, right = sorted(np.roots([2, 0, -4, 1]))
    assert path[-1] == pytest.approx(right if beginning > hilltop else left, abs=2e-5)


@pytest.mark.parametrize("beginning", descent.BEGINNINGS)
def test_fastnns_gradient_descent_makes_the_same_steps(beginning: float) -> None:
    path, result = descent.descend(beginning), descent.by_fastnn(beginning)
    assert result.converged
    assert result.iterations == len(path) - 1
    np.testing.assert_allclose(result.w, path[-1], rtol=1e-12)
    np.testing.assert_allclose(result.steps, np.abs(np.diff(path)), rtol=1e-6, atol=1e-15)


def test_the_first_step_of_the_descent() -> None:
    """2 - 0.05 x 9 = 1.55."""
    assert descent.descend(2.0)[1] == pytest.approx(1.55, rel=1e-15)


def test_mini_batch_losses_scatter_around_the_loss_of_all_samples() -> None:
    run = minibatch.train(32)
    assert (len(run.batch), len(run.full)) == (225, 226)
    difference = run.batch - run.full[:-1]
    assert np.abs(np.diff(run.batch)).mean() > 3 * np.abs(np.diff(run.full)).mean()
    assert abs(difference.mean()) < difference.std() / 5
    assert run.full[-1] < 0.15


def test_a_full_batch_is_no_estimate() -> None:
    run = minibatch.train(1438)
    np.testing.assert_allclose(run.batch, run.full[:-1], rtol=1e-9)
    assert (np.diff(run.full) < 0).all()
    assert len(run.batch) == 5


def test_smaller_batches_come_further_with_the_same_work() -> None:
    ends = [minibatch.train(size).full[-1] for size in minibatch.SIZES]
    assert ends == sorted(ends, reverse=True)


def test_the_noise_shrinks_as_the_root_of_the_batch_size() -> None:
    (mean, small), (_, large) = minibatch.noise(8, 1000), minibatch.noise(128, 1000)
    assert small / large == pytest.approx(4, rel=0.15)
    assert mean == pytest.approx(minibatch.train(1438).full[0], abs=4 * small / 1000**0.5)


def test_the_highest_rate_is_that_of_the_bowl() -> None:
    """Full-batch descent shrinks below it and grows above it, by the definition of 2/c."""
    X, y, _, _ = rates.images()
    grow = {}
    for factor in (0.99, 1.01):
        W = fastnn.Tensor(np.zeros((64, 10)), requires_grad=True)
        losses = list(descend(rates.loss, [W], [(X, y)] * 400, rates.highest_rate() * factor))
        grow[factor] = losses[-1] > losses[0]
    assert grow == {0.99: False, 1.01: True}


def test_four_learning_rates() -> None:
    curves = {name: rates.train(rate) for name, rate in rates.RATES.items()}
    (too_high, _), (high, _), (low, _), (good, share) = curves.values()
    assert list(curves) == ["too high", "high", "low", "good"]
    assert rates.RATES["too high"] > rates.highest_rate() > rates.RATES["high"]
    start = good[0]
    assert start == pytest.approx(0.1, rel=1e-12)  # of W = 0: a tenth of the targets is 1
    assert too_high[-1] > 1e3
    steps = (len(good) - 1) // rates.EPOCHS
    assert high[steps] < 0.7 * start  # falls fast
    assert high[-steps:].min() > 1.05 * good[-1]  # and stays high
    assert np.diff(high).max() > 3e-3  # for it bounces
    assert (np.diff(low) < 1e-4).all()
    assert 0.6 * start < low[-1] < 0.9 * start
    assert good[-1] == min(curve[-1] for curve, _ in curves.values())
    assert share > 0.92
