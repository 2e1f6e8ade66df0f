"""What Trainer can be given: any dtype and layout, any target, weights of samples."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from training import CLASSES, FEATURES, N, assert_same_weights, classes, fitted, net

from fastnn import Flatten, Linear, Sequential, Tensor, cross_entropy, models
from fastnn.batches import Batches
from fastnn.train import Trainer

X, Y = classes()

# --- what X can be --------------------------------------------------------------------


WHOLE = np.random.default_rng(0).integers(0, 2, (N, FEATURES))
LAYOUTS = {
    "float64": lambda x: x.astype(np.float64),
    "float16": lambda x: x.astype(np.float16),
    "int8": lambda x: x.astype(np.int8),
    "int64": lambda x: x.astype(np.int64),
    "uint8": lambda x: x.astype(np.uint8),
    "uint8, F": lambda x: np.asfortranarray(x.astype(np.uint8)),
    "uint8, reversed": lambda x: x.astype(np.uint8)[::-1].copy()[::-1],
    "bool": lambda x: x.astype(bool),
    "list": lambda x: x.tolist(),
    "F": lambda x: np.asfortranarray(x.astype(np.float32)),
    "strided": lambda x: np.repeat(x.astype(np.float32), 2, axis=1)[:, ::2],
    "byte-swapped": lambda x: x.astype(">f4"),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_x_of_any_dtype_and_layout_trains_as_its_plain_copy(kind):
    plain, _ = fitted(WHOLE.astype(np.float32), scale=0.5, shift=-0.25)
    rows = LAYOUTS[kind](WHOLE)
    before = np.array(rows)
    if isinstance(rows, np.ndarray):
        rows.setflags(write=False)
    other, _ = fitted(rows, scale=0.5, shift=-0.25)
    assert_same_weights(other.model, plain.model)
    np.testing.assert_array_equal(rows, before)


def test_x_is_cast_to_the_dtype_of_the_model():
    rows = np.random.default_rng(0).normal(size=(N, FEATURES))
    wide, _ = fitted(rows, model=net(dtype="float64"))
    cut, _ = fitted(rows.astype(np.float32), model=net(dtype="float64"))
    weights = [next(t.model.parameters()).data for t in (wide, cut)]
    assert weights[0].dtype == np.float64
    assert not np.array_equal(*weights)
    narrow, _ = fitted(rows)
    assert_same_weights(narrow.model, fitted(rows.astype(np.float32))[0].model)


def test_scale_and_shift_reach_training_validation_and_evaluation():
    image = np.random.default_rng(0).integers(0, 256, (N, FEATURES)).astype(np.uint8)
    scale, shift = np.float32(1 / 255), np.float32(-0.5)
    done = image.astype(np.float32) * scale + shift
    options = {"validation_data": (image, Y)}
    raw, a = fitted(image, scale=scale, shift=shift, **options)
    ready, b = fitted(done, validation_data=(done, Y))
    assert_same_weights(raw.model, ready.model)
    np.testing.assert_array_equal(a["val_loss"], b["val_loss"])
    assert raw.evaluate(image, Y) == ready.evaluate(done, Y)


def test_uint8_images_stay_uint8_in_memory():
    image = np.zeros((20_000, 1000), np.uint8)  # 20 MB; as float32 80 MB
    made = Trainer(models.linear(1000, 2), "cross_entropy", "sgd", scale=1 / 255)
    tracemalloc.start()
    made.fit(image, np.zeros(20_000, int), epochs=1, progress=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_samples_can_have_several_axes():
    images = WHOLE.reshape(N, 1, FEATURES).astype(np.uint8)
    model = Sequential(Flatten(), Linear(FEATURES, CLASSES, seed=3))
    flat = Sequential(Linear(FEATURES, CLASSES, seed=3))
    made, _ = fitted(images, model=model)
    other, _ = fitted(WHOLE.astype(np.uint8), model=flat)
    for a, b in zip(made.model.parameters(), other.model.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    assert made.evaluate(images, Y) == other.evaluate(WHOLE.astype(np.uint8), Y)


# --- what y can be --------------------------------------------------------------------


INTEGERS = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4"]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_labels_of_any_integer_dtype(dtype):
    labels = Y.astype(dtype)
    labels.setflags(write=False)
    made, _ = fitted(y=labels)
    assert_same_weights(made.model, fitted()[0].model)


@pytest.mark.parametrize("loss", ["mse", "l1", "huber", "binary_cross_entropy"])
def test_targets_of_one_axis_stand_for_a_column(loss):
    target = (Y > 0).astype(np.float64)
    made, history = fitted(y=target, loss=loss, model=net(1))
    column, other = fitted(y=target[:, None], loss=loss, model=net(1))
    assert_same_weights(made.model, column.model)
    np.testing.assert_array_equal(history["loss"], other["loss"])
    scores = made.model.scores(X)[:, 0].astype(np.float64)
    d = scores - target
    expected = {
        "mse": np.mean(d**2),
        "l1": np.mean(np.abs(d)),
        "huber": np.mean(np.where(np.abs(d) <= 1, d**2 / 2, np.abs(d) - 0.5)),
        "binary_cross_entropy": np.mean(np.log1p(np.exp(scores)) - target * scores),
    }
    result = made.evaluate(X, target)
    np.testing.assert_allclose(result["loss"], expected[loss], rtol=1e-5)
    if loss == "binary_cross_entropy":
        assert result["accuracy"] == np.mean((scores > 0) == (target > 0.5))
        assert "accuracy" in history
    else:
        assert result.keys() == {"loss"}
        assert "accuracy" not in history


def test_several_outputs_have_several_targets():
    target = np.random.default_rng(0).normal(size=(N, 2))
    made, _ = fitted(y=target, loss="mse", model=net(2))
    expected = np.mean((made.model.scores(X) - target) ** 2)
    np.testing.assert_allclose(made.evaluate(X, target)["loss"], expected, rtol=1e-5)


def test_binary_accuracy_counts_each_of_several_targets():
    target = np.random.default_rng(0).integers(0, 2, (N, 4))
    made, history = fitted(y=target, loss="binary_cross_entropy", model=net(4))
    expected = np.mean((made.model.scores(X) > 0) == target)
    assert made.evaluate(X, target)["accuracy"] == expected
    assert 0.2 < history["accuracy"][0] < 0.8


# --- a function as the loss -----------------------------------------------------------


def test_a_function_gets_tensors_and_trains_as_the_loss_it_calls():
    kinds = set()

    def loss(scores, y):
        kinds.add((type(scores), type(y), y.dtype))
        return cross_entropy(scores, y)

    made, history = fitted(loss=loss)
    named, expected = fitted()
    assert kinds == {(Tensor, Tensor, np.dtype(np.int64))}
    assert_same_weights(made.model, named.model)
    np.testing.assert_array_equal(history["accuracy"], expected["accuracy"])
    np.testing.assert_array_equal(history["loss"], expected["loss"])


def test_a_function_gets_real_targets_as_they_are_in_the_models_dtype():
    shapes = set()

    def loss(scores, y):
        shapes.add((y.shape, y.dtype))
        d = scores[:, 0] - y
        return (d * d).mean()

    target = np.random.default_rng(0).normal(size=N)
    made, history = fitted(y=target, loss=loss, model=net(1), batch_size=N)
    assert shapes == {((N,), np.dtype(np.float32))}
    assert "accuracy" not in history
    expected = np.mean((made.model.scores(X)[:, 0] - target) ** 2)
    np.testing.assert_allclose(made.evaluate(X, target)["loss"], expected, rtol=1e-5)


def test_whole_numbers_with_one_output_are_no_classes():
    _, history = fitted(loss=lambda s, y: (s[:, 0] - y).mean(), model=net(1))
    assert "accuracy" not in history


@pytest.mark.parametrize("wrong", [lambda s, y: 1.0, lambda s, y: s, lambda s, y: s.data])
def test_a_function_that_returns_no_scalar_tensor_is_refused(wrong):
    with pytest.raises(TypeError, match="loss: the function must return a scalar Tensor"):
        fitted(loss=wrong)


# --- weights of samples ---------------------------------------------------------------


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
def test_a_sample_of_weight_two_counts_as_two(loss):
    rng = np.random.default_rng(0)
    weight = rng.integers(0, 4, N).astype(np.float64)
    repeated = np.repeat(np.arange(N), weight.astype(int))
    options = {"epochs": 3, "batch_size": 1000, "loss": loss}
    wide = net(dtype="float64")
    made, a = fitted(model=wide, sample_weight=weight, **options)
    copies, b = fitted(X[repeated], Y[repeated], model=net(dtype="float64"), **options)
    for p, q in zip(made.model.parameters(), copies.model.parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.data, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(a["loss"], b["loss"], rtol=1e-9)


def test_epoch_means_are_weighted_by_the_weights():
    weight = np.random.default_rng(0).uniform(0.1, 5, N)
    _, history = fitted(sample_weight=weight, lr=0.0, epochs=1)
    _, other = fitted(sample_weight=weight, lr=0.0, epochs=1, batch_size=N)
    np.testing.assert_allclose(history["loss"], other["loss"], rtol=1e-6)
    assert history["accuracy"] == other["accuracy"]


def test_samples_of_weight_zero_are_left_out():
    keep = np.random.default_rng(0).random(N) < 0.4
    made, a = fitted(sample_weight=keep, batch_size=1, shuffle=False)
    other, b = fitted(X[keep], Y[keep], batch_size=1, shuffle=False)
    assert_same_weights(made.model, other.model)
    np.testing.assert_array_equal(a["accuracy"], b["accuracy"])


@pytest.mark.parametrize("shape", [(), (2,), (2, 3)])
@pytest.mark.parametrize("dtype", ["int64", "float32", "float64"])
def test_a_batch_holds_the_rows_asked_for_whatever_the_targets(shape, dtype, monkeypatch):
    y = np.arange(20 * int(np.prod(shape)), dtype=dtype).reshape(20, *shape)
    X = np.arange(40, dtype=np.float32).reshape(20, 2)
    data = Batches(X, y, None, size=8, dtype=X.dtype, scale=1.0, shift=0.0, count=None)
    if dtype != "int64" or not shape:  # the kernels, not NumPy
        monkeypatch.setattr(np, "take", None)
    indices = np.array([19, 0, 3, 3, 7])
    x, targets, _ = data.gather(indices)
    np.testing.assert_array_equal(x, X[indices])
    np.testing.assert_array_equal(targets, y[indices])
    assert targets.dtype == y.dtype
