"""Reading and writing at an index in programs: views, gathers and scatters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program.replaying import DTYPES, assert_replays, layouts, values

import fastnn

SHAPE = (4, 5, 3)
BASIC = [
    1, -2, (0, 1), (0, 1, 2), (-1, -1, -1), slice(None, None, 2), slice(3, 0, -1), ..., None,
    (..., 1), (None, 0), (slice(1, None), ..., slice(None, None, -1)), (..., None), (1, ..., 2),
    (), np.int64(2), True, False, (1, True),
]  # fmt: skip
CONSTANT = [
    np.array([0, 2, 0]), [3, -1], (np.array([0, 1, 0]), np.array([2, 2, -2])),
    np.array([True, False, True, True]), (slice(1, 3), np.array([0, 0, 3])),
    (0, slice(None), np.array([1, 1])), np.arange(60).reshape(SHAPE) % 7 == 1,
    (np.array([[0], [1]]), np.array([1, 2])), np.zeros(0, int), (..., np.array([1, 0])),
    (np.array([1, 2]), None, 0),
]  # fmt: skip


def written(x: np.ndarray, index: Any, value: Any) -> np.ndarray:
    y = x.copy()
    y[index] = value
    return y


@pytest.mark.parametrize("index", BASIC + CONSTANT, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_constant_index(index: Any, dtype: str) -> None:
    def make(rng: np.random.Generator) -> list[np.ndarray]:
        x = values(rng, dtype, SHAPE)
        return [x, values(rng, dtype, x[index].shape)]

    def step(x: Any, value: Any) -> Any:
        read = x[index] * value
        x[index] = value
        return read, written(x, index, 1), x.copy()

    assert_replays(step, make)


INDICES = st.sampled_from(("int64", "int32", "uint8"))


@settings(max_examples=120)
@given(data=st.data())
def test_an_index_that_is_computed(data: st.DataObject) -> None:
    """At one axis or several that follow each other, repeated and negative, of any layout."""
    first = data.draw(st.integers(0, 2))
    count = data.draw(st.integers(1, 3 - first))
    shape = data.draw(st.sampled_from([(), (1,), (6,), (2, 3), (0,)]))
    dtype = data.draw(st.sampled_from(("float32", "float64", "int64", "bool", "int16")))
    layout = data.draw(layouts(3, stretched=False))
    kinds = [data.draw(INDICES) for _ in range(count)]
    is_constant = [data.draw(st.integers(0, 4)) == 0 for _ in range(count)]
    is_constant[data.draw(st.integers(0, count - 1))] = False
    written_to = data.draw(st.booleans())
    constants = [np.arange(max(1, int(np.prod(shape)))).reshape(shape) % 3 if shape != (0,)
                 else np.zeros(0, int) for _ in range(count)]  # fmt: skip

    def make(rng: np.random.Generator) -> list[np.ndarray]:
        x = layout.draw(rng, dtype, SHAPE)
        indices = []
        for axis, kind in zip(range(first, first + count), kinds, strict=True):
            low = 0 if kind[0] == "u" else -SHAPE[axis]
            indices.append(rng.integers(low, SHAPE[axis], shape).astype(kind))
        index = (slice(None),) * first + tuple(indices)
        return [x, values(rng, dtype, x[index].shape), *indices]

    def step(x: Any, value: Any, *indices: Any) -> Any:
        chosen = [
            constant if fixed else each
            for constant, fixed, each in zip(constants, is_constant, indices, strict=True)
        ]
        index = (slice(None),) * first + tuple(chosen)
        read = x[index].copy()
        if written_to:
            x[index] = value
        return read

    assert_replays(step, make)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("shape", [(6,), (2, 3), (0,), ()])
def test_adding_where_an_index_repeats(dtype: str, shape: tuple[int, ...]) -> None:
    def make(rng: np.random.Generator) -> list[np.ndarray]:
        index = rng.integers(-4, 4, shape)
        return [values(rng, dtype, (4, 3)), index, values(rng, dtype, (*shape, 3))]

    def step(x: Any, index: Any, value: Any) -> Any:
        np.add.at(x, index, value)
        np.add.at(x, [1, 1, -1], value.sum())
        np.subtract.at(x, (index, 0), 1)
        return x * 1

    assert_replays(step, make)


def test_a_slice_of_an_argument_that_is_written_to() -> None:
    def step(x: np.ndarray) -> None:
        x[1:] += x[:-1]
        x[0, ::-1] = x[0]
        x.T[1] *= 2

    assert_replays(step, lambda rng: [rng.normal(size=(4, 5))])


def test_a_bad_index_stops_with_numpys_error() -> None:
    program = fastnn.capture(lambda x, i: x[:, i] * 2)
    x = np.arange(12.0).reshape(3, 4)
    program(x, np.array([0, 3]))
    for bad in (4, -5):
        with pytest.raises(IndexError) as found:
            program(x, np.array([0, bad]))
        with pytest.raises(IndexError) as expected:
            x[:, np.array([0, bad])]
        assert str(found.value) == str(expected.value)
    assert np.array_equal(program(x, np.array([1, -1])), x[:, [1, -1]] * 2)


def test_adding_in_another_dtype() -> None:
    """NumPy adds in the dtype of both; where that is not the array's, bits would differ."""

    def step(x: Any, value: Any) -> Any:
        np.add.at(x, [0, 0], value)
        return x * 1

    with pytest.raises(TypeError, match="float64 cannot be written to int64"):
        fastnn.capture(step)(np.arange(3), np.ones(2))
    with pytest.raises(fastnn.CaptureError, match=r"adds in float64 .* of float32.*line"):
        fastnn.capture(step)(np.ones(3, np.float32), np.ones(2))
    assert_replays(step, lambda rng: [rng.normal(size=3), rng.normal(size=2).astype("f4")])
    assert_replays(lambda x: step(x, 2), lambda rng: [rng.normal(size=3).astype("f4")])


def test_in_place_where_numpy_walks_in_pieces() -> None:
    def step(x: Any) -> Any:
        other = np.tanh(x)
        x += other
        x *= other
        np.exp(x, out=x)
        return other

    for layout in (lambda x: x[:, ::-1], lambda x: x.T[::-1], lambda x: x[::2, ::-1]):
        assert_replays(step, lambda rng, layout=layout: [layout(rng.normal(size=(6, 7)))])


def test_values_that_do_not_fit() -> None:
    def assign(x: Any, value: Any) -> Any:
        x[...] = value
        return x * 1

    assert_replays(assign, lambda rng: [rng.normal(size=4), rng.normal(size=(1, 1, 4))])
    for shape in ((3, 4), (2,), (1, 3)):
        with pytest.raises(ValueError, match="broadcast"):
            fastnn.capture(assign)(np.zeros(4), np.ones(shape))
    for ufunc in (np.add, np.multiply):
        with pytest.raises(ValueError, match=r"more dimensions|broadcast"):
            fastnn.capture(lambda x, y, ufunc=ufunc: ufunc(x, y, out=x))(
                np.zeros(4), np.ones((3, 4))
            )


def test_scalars_are_values_not_views() -> None:
    """What has no axes is a scalar: it stays when the array changes, and += replaces it."""

    def step(x: Any, zero_d: Any) -> Any:
        element, view, total = x[1], x[1, ...], x.sum()
        before, cast = total, total.astype(np.float32)
        same = cast
        x[1] = 7
        total += 1
        total **= 2
        cast *= 3
        element -= 1
        zero_d += total
        return element, view * 1, before, total, same, cast, x[0] * 1, [v * 2 for v in x]

    assert_replays(step, lambda rng: [rng.normal(size=4), np.array(rng.normal())])
