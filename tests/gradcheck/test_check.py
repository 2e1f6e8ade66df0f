"""check_gradients on gradients that are right, at points that are easy and awkward."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck_helpers import passes

import fastnn
from fastnn import check_gradients, ops
from fastnn.ops.elementwise import ELEMENTWISE

SEEDS = pytest.mark.parametrize("seed", range(5))


def deep_chain(W):
    x = np.ones((2, 4))
    for _ in range(30):
        x = np.tanh(x @ W)
    return np.sum(x * x)


def attention(q, k, v):
    scores = np.einsum("bid,bjd->bij", q, k)
    weights = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    return np.einsum("bij,bjd->bid", weights / np.sum(weights, axis=-1, keepdims=True), v)


def gaussian_process(x, y, length):
    distances = np.sum((x[:, None] - x[None]) ** 2, axis=-1)
    L = np.linalg.cholesky(np.exp(-distances / (2 * length**2)) + 0.1 * np.eye(len(x)))
    return np.sum(np.linalg.solve(L, y) ** 2) / 2 + np.sum(np.log(np.diagonal(L)))


FUNCTIONS = {
    "attention": (attention, [(2, 3, 4)] * 3),
    "gaussian process": (gaussian_process, [(5, 2), (5,), ()]),
    "layer norm": (
        lambda x, g: g * (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5),
        [(4, 6), (6,)],
    ),
    "max pooling": (lambda x: np.max(x.reshape(2, 2, 3, 2), axis=(1, 3)), [(4, 6)]),
    "sort": (lambda x: np.sum(np.sort(x, axis=1) * np.arange(5.0)), [(4, 5)]),
    "median": (lambda x: np.median(np.abs(x - np.median(x))), [(7,)]),
    "cholesky": (lambda a: np.linalg.cholesky(a @ a.T + np.eye(3)), [(3, 3)]),
    "eigh": (lambda a: np.sum(np.linalg.eigh(a + a.T)[1][0] ** 2), [(4, 4)]),
    "inverse and determinant": (lambda a: np.linalg.inv(a) * np.linalg.det(a), [(4, 4)]),
    "norms": (lambda a: np.linalg.norm(a) + np.linalg.norm(a, np.inf), [(3, 4)]),
    "triplets": (
        lambda a, b: np.maximum(np.linalg.norm(a - b, axis=1) - np.linalg.norm(a, axis=1) + 1, 0),
        [(4, 3), (4, 3)],
    ),
    "where": (lambda x: np.where(x < 0, x * x, np.sin(x)), [(3, 4)]),
    "a deep chain": (deep_chain, [(4, 4)]),
}


@SEEDS
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_right_gradients_pass(name: str, seed: int, dtype: str) -> None:
    f, shapes = FUNCTIONS[name]
    rng = np.random.default_rng(seed)
    report = passes(f, *(np.asarray(rng.standard_normal(shape), dtype) for shape in shapes))
    assert report.rtol == 1e-6
    for argument, shape in zip(report.arguments, shapes, strict=True):
        assert argument.dtype == dtype
        assert argument.shape == shape
        assert argument.checked > 0
        assert argument.checked + argument.set_aside == int(np.prod(shape))


@SEEDS
@pytest.mark.parametrize("loss", ["cross_entropy", "hinge", "mse"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_models_pass(seed: int, loss: str, activation: str, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    model = fastnn.models.mlp(5, (16, 8), 3, activation=activation, seed=seed, dtype=dtype)
    X = rng.integers(-1, 2, (6, 5))  # zeros, and rows that are equal
    X[0] = 0
    y = rng.standard_normal((6, 3)) if loss == "mse" else rng.integers(0, 3, 6)
    report = passes(model, loss, X, y)
    assert [each.name for each in report.arguments][:3] == ["0.weight", "0.bias", "2.weight"]
    # relu(0 @ W + b) with b = 0: every hidden unit of row 0 stands at its kink.
    assert [each.set_aside for each in report.arguments][1] == (16 if activation == "relu" else 0)


def test_a_trained_net_with_tiny_gradients_passes(rng: np.random.Generator) -> None:
    X = rng.standard_normal((40, 5))
    y = (X[:, 0] > 0).astype(int)
    model = fastnn.models.mlp(5, (8,), 2)
    trainer = fastnn.Trainer(model, "cross_entropy", fastnn.Adam(model.parameters(), lr=0.05))
    trainer.fit(X, y, epochs=40, progress=False)
    for scale in (1, 30, 1000):
        passes(model, "cross_entropy", scale * X, y)


DOMAINS = {
    **dict.fromkeys(["log", "log2", "log10", "log1p", "sqrt", "power", "float_power"], "positive"),
    **dict.fromkeys(["arcsin", "arccos", "arctanh"], "small"),
    "arccosh": "large",
}


def drawn(domain: str, x: np.ndarray) -> np.ndarray:
    small = 0.9 * x / np.max(np.abs(x))
    return {"positive": np.abs(x) + 0.01, "small": small, "large": np.abs(x) + 1.01}.get(domain, x)


@pytest.mark.parametrize("ufunc", ELEMENTWISE, ids=lambda ufunc: ufunc.__name__)
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_elementwise_row(ufunc: np.ufunc, whole: bool, dtype: str) -> None:
    """At whole numbers too, where there are zeros, ties and jumps."""
    rng = np.random.default_rng(4)
    args = [rng.standard_normal((3, 4)), rng.standard_normal(4)][: ufunc.nin]
    if whole:
        args = [np.round(2 * each) for each in args]
        if ufunc in (np.divide, np.reciprocal, np.remainder, np.fmod, np.arctan2, np.cbrt):
            args[-1] = np.where(args[-1] == 0, 1, args[-1])  # outside of what they are defined for
    domain = DOMAINS.get(ufunc.__name__, "any")
    args = [drawn(domain, each).astype(dtype) for each in args]
    if ufunc is np.ldexp:
        args[1] = np.arange(4)
    with np.errstate(divide="ignore"):
        passes(ufunc, *args)


# --- kinks ----------------------------------------------------------------------------


def refuses_negative(x):
    if np.any(x.data < 0):
        raise ValueError("x must not be negative")
    return x * x


@pytest.mark.parametrize(
    ("f", "x", "set_aside"),
    [
        (ops.relu, [0.0, 1.0, -1.0, 0.0], 2),
        (np.abs, [0.0, 1.0, -2.0], 1),
        (lambda x: np.maximum(x, 1), [1.0, 2.0, 0.5], 1),
        (lambda x: np.clip(x, -1, 1), [-1.0, 0.0, 1.0, 3.0], 2),
        (lambda x: np.max(x), [3.0, 3.0, 1.0], 2),
        (lambda x: np.sort(x)[0], [1.0, 1.0, 2.0], 2),
        (lambda x: np.linalg.norm(x), [0.0, 0.0], 2),
        (lambda x: np.where(x > 0, x, 0.1 * x), [0.0, 1.0], 1),
        (lambda x: np.where(x > 0, x + 1, x), [0.0, 1.0], 1),
        (np.floor, [1.0, 1.5], 1),
        (np.sign, [0.0, 2.0], 1),
        (lambda x: x**1.5, [0.0, 1.0], 1),
        (lambda x: fastnn.hinge_loss(x[None], [0]), [2.0, 1.0, 0.0], 2),
        (fastnn.op(lambda x: np.maximum(x, 0), lambda g, y, x: g * (x > 0)), [0.0, 1.0], 1),
        # Each kink is on the way to the result, where both are gone.
        (lambda x: ops.relu(x) - ops.relu(-x), [0.0, 1.0], 1),
        (lambda x: np.sum(ops.relu(x) - ops.relu(-x)), [0.0, 1.0], 1),
        (lambda x: np.sum(ops.relu(x) - ops.relu(-x) if np.all(x.data >= 0) else x), [0.0, 1.0], 1),
        (refuses_negative, [0.0, 1.0], 1),
        (lambda x: x[0] * x[0] if x[0].item() > x[1].item() else x[1] * x[0], [2.0, 2.0], 2),
    ],
)
def test_kinks_are_found_set_aside_and_counted(f, x: list[float], set_aside: int) -> None:
    (argument,) = passes(f, np.array(x)).arguments
    assert (argument.set_aside, argument.checked) == (set_aside, len(x) - set_aside)


@pytest.mark.parametrize("distance", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_kink_that_is_near_is_not_met(distance: float, side: int) -> None:
    (argument,) = passes(ops.relu, side * distance * np.ones(3)).arguments
    assert argument.checked == 3


def test_a_direction_that_meets_a_kink_makes_way_for_one_that_does_not() -> None:
    """One coordinate of a thousand stands at its kink, and so in the way of them all."""
    x = np.linspace(0, 1, 1000)
    (argument,) = passes(ops.relu, x).arguments
    assert argument.checked == 16
    assert 1 <= argument.set_aside <= 4


@SEEDS
def test_directions_of_a_large_net_meet_kinks_and_find_a_step(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = fastnn.models.mlp(50, (120, 60), 10, seed=seed, dtype="float64")
    X, y = rng.standard_normal((64, 50)), rng.integers(0, 10, 64)
    report = passes(model, "hinge", X, y, directions=4)
    weights = [each for each in report.arguments if each.kind == "directions"]
    assert [each.name for each in weights] == ["0.weight", "2.weight", "4.weight"]
    assert [each.checked for each in weights] == [4, 4, 4]
    assert all(each.index is None for each in weights)


# --- awkward points -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [0, 1e-20, 1e-9, 1e-3, 1e3, 1e6])
def test_every_size_of_argument(size: float, dtype: str) -> None:
    passes(lambda x: np.exp(np.sin(x)) + x, (size * np.array([1, -2, 0.5])).astype(dtype))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_waves_that_are_short_beside_their_argument(dtype: str) -> None:
    (argument,) = passes(np.sin, np.array([1e9, 2e8, -3e7], dtype)).arguments
    assert argument.checked == 3


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sizes_that_differ_within_an_argument(dtype: str) -> None:
    x = np.array([1e-9, 1e-3, 1, 1e3, 1e6], dtype)
    report = passes(lambda x: np.sum(np.log(x) * np.arange(1.0, 6)), x)
    assert report.arguments[0].checked == 5


@SEEDS
@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_singular_matrices(rank: int, seed: int) -> None:
    """Far from full rank, the derivatives of det are nothing but rounding errors."""
    rng = np.random.default_rng(seed)
    passes(np.linalg.det, rng.standard_normal((4, rank)) @ rng.standard_normal((rank, 4)))


def test_matrices_that_are_read_by_one_triangle(rng: np.random.Generator) -> None:
    a = rng.standard_normal((4, 4))
    for f in (np.linalg.cholesky, np.linalg.eigvalsh):
        (argument,) = passes(f, a @ a.T + np.eye(4)).arguments
        assert argument.symmetric
        assert argument.checked == 16
    (argument,) = passes(lambda a: np.sum(a * a), a + a.T).arguments
    assert not argument.symmetric


def test_values_that_cancel_or_saturate(rng: np.random.Generator) -> None:
    x = rng.standard_normal(5)
    passes(lambda x: (x + 1e6) - 1e6, x)
    passes(ops.sigmoid, 100 * x)
    passes(ops.softmax, np.array([[1000.0, 0, 0], [1, 1, 1]]))
    passes(fastnn.cross_entropy, np.array([[800.0, 0, 0], [0, 0, 0]]), [0, 1])
    passes(lambda x: fastnn.mse_loss(x, x.data.copy()), x)
    passes(lambda x: np.logaddexp(0, x), 300 * x)


# --- precision, order, randomness -----------------------------------------------------


def test_float32_is_compared_in_float64_where_f_can(rng: np.random.Generator) -> None:
    x = rng.standard_normal(5).astype(np.float32)
    report = passes(np.sin, x)
    assert (report.dtype, report.rtol) == ("float64", 1e-6)
    report = passes(lambda x: np.sin(x).astype(np.float32), x)
    assert report.dtype == "float32"
    assert report.rtol == pytest.approx(8e-3, rel=0.05)

    def only_float32(x):
        if x.dtype != np.float32:
            raise TypeError("float32 only")
        return np.sin(x)

    assert passes(only_float32, x).dtype == "float32"
    passes(lambda x, y: np.sin(x) * y, x, rng.standard_normal(5))
    passes(np.sin, x.astype(np.float16))


@SEEDS
def test_gradients_of_gradients(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((3, 4))
    for f in (
        lambda x: np.sum(np.sin(x) ** 3),
        lambda x: ops.softmax(x) ** 2,
        lambda x: np.linalg.inv(x @ x.T + np.eye(3)),
        lambda x: fastnn.cross_entropy(x, [0, 1, 2]),
    ):
        assert passes(f, x, order=2).order == 2
    model = fastnn.models.mlp(4, (6,), 3, seed=seed, dtype="float64")
    passes(model, "cross_entropy", x, [0, 1, 2], order=2)
    x[0] = 0  # all hidden units of this row stand at a kink, where the gradient jumps
    (weight, *_) = passes(model, "cross_entropy", x, [0, 1, 2], order=2).arguments
    assert weight.set_aside == 0


def test_the_same_seed_gives_the_same_report(rng: np.random.Generator) -> None:
    x = rng.standard_normal((30, 20))
    texts = {str(check_gradients(np.tanh, x, seed=seed)) for seed in (0, 0, 1)}
    assert len(texts) == 2


def test_the_tolerances_can_be_chosen(rng: np.random.Generator) -> None:
    slightly = fastnn.op(np.sin, lambda g, y, x: g * np.cos(x) * (1 + 1e-4), name="slightly")
    x = rng.standard_normal(4)
    assert not check_gradients(slightly, x)
    assert check_gradients(slightly, x, rtol=1e-3)
    report = check_gradients(lambda x: x * x + 0 * x.data, x, max_coordinates=2, directions=3)
    assert [(each.kind, each.checked) for each in report.arguments] == [("directions", 3)]
