"""Kernels and twins have the same names, parameters and defaults."""

from __future__ import annotations

import inspect

import pytest
from kernels.cases import CASES

from fastnn import _kernels as k
from fastnn._kernels import reference

TWINS = {
    name: function
    for name, function in vars(reference).items()
    if inspect.isfunction(function) and not name.startswith("_")
}


def parameters(function):
    return [
        (p.name, None if p.default is p.empty else p.default)
        for p in inspect.signature(function).parameters.values()
    ]


@pytest.mark.parametrize("name", TWINS)
def test_a_kernel_has_the_signature_of_its_twin(name):
    assert parameters(getattr(k, name)) == parameters(TWINS[name])


@pytest.mark.parametrize("name", TWINS)
def test_a_kernel_is_compiled_and_documented(name):
    """The NumPy twin must not stand in for a kernel unnoticed."""
    kernel = getattr(k, name)
    assert kernel is not TWINS[name]
    assert not inspect.isfunction(kernel)
    assert kernel.__name__ == name
    assert kernel.__doc__


def test_every_twin_is_in_the_table_of_cases():
    assert {case.kernel for case in CASES} == TWINS.keys()
