"""The progress bar of ``Trainer.fit``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastnn.run import Run

if TYPE_CHECKING:
    from fastnn.train import Trainer

__all__ = ["ProgressBar"]

# The numbers first: a narrow terminal cuts off what stands last.
_FORMAT = (
    "{desc}: {percentage:.0f}%{postfix} |{bar}| {n_fmt}/{total_fmt} "
    "[{elapsed}<{remaining}, {rate_fmt}]"
)


class ProgressBar:
    """A callback that shows steps, speed, and the loss and accuracy so far, by tqdm."""

    def __init__(self, run: Run) -> None:
        from tqdm import tqdm

        self._run = run
        self._bar = tqdm(
            total=run.epochs * run.steps_per_epoch,
            initial=run.step,
            unit="step",
            dynamic_ncols=True,
            bar_format=_FORMAT,
        )

    def on_progress(self) -> None:
        """Move on; make text only when tqdm draws, ten times a second at most."""
        if self._bar.update(self._run.step - self._bar.n):
            self._describe(self._run.means())

    def on_epoch_end(self, trainer: Trainer, row: Mapping[str, float]) -> None:
        """Show the finished epoch's numbers."""
        self._describe(row)

    def _describe(self, row: Mapping[str, float]) -> None:
        shown = ("loss", "accuracy", "val_loss", "val_accuracy")
        numbers = ", ".join(f"{name} {row[name]:.4f}" for name in shown if name in row)
        run = self._run
        epoch = min(run.epoch + 1, run.epochs)
        self._bar.set_description_str(f"epoch {epoch}/{run.epochs}", refresh=False)
        self._bar.set_postfix_str(numbers, refresh=False)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.close()
