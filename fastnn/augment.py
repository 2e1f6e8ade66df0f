"""Augmentation: images varied as their classes vary, anew in each epoch, in training alone."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from fastnn import _kernels as k
from fastnn.checks import number, pair, real_array, whole
from fastnn.modes import tracked

__all__ = ["Augment", "AugmentedRows"]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Pair: TypeAlias = "int | tuple[int, int]"


class Augment:
    """How a run varies its images: ``trainer.fit(X, y, augment=fastnn.Augment(flip=True))``.

    Each image is varied anew in each epoch, by draws that depend on the seed of ``fit``, the
    epoch and the image's place in X alone: neither on the order, the batch size or the number of
    threads, nor on an interruption.  Images are (N, C, H, W), and what a pixel can be is not
    limited: results are floats.

    What is asked for is done in the order of the arguments, before the Trainer's scale and
    shift, so ``fill`` is a pixel as it stands in X.

    Args:
        rotation: degrees, from 0 to 180; the angle is drawn from -rotation to rotation, about
            the middle of the image, with bilinear interpolation.
        shift: pixels, a whole number or (rows, columns): the image moves by whole pixels, up to
            so many each way.  It is what others call a random crop after padding.
        crop: (height, width), or a whole number for a square, of what the model gets: a window at a
            random place.  ``validation_data`` and ``Trainer.evaluate`` take the middle of each
            image (see ``center_crop``), as you do before ``model.predict``.
        flip: the probability that an image is mirrored, left to right; True is 0.5.
        brightness: a relative factor, from 0 to 1: pixels are multiplied by a number drawn
            from 1 - brightness to 1 + brightness.
        contrast: likewise of each pixel's distance from the mean of the image, all channels
            together.
        occlusion: pixels, (height, width), or a whole number for a square: a rectangle of that size
            at a random place inside the image becomes ``fill`` (cutout; DeVries and Taylor, 2017).
        fill: what stands where a turned or moved image leaves nothing; 0.

    Attributes:
        rotation, shift, crop, flip, brightness, contrast, occlusion, fill: as above, a pair where
            there may be one.

    Raises:
        TypeError, ValueError: naming the argument.
    """

    def __init__(
        self,
        *,
        rotation: float = 0.0,
        shift: Pair = 0,
        crop: Pair | None = None,
        flip: bool | float = False,
        brightness: float = 0.0,
        contrast: float = 0.0,
        occlusion: Pair = 0,
        fill: float = 0.0,
    ) -> None:
        self.rotation = number("rotation", rotation, "[0, 180]")
        self.shift = pair("shift", shift, 0)
        self.crop = None if crop is None else pair("crop", crop, 1)
        self.flip = 0.5 * flip if isinstance(flip, bool) else number("flip", flip, "[0, 1]")
        self.brightness = number("brightness", brightness, "[0, 1]")
        self.contrast = number("contrast", contrast, "[0, 1]")
        self.occlusion = pair("occlusion", occlusion, 0)
        self.fill = number("fill", fill, "(-inf, inf)")

    def __call__(self, X: Any, *, seed: int = 0, epoch: int = 0) -> Array:
        """The images X (N, C, H, W) as an epoch of a run with this seed meets them, unscaled.

        Args:
            X: uint8, float32 or float64; integers of other kinds become float32.
            seed: of the run, a non-negative int.
            epoch: from 0.

        Returns:
            (N, C, height, width), float64 for float64 and float32 for the rest.

        Raises:
            TypeError, ValueError: naming the argument.
        """
        images = self.check(X, "X")
        if images.dtype not in (np.uint8, np.float32, np.float64):
            images = images.astype(np.float32)
        rows = AugmentedRows(self, images, whole("seed", seed, 0))
        rows.begin_epoch(whole("epoch", epoch, 0))
        dtype = np.result_type(images, np.float32)
        out = np.empty((len(images), *rows.row_shape), dtype)
        return rows.gather(np.arange(len(images)), 1.0, 0.0, out)

    def check(self, X: Any, name: str) -> Array:
        """X as an array, if it holds images that are large enough.

        Raises:
            TypeError: naming it, if it does not hold real numbers.
            ValueError: naming it, if it is not (N, C, H, W), or what is wrong with its images.
        """
        images = real_array(X, name)
        if images.ndim != 4:
            raise ValueError(
                f"{name}: augment wants images (N, C, H, W), got shape {images.shape}"
                + ("; grey images (N, H, W) are X[:, np.newaxis]" if images.ndim == 3 else "")
                + ("; flat ones are X.reshape(N, C, H, W)" if images.ndim == 2 else "")
            )
        if images.size == 0:
            raise ValueError(f"{name} is empty: shape {images.shape}")
        _fits("crop", self.crop or (1, 1), images.shape[2:], f"the images of {name}")
        size = self.crop or images.shape[2:]
        _fits("occlusion", self.occlusion, size, "what the model gets")
        return images

    def center_crop(self, X: Any, name: str = "X") -> Any:
        """What the model gets of X where nothing is drawn: the middle of each image.

        Args:
            X: (N, C, H, W); without ``crop`` anything, which is returned as it is.
            name: what an error calls it.

        Returns:
            A view (N, C, height, width).  Where an odd number of rows or columns is left out, one
            more is left out at the bottom or at the right.

        Raises:
            TypeError, ValueError: naming X.
        """
        if self.crop is None:
            return X
        images = self.check(X, name)
        (height, width), (rows, columns) = self.crop, images.shape[2:]
        top, left = (rows - height) // 2, (columns - width) // 2
        return images[:, :, top : top + height, left : left + width]

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON can hold them."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Augment) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        usual = vars(Augment())
        told = [f"{name}={value!r}" for name, value in vars(self).items() if value != usual[name]]
        return f"Augment({', '.join(told)})"


class AugmentedRows:
    """Images, and a gather that varies them as an epoch of a run does.

    Attributes:
        row_shape: (C, height, width) of what is gathered.
    """

    def __init__(self, augment: Augment, images: Array, seed: int) -> None:
        self._augment, self._images = augment, np.ascontiguousarray(images)
        self.row_shape = (images.shape[1], *(augment.crop or images.shape[2:]))
        # A key of its own: neither the order of the samples nor a Dropout's draws go with it.
        key = np.random.SeedSequence(seed, spawn_key=(0, 1)).generate_state(1, np.uint64)[0]
        self._state = np.array([key >> 1, 0], np.int64)

    def begin_epoch(self, epoch: int) -> None:
        """The draws from now on are those of this epoch."""
        self._state[1] = epoch

    def gather(self, indices: Array, scale: float, shift: float, out: Array) -> Array:
        """The images at ``indices`` (n,), varied, scaled and shifted, into out (n, C, h, w)."""
        how = self._augment
        transforms = k.draw_transforms(
            indices,
            tracked(self._state),
            how.rotation,
            *how.shift,
            how.flip,
            how.brightness,
            how.contrast,
        )
        return k.gather_images(
            self._images,
            indices,
            transforms,
            *self.row_shape[1:],
            *how.occlusion,
            how.fill,
            scale,
            shift,
            out,
        )


def _fits(name: str, size: tuple[int, int], room: tuple[int, ...], what: str) -> None:
    if size[0] > room[0] or size[1] > room[1]:
        raise ValueError(
            f"augment: {name}={size} is larger than {what}, {room[0]} rows and {room[1]} columns"
        )
