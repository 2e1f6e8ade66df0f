"""A saved model, and the treatment that its samples got in training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn import _kernels as k
from fastnn import serialize
from fastnn.cli.runfolder import RunFolder
from fastnn.layers.module import rows_at_once

if TYPE_CHECKING:
    from fastnn.layers.module import Module


@dataclass(frozen=True)
class SavedModel:
    """A model with its classes, the shape of a raw sample, and scale and shift.

    ``images`` tells whether it takes samples in that shape, (channels, height, width), or flat.

    A model that ``fastnn.save`` wrote without such metadata takes its samples as they
    are, and its classes are called 0, 1, ...: ``classes`` and ``shape`` are None.
    """

    path: Path
    model: Module
    classes: tuple[str, ...] | None
    shape: tuple[int, ...] | None
    images: bool
    scale: float
    shift: float
    largest: float | None
    loss: str
    data: str | None

    @classmethod
    def load(cls, path: str) -> SavedModel:
        """The model in a file, or in a run folder.

        Raises OSError when it cannot be read and ValueError when it is no model; both
        name the file.
        """
        file = Path(path)
        if file.is_dir():
            run = RunFolder(file)
            # A run that was killed has no model yet, but its checkpoint holds one.
            file = run.model if run.model.exists() else run.checkpoint
        model = serialize.load(file)
        stored = serialize.load_metadata(file)
        try:
            return cls(
                path=file,
                model=model,
                classes=_tuple(stored.get("classes"), str),
                shape=_tuple(stored.get("shape"), int),
                images=bool(stored.get("images", False)),
                scale=float(stored.get("scale", 1.0)),
                shift=float(stored.get("shift", 0.0)),
                largest=None if "largest" not in stored else float(stored["largest"]),
                loss=str(stored.get("loss", "cross_entropy")),
                data=stored.get("data"),
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f"{file}: its metadata makes no sense ({error})") from None

    def rows(self, x: NDArray[Any], source: str) -> NDArray[Any]:
        """Raw samples ``x`` as the rows (N, D) or images that were trained on, unscaled.

        uint8 stays, anything else becomes the model's dtype. A single sample of the
        right shape is a batch of one. Raises ValueError, naming ``source``, for samples
        of another size, none, or not of finite real numbers.
        """
        if x.dtype.kind not in "buif":
            raise ValueError(f"{source}: samples of dtype {x.dtype}, expected numbers")
        if x.size == 0:
            raise ValueError(f"{source}: no samples, its shape is {x.shape}")
        if self.shape is not None:
            grey = self.shape[1:] if self.shape[:1] == (1,) else self.shape
            if x.shape in (self.shape, grey, (int(np.prod(self.shape)),)):
                x = x[np.newaxis]
            given = x.shape[1:]
            if x.ndim < 2 or np.prod(given) != np.prod(self.shape):
                raise ValueError(
                    f"{source}: samples of shape {given or x.shape}, "
                    f"{self.path.name} wants {self.shape} or {int(np.prod(self.shape))}"
                )
            x = x.reshape(len(x), *(self.shape if self.images else (-1,)))
        if x.dtype != np.uint8:
            with np.errstate(over="ignore"):  # what overflows is found right here
                x = x.astype(self.model.dtype, copy=False)
            if not np.isfinite(x).all():
                raise ValueError(f"{source}: holds a value that is not finite in {x.dtype}")
        return x

    @contextmanager
    def applied_to(self, rows: NDArray[Any], source: str) -> Iterator[None]:
        """A ValueError of the model within the block names the two that do not fit."""
        try:
            yield
        except ValueError as error:
            raise ValueError(
                f"{source}: samples of shape {rows.shape[1:]} do not fit {self.path} ({error})"
            ) from None

    def scores(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The model's output for raw ``rows``, scaled and shifted as in training."""
        dtype = self.model.dtype
        if self.shape is None and rows.ndim != 2:
            return self.model.scores(rows)
        flat = rows.reshape(len(rows), -1)
        outputs = []
        size = rows_at_once(rows.shape[1:])
        for start in range(0, len(rows), size):
            indices = np.arange(start, min(start + size, len(rows)))
            batch = np.empty((len(indices), *rows.shape[1:]), dtype)
            out = batch.reshape(len(indices), -1)
            k.gather_rows(flat, indices, self.scale, self.shift, out)
            outputs.append(self.model.scores(batch))
        return np.concatenate(outputs)


def _tuple(values: Any, kind: type) -> tuple[Any, ...] | None:
    return None if values is None else tuple(kind(value) for value in values)
