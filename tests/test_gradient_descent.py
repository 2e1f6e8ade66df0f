"""The lecture's gradient descent."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import Tensor, mse_loss
from fastnn.gradient_descent import gradient_descent


def bowl(w):
    """sum((w - [1, 2])**2): one step of rate r multiplies the distance by 1 - 2 r."""
    distance = w - np.array([1.0, 2.0])
    return (distance * distance).sum()


RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(60, 3))
TRUE = np.array([[1.0], [-2.0], [0.5]])
TARGETS = DATA @ TRUE


OTHER = Tensor([1.0], requires_grad=True)


def eval_gradient(X, W):
    """Of the mean squared error; X is (samples, targets)."""
    X, y = X
    return 2 * X.T @ (X @ W - y) / len(X)


# --- a loss ---------------------------------------------------------------------------


def test_each_step_is_minus_rate_times_gradient():
    result = gradient_descent(bowl, [5.0, 6.0], 0.25, goal=0.0, max_iter=3)
    # distances 4, 4 are halved: 2, 1, 0.5
    np.testing.assert_array_equal(result.w, [1.5, 2.5])
    np.testing.assert_array_equal(result.steps, [4.0, 2.0, 1.0])
    np.testing.assert_array_equal(result.losses, [32.0, 8.0, 2.0])
    assert result.iterations == 3
    assert result.converged is False


@pytest.mark.parametrize(("goal", "iterations"), [(1.0, 3), (0.99, 4), (4.0, 1)])
def test_it_stops_when_the_sum_of_moves_is_at_most_the_goal(goal, iterations):
    result = gradient_descent(bowl, [5.0, 6.0], 0.25, goal, max_iter=100)
    assert result.converged
    assert result.iterations == iterations == len(result.steps)
    assert result.steps[-1] <= goal
    assert np.all(result.steps[:-1] > goal)


def test_converging_in_the_last_iteration_allowed_is_converging():
    assert gradient_descent(bowl, [5.0, 6.0], 0.25, 1.0, max_iter=3).converged


def test_whole_numbers_become_float64_and_the_start_is_not_modified():
    w0 = np.array([5, 6])
    result = gradient_descent(bowl, w0, 0.25, 0.0, 2)
    assert result.w.dtype == np.float64
    np.testing.assert_array_equal(w0, [5, 6])
    w0 = np.array([5.0, 6.0])
    gradient_descent(bowl, w0, 0.25, 0.0, 2)
    np.testing.assert_array_equal(w0, [5.0, 6.0])


def test_float32_stays_float32():
    def eval_gradient(X, W):
        assert W.dtype == np.float32
        return (W - X.mean(axis=0)).astype(np.float64)

    w0 = np.zeros(3, np.float32)
    result = gradient_descent(eval_gradient, w0, 0.5, 1e-6, 100, X=DATA)
    assert result.w.dtype == np.float32
    np.testing.assert_allclose(result.w, DATA.mean(axis=0), atol=1e-5)


def test_moves_are_summed_in_float64():
    moves = np.array([2.0**24, 1, 1], np.float32)  # in float32 the ones would be lost
    result = gradient_descent(lambda X, W: -moves, 0 * moves, 1, 0, 1, X=DATA)
    assert result.steps[0] == 2**24 + 2


def test_a_function_that_writes_into_its_weights_does_not_reach_the_callers():
    def scribble(X, W):
        W[...] = 7
        return np.ones_like(W)

    w0 = np.zeros(2)
    gradient_descent(scribble, w0, 0.1, 0.0, 2, X=DATA)
    np.testing.assert_array_equal(w0, [0, 0])


def test_a_loss_that_diverges_names_the_iteration():
    # The distance is multiplied by -1e150 a step, so its square overflows in the third.
    with (
        np.errstate(over="ignore"),
        pytest.raises(FloatingPointError, match=r"loss is inf at iteration 3"),
    ):
        gradient_descent(bowl, [5.0, 6.0], 5e149, 0.0, 100)


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda w: 3.0, TypeError, "must return a scalar Tensor, got 3.0"),
        (lambda w: w + 1, TypeError, "must return a scalar Tensor"),
        (lambda w: w.detach().sum(), ValueError, "must depend on w"),
        (lambda w: (OTHER * 2).sum(), ValueError, "must depend on w"),
    ],
)
def test_a_loss_that_is_no_loss_is_refused(f, error, message):
    with pytest.raises(error, match=message):
        gradient_descent(f, [1.0, 2.0], 0.1, 0.0, 5)


# --- the gradient of data -------------------------------------------------------------


def test_eval_gradient_finds_the_least_squares():
    result = gradient_descent(eval_gradient, np.zeros((3, 1)), 0.1, 1e-9, 5000, X=(DATA, TARGETS))
    assert result.converged
    assert result.losses is None
    np.testing.assert_allclose(result.w, TRUE, atol=1e-7)


def test_one_array_comes_as_an_array_and_whole_without_a_batch_size():
    seen = []

    def watch(X, W):
        seen.append(X)
        return np.ones_like(W)

    gradient_descent(watch, np.zeros(2), 0.1, 0.0, 2, X=DATA)
    for X in seen:
        np.testing.assert_array_equal(X, DATA)


def drawn(seed, batch_size=7, iterations=4):
    """The numbers of the samples of each step."""
    numbers = np.arange(60)
    seen = []

    def watch(X, W):
        first, second = X
        np.testing.assert_array_equal(first * 10, second)
        seen.append(first.tolist())
        return np.ones_like(W)

    gradient_descent(
        watch,
        [0.0],
        0.1,
        0.0,
        iterations,
        batch_size,
        X=(numbers, numbers * 10),
        seed=seed,
    )
    return seen


def test_subsamples_are_drawn_anew_without_repetition_and_by_the_seed():
    seen = drawn(0)
    assert [len(set(numbers)) for numbers in seen] == [7] * 4
    assert len({tuple(sorted(numbers)) for numbers in seen}) == 4
    assert drawn(0) == seen
    assert drawn(1) != seen
    assert sorted(drawn(0, batch_size=60)[0]) == list(range(60))


def test_subsamples_are_uniform():
    counts = np.bincount(np.ravel(drawn(5, batch_size=6, iterations=2000)), minlength=60)
    # Binomial with mean 200 and standard deviation 13.4.
    assert np.all(np.abs(counts - 200) < 6 * 13.4)


def test_stochastic_descent_comes_near_the_optimum():
    result = gradient_descent(eval_gradient, np.zeros((3, 1)), 0.05, 0.0, 800, 8, X=(DATA, TARGETS))
    np.testing.assert_allclose(result.w, TRUE, atol=1e-6)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_names_the_iteration(wrong):
    calls = iter([0.5, wrong])
    with pytest.raises(FloatingPointError, match=r"step is (nan|inf) at iteration 2"):
        gradient_descent(lambda X, W: np.full(2, next(calls)), [0, 0], 1, 0, 9, X=DATA)


@pytest.mark.parametrize(
    ("gradient", "error", "message"),
    [
        (np.zeros(3), ValueError, r"W's shape \(2,\), got \(3,\)"),
        (0.0, TypeError, "W's shape, or of a Tensor W a scalar Tensor, got 0.0"),
        (None, TypeError, "gradient"),
    ],
)
def test_a_gradient_of_another_shape_never_broadcasts(gradient, error, message):
    with pytest.raises(error, match=message):
        gradient_descent(lambda X, W: gradient, np.zeros(2), 0.1, 0.0, 5, X=DATA)


# --- arguments ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"lr": 0.0}, ValueError, "lr must be a number in .*, got 0.0"),
        ({"lr": np.nan}, ValueError, "lr"),
        ({"goal": -1.0}, ValueError, "goal must be a number in"),
        ({"goal": np.nan}, ValueError, "goal"),
        ({"max_iter": 0}, ValueError, "max_iter must be at least 1, got 0"),
        ({"max_iter": 2.5}, TypeError, "max_iter must be an integer"),
        ({"w0": ["a"]}, TypeError, "w0"),
        ({"w0": np.ma.masked_equal([1.0, 2.0], 1)}, TypeError, "w0.*masked"),
        ({"batch_size": 2}, ValueError, "batch_size wants X"),
        ({"X": DATA, "batch_size": 61}, ValueError, "at most the 60 samples"),
        ({"X": DATA, "batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"X": DATA, "batch_size": 2, "seed": -1}, ValueError, "seed"),
        ({"X": np.zeros((0, 3))}, ValueError, "X must hold samples"),
        ({"X": (DATA, TARGETS[:-1])}, ValueError, "as many in each"),
        ({"X": 3.0}, ValueError, "X must hold samples"),
    ],
)
def test_arguments_are_named_in_errors(changed, error, message):
    arguments = {"w0": [1.0, 2.0], "lr": 0.1, "goal": 0.0, "max_iter": 3, **changed}
    f = bowl if "X" not in changed else (lambda X, W: W)
    with pytest.raises(error, match=message):
        gradient_descent(f, **arguments)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"f": None}, "f must be a function, got None"),
        ({"lr": "x"}, "lr must be a number in .*, got 'x'"),
        ({"goal": None}, "goal must be a number in .*, got None"),
        ({"max_iter": None}, "max_iter must be an integer, got None"),
        ({"batch_size": "2"}, "batch_size must be an integer, got '2'"),
        ({"seed": None}, "seed must be an integer, got None"),
    ],
)
def test_arguments_of_another_type_are_named(changed, message):
    given = {"f": lambda x, w: w, "w0": [1.0], "lr": 0.1, "goal": 0.1, "max_iter": 9}
    with pytest.raises(TypeError, match=message):
        gradient_descent(**{**given, "X": [[1.0], [2.0]], **changed})


@pytest.mark.parametrize(
    "loss",
    [lambda X, W: mse_loss(X[0] @ W, X[1]), lambda X, W: ((X[0] @ W - X[1]) ** 2).mean()],
    ids=["of fastnn", "plain NumPy"],
)
@pytest.mark.parametrize("batch_size", [None, 8])
def test_a_loss_of_data_is_differentiated(loss, batch_size):
    result = gradient_descent(loss, np.zeros((3, 1)), 0.05, 0.0, 800, batch_size, X=(DATA, TARGETS))
    np.testing.assert_allclose(result.w, TRUE, atol=1e-6)
    assert result.losses is not None
    assert len(result.losses) == result.iterations
    assert result.losses[-1] < result.losses[0]


def test_a_list_of_arrays_is_as_the_tuple_and_a_list_of_lists_one_array():
    results = [
        gradient_descent(eval_gradient, np.zeros((3, 1)), 0.1, 0.0, 20, 8, X=X).w
        for X in ((DATA, TARGETS), [DATA, TARGETS])
    ]
    np.testing.assert_array_equal(results[0], results[1])
    seen = []
    gradient_descent(lambda X, W: seen.append(X) or W, [1.0], 0.1, 0.0, 1, X=DATA.tolist())
    np.testing.assert_array_equal(seen[0], DATA)


def test_data_is_real_numbers():
    for wrong in (np.ma.masked_equal(DATA, 0), DATA * 1j, (DATA, ["a"] * len(DATA))):
        with pytest.raises(TypeError, match="X: "):
            gradient_descent(lambda X, W: W, [1.0], 0.1, 0.0, 1, X=wrong)


def test_weights_without_axes_stay_an_array():
    for f, X in ((lambda w: w * w, None), (lambda X, w: 2 * w, DATA)):
        result = gradient_descent(f, 3.0, 0.1, 1e-9, 500, X=X)
        assert isinstance(result.w, np.ndarray)
        assert result.w.shape == ()
        assert abs(result.w) < 1e-8
