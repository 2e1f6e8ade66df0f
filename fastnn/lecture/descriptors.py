"""What describes an image before anything is trained: oriented gradients, visual words.

Needs scikit-image and scikit-learn, which fastnn itself does without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from skimage.feature import daisy, hog
from sklearn.cluster import MiniBatchKMeans
from tqdm import tqdm

__all__ = ["PATCH", "VisualWords", "descriptors", "oriented_gradients", "picture_of_gradients"]

Array: TypeAlias = npt.NDArray[Any]

PATCH = 9  # a descriptor sees so many pixels each way
_RADIUS = PATCH // 2
_DIRECTIONS = 8
_HOG = {"orientations": 9, "pixels_per_cell": (4, 4), "cells_per_block": (2, 2)}
_FITTED_IMAGES, _FITTED_DESCRIPTORS = 2_000, 100_000
_IMAGES_AT_ONCE = 500  # all descriptors of 60,000 images would take 4 GB


def oriented_gradients(images: Array) -> Array:
    """Histograms of oriented gradients, float32: (N, 1296) of images (N, 28, 28).

    Each cell of 4x4 pixels has a histogram of 9 directions, a gradient and its opposite being
    one, and is normalised within each block of 2x2 cells that it is in.  (Dalal, Triggs,
    "Histograms of oriented gradients for human detection", 2005.)
    """

    def describe(image: Array) -> Array:
        histograms: Array = hog(image, **_HOG)
        return histograms

    return _of_each(images, describe, "gradients")


def picture_of_gradients(image: Array) -> Array:
    """Strokes along the edges of an image (H, W), as strong as their share of a cell, (H, W)."""
    strokes: Array = hog(image, **_HOG, visualize=True)[1]
    return strokes


def descriptors(images: Array) -> Array:
    """DAISY descriptors around every pixel that is not at an edge, float32.

    (N, H - 8, W - 8, 40) of images (N, H, W): histograms of 8 directions, at the pixel and at
    four around it.  (Tola, Lepetit, Fua, "DAISY: an efficient dense descriptor applied to
    wide-baseline stereo", 2010.)
    """

    def describe(image: Array) -> Array:
        around: Array = daisy(
            image, step=1, radius=_RADIUS, rings=1, histograms=4, orientations=_DIRECTIONS
        )
        return around

    return _of_each(images, describe)


def _of_each(images: Array, describe: Callable[[Array], Array], what: str | None = None) -> Array:
    first = describe(images[0])
    found = np.empty((len(images), *first.shape), np.float32)
    # A bar on a terminal, and none elsewhere: disable=None.
    bar = tqdm(images, what, leave=False, disable=None if what else True)
    for i, image in enumerate(bar):
        found[i] = describe(image)
    return found


class VisualWords:
    """A vocabulary of typical patches, and the bag of them that an image is.

    The words are the means that k-means finds among the descriptors of training images; an
    image is a histogram of the words nearest to its descriptors, wherever they lie.  (Csurka,
    Dance, Fan, Willamowski, Bray, "Visual categorization with bags of keypoints", 2004.)

    Args:
        images: (N, H, W), to find the words in.
        words: their number, at most that of the descriptors.
        seed: of the choice of images and of k-means.
    """

    def __init__(self, images: Array, words: int = 500, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        some = images[rng.permutation(len(images))[:_FITTED_IMAGES]]
        found = _rows(descriptors(some))
        found = found[rng.permutation(len(found))[:_FITTED_DESCRIPTORS]]
        self.words = min(words, len(found))
        means = MiniBatchKMeans(self.words, batch_size=4096, n_init=1, random_state=seed)
        self._means = means.fit(found)

    def nearest(self, images: Array) -> Array:
        """The word at every place, (N, H - 8, W - 8)."""
        found = descriptors(images)
        nearest: Array = self._means.predict(_rows(found)).reshape(found.shape[:3])
        return nearest

    def histograms(self, images: Array) -> Array:
        """The share of each word, (N, words), float32: the bags."""
        bags = np.empty((len(images), self.words), np.float32)
        for start in tqdm(
            range(0, len(images), _IMAGES_AT_ONCE), "words", leave=False, disable=None
        ):
            block = slice(start, start + _IMAGES_AT_ONCE)
            for bag, words in zip(bags[block], self.nearest(images[block]), strict=True):
                bag[:] = np.bincount(words.ravel(), minlength=self.words) / words.size
        return bags

    def mean_patches(self, images: Array, number: int) -> Array:
        """What the words in images stand for, (number, 9, 9), the commonest first.

        Fewer than that number where there are fewer.
        """
        nearest = self.nearest(images)
        counts = np.bincount(nearest.ravel())
        common = counts.argsort()[::-1][: min(number, np.count_nonzero(counts))]
        patches = np.lib.stride_tricks.sliding_window_view(images, (PATCH, PATCH), (1, 2))
        return np.stack([patches[nearest == word].mean(axis=0) for word in common])


def _rows(found: Array) -> Array:
    return found.reshape(-1, found.shape[-1])
