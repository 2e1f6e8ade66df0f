"""The folder that a run writes: claimed once, never written over."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path

from fastnn.cli.settings import Settings
from fastnn.data import parse_spec
from fastnn.serialize import atomic_write


class RunFolder:
    """The paths of a run's files."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(folder)
        self.model = self.path / "model.safetensors"
        self.checkpoint = self.path / "checkpoint.safetensors"
        self.history = self.path / "history.csv"
        self.settings = self.path / "run.json"
        self.picture = self.path / "loss.png"

    def __str__(self) -> str:
        return str(self.path)

    @classmethod
    def check_free(cls, folder: str | None) -> None:
        """Raise OSError if ``folder`` is a file, or a folder that holds anything."""
        if folder is None or not os.path.lexists(folder):
            return
        if os.listdir(folder):
            raise FileExistsError(
                errno.EEXIST,
                "this folder is not empty, and a run never writes over anything; name "
                "another with --out, or go on with --resume",
                folder,
            )

    @classmethod
    def claim(cls, folder: str | None, settings: Settings) -> RunFolder:
        """The run folder, made, with the settings in it.

        Without a name it is ``runs/digits-1`` and so on: the data's name, and the first
        number that nobody has taken.
        """
        if folder is None:
            folder = _first_free(Path("runs"), _short_name(settings.data))
        else:
            cls.check_free(folder)
            os.makedirs(folder, exist_ok=True)
        run = cls(folder)
        content = settings.to_json()
        try:
            atomic_write(run.settings, lambda file: file.write(content))
        except BaseException:
            run.abandon()
            raise
        return run

    @classmethod
    def open(cls, folder: str) -> RunFolder:
        """The folder of an earlier run; raises OSError if that is not what it is."""
        run = cls(folder)
        for file in (run.settings, run.checkpoint):
            if not file.exists():
                os.listdir(folder)  # if it is no folder at all, this tells
                raise FileNotFoundError(
                    errno.ENOENT, f"no run to resume: it lacks {file.name}", folder
                )
        return run

    def abandon(self) -> None:
        """Remove a folder in which nothing was done yet; what is not ours stays."""
        self.settings.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()


def _first_free(parent: Path, name: str) -> str:
    number = 1
    while True:
        folder = parent / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not parent.is_dir():
                raise
            number += 1
        else:
            return str(folder)


def _short_name(data: str) -> str:
    kind, path = parse_spec(data)
    stem = re.sub(r"[^\w.-]+", "-", Path(path).resolve().stem).strip("-.")
    return stem if path and stem else kind
