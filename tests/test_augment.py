"""Augment itself: each of the seven by what it does to images, its arguments, its middle."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from varied_images import ALL, SAME_SIZE, N, problem

from fastnn import Augment
from fastnn._kernels import reference

X, _ = problem()
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
