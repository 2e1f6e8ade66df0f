"""What the tests of the command line share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import fastnn

COMMAND = [sys.executable, "-m", "fastnn"]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads gain nets as small as these nothing and wait for busy neighbours."""
    before = fastnn.get_num_threads()
    fastnn.set_num_threads(1)
    yield
    fastnn.set_num_threads(before)


def environment() -> dict[str, str]:
    """That of a child process on one thread."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def write_blobs(file: Path, samples: int = 120, seed: int = 0) -> Path:
    """Three classes of points around three corners, as x and y of an .npz."""
    rng = np.random.default_rng(seed)
    y = np.arange(samples) % 3
    corners = np.array([[4, 0, 0, 0], [0, 4, 0, 0], [0, 0, 4, 0]], np.float32)
    x = corners[y] + rng.normal(size=(samples, 4)).astype(np.float32)
    np.savez(file, x=x, y=np.array(["ant", "bee", "cat"])[y])
    return file
