"""The plain-NumPy twins of the kernels that vary images."""

from __future__ import annotations

import numpy as np

from fastnn._kernels.reference_images import store
from fastnn._kernels.reference_random import philox

# The columns of a table of transforms.
COS, SIN, SHIFT_H, SHIFT_W, CROP_H, CROP_W, FLIP, BRIGHTNESS, CONTRAST = range(9)
OCCLUSION_H, OCCLUSION_W, TRANSFORMS = range(9, 12)


def draw_transforms(
    indices,
    state,
    rotation=0.0,
    shift_h=0,
    shift_w=0,
    flip=0.0,
    brightness=0.0,
    contrast=0.0,
    out=None,
):
    """How the samples at ``indices`` are varied in an epoch: a table (n, 11) for ``gather_images``.

    ``state`` is (seed, epoch).  The draws of sample i are ten words of Philox's for the counters
    (4 i, epoch) to (4 i + 2, epoch) and the key seed.
    """
    seed, epoch = (int(part) % 2**64 for part in state)
    first = np.asarray(indices).astype(np.uint64) * np.uint64(4)
    blocks = np.add.outer(first, np.arange(3, dtype=np.uint64)).ravel()
    counter = np.empty((len(blocks), 4), np.uint64)
    counter[:, 0], counter[:, 1] = blocks % 2**32, blocks >> np.uint64(32)
    counter[:, 2], counter[:, 3] = epoch % 2**32, epoch >> 32
    u = philox(counter, (seed % 2**32, seed >> 32)).reshape(-1, 12)[:, :10] / 2**32
    angle = (2 * u[:, 0] - 1) * rotation * (np.pi / 180)
    columns = [
        np.cos(angle),
        np.sin(angle),
        np.floor(u[:, 1] * (2 * shift_h + 1)) - shift_h,
        np.floor(u[:, 2] * (2 * shift_w + 1)) - shift_w,
        u[:, 3],
        u[:, 4],
        u[:, 5] < flip,
        1 + (2 * u[:, 6] - 1) * brightness,
        1 + (2 * u[:, 7] - 1) * contrast,
        u[:, 8],
        u[:, 9],
    ]
    return store(out, np.stack(columns, axis=1).astype(np.float64))


def _place(fraction, room):
    return int(min(max(np.floor(fraction * (room + 1)), 0), room))


def _look_up(image, rows, columns, fill):
    """image[:, rows, columns], and ``fill`` beside the image."""
    height, width = image.shape[1:]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    found = image[:, np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    return np.where(inside, found, fill)


def _turned(image, rows, columns, t, fill):
    """Bilinear interpolation where each place was before the image was turned about its middle."""
    T = image.dtype.type
    cos, sin = T(t[COS]), T(t[SIN])
    middle_h, middle_w = (T((size - 1) / 2) for size in image.shape[1:])
    down, across = rows.astype(T) - middle_h, columns.astype(T) - middle_w
    # From the frame of ``fill`` around the image, to which far places are held.
    y = ((middle_h + 1) + cos * down) + sin * across
    x = ((middle_w + 1) - sin * down) + cos * across
    y, x = np.clip(y, 0, T(image.shape[1] + 1)), np.clip(x, 0, T(image.shape[2] + 1))
    i, j = y.astype(int), x.astype(int)
    a, b, c, d = (
        _look_up(image, i + below - 1, j + right - 1, fill) for below in (0, 1) for right in (0, 1)
    )
    above, below = a + (x - j.astype(T)) * (b - a), c + (x - j.astype(T)) * (d - c)
    return above + (y - i.astype(T)) * (below - above)


def gather_images(
    source,
    indices,
    transforms,
    height,
    width,
    occlusion_h=0,
    occlusion_w=0,
    fill=0.0,
    scale=1.0,
    shift=0.0,
    out=None,
):
    """source[indices] (n, C, H, W), each varied by its row of ``transforms`` (n, 11).

    In this order: turned counterclockwise about its middle, moved down and right, cropped to
    (height, width), mirrored, brightened, its contrast changed about its mean, a rectangle of
    (occlusion_h, occlusion_w) hidden; ``fill`` is where the image has nothing.  Then scale and
    shift.  Places to crop and to hide are fractions of the room that there is.

    Without ``out`` the result is float32 for uint8 and has the source's dtype otherwise.
    """
    dtype = out.dtype if out is not None else np.result_type(source, np.float32)
    T = dtype.type
    (channels, H, W), n = source.shape[1:], len(indices)
    result = np.empty((n, channels, height, width), dtype)
    hidden_h, hidden_w = min(occlusion_h, height), min(occlusion_w, width)
    for image, t, x in zip(source[indices].astype(dtype), transforms, result, strict=True):
        top = _place(t[CROP_H], max(H - height, 0)) - int(np.floor(t[SHIFT_H]))
        left = _place(t[CROP_W], max(W - width, 0)) - int(np.floor(t[SHIFT_W]))
        rows, columns = np.arange(height)[:, None] + top, np.arange(width) + left
        if t[FLIP]:
            columns = columns[::-1]
        if t[COS] == 1 and t[SIN] == 0:
            x[...] = _look_up(image, rows, columns, T(fill))
        else:
            x[...] = _turned(image, rows, columns, t, T(fill))
        factor, offset = t[CONTRAST] * t[BRIGHTNESS] * scale, 0.0
        if t[CONTRAST] != 1:
            mean = x.sum(dtype=np.float64) / x.size
            offset = (1 - t[CONTRAST]) * t[BRIGHTNESS] * mean * scale
        if T(factor) != 1 or T(offset + shift) != 0:
            x[...] = x * T(factor) + T(offset + shift)
        top = _place(t[OCCLUSION_H], height - hidden_h)
        left = _place(t[OCCLUSION_W], width - hidden_w)
        hidden = T(fill) if scale == 1 and shift == 0 else T(fill) * T(scale) + T(shift)
        x[:, top : top + hidden_h, left : left + hidden_w] = hidden
    return store(out, result)
