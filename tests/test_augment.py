"""Augment: what a run trains on, what it is measured on, the same bits however it is run."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
from test_resume import StopAfter
from training import assert_same_weights

import fastnn
from fastnn import Augment, optim
from fastnn._kernels import reference
from fastnn.layers import Conv2d, Flatten, Linear, Module, ReLU, Sequential
from fastnn.train import Trainer

N, SHAPE, CLASSES = 70, (2, 8, 9), 3
ALL = Augment(
    rotation=15, shift=(1, 2), crop=(6, 7), flip=True, brightness=0.2, contrast=0.3, occlusion=2
)
SAME_SIZE = Augment(rotation=15, shift=1, flip=True, brightness=0.2, occlusion=(2, 3), fill=7)
PLAN = {"epochs": 3, "batch_size": 16, "seed": 3, "progress": False}  # 5 steps, the last of 6


def problem(n: int = N, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """uint8 images with a bright column, and in which third of the image it is."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, CLASSES, n)
    X = rng.integers(0, 100, (n, *SHAPE)).astype(np.uint8)
    X[np.arange(n), :, :, 3 * y + 1] += 150
    return X, y


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


# --- Augment itself -------------------------------------------------------------------

IMAGES = np.random.default_rng(5).uniform(1, 2, (200, 2, 7, 9))


def moved(image: np.ndarray, down: int, right: int, fill: float) -> np.ndarray:
    wide = np.pad(image, ((0, 0), (9, 9), (9, 9)), constant_values=fill)
    return wide[:, 9 - down : 16 - down, 9 - right : 18 - right]


def one_of(image: np.ndarray, candidates: list[np.ndarray]) -> int:
    """Which of the candidates the image is, to the bit."""
    found = [i for i, each in enumerate(candidates) if np.array_equal(each, image)]
    assert len(found) == 1
    return found[0]


def test_a_shift():
    """Each of the moves, and none but these."""
    places = [(down, right) for down in (-2, -1, 0, 1, 2) for right in (-1, 0, 1)]
    made = Augment(shift=(2, 1), fill=0.5)(IMAGES)
    found = {
        one_of(new, [moved(image, *place, 0.5) for place in places])
        for image, new in zip(IMAGES, made, strict=True)
    }
    assert found == set(range(len(places)))


def test_a_flip():
    made = Augment(flip=0.3)(IMAGES)
    mirrored = IMAGES[..., ::-1]
    found = [one_of(new, list(pair)) for *pair, new in zip(IMAGES, mirrored, made, strict=True)]
    assert 30 < sum(found) < 90
    np.testing.assert_array_equal(Augment(flip=1.0)(IMAGES), IMAGES[..., ::-1])


def test_a_crop():
    places = [(top, left) for top in range(4) for left in range(3)]
    found = {
        one_of(new, [image[:, top : top + 4, left : left + 7] for top, left in places])
        for image, new in zip(IMAGES, Augment(crop=(4, 7))(IMAGES), strict=True)
    }
    assert found == set(range(len(places)))


def test_brightness():
    factors = Augment(brightness=0.3)(IMAGES) / IMAGES
    assert np.ptp(factors, axis=(1, 2, 3)).max() < 1e-12
    assert 0.7 <= factors.min() < 0.75
    assert 1.25 < factors.max() <= 1.3


def test_contrast():
    middle = IMAGES.mean(axis=(1, 2, 3), keepdims=True)
    factors = (Augment(contrast=0.3)(IMAGES) - middle) / (IMAGES - middle)
    assert np.ptp(factors, axis=(1, 2, 3)).max() < 1e-8
    assert 0.7 <= factors.min() < 0.75
    assert 1.25 < factors.max() <= 1.3


def test_an_occlusion():
    made = Augment(occlusion=(2, 4), fill=-3)(IMAGES)
    hidden = made != IMAGES
    assert (made[hidden] == -3).all()
    corners = set()
    for each in hidden:
        assert (each[0] == each[1]).all()
        rows, columns = np.flatnonzero(each[0].any(axis=1)), np.flatnonzero(each[0].any(axis=0))
        assert (len(rows), len(columns), each[0].sum()) == (2, 4, 8)
        corners.add((rows[0], columns[0]))
    assert corners == {(i, j) for i in range(6) for j in range(6)}


def test_a_rotation():
    """The mean angle and its limits, from where a bright pixel far from the middle goes."""
    images = np.zeros((400, 1, 41, 41))
    images[:, :, 19:22, 38:41] = 1  # right of the middle
    made = Augment(rotation=30)(images)
    rows, columns = np.indices((41, 41)) - 20
    total = made.sum(axis=(1, 2, 3))
    down, right = ((made * place).sum(axis=(1, 2, 3)) / total for place in (rows, columns))
    degrees = np.degrees(np.arctan2(-down, right))
    assert -30.5 < degrees.min() < -28
    assert 28 < degrees.max() < 30.5
    assert abs(degrees.mean()) < 4


def test_each_argument_reaches_its_place():
    """Of the twins: all at once, and in a run after the seed and the epoch."""
    how = Augment(
        rotation=9, shift=(1, 2), crop=(5, 8), flip=0.4, brightness=0.1, contrast=0.2,
        occlusion=(3, 2), fill=0.7,
    )  # fmt: skip
    key = np.random.SeedSequence(6, spawn_key=(0, 1)).generate_state(1, np.uint64)[0] >> 1
    rows = np.arange(len(IMAGES))
    table = reference.draw_transforms(rows, (key, 2), 9.0, 1, 2, 0.4, 0.1, 0.2)
    expected = reference.gather_images(IMAGES, rows, table, 5, 8, 3, 2, 0.7)
    np.testing.assert_allclose(how(IMAGES, seed=6, epoch=2), expected, rtol=1e-12)


def test_a_call_varies_a_copy(dtype):
    images = X.astype(dtype)
    before = images.copy()
    made = ALL(images, seed=1, epoch=2)
    assert made.shape == (N, 2, 6, 7)
    assert made.dtype == dtype
    np.testing.assert_array_equal(images, before)
    assert ALL(images, seed=1, epoch=2).tobytes() == made.tobytes()
    for other in (ALL(images, seed=2, epoch=2), ALL(images, seed=1, epoch=3)):
        assert not np.isclose(other, made).all(axis=(1, 2, 3)).any()
    part = ALL(images[:10], seed=1, epoch=2)
    assert part.tobytes() == made[:10].tobytes()


@pytest.mark.parametrize("code", ["uint8", "int64", "bool", "float16"])
def test_a_call_makes_floats_of_any_numbers(code):
    assert Augment(shift=1)((X > 120).astype(code)).dtype == np.float32


def test_config_round_trip():
    for augment in (Augment(), ALL, SAME_SIZE):
        again = Augment(**json.loads(json.dumps(augment.config())))
        assert again == augment
        assert hash(again) == hash(augment)
        assert pickle.loads(pickle.dumps(augment)) == augment
        assert eval(repr(augment), {"Augment": Augment}) == augment
    assert ALL != SAME_SIZE
    assert repr(Augment()) == "Augment()"
    assert Augment(flip=True).flip == 0.5
    assert Augment(flip=1).flip == 1.0


BAD = [
    ({"rotation": 181}, ValueError, r"rotation must be a number in \[0, 180\], got 181"),
    ({"rotation": "10"}, TypeError, "rotation must be a number"),
    ({"shift": -1}, ValueError, "shift must be at least 0, got -1"),
    ({"shift": (1, 2, 3)}, TypeError, r"shift must be an integer or a pair .* got \(1, 2, 3\)"),
    ({"shift": 0.5}, TypeError, "shift must be an integer"),
    ({"crop": 0}, ValueError, "crop must be at least 1"),
    ({"crop": 2.5}, TypeError, "crop must be an integer"),
    ({"flip": 1.5}, ValueError, r"flip must be a number in \[0, 1\], got 1.5"),
    ({"flip": "left"}, TypeError, "flip must be a number"),
    ({"brightness": 2}, ValueError, "brightness must be"),
    ({"brightness": float("nan")}, ValueError, "brightness must be .* got nan"),
    ({"contrast": -0.1}, ValueError, "contrast must be"),
    ({"occlusion": (2, -1)}, ValueError, "occlusion must be at least 0"),
    ({"fill": float("inf")}, ValueError, "fill must be"),
    ({"zoom": 2}, TypeError, "zoom"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD, ids=str)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        Augment(**arguments)


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
