"""Augmentation: each transform against NumPy and SciPy, the draws, tables of nonsense, errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernels.augment_cases import OFF, transforms

from fastnn import functional as F

SHAPE = (3, 2, 7, 9)


@pytest.fixture
def images(dtype, rng):
    return rng.standard_normal(SHAPE).astype(dtype)


def vary(images, size=None, options=None, **columns):
    """All images, varied by one row of a table."""
    n = len(images)
    return F.gather_images(
        images, np.arange(n), transforms(n, **columns), size or images.shape[2:], **(options or {})
    )


def angle(degrees):
    return {"cosine": math.cos(math.radians(degrees)), "sine": math.sin(math.radians(degrees))}


# --- each transform -------------------------------------------------------------------


def test_nothing_to_vary_is_gather_rows(dtype, rng):
    for source in ("uint8", "float32", "float64"):
        images = (100 * rng.random((50, 2, 5, 6))).astype(source)
        indices = rng.integers(50, size=33)
        out, expected = np.empty((2, 33, 2, 5, 6), dtype)
        F.gather_rows(images, indices, 0.3, -0.1, expected)
        options = {"scale": 0.3, "shift": -0.1, "out": out}
        made = F.gather_images(images, indices, transforms(33), (5, 6), **options)
        assert made is out
        assert made.tobytes() == expected.tobytes()
        plain = F.gather_images(images, indices, transforms(33), (5, 6))
        assert plain.tobytes() == F.gather_rows(images, indices).tobytes()


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, 0), (0, -3), (-4, 5), (7, 0), (99, -99)])
def test_a_shift_moves_and_fills(down, right, images):
    expected = np.full_like(images, 5)
    for i in range(SHAPE[2]):
        for j in range(SHAPE[3]):
            if 0 <= i - down < SHAPE[2] and 0 <= j - right < SHAPE[3]:
                expected[:, :, i, j] = images[:, :, i - down, j - right]
    made = vary(images, options={"fill": 5.0}, shift_h=down, shift_w=right)
    np.testing.assert_array_equal(made, expected)


def test_a_flip_mirrors_left_and_right(images):
    np.testing.assert_array_equal(vary(images, flip=1), images[..., ::-1])
    moved = vary(images, shift_w=2)
    np.testing.assert_array_equal(vary(images, flip=1, shift_w=2), moved[..., ::-1])


@pytest.mark.parametrize(("fractions", "corner"), [((0, 0), (0, 0)), ((0.5, 0.2), (1, 1)),
                                                   ((0.99, 0.7), (2, 3))])  # fmt: skip
def test_a_crop_is_a_window(fractions, corner, images):
    made = vary(images, (5, 5), crop_h=fractions[0], crop_w=fractions[1])
    top, left = corner
    np.testing.assert_array_equal(made, images[:, :, top : top + 5, left : left + 5])


def test_a_window_larger_than_the_image_is_filled(images):
    made = vary(images, (8, 12), {"fill": 3.0}, crop_h=0.7, crop_w=0.7)
    np.testing.assert_array_equal(made[:, :, :7, :9], images)
    assert (made[:, :, 7:] == 3).all()
    assert (made[..., 9:] == 3).all()


@pytest.mark.parametrize("turns", [-1, 1, 2, 3])
def test_quarter_turns_are_exact(turns, dtype, rng):
    """Counterclockwise, as np.rot90, to the bit: the middle of an even image is between pixels."""
    cosine, sine = [(1, 0), (0, 1), (-1, 0), (0, -1)][turns % 4]
    for size in (1, 2, 7, 8, 70):
        images = rng.standard_normal((2, 3, size, size)).astype(dtype)
        made = vary(images, options={"fill": 9.0}, cosine=cosine, sine=sine)
        np.testing.assert_array_equal(made, np.rot90(images, turns, axes=(2, 3)))


@pytest.mark.parametrize("degrees", [-170, -33.3, -5, 0.01, 12, 45, 90, 133])
def test_a_rotation_is_scipys(degrees, images, dtype):
    made = vary(images, options={"fill": 0.5}, **angle(degrees))
    expected = scipy.ndimage.rotate(
        images, degrees, axes=(3, 2), reshape=False, order=1, mode="grid-constant", cval=0.5
    )
    np.testing.assert_allclose(made, expected, atol=200 * np.finfo(dtype).eps)


def test_a_full_turn_by_a_hair_is_the_image(images, dtype):
    """Turned by interpolation, though by nothing: cos differs from 1 in its last bit."""
    made = vary(images, cosine=np.nextafter(1, 0))
    np.testing.assert_allclose(made, images, rtol=0, atol=100 * np.finfo(dtype).eps)


def test_brightness_multiplies(images):
    made = vary(images, options={"scale": 2.0, "shift": -1.0}, brightness=1.25)
    np.testing.assert_array_equal(made, images * images.dtype.type(2.5) - 1)


def test_contrast_keeps_the_mean(images, dtype):
    made = vary(images, contrast=0.25)
    mean = images.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64)
    eps = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(made, mean + 0.25 * (images - mean), rtol=eps, atol=eps)
    np.testing.assert_allclose(
        vary(images, contrast=0.0), np.broadcast_to(mean, SHAPE), rtol=eps, atol=eps
    )


def test_brightness_comes_before_contrast_and_scale(images, dtype):
    made = vary(images, options={"scale": 3.0, "shift": 1.0}, brightness=1.5, contrast=0.5)
    bright = 1.5 * images.astype(np.float64)
    mean = bright.mean(axis=(1, 2, 3), keepdims=True)
    eps = 50 * np.finfo(dtype).eps
    np.testing.assert_allclose(made, 3 * (mean + 0.5 * (bright - mean)) + 1, rtol=eps, atol=eps)


@pytest.mark.parametrize(("fractions", "corner"), [((0, 0), (0, 0)), ((0.999, 0.999), (4, 7)),
                                                   ((0.5, 0.5), (2, 4))])  # fmt: skip
def test_an_occlusion_hides_a_rectangle(fractions, corner, images):
    options = {"occlusion": (3, 2), "fill": 4.0, "scale": 2.0, "shift": 1.0}
    made = vary(
        images, None, options, occlusion_h=fractions[0], occlusion_w=fractions[1], brightness=1.5
    )
    top, left = corner
    expected = images * 3 + 1
    expected[:, :, top : top + 3, left : left + 2] = 9  # fill, scaled and shifted alone
    np.testing.assert_array_equal(made, expected)
    options = {"occlusion": (3, 2), "fill": 4.0}
    made = vary(images, None, options, occlusion_h=fractions[0], occlusion_w=fractions[1])
    expected = images.copy()
    expected[:, :, top : top + 3, left : left + 2] = 4
    np.testing.assert_array_equal(made, expected)


def test_the_order_is_turn_move_crop_mirror(dtype, rng):
    images = rng.standard_normal((2, 1, 6, 6)).astype(dtype)
    columns = {"shift_h": 1, "crop_h": 0.4, "crop_w": 0.9, "flip": 1, "cosine": 0, "sine": 1}
    expected = np.rot90(images, axes=(2, 3))
    expected = np.concatenate([np.zeros((2, 1, 1, 6), dtype), expected[:, :, :-1]], axis=2)
    expected = expected[:, :, 1:5, 3:][..., ::-1]
    np.testing.assert_array_equal(vary(images, (4, 3), **columns), expected)


PIXELS = st.integers(-10, 10)


@given(
    hnp.arrays(np.float32, st.tuples(st.just(2), st.integers(1, 2), st.integers(1, 9),
                                     st.integers(1, 9)), elements=st.integers(0, 99)),
    PIXELS, PIXELS, st.booleans(), st.floats(0, 1), st.floats(0, 1), st.integers(1, 9),
)  # fmt: skip
def test_pixels_are_only_moved(images, down, right, flips, crop_h, crop_w, size):
    """Without tones and turns: each pixel of the result is the fill or one of the image's."""
    columns = {"shift_h": down, "shift_w": right, "flip": flips, "crop_h": crop_h, "crop_w": crop_w}
    made = vary(images, (size, size), {"fill": -1.0}, **columns)
    again = vary(made, flip=flips)  # mirrored back
    top = min(int(crop_h * (max(images.shape[2] - size, 0) + 1)), max(images.shape[2] - size, 0))
    left = min(int(crop_w * (max(images.shape[3] - size, 0) + 1)), max(images.shape[3] - size, 0))
    wide = np.pad(images, ((0, 0), (0, 0), (40, 40), (40, 40)), constant_values=-1)
    top, left = 40 + top - down, 40 + left - right
    np.testing.assert_array_equal(again, wide[:, :, top : top + size, left : left + size])


@given(
    hnp.arrays(np.float64, (1, 1, 6, 8), elements=st.floats(-9, 9)),
    st.floats(-360, 360),
    st.floats(-9, 9),
)
def test_a_rotation_makes_no_new_extremes(images, degrees, fill):
    made = vary(images, options={"fill": fill}, **angle(degrees))
    slack = 1e-12 * (1 + abs(fill) + np.abs(images).max())
    assert made.min() >= min(images.min(), fill) - slack
    assert made.max() <= max(images.max(), fill) + slack


# --- the draws ------------------------------------------------------------------------

ALL = {"rotation": 20.0, "shift": (2, 3), "flip": 0.3, "brightness": 0.4, "contrast": 0.5}


def test_draws_depend_on_seed_epoch_and_index_alone():
    indices = np.arange(200)
    table = F.draw_transforms(indices, 1, 2, **ALL)
    order = np.random.default_rng(0).permutation(200)
    np.testing.assert_array_equal(F.draw_transforms(order, 1, 2, **ALL), table[order])
    np.testing.assert_array_equal(F.draw_transforms([17, 17], 1, 2, **ALL), table[[17, 17]])
    for seed, epoch in [(2, 2), (1, 3), (1, 2 + 2**40), (1 + 2**40, 2)]:
        other = F.draw_transforms(indices, seed, epoch, **ALL)
        assert not np.isclose(other, table).all(axis=1).any()


def test_samples_share_no_draws():
    """Neighbours take blocks of their own: no word of one is a word of another."""
    table = F.draw_transforms(np.arange(3000), **ALL)
    places = table[:, [4, 5, 9, 10]]
    assert len(np.unique(places)) == places.size


def test_draws_are_in_their_ranges_and_fill_them():
    n = 40_000
    table = F.draw_transforms(np.arange(n), 5, **ALL)
    degrees = np.degrees(np.arctan2(table[:, 1], table[:, 0]))
    np.testing.assert_allclose(table[:, 0] ** 2 + table[:, 1] ** 2, 1)
    for values, low, high in [
        (degrees, -20, 20),
        (table[:, 4], 0, 1),
        (table[:, 5], 0, 1),
        (table[:, 7], 0.6, 1.4),
        (table[:, 8], 0.5, 1.5),
        (table[:, 9], 0, 1),
        (table[:, 10], 0, 1),
    ]:
        counts, _ = np.histogram(values, 10, (low, high))
        assert counts.sum() == n
        assert abs(counts - n / 10).max() < 5 * math.sqrt(n / 10)
    for column, limit in [(2, 2), (3, 3)]:
        values, counts = np.unique(table[:, column], return_counts=True)
        np.testing.assert_array_equal(values, np.arange(-limit, limit + 1))
        assert abs(counts - n / len(values)).max() < 5 * math.sqrt(n / len(values))
    assert set(table[:, 6]) == {0, 1}
    assert abs(table[:, 6].mean() - 0.3) < 5 * math.sqrt(0.21 / n)
    related = np.corrcoef(np.delete(table, [0], axis=1), rowvar=False) - np.eye(10)
    assert abs(related).max() < 5 / math.sqrt(n)


def test_nothing_asked_for_is_nothing_varied(images):
    table = F.draw_transforms(np.arange(3))
    kept = [i for i, name in enumerate(OFF) if not name.startswith(("crop", "occlusion"))]
    np.testing.assert_array_equal(table[:, kept], transforms(3)[:, kept])
    made = F.gather_images(images, np.arange(3), table, SHAPE[2:])
    assert made.tobytes() == images.tobytes()


def test_a_flip_that_is_certain():
    assert F.draw_transforms(np.arange(999), flip=1.0)[:, 6].all()
    assert not F.draw_transforms(np.arange(999), flip=0.0)[:, 6].any()


# --- tables of nonsense, and errors ---------------------------------------------------


@given(hnp.arrays(np.float64, (3, 11)), st.integers(0, 2**40))
def test_no_table_reads_or_writes_elsewhere(table, hidden):
    """NaN, infinities and the largest floats: what comes out may be anything but foreign memory."""
    images = np.ones((3, 2, 4, 5))
    table[:, 7:9] = 1
    options = {"occlusion": hidden, "fill": 1.0}
    made = F.gather_images(images, np.arange(3), table, (6, 3), **options)
    np.testing.assert_array_equal(made, 1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308])
def test_a_column_of_nonsense(value, images):
    for name in OFF.keys() - {"brightness", "contrast"}:
        made = vary(images, options={"occlusion": 2}, **{name: value})
        assert np.isfinite(made).all()
        assert np.isin(made, [0, *images.ravel()]).all() or name in ("cosine", "sine")


def test_images_too_large_to_turn():
    """Positions in a channel are 32-bit integers; the pages are never touched."""
    huge = np.zeros((1, 1, 46340, 46340), np.uint8)
    with pytest.raises(ValueError, match=r"source of shape .*46340.* more than 2\*\*31 elements"):
        F.gather_images(huge, [0], transforms(1), 2)


def test_nothing_to_gather(images):
    assert F.gather_images(images, [], np.empty((0, 11)), (2, 3)).shape == (0, 2, 2, 3)
    assert F.draw_transforms([]).shape == (0, 11)


_IMAGES = np.zeros((4, 2, 5, 6), np.float32)
_TABLE = transforms(1)


def _gather(source=_IMAGES, indices=(0,), table=_TABLE, size=(5, 6), **options):
    return lambda: F.gather_images(source, indices, table, size, **options)


REFUSED = {
    "flat": (_gather(_IMAGES.reshape(4, -1)), "source", r"\(4, 60\)"),
    "no channel": (_gather(_IMAGES[:, 0]), "source", r"\(R, C, H, W\)", r"\(4, 5, 6\)"),
    "integers": (_gather(_IMAGES.astype(int)), "source", "uint8, float32 or float64", "int64"),
    "index": (_gather(indices=[4]), r"indices\[0\] is 4", "0 to 3", "source has 4 rows"),
    "table's length": (_gather(indices=[1, 2]), "transforms", r"\(2, 11\)", r"\(1, 11\)"),
    "table's width": (_gather(table=_TABLE[:, 1:]), "transforms", r"\(1, 11\)", r"\(1, 10\)"),
    "table of text": (_gather(table=np.full((1, 11), "a")), "transforms", "real numbers", "<U1"),
    "size": (_gather(size=0), "height", "at least 1", "0"),
    "size's kind": (_gather(size=2.5), "gather_images: size", "pair", "2.5"),
    "occlusion": (_gather(occlusion=(1, -1)), "occlusion_w", "at least 0", "-1"),
    "fill": (_gather(fill=math.nan), "fill", "nan"),
    "out": (_gather(out=_IMAGES[:2]), "out", r"\(1, 2, 5, 6\)", r"\(4, 2, 5, 6\)|\(2, 2, 5, 6\)"),
    "empty images": (_gather(_IMAGES[:, :, :0]), "source", "empty"),
    "flip": (lambda: F.draw_transforms([0], flip=1.5), "flip", "at most 1"),
    "rotation": (lambda: F.draw_transforms([0], rotation=-1.0), "rotation", "at least 0"),
    "shift": (lambda: F.draw_transforms([0], shift=(0, -2)), "shift_w", "at least 0"),
    "seed": (lambda: F.draw_transforms([0], -1), "seed", "-1"),
    "epoch": (lambda: F.draw_transforms([0], 0, 2**63), "epoch", str(2**63)),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    call, *patterns = REFUSED[name]
    with pytest.raises((TypeError, ValueError), match=patterns[0]) as caught:
        call()
    for pattern in patterns:
        assert caught.match(pattern)
    assert "\n" not in str(caught.value)


def test_integers_do_for_a_table(images):
    """As any real numbers: a table by hand has whole ones."""
    table = transforms(3, shift_h=1).astype(np.int64)
    made = F.gather_images(images, np.arange(3), table, SHAPE[2:])
    np.testing.assert_array_equal(made, vary(images, shift_h=1))
