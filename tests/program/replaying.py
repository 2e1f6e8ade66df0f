"""Programs held to the functions that they were captured from, on data of their own each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

import fastnn

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
FLOATS = ("float32", "float64")
DTYPES = ("bool", *INTEGERS, *FLOATS)

Make = Callable[[np.random.Generator], Sequence[Any]]


def assert_same_bits(found: Any, expected: Any) -> None:
    """Equal in dtype, shape and every bit, except those of a NaN."""
    if isinstance(expected, (tuple, list)):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert_same_bits(a, b)
        return
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert _order(found) == _order(expected)  # by which NumPy will walk over it
    if expected.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(found) | np.isnan(found),
                                      np.signbit(expected) | np.isnan(expected))  # fmt: skip
    np.testing.assert_array_equal(found, expected)


def _order(array: np.ndarray) -> list[int]:
    """The strides of a copy, along axes where they matter."""
    copy = np.array(array)
    if copy.size < 2:
        return []
    return [stride for n, stride in zip(copy.shape, copy.strides, strict=True) if n > 1]


def assert_replays(
    step: Callable[..., Any], make: Make, times: int = 3, compare: Any = assert_same_bits
) -> fastnn.Program:
    """The program of step gives and leaves in its arguments what step does, each time on
    arguments that ``make`` draws anew; all but the first time it is replayed."""
    program = fastnn.capture(step)
    with np.errstate(all="ignore"):
        for seed in range(times):
            given, plain = (make(np.random.default_rng(seed)) for _ in range(2))
            found, expected = program(*given), step(*plain)
            compare(found, expected)
            compare(list(given), list(plain))
    assert len(program.recordings) == 1
    return program


# --- arrays of any layout ----------------------------------------------------------------


def values(rng: np.random.Generator, dtype: Any, shape: Sequence[int]) -> np.ndarray:
    """Numbers of the dtype, small, of both signs, zeros among them; some are not finite."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        low = -5 if dtype.kind == "i" else 0
        return rng.integers(low, 6, shape).astype(dtype)
    found = rng.normal(size=shape) * rng.choice([0.0, 0.1, 1.0, 30.0], size=shape)
    special = rng.choice([np.nan, np.inf, -np.inf, -0.0, 0.0], size=shape)
    return np.where(rng.random(shape) < 0.02, special, found).astype(dtype)


class Layout:
    """How an array lies in memory: the order of its axes, and of each the step: -1, 2 or 0."""

    def __init__(self, order: Sequence[int], steps: Sequence[int]) -> None:
        self.order, self.steps = order, steps

    def __repr__(self) -> str:
        return f"Layout({self.order}, {self.steps})"

    def draw(self, rng: np.random.Generator, dtype: Any, shape: Sequence[int]) -> np.ndarray:
        """An array of this shape and layout."""
        lengths = [
            {0: 1}.get(step, n * abs(step)) for n, step in zip(shape, self.steps, strict=True)
        ]
        memory = values(rng, dtype, [lengths[axis] for axis in self.order])
        array = memory.transpose(np.argsort(self.order))
        array = array[(*(slice(None, None, step or None) for step in self.steps), ...)]
        return np.broadcast_to(array, shape) if 0 in self.steps else array


def layouts(ndim: int, stretched: bool = True) -> st.SearchStrategy[Layout]:
    steps = (1, 1, 1, -1, 2, 0) if stretched else (1, 1, 1, -1, 2)
    return st.builds(
        Layout,
        st.permutations(range(ndim)),
        st.lists(st.sampled_from(steps), min_size=ndim, max_size=ndim),
    )


shapes = st.one_of(
    st.lists(st.integers(0, 4), max_size=3),
    st.lists(st.sampled_from((1, 3, 7, 33)), min_size=1, max_size=3),
    st.sampled_from(([300], [2, 129], [40, 3], [5, 1, 40])),
).map(tuple)
