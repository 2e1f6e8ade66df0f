"""The few lines that a run prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn import _kernels, runtime
from fastnn.cli.settings import IMAGE_MODELS

if TYPE_CHECKING:
    from fastnn.cli.runfolder import RunFolder
    from fastnn.cli.settings import Settings
    from fastnn.cli.train import Parts
    from fastnn.history import History


class Report:
    """Prints what a run is before it trains, and what came of it."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def _line(self, name: str, text: str) -> None:
        if not self._quiet:
            print(f"{name:<10}{text}", flush=True)

    def beginning(self, settings: Settings, parts: Parts, model: Any) -> None:
        """The data and the model."""
        whole = parts.whole
        held_out = f", {len(parts.validation[0]):,} validation" if parts.validation else ""
        self._line(
            "data",
            f"{settings.data}, {len(whole.classes)} classes",
        )
        self._line(
            "samples",
            f"{len(parts.x):,} training{held_out}, {len(whole.x_test):,} test",
        )
        if settings.model in IMAGE_MODELS:
            made_of = f"{' x '.join(map(str, whole.shape))} images"
        else:
            matrices = [p for p in model.parameters() if p.ndim == 2]
            widths = [matrices[0].shape[0], *(p.shape[1] for p in matrices)]
            made_of = "-".join(map(str, widths))
        parameters = sum(p.size for p in model.parameters())
        self._line(
            "model", f"{settings.model}: {made_of}, {parameters:,} parameters, {settings.dtype}"
        )

    def end(
        self,
        settings: Settings,
        history: History,
        samples: int,
        test: dict[str, float],
        test_samples: int,
    ) -> None:
        """Time, machine and test accuracy."""
        seconds = float(history["seconds"].sum())
        speed = f"{samples * len(history) / seconds:,.0f} samples/s"
        epochs = _number(len(history), "epoch")
        self._line("training", f"{settings.optimizer}, {epochs} in {seconds:.2f} s, {speed}")
        threads = _number(runtime.get_num_threads(), "thread")
        self._line("machine", f"{_kernels.isa}, {threads}")
        self._line("test", accuracy_and_loss(test, test_samples))

    def written(self, folder: RunFolder, drawn: bool) -> None:
        """What the run folder holds."""
        picture = folder.picture.name if drawn else "no picture: matplotlib is missing"
        self._line(
            "written",
            f"{folder} ({folder.model.name}, {folder.history.name}, {picture})",
        )


def accuracy_and_loss(result: dict[str, float], samples: int) -> str:
    """``accuracy 98.05 % (352 of 359), loss 0.0812``."""
    right = round(result["accuracy"] * samples)
    return (
        f"accuracy {result['accuracy']:.2%} ({right} of {samples}), loss {result['loss']:.4f}"
    ).replace("%", " %")


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
