"""A small real set of 224x224 images: the digits, enlarged, and crops of two photographs.

The photographs are scikit-learn's sample images, ``china.jpg`` (by danielbuechele) and
``flower.jpg`` (by vultilion), both CC BY 2.0, read from where it is installed; the digits are
those inside this package.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import whole
from fastnn.data.dataset import Dataset
from fastnn.data.digits import digits

PHOTOGRAPHS = ("china", "flower")

_Image: TypeAlias = NDArray[np.uint8]
_LARGEST_INK = 16
_SIDES = (96, 224)  # of a crop


class _Region(NamedTuple):
    """Columns of a photograph, and the seed of the crops that are taken from them."""

    first: int
    end: int
    seed: int


# Of 640.  The 16 columns between them belong to neither: decoding a JPEG smooths the colours a
# little across its blocks.  The upper and the lower half have too little in common to learn one
# from the other: sky above, trees below.
_TRAINING, _HELD_OUT = _Region(0, 400, seed=0), _Region(416, 640, seed=1)


def images224(
    size: int = 224, *, train_each: int | None = None, test_each: int | None = None
) -> Dataset:
    """Twelve classes, the ten digits and two photographs, uint8 of shape (3, size, size).

    The digits are split as :func:`digits` has them, and enlarged by linear interpolation; their
    three channels are equal.  Of each photograph there are as many crops as of a digit, by
    the mean: squares of 96 to 224 pixels, enlarged to ``size``, about half of them mirrored.
    Crops to train with lie in the left 400 of 640 columns, crops to test with in the right
    224: no pixel is in both.  All that is random comes from the raw draws of PCG64.

    There are 1726 images to train with and 431 to test with: 325 MB at 224x224.

    Args:
        size: height and width of an image.
        train_each, test_each: take so many images of each class only.

    Raises:
        ImportError: scikit-learn or Pillow is not installed.
        TypeError: a number is not an integer.
        ValueError: a number is below 1.
    """
    whole("size", size, 1)
    for name, each in (("train_each", train_each), ("test_each", test_each)):
        if each is not None:
            whole(name, each, 1)
    source, photographs = digits(), _photographs()
    parts = []
    for x, y, each, region in (
        (source.x_train, source.y_train, train_each, _TRAINING),
        (source.x_test, source.y_test, test_each, _HELD_OUT),
    ):
        chosen = _first_of_each(y, each)
        small = x[chosen].reshape(-1, *source.shape[1:])
        crops = round(len(small) / len(source.classes)) if each is None else each
        parts.append(_part(small, y[chosen], photographs, crops, region, size))
    (x_train, y_train), (x_test, y_test) = parts
    return Dataset(
        name="images224",
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        classes=(*source.classes, *PHOTOGRAPHS),
        shape=(3, size, size),
    )


def _photographs() -> list[_Image]:
    """The photographs, each (427, 640, 3)."""
    try:
        from sklearn.datasets import load_sample_image

        return [load_sample_image(f"{name}.jpg") for name in PHOTOGRAPHS]
    except ImportError as error:  # scikit-learn looks for Pillow when it loads an image
        raise ImportError(
            "images224 takes its photographs from scikit-learn, by Pillow: "
            "pip install 'fastnn[images]'"
        ) from error


def _first_of_each(y: NDArray[np.int64], each: int | None) -> NDArray[np.int64]:
    """Where the first ``each`` samples of every class are in y (N,), in order."""
    if each is None:
        return np.arange(len(y))
    return np.sort(np.concatenate([np.flatnonzero(y == label)[:each] for label in np.unique(y)]))


def _part(
    small: NDArray[np.generic],
    labels: NDArray[np.int64],
    photographs: list[_Image],
    crops: int,
    region: _Region,
    size: int,
) -> tuple[_Image, NDArray[np.int64]]:
    """Images as rows (N, 3 * size * size) and their labels (N,), shuffled."""
    n = len(small) + crops * len(photographs)
    random = np.random.PCG64(region.seed)
    places = iter(np.argsort(random.random_raw(n), kind="stable"))
    x, y = np.empty((n, 3, size, size), np.uint8), np.empty(n, np.int64)
    for digit, label in zip(small, labels, strict=True):
        place = next(places)
        x[place] = enlarged(digit[..., np.newaxis] * np.float32(255 / _LARGEST_INK), size)
        y[place] = label
    for number, photograph in enumerate(photographs):
        for top, left, side, mirrored in _crops(crops, len(photograph), region, random):
            place = next(places)
            crop = photograph[top : top + side, left : left + side]
            x[place] = enlarged(crop[:, ::-1] if mirrored else crop, size)
            y[place] = 10 + number
    return x.reshape(n, -1), y


def _crops(
    n: int, height: int, region: _Region, random: np.random.PCG64
) -> list[tuple[int, int, int, bool]]:
    """Top, left, side and whether it is mirrored of n squares within the region."""
    made = []
    for draws in random.random_raw((n, 4)).tolist():
        side = _SIDES[0] + draws[0] % (_SIDES[1] - _SIDES[0] + 1)
        top = draws[1] % (height - side + 1)
        left = region.first + draws[2] % (region.end - region.first - side + 1)
        made.append((top, left, side, draws[3] % 2 == 1))
    return made


def enlarged(image: NDArray[np.generic], size: int) -> _Image:
    """A square image (side, side, channels) of 0..255 as (channels, size, size).

    Linear interpolation between the centres of pixels, and a border as its last pixels.
    Elementwise, since a matrix product's last bits depend on the machine.
    """
    side = len(image)
    centres = np.clip((np.arange(size) + 0.5) * (side / size) - 0.5, 0, side - 1)
    low = centres.astype(np.int64)
    high = np.minimum(low + 1, side - 1)
    share = (centres - low).astype(np.float32)
    planes = image.transpose(2, 0, 1).astype(np.float32)
    wide = planes[..., low] * (1 - share) + planes[..., high] * share
    rows = share[:, np.newaxis]
    tall = wide[:, low] * (1 - rows) + wide[:, high] * rows
    made: _Image = np.rint(tall).astype(np.uint8)
    return made
