"""The functions of :mod:`fastnn.functional` that vary images; they are called from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from fastnn import _kernels as kernels
from fastnn.functional_images import Pair, _pair, _state

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["draw_transforms", "gather_images"]

Array: TypeAlias = "NDArray[Any]"


def draw_transforms(
    indices: ArrayLike,
    seed: int = 0,
    epoch: int = 0,
    *,
    rotation: float = 0.0,
    shift: Pair = 0,
    flip: float = 0.0,
    brightness: float = 0.0,
    contrast: float = 0.0,
    out: Array | None = None,
) -> Array:
    """A table that says how the images at ``indices`` are varied, for :func:`gather_images`.

    A row is a function of seed, epoch and index alone, by Philox4x32-10 (Salmon et al., 2011): the
    same for any order and number of threads, and whenever it is asked for.

    Args:
        indices: (n,), integers of at least 0.
        seed, epoch: integers from 0 to 2**63 - 1; another epoch is another table.
        rotation: degrees; the angle is drawn from -rotation to rotation.
        shift: whole pixels up to which an image moves each way, or (rows, columns).
        flip: the probability that an image is mirrored.
        brightness, contrast: factors are drawn from 1 - brightness to 1 + brightness, and likewise.
        out: (n, 11), float64.

    Returns:
        (n, 11), float64, with the columns cosine and sine of the angle, counterclockwise; pixels
        down, pixels to the right; of the window to crop, the fraction of the room above it and
        of that on its left; 1 to mirror, else 0; the factors of brightness and contrast; of
        the rectangle to hide, the fraction of the room above it and on its left.
    """
    state = _state("draw_transforms", seed, epoch, "epoch")
    shifts = _pair("draw_transforms", "shift", shift)
    return kernels.draw_transforms(
        indices, state, rotation, *shifts, flip, brightness, contrast, out
    )


def gather_images(
    source: ArrayLike,
    indices: ArrayLike,
    transforms: ArrayLike,
    size: Pair,
    *,
    occlusion: Pair = 0,
    fill: float = 0.0,
    scale: float = 1.0,
    shift: float = 0.0,
    out: Array | None = None,
) -> Array:
    """source[indices], each image varied as its row of ``transforms`` says: a mini-batch.

    In this order: turned about its middle by bilinear interpolation, moved, cropped to
    ``size``, mirrored from left to right, multiplied by the brightness, its distance from its
    own mean multiplied by the contrast, a rectangle hidden.  Then scale and shift.

    Args:
        source: (R, C, H, W), uint8, float32 or float64.
        indices: (n,), integers from 0 to R - 1.
        transforms: (n, 11), see :func:`draw_transforms`.
        size: (height, width) of the results.
        occlusion: (height, width) of what is hidden: it becomes ``fill``.
        fill: what stands where a turned or moved image leaves nothing, before scale and shift.
        scale, shift: applied to every element in the end.
        out: (n, C, height, width), float32 or float64.

    Returns:
        (n, C, height, width): of ``out``'s dtype, or float32 for uint8, or the source's.
    """
    sizes = _pair("gather_images", "size", size)
    hidden = _pair("gather_images", "occlusion", occlusion)
    return kernels.gather_images(
        source, indices, transforms, *sizes, *hidden, fill, scale, shift, out
    )
