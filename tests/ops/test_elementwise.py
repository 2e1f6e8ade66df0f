"""Elementwise ops where differences say nothing: kinks, ties, NaN, infinities and dtypes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ops.harness import case, check_backward, leaf

from fastnn import ops
from fastnn.ops.elementwise import ELEMENTWISE
from fastnn.tensor import Tensor

# --- kinks and ties -------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 0.0, 2.0])
def test_power_at_zero(exponent: float) -> None:
    slope = 1.0 if exponent == 1 else 0.0
    for power in (
        lambda x: x**exponent,
        lambda x: x ** np.array([exponent]),
        lambda x: np.power(x, exponent),
        lambda x: np.float_power(x, exponent),
    ):
        x = leaf(0)
        power(x).backward()
        assert x.grad.tolist() == [slope]


@pytest.mark.parametrize("base", [0, 0.0, np.zeros(1)])
def test_powers_of_zero_are_flat_in_the_exponent(base: Any) -> None:
    b = leaf(2)
    (base**b).backward()
    assert b.grad.tolist() == [0]


@pytest.mark.parametrize("ufunc", [np.maximum, np.minimum, np.fmax, np.fmin])
def test_ties_share_by_halves(ufunc: np.ufunc) -> None:
    a, b = leaf(1, 2, np.inf, -np.inf), leaf(1, 2, np.inf, -np.inf)
    ufunc(a, b).backward([2, 4, 6, 8])
    assert a.grad.tolist() == b.grad.tolist() == [1, 2, 3, 4]
    c = Tensor(0.0, requires_grad=True)
    ufunc(0, c).backward()
    assert c.grad == 0.5


@pytest.mark.parametrize("ufunc", [np.fmax, np.fmin])
def test_a_number_beside_nan_gets_the_gradient(ufunc: np.ufunc) -> None:
    a, b = leaf(np.nan, 1, -np.inf, np.nan), leaf(2, np.nan, np.nan, np.nan)
    ufunc(a, b).backward([2, 2, 2, 2])
    assert a.grad.tolist() == [0, 2, 2, 1]
    assert b.grad.tolist() == [2, 0, 0, 1]


@pytest.mark.parametrize("ufunc", [np.absolute, np.fabs, np.sign, np.rint, np.spacing])
def test_flat_at_zero(ufunc: np.ufunc) -> None:
    x = leaf(0)
    ufunc(x).backward()
    assert x.grad.tolist() == [0]


def test_signs_of_absolute_values() -> None:
    x = leaf(-3, 0, 2)
    abs(x).backward([1, 1, 1])
    assert x.grad.tolist() == [-1, 0, 1]
    a = leaf(1, -1, 1, 0.0)
    np.copysign(a, [-1.0, -1.0, 2.0, -0.0]).backward([1, 1, 1, 1])
    assert a.grad.tolist() == [-1, 1, 1, -1]


def test_hypot_at_the_origin_is_flat() -> None:
    a, b = leaf(0), leaf(0)
    np.hypot(a, b).backward()
    assert a.grad.tolist() == b.grad.tolist() == [0]


def test_clip_at_and_beyond_its_bounds() -> None:
    x, low, high = leaf(-2, -1, 0, 1, 2), leaf(-1), leaf(1)
    np.clip(x, low, high).backward(np.ones(5))
    assert x.grad.tolist() == [0, 1, 1, 1, 0]
    assert (low.grad.item(), high.grad.item()) == (1, 1)
    # Where they are crossed all is the upper bound, as NumPy says.
    x, low, high = leaf(-2, 0, 2), leaf(1), leaf(-1)
    y = np.clip(x, low, high)
    assert y.data.tolist() == [-1, -1, -1]
    y.backward(np.ones(3))
    assert (x.grad.tolist(), low.grad.item(), high.grad.item()) == ([0, 0, 0], 0, 3)


def test_heaviside_of_zero_is_its_second_argument() -> None:
    b = leaf(0.5, 0.5, 0.5)
    np.heaviside([-1.0, 0.0, 1.0], b).backward([3, 3, 3])
    assert b.grad.tolist() == [0, 3, 0]


def test_where_is_flat_in_its_condition() -> None:
    t = leaf(0, 2)
    y = np.where(t, t, 7.0)
    assert y.data.tolist() == [7, 2]
    y.backward([1, 1])
    assert t.grad.tolist() == [0, 1]


def test_sinc_at_zero() -> None:
    x = leaf(0, 1)
    y = np.sinc(x)
    assert np.array_equal(y.data, np.sinc(x.data))
    y.backward([1, 1])
    np.testing.assert_allclose(x.grad, [0, -1], atol=1e-15)


# --- NaN, infinities, integers ---------------------------------------------------------

SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e300, 5e-324])


@pytest.mark.parametrize("ufunc", ELEMENTWISE, ids=lambda ufunc: ufunc.__name__)
def test_special_values_are_numpys(ufunc: np.ufunc) -> None:
    """The same bits, signs of zeros among them, and the same warnings."""
    second = np.arange(9) if ufunc is np.ldexp else SPECIAL
    args = [SPECIAL, second[:, None]][: ufunc.nin]
    with warnings.catch_warnings(record=True) as numpys:
        warnings.simplefilter("always")
        expected = ufunc(*args)
    with warnings.catch_warnings(record=True) as ours:
        warnings.simplefilter("always")
        found = ufunc(*map(Tensor, args)).data
    assert found.tobytes() == expected.tobytes()
    assert [str(each.message) for each in ours] == [str(each.message) for each in numpys]


@pytest.mark.parametrize("ufunc", ELEMENTWISE, ids=lambda ufunc: ufunc.__name__)
@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.bool_, np.float16])
def test_other_dtypes_are_promoted_as_numpy_does(ufunc: np.ufunc, dtype: type) -> None:
    x, y = np.array([0, 1, 1], dtype), np.array([1, 1, 0], dtype)
    for args in ([x], [y]) if ufunc.nin == 1 else ([x, y], [x, 2], [2, y], [x, np.float32(0.5)]):
        with np.errstate(all="ignore"):
            try:
                expected = ufunc(*args)
            except TypeError:  # as of -True: then of a Tensor too
                with pytest.raises(TypeError):
                    ufunc(*(Tensor(a) if isinstance(a, np.ndarray) else a for a in args))
                continue
            found = ufunc(*(Tensor(a) if isinstance(a, np.ndarray) else a for a in args)).data
        assert (found.dtype, found.tobytes()) == (expected.dtype, expected.tobytes())


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
@pytest.mark.parametrize(
    "other",
    [
        2,
        2.5,
        True,
        np.float32(2),
        np.float64(2),
        np.int64(2),
        np.arange(1, 4),
        np.array([True, True, True]),
        np.ones(3, np.float32),
        np.ones(3),
        [1, 2, 3],
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'dtype', '')}",
)
def test_gradients_come_back_in_the_dtype_of_the_leaf(dtype: str, other: Any) -> None:
    x = np.array([1, 2, 3], dtype)
    for f in (np.add, np.multiply, np.divide, np.power, np.maximum, np.arctan2):
        for run in (lambda a, f=f: f(a, other), lambda a, f=f: f(other, a)):
            t = Tensor(x, requires_grad=True)
            y = run(t)
            assert y.dtype == run(x).dtype
            y.sum().backward()
            assert t.grad.dtype == dtype


def test_mixed_dtypes_have_second_derivatives() -> None:
    a = Tensor(np.array([2.0, 3.0], np.float32), requires_grad=True)
    b = leaf(4, 5)
    np.sum(a * a * b).backward(create_graph=True)
    first = a.grad
    assert (first.dtype, first.data.tolist()) == (np.float32, [16, 30])
    a.grad = b.grad = None
    np.sum(first).backward()
    assert (a.grad.dtype, a.grad.tolist()) == (np.float32, [8, 10])
    assert (b.grad.dtype, b.grad.tolist()) == (np.float64, [4, 6])


def test_integers_get_no_gradient_and_are_no_obstacle() -> None:
    counts = Tensor([1, 2, 3])
    x = leaf(1, 1, 1)
    (x * counts).backward([1, 1, 1])
    assert x.grad.tolist() == [1, 2, 3]
    assert counts.grad is None
    # Truth and integers made of a tensor do not change with it, but by jumps.
    assert not np.where(x, 1, 2).requires_grad


@pytest.mark.parametrize(
    ("foreign", "named"),
    [
        (np.array([1j, 2]), "complex"),
        (np.array([1, 2], object), "object"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "masked"),
    ],
)
def test_what_is_no_plain_real_array_is_refused(foreign: Any, named: str) -> None:
    for run in (lambda t: t + foreign, lambda t: foreign * t, lambda t: np.maximum(t, foreign)):
        with pytest.raises(TypeError, match=f"{named}|detach"):
            run(leaf(1, 2))


# --- broadcasting ---------------------------------------------------------------------

SHAPES = st.lists(st.integers(1, 3), max_size=3).map(tuple)


@st.composite
def broadcastable(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays whose shapes are made from one by dropping and shrinking axes."""
    full = draw(SHAPES)
    arrays = []
    for seed in (1, 2):
        lead = draw(st.integers(0, len(full)))
        shape = [draw(st.sampled_from([1, n])) for n in full[lead:]]
        arrays.append(np.asarray(np.random.default_rng(seed).uniform(0.5, 2, shape)))
    return arrays[0], arrays[1]


@given(broadcastable(), st.sampled_from([np.add, np.multiply, np.divide, np.maximum]))
def test_gradients_are_summed_back_over_broadcast_axes(
    arrays: tuple[np.ndarray, np.ndarray], ufunc: np.ufunc
) -> None:
    check_backward(case(ufunc, *arrays))


@given(broadcastable())
def test_sum_to_is_the_adjoint_of_broadcasting(arrays: tuple[np.ndarray, np.ndarray]) -> None:
    small, other = arrays
    g = np.asarray(np.ones(np.broadcast_shapes(small.shape, other.shape)))
    summed = ops.sum_to(g, small.shape)
    assert summed.shape == small.shape
    # <broadcast(x), g> = <x, sum_to(g)>
    np.testing.assert_allclose(np.sum(small * g), np.sum(small * summed))


def test_an_op_called_on_arrays_gives_arrays() -> None:
    assert isinstance(ops.relu(np.ones(2)), np.ndarray)
    assert ops.add(1.0, 2.0) == 3.0
    assert repr(ops.relu) == "<op relu>"
