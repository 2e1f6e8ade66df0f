"""What every test shares: reproducible hypothesis, and a header: what is tested."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import numpy as np
import pytest

import fastnn

hypothesis.settings.register_profile(
    "fastnn", derandomize=True, database=None, deadline=None, max_examples=40
)
hypothesis.settings.load_profile("fastnn")


def pytest_report_header() -> str:
    """Which fastnn is under test: a source folder and an installed wheel may differ."""
    return f"fastnn: {Path(fastnn.__file__).parent}, numpy {np.__version__}"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2024)


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> np.dtype:
    return np.dtype(request.param)
