"""A saved model, and the treatment that its samples got in training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn import _kernels as k
from fastnn import data, serialize
from fastnn.cli.runfolder import RunFolder
from fastnn.cli.settings import Settings
from fastnn.cli.usage import UsageError

if TYPE_CHECKING:
    from fastnn.layers.module import Module

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class SavedModel:
    """A model with its classes, the shape of a raw sample, and scale and shift.

    A model that ``fastnn.save`` wrote without such metadata takes its samples as they
    are, and its classes are called 0, 1, ...: ``classes`` and ``shape`` are None.
    """

    path: Path
    model: Module
    classes: tuple[str, ...] | None
    shape: tuple[int, ...] | None
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
                scale=float(stored.get("scale", 1.0)),
                shift=float(stored.get("shift", 0.0)),
                largest=None if "largest" not in stored else float(stored["largest"]),
                loss=str(stored.get("loss", "cross_entropy")),
                data=stored.get("data"),
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f"{file}: its metadata makes no sense ({error})") from None

    def trained_on(self) -> str:
        """The data that the run in the model's folder was trained on.

        Raises UsageError when nothing tells.
        """
        settings = self.path.with_name("run.json")
        if settings.exists():
            return Settings.from_json(settings).data
        if self.data == "digits":
            return "digits"
        raise UsageError(f"on which --data? {self.path} has no run.json beside it that tells")

    def labels(self, y: NDArray[Any], classes: Sequence[str], source: str) -> NDArray[Any]:
        """Labels ``y``, indices into ``classes``, as indices into the model's own.

        Raises ValueError, naming ``source``, for a class that the model does not know.
        """
        if self.classes is None:
            return y
        return data.encode_labels(np.array(classes)[y], self.classes, source, "labels")

    def rows(self, x: NDArray[Any], source: str) -> NDArray[Any]:
        """Raw samples ``x`` as the rows (N, D) that were trained on, unscaled.

        uint8 stays, anything else becomes the model's dtype. A single sample of the
        right shape is a batch of one. Raises ValueError, naming ``source``, for samples
        of another size, none, or not of finite real numbers.
        """
        if x.dtype.kind not in "buif":
            raise ValueError(f"{source}: samples of dtype {x.dtype}, expected numbers")
        if x.size == 0:
            raise ValueError(f"{source}: no samples, its shape is {x.shape}")
        if self.shape is not None:
            if x.shape in (self.shape, (int(np.prod(self.shape)),)):
                x = x[np.newaxis]
            given = x.shape[1:]
            if x.ndim < 2 or np.prod(given) != np.prod(self.shape):
                raise ValueError(
                    f"{source}: samples of shape {given or x.shape}, "
                    f"{self.path.name} wants {self.shape} or {int(np.prod(self.shape))}"
                )
            x = x.reshape(len(x), -1)
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
        outputs = []
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            indices = np.arange(start, min(start + _ROWS_AT_ONCE, len(rows)))
            batch = np.empty((len(indices), rows.shape[1]), dtype)
            k.gather_rows(rows, indices, self.scale, self.shift, batch)
            outputs.append(self.model.scores(batch))
        return np.concatenate(outputs)


def _tuple(values: Any, kind: type) -> tuple[Any, ...] | None:
    return None if values is None else tuple(kind(value) for value in values)
