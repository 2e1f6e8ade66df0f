"""Reductions and accumulations in programs: NumPy's bits over any axes, dtypes and layouts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program.replaying import DTYPES, FLOATS, assert_replays, layouts, shapes

FUNCTIONS = (
    np.sum, np.prod, np.mean, np.var, np.std, np.max, np.min, np.all, np.any, np.argmax,
    np.argmin, np.add.reduce, np.multiply.reduce, np.maximum.reduce, np.minimum.reduce,
    np.logaddexp.reduce, np.hypot.reduce,
)  # fmt: skip
NEEDS_ELEMENTS = {np.max, np.min, np.argmax, np.argmin, np.maximum.reduce, np.minimum.reduce}
NEEDS_FLOATS = {np.logaddexp.reduce, np.hypot.reduce}


def name_of(function: Any) -> str:
    """np.add.reduce and its like have an owner."""
    owner = getattr(function, "__self__", None)
    return ".".join(each.__name__ for each in (owner, function) if hasattr(each, "__name__"))


@pytest.mark.parametrize("function", FUNCTIONS, ids=name_of)
@settings(max_examples=60)
@given(data=st.data())
def test_every_reduction(function: Any, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(FLOATS if function in NEEDS_FLOATS else DTYPES + FLOATS))
    shape = data.draw(shapes)
    if function in NEEDS_ELEMENTS or (function is np.hypot.reduce):
        shape = tuple(max(n, 1) for n in shape)
    layout = data.draw(layouts(len(shape)))
    axes = st.none()
    if shape:
        one = st.integers(-len(shape), len(shape) - 1)
        some = st.lists(st.integers(0, len(shape) - 1), unique=True, max_size=3).map(tuple)
        axes = st.one_of(st.none(), one) if "arg" in str(function) else st.one_of(axes, one, some)
    options = {"axis": data.draw(axes), "keepdims": data.draw(st.booleans())}
    if options["axis"] == () and function in (np.mean, np.var, np.std):
        options["axis"] = None

    def make(rng: np.random.Generator) -> list[np.ndarray]:
        return [layout.draw(rng, dtype, shape)]

    if function in (np.mean, np.var, np.std) and 0 in shape:
        return  # NumPy warns of an empty slice
    assert_replays(lambda x: function(x, **options), make)


@pytest.mark.parametrize("function", [np.sum, np.prod, np.mean, np.cumsum, np.cumprod])
@pytest.mark.parametrize("dtype", ["float32", "int8", "bool", "float64"])
@pytest.mark.parametrize("inner", ["float64", "float32", "int64"])
def test_a_dtype_to_compute_in(function: Any, dtype: str, inner: str) -> None:
    if (function, inner) == (np.mean, "int64") or (dtype[0] == "f" and inner == "int64"):
        return  # a mean cannot be written to integers, and casting NaN is undefined

    def make(rng: np.random.Generator) -> list[np.ndarray]:
        return [rng.integers(0, 3, (4, 35)).astype(dtype)]

    assert_replays(lambda x: function(x, axis=1, dtype=inner), make)


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("transposed", [False, True])
def test_sums_that_numpy_casts_piece_by_piece(axis: Any, transposed: bool) -> None:
    """Longer than its buffer, of numbers whose sum depends on the order."""

    def make(rng: np.random.Generator) -> list[np.ndarray]:
        x = rng.normal(size=(3, 20_000)) * 10.0 ** rng.integers(-15, 15, (3, 20_000))
        return [(x.T if transposed else x).astype(np.float32, order="K")]

    assert_replays(lambda x: np.sum(x, axis=axis, dtype=np.float64), make)
    assert_replays(lambda x: np.mean(x > 0, axis=axis), make)
    assert_replays(lambda x: np.mean(x, axis=axis, dtype=np.float64), make)


@pytest.mark.parametrize(
    "function",
    [np.cumsum, np.cumprod, np.add.accumulate, np.maximum.accumulate, np.multiply.accumulate,
     np.subtract.accumulate],
    ids=name_of,
)  # fmt: skip
@settings(max_examples=40)
@given(data=st.data())
def test_every_accumulation(function: Any, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(("float32", "float64", "int32", "int64", "uint8")))
    shape = data.draw(shapes.filter(len))
    layout = data.draw(layouts(len(shape)))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))

    def make(rng: np.random.Generator) -> list[np.ndarray]:
        return [layout.draw(rng, dtype, shape)]

    assert_replays(lambda x: function(x, axis=axis), make)
    if function in (np.cumsum, np.cumprod):
        assert_replays(function, make)


@settings(max_examples=80)
@given(data=st.data())
def test_products_of_matrices(data: st.DataObject) -> None:
    m, k, n = (data.draw(st.integers(1, 9)) for _ in range(3))
    batch = data.draw(st.sampled_from([(), (2,), (1, 3)]))
    left, right = data.draw(
        st.sampled_from(
            [((m, k), (k, n)), ((k,), (k, n)), ((m, k), (k,)), ((k,), (k,)),
             ((*batch, m, k), (k, n)), ((m, k), (*batch, k, n)), ((*batch, m, k), (*batch, k, n)),
             ((*batch, m, k), (k,))]
        )
    )  # fmt: skip
    dtypes = data.draw(st.lists(st.sampled_from(("float32", "float64", "int64", "bool")),
                                min_size=2, max_size=2))  # fmt: skip
    layout = [data.draw(layouts(len(shape))) for shape in (left, right)]

    def make(rng: np.random.Generator) -> list[np.ndarray]:
        drawn = zip(layout, dtypes, (left, right), strict=True)
        return [np.nan_to_num(a.draw(rng, dtype, shape), posinf=1, neginf=2)
                for a, dtype, shape in drawn]  # fmt: skip

    def close(found: Any, expected: Any) -> None:
        if isinstance(found, list):
            return
        assert found.dtype == np.asarray(expected).dtype
        assert found.shape == np.shape(expected)
        scale = 1e-4 if "float32" in dtypes else 1e-11
        np.testing.assert_allclose(found, expected, rtol=scale, atol=scale * 1e3)

    assert_replays(np.matmul, make, compare=close)
    assert_replays(np.dot, make, compare=close) if not batch else None
