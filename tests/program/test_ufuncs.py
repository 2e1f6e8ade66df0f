"""Elementwise ufuncs in programs: NumPy's bits, for any dtypes, layouts and data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program.replaying import DTYPES, FLOATS, assert_replays, layouts, shapes

UFUNCS = [
    each
    for each in vars(np).values()
    if isinstance(each, np.ufunc)
    and each.signature is None
    and any(set(types) <= set("?bBhHiIlLqQfd->") for types in each.types)
]
# np.power of integers and negative ones raises; the others are not for numbers.
UFUNCS = sorted({each.__name__: each for each in UFUNCS}.values(), key=lambda each: each.__name__)


def fits(ufunc: np.ufunc, dtypes: list[str]) -> bool:
    """Whether NumPy has a loop in C for these, of dtypes that a program has."""
    try:
        found = ufunc.resolve_dtypes((*map(np.dtype, dtypes), *[None] * ufunc.nout))
    except TypeError:
        return False
    return all(each.name in DTYPES for each in found)


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda each: each.__name__)
@settings(max_examples=25)
@given(data=st.data())
def test_every_ufunc(ufunc: np.ufunc, data: st.DataObject) -> None:
    dtypes = data.draw(
        st.lists(st.sampled_from(DTYPES + FLOATS), min_size=ufunc.nin, max_size=ufunc.nin)
    )
    if not fits(ufunc, dtypes):
        dtypes = [data.draw(st.sampled_from(FLOATS))] * ufunc.nin
    if not fits(ufunc, dtypes):
        dtypes = [data.draw(st.sampled_from(("int64", "uint8")))] * ufunc.nin
    if not fits(ufunc, dtypes):
        dtypes = ["float64", "int64"]
    shape = data.draw(shapes)
    arguments = []
    for dtype in dtypes:
        own = tuple(1 if data.draw(st.booleans()) and n else n for n in shape)
        own = own if arguments else shape
        own = own[data.draw(st.integers(0, len(own))) if arguments else 0 :]
        arguments.append((data.draw(layouts(len(own))), dtype, own))
    is_integer_power = ufunc is np.power and np.result_type(*dtypes).kind in "iub"

    def make(rng: np.random.Generator) -> list[np.ndarray]:
        drawn = [layout.draw(rng, dtype, own) for layout, dtype, own in arguments]
        return [np.abs(each) for each in drawn] if is_integer_power else drawn

    assert_replays(lambda *args: ufunc(*args), make)
