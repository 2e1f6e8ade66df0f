"""``fastnn train``: from settings to a run folder."""

from __future__ import annotations

import argparse
import shlex
import sys
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import data, optim, runtime, serialize
from fastnn.callbacks import Checkpoint
from fastnn.cli.augmentation import augmentation
from fastnn.cli.interrupts import held, ignored
from fastnn.cli.named import named_model
from fastnn.cli.report import Report
from fastnn.cli.runfolder import RunFolder
from fastnn.cli.settings import IMAGE_MODELS, Settings
from fastnn.cli.usage import UsageError
from fastnn.train import Trainer

_MOMENTUM = 0.9
_OPTIMIZERS: dict[str, Any] = {
    "sgd": optim.SGD,
    "momentum": partial(optim.SGD, momentum=_MOMENTUM),
    "nesterov": partial(optim.SGD, momentum=_MOMENTUM, nesterov=True),
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "rmsprop": optim.RMSprop,
    "adagrad": optim.Adagrad,
}
_VALIDATION_SEED = 1


def run(args: argparse.Namespace) -> int:
    """Train as ``args`` say and return the exit status."""
    if args.threads is not None:
        runtime.set_num_threads(args.threads)
    return _resume(args) if args.resume is not None else _begin(args)


def _begin(args: argparse.Namespace) -> int:
    given = {name: getattr(args, name) for name in Settings.names()}
    settings = Settings.complete({**given, "data": _absolute(given["data"])})
    if settings.augment and settings.model not in IMAGE_MODELS:
        raise UsageError(f"--augment wants a model of images: --model {', '.join(IMAGE_MODELS)}")
    RunFolder.check_free(args.out)
    parts = Parts.load(settings)
    scale, shift = _standardization(parts, settings)
    model = named_model(settings, parts.whole)
    optimizer = _OPTIMIZERS[settings.optimizer](
        model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay
    )
    trainer = Trainer(
        model,
        settings.loss,
        optimizer,
        schedule=settings.schedule,
        scale=scale,
        shift=shift,
    )
    folder = None
    try:
        with held():
            folder = RunFolder.claim(args.out, settings)
        return _train(trainer, parts, settings, folder, args)
    except BaseException:
        if folder is not None and not folder.checkpoint.exists():
            with ignored():
                folder.abandon()
        raise


def _resume(args: argparse.Namespace) -> int:
    for name in Settings.names():
        if getattr(args, name) is not None:
            option = "--" + name.replace("_", "-")
            raise UsageError(f"{option} cannot be given with --resume: the run has its own")
    folder = RunFolder.open(args.resume)
    settings = Settings.from_json(folder.settings)
    trainer = Trainer.resume(folder.checkpoint)
    parts = Parts.load(settings)
    trained_on = serialize.load_metadata(folder.checkpoint).get("crc32")
    if trained_on != parts.crc32:
        raise ValueError(f"{settings.data}: not the data that the run in {folder} began with")
    return _train(trainer, parts, settings, folder, args)


def _train(
    trainer: Trainer,
    parts: Parts,
    settings: Settings,
    folder: RunFolder,
    args: argparse.Namespace,
) -> int:
    report = Report(quiet=args.quiet)
    report.beginning(settings, parts, trainer.model)
    metadata = _metadata(trainer, parts, settings)
    checkpoint = _FirstCheckpoint(folder.checkpoint, 1, metadata)
    progress = not (args.quiet or args.no_progress) and _is_terminal()
    try:
        history = trainer.fit(
            parts.x,
            parts.y,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            seed=settings.seed,
            augment=augmentation(settings.augment),
            validation_data=parts.validation,
            callbacks=[checkpoint],
            progress=progress,
        )
        serialize.save(trainer.model, folder.model, metadata)
        history.to_csv(folder.history)
        test = trainer.evaluate(parts.whole.x_test, parts.whole.y_test)
        drawn = _draw(history, settings, folder)
    except KeyboardInterrupt:
        if not folder.checkpoint.exists():
            raise
        with ignored():
            return _interrupted(trainer, folder, metadata)
    except FloatingPointError:
        if folder.checkpoint.exists():
            trainer.run.history.to_csv(folder.history)
        raise
    report.end(settings, history, len(parts.x), test, len(parts.whole.x_test))
    report.written(folder, drawn)
    return 0


def _standardization(parts: Parts, settings: Settings) -> tuple[float, float]:
    """Scale and shift of the data; ValueError where the dtype cannot hold the outcome."""
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found below
        scale, shift = data.standardization(parts.x)
        whole = (parts.whole.x_train, parts.whole.x_test)
        largest = max(max(float(x.max()), -float(x.min())) for x in whole)
        limit = float(np.finfo(settings.dtype).max)
        numbers = (largest, scale, abs(shift), largest * scale)
    if not (scale > 0 and all(number <= limit for number in numbers)):
        raise ValueError(
            f"{settings.data}: holds values up to {largest:g}, which cannot be brought to "
            f"mean 0 and deviation 1 in {settings.dtype}"
        )
    return scale, shift


class _FirstCheckpoint(Checkpoint):
    """A Checkpoint that makes the folder resumable before the first epoch is whole."""

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Save what a new run begins with; a resumed one has its checkpoint."""
        if trainer.run.step == 0:
            trainer.save(self.path, self.metadata)


def _interrupted(trainer: Trainer, folder: RunFolder, metadata: dict[str, Any]) -> int:
    trainer.save(folder.checkpoint, metadata)
    serialize.save(trainer.model, folder.model, metadata)
    trainer.run.history.to_csv(folder.history)
    run = trainer.run
    when = "after the last epoch" if run.finished else f"in epoch {run.epoch + 1} of {run.epochs}"
    print(
        f"fastnn train: interrupted {when}; go on with: fastnn train --resume "
        + shlex.quote(str(folder)),
        file=sys.stderr,
    )
    return 130


def _draw(history: Any, settings: Settings, folder: RunFolder) -> bool:
    """Draw the loss curve where matplotlib is installed; tell whether it was."""
    try:
        with held():
            from fastnn.cli.curves import draw
    except ImportError:
        return False
    title = f"{settings.model} on {Path(settings.data).name}, {settings.optimizer}"
    serialize.atomic_write(folder.picture, partial(draw, history, title))
    return True


@dataclass(frozen=True)
class Parts:
    """The data of a run: what is trained on, what is watched, and the whole."""

    x: NDArray[Any]
    y: NDArray[np.int64]
    validation: tuple[NDArray[Any], NDArray[np.int64]] | None
    whole: data.Dataset

    @classmethod
    def load(cls, settings: Settings) -> Parts:
        """Load the data and set the validation share of the training part aside.

        Samples are rows (N, D), or images (N, C, H, W) where the model takes these.  Raises
        ValueError for a share that leaves one of the two empty, and samples that are no images.
        """
        whole = data.load(settings.data)
        if settings.model in IMAGE_MODELS:
            whole = whole.as_images()
        x, y = whole.x_train, whole.y_train
        if not settings.validation:
            return cls(x, y, None, whole)
        try:
            train, held_out = data.stratified_split(y, settings.validation, _VALIDATION_SEED)
        except ValueError as error:
            raise ValueError(
                f"{settings.data}: {error}, for validation (--validation 0 for none)"
            ) from None
        return cls(x[train], y[train], (x[held_out], y[held_out]), whole)

    @property
    def crc32(self) -> int:
        """A checksum of what is trained on: a resumed run must find it the same."""
        bytes_of_x = memoryview(self.x.data).cast("B")
        return zlib.crc32(self.y.tobytes(), zlib.crc32(bytes_of_x))


def _metadata(trainer: Trainer, parts: Parts, settings: Settings) -> dict[str, Any]:
    """What evaluate and predict need to treat samples as training did.

    The path of the data is not in it: models travel, and paths are private.
    """
    return {
        "data": data.parse_spec(settings.data)[0],
        "loss": settings.loss,
        "classes": list(parts.whole.classes),
        "shape": list(parts.whole.shape),
        "images": settings.model in IMAGE_MODELS,
        "scale": trainer.scale,
        "shift": trainer.shift,
        "largest": float(np.abs(parts.x).max()),
        "crc32": parts.crc32,
    }


def _absolute(spec: str | None) -> str | None:
    """``spec`` with a path that also holds in another working folder."""
    if spec is None:
        return None
    kind, path = data.parse_spec(spec)
    return f"{kind}:{Path(path).absolute()}" if path else kind


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()
