"""What every test shares: reproducible hypothesis, and a header: what is tested."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import numpy as np
import pytest

import fastnn

hypothesis.settings.register_profile(
    "fastnn", derandomize=True, database=None, deadline=None, max_examples=40
)
hypothesis.settings.load_profile("fastnn")


def pytest_configure() -> None:
    """Child processes test the same fastnn: without this, those that start in a source folder whose
    kernels are not built there would find that one (in Python 3.10 they still do)."""
    home, root = Path(fastnn.__file__).parents[1], Path(__file__).parents[1]
    paths = [str(home), str(root), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    os.environ["PYTHONSAFEPATH"] = "1"


def pytest_report_header() -> str:
    """Which fastnn is under test: a source folder and an installed wheel may differ."""
    return f"fastnn: {Path(fastnn.__file__).parent}, numpy {np.__version__}"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2024)


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> np.dtype:
    return np.dtype(request.param)
