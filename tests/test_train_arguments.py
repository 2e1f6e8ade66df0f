"""Trainer's arguments: each mistake is an error that names what was given."""

from __future__ import annotations

import numpy as np
import pytest
from training import CLASSES, FEATURES, N, classes, net, trainer

from fastnn import optim
from fastnn.callbacks import EarlyStopping
from fastnn.train import Trainer

X, Y = classes()


def changed(array, index, value):
    array = np.array(array)
    array[index] = value
    return array


ROWS = [
    (None, TypeError, "X: wanted an array of real numbers, got None"),
    (np.full((N, FEATURES), "a"), TypeError, "X: .* real numbers, got dtype <U1"),
    (X * 1j, TypeError, "X: .* got dtype complex64"),
    (np.ma.masked_less(X, 0), TypeError, "X: a masked array"),
    (X[0], ValueError, r"X: shape \(5,\) has no rows"),
    (X[:0], ValueError, r"X is empty: shape \(0, 5\)"),
    (X[:, :0], ValueError, r"X is empty: shape \(70, 0\)"),
    (X[:, :3], ValueError, r"X: samples of shape \(3,\) do not fit the model: .*3"),
    (changed(X, (7, 2), np.nan), ValueError, r"X: value nan at position \(7, 2\)"),
    (changed(X, (0, 1), -np.inf), ValueError, r"X: value -inf at position \(0, 1\)"),
    (
        changed(np.float64(X), (3, 0), 1e39),
        ValueError,
        r"1e\+39.* not finite in float32",
    ),
]
LABELS = [
    (None, TypeError, "y: wanted an array of real numbers, got None"),
    (Y[:-1], ValueError, "y: 69 rows do not match the 70 rows of X"),
    (np.float32(Y), TypeError, "y: class labels must be integers, got float32"),
    (np.eye(CLASSES, dtype=int)[Y], ValueError, r"y: .* shape \(70,\), got \(70, 3\)"),
    (Y[:, None], ValueError, r"y: .* shape \(70,\), got \(70, 1\)"),
    (3, ValueError, r"y: .* got \(\)"),
    (changed(Y, 11, 3), ValueError, r"y: label 3 at position 11 is outside \[0, 2\]"),
    (changed(Y, 11, -1), ValueError, r"y: label -1 at position 11 is outside \[0, 2\]"),
    (
        changed(Y.astype(np.uint64), 4, 2**63 + 1),
        ValueError,
        "label 9223372036854775809 at position 4",
    ),
]
COLUMN = np.linspace(0, 1, N)[:, None]
TARGETS = [
    ("mse", 1, COLUMN[:-1], "y: 69 rows do not match the 70 rows of X"),
    ("mse", 1, COLUMN.T, "y: 1 rows do not match"),
    ("l1", 2, COLUMN, r"y: shape \(70, 1\) does not match .* \(70, 2\)"),
    ("huber", 2, COLUMN[:, 0], r"y: shape \(70,\) does not match .* \(70, 2\)"),
    ("mse", 1, COLUMN[None], r"y: 1 rows"),
    ("mse", 1, COLUMN[..., None], r"y: shape \(70, 1, 1\) does not match"),
    ("mse", 1, 2.0, "y: wanted one value a row of X, got a single value"),
    ("mse", 1, changed(COLUMN, 5, np.nan), r"y: value nan at position \(5, 0\)"),
    ("mse", 1, changed(COLUMN[:, 0], 5, np.inf), r"y: value inf at position"),
    (
        "binary_cross_entropy",
        1,
        changed(COLUMN, 9, 1.5),
        r"y: value 1.5 at position \(9, 0\) is outside \[0, 1\]",
    ),
]


@pytest.mark.parametrize(("rows", "error", "message"), ROWS)
def test_x_that_cannot_be_trained_on(rows, error, message):
    made = trainer()
    for use in (made.fit, made.evaluate):
        with pytest.raises(error, match=message):
            use(rows, Y)


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
@pytest.mark.parametrize(("labels", "error", "message"), LABELS)
def test_labels_that_are_none(labels, error, message, loss):
    made = trainer(loss)
    for use in (made.fit, made.evaluate):
        with pytest.raises(error, match=message):
            use(X, labels)


@pytest.mark.parametrize(("loss", "outputs", "target", "message"), TARGETS)
def test_targets_never_broadcast(loss, outputs, target, message):
    made = trainer(loss, net(outputs))
    for use in (made.fit, made.evaluate):
        with pytest.raises(ValueError, match=message):
            use(X, target)


def test_a_function_gets_targets_for_each_row_all_the_same():
    made = trainer(lambda scores, y: scores.mean())
    for target in (Y[:-1], np.float32(Y[:-1])):
        with pytest.raises(ValueError, match="y: 69 rows do not match"):
            made.fit(X, target)
    with pytest.raises(ValueError, match="y: value nan at position 2"):
        made.fit(X, changed(np.float32(Y), 2, np.nan))


def test_validation_data_is_checked_before_the_first_step_and_named():
    made = trainer()
    before = made.model.state_dict()
    for wrong, message in [
        ((X[:, :3], Y), "validation_data: X: samples of shape"),
        ((X, Y + 1), "validation_data: y: label 3"),
        ((X[:5], Y), "validation_data: y: 70 rows do not match the 5 rows of X"),
    ]:
        with pytest.raises(ValueError, match=message):
            made.fit(X, Y, validation_data=wrong)
    for wrong in (X, (X, Y, Y), 3):
        with pytest.raises(TypeError, match="validation_data must be a pair"):
            made.fit(X, Y, validation_data=wrong)
    for name, array in made.model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (np.ones(N - 1), ValueError, r"wanted shape \(70,\).* got \(69,\)"),
        (np.ones((N, 1)), ValueError, r"got \(70, 1\)"),
        (np.zeros(N), ValueError, "all weights are zero"),
        (
            changed(np.ones(N), 3, -1),
            ValueError,
            "value -1.0 at position 3 is negative",
        ),
        (changed(np.ones(N), 3, np.nan), ValueError, "value nan at position 3"),
        (changed(np.ones(N), 3, np.inf), ValueError, "value inf at position 3"),
        (["a"] * N, TypeError, "real numbers"),
    ],
)
def test_weights_that_are_none(weight, error, message):
    with pytest.raises(error, match=f"sample_weight: .*{message}"):
        trainer().fit(X, Y, sample_weight=weight)


def test_a_function_has_no_use_for_weights():
    with pytest.raises(ValueError, match="sample_weight wants a named loss"):
        trainer(lambda s, y: s.mean()).fit(X, Y, sample_weight=np.ones(N))


@pytest.mark.parametrize(
    ("option", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs must be at least 1, got 0"),
        ({"epochs": 1.5}, TypeError, "epochs must be an integer, got 1.5"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": "8"}, TypeError, "batch_size must be an integer, got '8'"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"seed": np.random.default_rng(0)}, TypeError, "seed must be an integer"),
    ],
)
def test_options_of_fit(option, error, message):
    with pytest.raises(error, match=message):
        trainer().fit(X, Y, **option)


@pytest.mark.parametrize(
    ("option", "error", "message"),
    [
        ({"model": lambda x: x}, TypeError, "model must be a Module, got function"),
        (
            {"loss": "log"},
            ValueError,
            "loss: there is none called 'log'; there are cross",
        ),
        ({"loss": 3}, TypeError, "loss must be a name or a function, got 3"),
        ({"optimizer": "adagard"}, ValueError, "optimizer: there is none .*'adagard'"),
        (
            {"optimizer": optim.Adam(net().parameters())},
            ValueError,
            "optimizer: it has parameters that are not the model's",
        ),
        ({"optimizer": 0.1}, TypeError, "optimizer must be an Optimizer or a name"),
        ({"schedule": "cosinus"}, ValueError, "schedule .*'cosinus'"),
        (
            {"clip_norm": 0.0},
            ValueError,
            "clip_norm must be a number in .*, got 0",
        ),
        ({"clip_norm": np.nan}, ValueError, "clip_norm must be a number in"),
        ({"clip_value": -1.0}, ValueError, "clip_value must be a number in"),
        ({"scale": np.inf}, ValueError, "scale must be a number in .*, got inf"),
        ({"clip_norm": "1"}, TypeError, "clip_norm must be a number in .*, got '1'"),
        ({"scale": None}, TypeError, "scale must be a number in .*, got None"),
        ({"shift": np.nan}, ValueError, "shift must be a number in .*, got nan"),
    ],
)
def test_options_of_the_trainer(option, error, message):
    model = net()
    options = {
        "model": model,
        "loss": "cross_entropy",
        "optimizer": optim.Adam(model.parameters()),
        **option,
    }
    with pytest.raises(error, match=message):
        Trainer(
            options.pop("model"),
            options.pop("loss"),
            options.pop("optimizer"),
            **options,
        )


def test_class_losses_want_scores_by_class():
    class Flat(type(net())):
        def forward(self, x):
            return super().forward(x).sum(axis=1)

    with pytest.raises(ValueError, match=r"output of shape \(N, classes\).* \(70,\)"):
        trainer("hinge", Flat(*net().layers)).fit(X, Y)


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (None, "callbacks must be a list of callbacks, got None"),
        (EarlyStopping(), "callbacks must be a list of callbacks, got <.*EarlyStopping"),
        ([EarlyStopping], r"callbacks: got the class EarlyStopping, wanted .* EarlyStopping\("),
        ("early", "callbacks must be a list of callbacks, got 'early'"),
    ],
)
def test_callbacks_that_are_none(callbacks, message):
    made = trainer()
    with pytest.raises(TypeError, match=message):
        made.fit(X, Y, callbacks=callbacks, progress=False)
    with pytest.raises(RuntimeError, match="no run yet"):
        _ = made.run
