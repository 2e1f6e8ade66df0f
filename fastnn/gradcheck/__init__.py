"""Gradients against differences: the check of every backward, a user's too."""

from fastnn.gradcheck.check import check_gradients
from fastnn.gradcheck.numerical import numerical_gradient
from fastnn.gradcheck.report import ArgumentReport, GradientReport, WrongOp

__all__ = [
    "ArgumentReport",
    "GradientReport",
    "WrongOp",
    "check_gradients",
    "numerical_gradient",
]
