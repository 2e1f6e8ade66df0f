"""Rows of the table of cases: augmentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from kernels.harness import Arguments, Case

from fastnn._kernels import reference

OFF: dict[str, float] = {
    "cosine": 1, "sine": 0, "shift_h": 0, "shift_w": 0, "crop_h": 0, "crop_w": 0, "flip": 0,
    "brightness": 1, "contrast": 1, "occlusion_h": 0, "occlusion_w": 0,
}  # fmt: skip


def transforms(n: int, **columns: Any) -> np.ndarray:
    """A table (n, 11) that varies nothing but what is said."""
    assert columns.keys() <= OFF.keys()
    table = np.empty((n, len(OFF)))
    for i, (name, usual) in enumerate(OFF.items()):
        table[:, i] = columns.get(name, usual)
    return table


def _draws(**options: Any) -> Callable:
    def make(rng, dtype, n, c):
        return {
            "indices": rng.integers(2**40, size=n * c),
            "state": rng.integers(-(2**63), 2**63, size=2),
            **options,
        }

    return make


def _relative(arguments: Arguments, results: tuple) -> tuple:
    return ((1, np.abs(results[0])),)


def _images(source: str, turned: bool, toned: bool, **options: Any) -> Callable:
    def make(rng, dtype, n, c):
        n = min(n, 2 + n // 30)
        shape = (n + 2, 1 + c % 3, 4 + c % 30, 4 + (n + c) % 70)
        if source == "bytes":
            images = rng.integers(256, size=shape).astype(np.uint8)
        else:
            images = rng.standard_normal(shape).astype(dtype)
        table = reference.draw_transforms(
            np.arange(n),
            rng.integers(9, size=2),
            90.0 if turned else 0.0,
            5,
            3,
            0.5,
            *((0.4, 0.6) if toned else ()),
        )
        return {
            "source": images,
            "indices": rng.integers(n + 2, size=n),
            "transforms": table,
            "height": shape[2] - c % 3,
            "width": shape[3] - n % 4,
            **options,
        }

    return make


def _magnitudes(arguments: Arguments, results: tuple) -> tuple:
    if "scale" not in arguments:
        return ((0, 0.0),)  # nothing but look-ups, and sums in one order
    largest = np.abs(arguments["source"].astype(np.float64)).max(initial=0) + 1
    return ((4, 4 * largest * abs(arguments["scale"]) + abs(arguments.get("shift", 0.0))),)


AUGMENTATIONS: list[Case] = [
    Case("draw_transforms", "draw_transforms", _draws(), _relative),
    Case(
        "draw_transforms/all",
        "draw_transforms",
        _draws(rotation=30.0, shift_h=2, shift_w=7, flip=0.4, brightness=0.3, contrast=0.9),
        _relative,
    ),
    Case("gather_images", "gather_images", _images("floats", False, False), _magnitudes),
    Case(
        "gather_images/turned",
        "gather_images",
        _images("floats", True, False, fill=0.5, occlusion_h=3, occlusion_w=2),
        _magnitudes,
    ),
    Case(
        "gather_images/toned",
        "gather_images",
        _images("floats", True, True, scale=0.7, shift=0.2, fill=-0.3, occlusion_w=3),
        _magnitudes,
    ),
    Case(
        "gather_images/bytes",
        "gather_images",
        _images("bytes", True, True, scale=1 / 255, shift=-0.5, occlusion_h=4, occlusion_w=90),
        _magnitudes,
    ),
]
