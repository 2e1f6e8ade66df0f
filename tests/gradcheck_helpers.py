"""What the tests of the gradient check share."""

from __future__ import annotations

from typing import Any

from fastnn import GradientReport, check_gradients


def passes(f: Any, *args: Any, **options: Any) -> GradientReport:
    """The report of a check that finds nothing wrong."""
    report = check_gradients(f, *args, **options)
    assert report.ok, report
    assert report
    assert report.max_relative_error <= report.rtol
    return report
