"""Augmented runs: what they see and are measured on, the same bits however they are run."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from test_resume import StopAfter
from training import assert_same_weights
from varied_images import ALL, CLASSES, SAME_SIZE, SHAPE, N, problem

import fastnn
from fastnn import Augment, optim
from fastnn.layers import Conv2d, Flatten, Linear, Module, ReLU, Sequential
from fastnn.train import Trainer

PLAN = {"epochs": 3, "batch_size": 16, "seed": 3, "progress": False}  # 5 steps, the last of 6

X, Y = problem()
XV, YV = problem(30, 2)


def make(augment: Augment | None = SAME_SIZE, dtype: str = "float32", **options) -> Trainer:
    rows, columns = (augment and augment.crop) or SHAPE[1:]
    model: Module = Sequential(
        Conv2d(2, 3, 3, padding=1, seed=0, dtype=dtype),
        ReLU(),
        Flatten(),
        Linear(3 * rows * columns, CLASSES, seed=1, dtype=dtype),
    )
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    return Trainer(model, "cross_entropy", optimizer, scale=1 / 255, **options)


def fitted(augment: Augment | None = SAME_SIZE, X=X, **options) -> Trainer:
    of_trainer = {name: options.pop(name) for name in ("capture", "dtype") if name in options}
    made = make(augment, **of_trainer)
    made.fit(X, Y, augment=augment, **{**PLAN, **options})
    return made


@pytest.fixture
def threads():
    before = fastnn.get_num_threads()
    yield fastnn.set_num_threads
    fastnn.set_num_threads(before)


# --- the same bits --------------------------------------------------------------------


@pytest.mark.parametrize("augment", [SAME_SIZE, ALL], ids=["same size", "all"])
def test_replayed_and_in_python_and_on_any_number_of_threads(augment, dtype, threads):
    made = []
    for number, capture in [(1, True), (1, False), (2, True), (3, True)]:
        threads(number)
        made.append(fitted(augment, capture=capture, dtype=str(dtype), validation_data=(XV, YV)))
    for other in made[1:]:
        assert_same_weights(made[0].model, other.model)
        for column in set(made[0].run.history) - {"seconds"}:
            first, second = made[0].run.history[column], other.run.history[column]
            assert first.tobytes() == second.tobytes()


class Watch:
    """A Sequential's forward, with a look at what it gets in training."""

    def __init__(self, made: Trainer) -> None:
        self.seen: list[np.ndarray] = []
        self._forward = made.model.forward
        self._model = made.model
        made.model.forward = self  # type: ignore[method-assign]

    def __call__(self, x):
        if self._model.training:
            self.seen.append(np.array(x.data))
        return self._forward(x)


@pytest.mark.parametrize("augment", [SAME_SIZE, ALL], ids=["same size", "all"])
@pytest.mark.parametrize("batch_size", [16, 70])
def test_an_epoch_trains_on_what_a_call_shows(augment, batch_size):
    """Whatever the order and the size of the batches; each epoch on images of its own."""
    made = make(augment, capture=False)
    watch = Watch(made)
    made.fit(X, Y, augment=augment, **{**PLAN, "epochs": 2, "batch_size": batch_size})
    seen = np.concatenate(watch.seen).reshape(2, N, -1)
    epochs = [augment(X, seed=3, epoch=epoch).reshape(N, -1) for epoch in (0, 1)]
    assert not np.isclose(*epochs).all(axis=1).any()
    for found, images in zip(seen, epochs, strict=True):
        wanted = images / np.float32(255)
        by_pixels = [np.lexsort(rows.round(3).T) for rows in (found, wanted)]
        np.testing.assert_allclose(found[by_pixels[0]], wanted[by_pixels[1]], rtol=1e-5, atol=1e-6)


def test_a_replay_varies_each_step_and_epoch_anew():
    """A constant that was baked in would repeat the first step's, or the first epoch's, draws."""
    made = {capture: fitted(capture=capture, shuffle=False, epochs=4) for capture in (True, False)}
    assert_same_weights(made[True].model, made[False].model)
    for seed in (4, 5):
        assert fitted(seed=seed).run.history["loss"][0] != made[True].run.history["loss"][0]


@pytest.mark.parametrize("after", [1, 5, 7, 14])
@pytest.mark.parametrize("capture", [True, False])
def test_stopped_and_resumed(after, capture, tmp_path):
    whole = fitted(ALL, validation_data=(XV, YV))
    cut = make(ALL)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(X, Y, augment=ALL, validation_data=(XV, YV), callbacks=[StopAfter(after)], **PLAN)
    cut.save(tmp_path / "run")
    for given in (None, copy.deepcopy(ALL)):
        resumed = Trainer.resume(tmp_path / "run")
        resumed.capture = capture
        assert resumed.run.augment == ALL
        resumed.fit(X, Y, augment=given, validation_data=(XV, YV), progress=False)
        assert_same_weights(whole.model, resumed.model)
        for column in set(whole.run.history) - {"seconds"}:
            assert whole.run.history[column].tobytes() == resumed.run.history[column].tobytes()


def test_a_run_goes_on_with_its_own_augmentation(tmp_path):
    for saved, given in [(SAME_SIZE, Augment(flip=True)), (None, SAME_SIZE)]:
        cut = make(saved)
        with pytest.raises(KeyboardInterrupt):
            cut.fit(X, Y, augment=saved, callbacks=[StopAfter(3)], **PLAN)
        cut.save(tmp_path / "run")
        resumed = Trainer.resume(tmp_path / "run")
        with pytest.raises(ValueError, match=r"augment: the saved run has .*, got Augment\("):
            resumed.fit(X, Y, augment=given, progress=False)
        resumed.fit(X, Y, progress=False)
        assert_same_weights(resumed.model, fitted(saved).model)


def test_a_file_from_before_augmentation(tmp_path):
    cut = make(None)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(X, Y, callbacks=[StopAfter(3)], **PLAN)
    cut.save(tmp_path / "run")
    tensors, header = fastnn.serialize.read_file(tmp_path / "run")
    assert header["trainer"]["run"].pop("augment") is None
    fastnn.serialize.write_file(tmp_path / "run", tensors, header)
    resumed = Trainer.resume(tmp_path / "run")
    resumed.fit(X, Y, progress=False)
    assert_same_weights(resumed.model, fitted(None).model)


@pytest.mark.parametrize("config", [3, {"zoom": 2}, {"rotation": -1}, {"shift": "far"}, [1]])
def test_a_damaged_augmentation_is_one_clear_error(config, tmp_path):
    fitted().save(tmp_path / "run")
    tensors, header = fastnn.serialize.read_file(tmp_path / "run")
    header["trainer"]["run"]["augment"] = config
    fastnn.serialize.write_file(tmp_path / "run", tensors, header)
    with pytest.raises(ValueError, match="cannot load"):
        Trainer.resume(tmp_path / "run")


# --- off by default, and in evaluation ------------------------------------------------


def test_off_by_default():
    plain = fitted(None)
    assert plain.run.augment is None
    assert_same_weights(plain.model, fitted(Augment()).model)
    assert plain.run.history["loss"].tobytes() != fitted().run.history["loss"].tobytes()


def test_what_is_evaluated_is_never_varied():
    made = fitted(validation_data=(XV, YV))
    assert made.evaluate(XV, YV)["loss"] == made.run.history["val_loss"][-1]
    untouched = make(None)
    untouched.model.load_state_dict(made.model.state_dict())
    assert untouched.evaluate(XV, YV) == made.evaluate(XV, YV)


def test_a_crop_is_evaluated_by_its_middle():
    made = fitted(ALL, validation_data=(XV, YV))
    middle = XV[:, :, 1:7, 1:8]
    np.testing.assert_array_equal(ALL.center_crop(XV), middle)
    expected = made.evaluate(middle, YV)
    assert made.evaluate(XV, YV) == expected
    assert made.run.history["val_loss"][-1] == expected["loss"]
    assert made.run.history["val_accuracy"][-1] == expected["accuracy"]
    labels = made.model.predict(ALL.center_crop(XV) / np.float32(255))
    assert np.mean(labels == YV) == pytest.approx(expected["accuracy"])


@pytest.mark.parametrize("sizes", [(8, 9), (1, 1), (7, 8), (3, 6)])
def test_the_middle_leaves_as_much_out_on_either_side(sizes):
    crop = Augment(crop=sizes).center_crop(X)
    assert crop.shape == (N, 2, *sizes)
    assert np.shares_memory(crop, X)
    top, left = ((size - part) // 2 for size, part in zip(SHAPE[1:], sizes, strict=True))
    assert crop.tobytes() == X[:, :, top : top + sizes[0], left : left + sizes[1]].tobytes()


def test_samples_without_weight_keep_their_places():
    """What the others get does not change when one is left out."""
    weight = np.ones(N)
    weight[:20] = 0
    made = make(SAME_SIZE, capture=False)
    watch = Watch(made)
    made.fit(X, Y, augment=SAME_SIZE, sample_weight=weight, **{**PLAN, "epochs": 1})
    seen = np.concatenate(watch.seen).reshape(50, -1)
    wanted = SAME_SIZE(X, seed=3)[20:].reshape(50, -1) / np.float32(255)
    np.testing.assert_allclose(np.sort(seen.sum(axis=1)), np.sort(wanted.sum(axis=1)), rtol=1e-4)


def test_the_data_are_not_touched_and_their_layout_does_not_matter():
    before = X.copy()
    made = fitted()
    np.testing.assert_array_equal(X, before)
    strange = np.asfortranarray(X)[::-1][::-1]
    assert_same_weights(made.model, fitted(X=strange).model)
    assert_same_weights(made.model, fitted(X=X.astype(np.float64)).model)


def test_it_helps_where_the_test_images_are_moved():
    """The point of it: trained with shifts, a net knows what it saw elsewhere."""
    moved = np.roll(XV, 1, axis=3)
    plain, shifted = (
        fitted(augment, epochs=30).evaluate(moved, YV)["loss"]
        for augment in (None, Augment(shift=1))
    )
    assert shifted < 0.5 * plain


# --- mistakes -------------------------------------------------------------------------

WRONG = [
    (X[:, 0], r"X: augment wants images \(N, C, H, W\), got shape \(70, 8, 9\); .*newaxis"),
    (X.reshape(N, -1), r"X: augment wants images .* got shape \(70, 144\); .*reshape"),
    (X[None], r"X: augment wants images .* \(1, 70, 2, 8, 9\)$"),
    (X[:, :, :5], r"augment: crop=\(6, 7\) is larger than the images of X, 5 rows and 9 columns"),
    (X[:0], "X is empty"),
]


@pytest.mark.parametrize(("images", "message"), WRONG)
def test_images_that_it_cannot_vary(images, message):
    with pytest.raises(ValueError, match=message):
        ALL(images)
    with pytest.raises(ValueError, match=message):
        make(ALL).fit(images, Y[: len(images)], augment=ALL, progress=False)
    with pytest.raises(ValueError, match=message):
        ALL.center_crop(images)


def test_an_occlusion_larger_than_what_the_model_gets():
    message = r"augment: occlusion=\(7, 1\) is larger than what the model gets, 6 rows and 7 col"
    with pytest.raises(ValueError, match=message):
        Augment(crop=(6, 7), occlusion=(7, 1))(X)


def test_other_mistakes_are_named():
    made = make()
    with pytest.raises(TypeError, match=r"augment must be a fastnn.Augment or None, got \{"):
        made.fit(X, Y, augment={"flip": True})
    with pytest.raises(ValueError, match="do not fit the model"):
        made.fit(X, Y, augment=ALL)
    with pytest.raises(ValueError, match=r"validation_data: X: augment wants images"):
        make(ALL).fit(X, Y, augment=ALL, validation_data=(XV[:, 0], YV))
    with pytest.raises(TypeError, match="X: wanted an array of real numbers"):
        ALL(None)
    for name in ("seed", "epoch"):
        with pytest.raises(ValueError, match=f"{name} must be at least 0"):
            ALL(X, **{name: -1})
