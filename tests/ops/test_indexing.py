"""Reading and writing where an index repeats; ordering and joining by hand."""

from __future__ import annotations

import numpy as np
import pytest
from ops.harness import leaf

from fastnn.tensor import Tensor


def test_repeated_indices_add_their_gradients() -> None:
    x = leaf(1, 2, 3)
    x[[0, 2, 0, 0]].backward([1, 10, 100, 1000])
    assert x.grad.tolist() == [1101, 0, 10]
    x.grad = None
    np.take(x, [[1, 1], [1, 2]]).backward([[1, 2], [3, 4]])
    assert x.grad.tolist() == [0, 6, 4]


def test_of_elements_assigned_twice_the_last_one_counts() -> None:
    x, v = leaf(1, 2, 3), leaf(4, 5, 6)
    y = x * 1
    y[[0, 0, 2]] = v
    assert y.data.tolist() == [5, 2, 6]
    y.backward([1, 10, 100])
    assert x.grad.tolist() == [0, 10, 0]
    assert v.grad.tolist() == [0, 1, 100]


def test_at_adds_for_each_time_that_an_element_is_named() -> None:
    x, v = leaf(1, 2, 3), leaf(4, 5, 6)
    y = x * 1
    np.add.at(y, [0, 0, 2], v)
    np.subtract.at(y, 1, v[0])
    assert y.data.tolist() == [10, -2, 9]
    y.backward([1, 10, 100])
    assert x.grad.tolist() == [1, 10, 100]
    assert v.grad.tolist() == [1 - 10, 1, 100]


def test_one_value_for_many_elements_gets_their_sum() -> None:
    y, v = Tensor(np.zeros((2, 3))), leaf(7)
    y[:, [0, 2]] = v
    y.backward([[1, 2, 4], [8, 16, 32]])
    assert v.grad.tolist() == [1 + 4 + 8 + 32]


def test_indices_may_be_tensors() -> None:
    x = leaf(1, 2, 3)
    for index in (Tensor([2, 0]), Tensor([True, False, True]), (Tensor([2, 0]),), Tensor(1)):
        plain = index[0].data if isinstance(index, tuple) else index.data
        assert np.array_equal(x[index].data, x.data[plain])
    assert np.take(x, Tensor([2, 0])).data.tolist() == [3, 1]
    with pytest.raises(IndexError):
        x[leaf(1)]


def test_an_index_that_is_not_there_is_refused() -> None:
    x = leaf(1, 2, 3)
    for index in (3, -4, (0, 0), [3], np.array([True, False]), 0.5, "a"):
        with pytest.raises(IndexError):
            x[index]
        with pytest.raises(IndexError):
            (x * 1)[index] = 0


def test_along_an_axis_the_other_indices_broadcast() -> None:
    x = Tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    y = np.take_along_axis(x, np.array([[1, 0]]), axis=1)
    assert y.data.tolist() == [[1, 0], [5, 4], [9, 8]]


def test_bincount_sums_weights() -> None:
    w = leaf(1, 2, 4)
    y = np.bincount([2, 0, 2], weights=w, minlength=4)
    assert y.data.tolist() == [2, 0, 5, 0]
    y.backward([1, 10, 100, 1000])
    assert w.grad.tolist() == [100, 1, 100]
    counts = np.bincount(Tensor([2, 0, 2]))
    assert type(counts) is np.ndarray
    assert counts.tolist() == [1, 0, 2]


def test_full_like_has_the_gradient_of_its_value() -> None:
    v = leaf(2)
    y = np.full_like(Tensor(np.zeros((2, 3))), v)
    y.sum().backward()
    assert v.grad.tolist() == [6]
    assert type(np.full_like(v, 3)) is np.ndarray
    assert np.full_like(v, 3, dtype=int).dtype == int


def test_constants_of_a_pad_are_no_variables() -> None:
    y = np.pad(leaf(1, 2), 1, constant_values=Tensor(7.0))
    assert y.data.tolist() == [7, 1, 2, 7]
    with pytest.raises(TypeError, match="pad has no derivative by its argument 2"):
        np.pad(leaf(1, 2), 1, constant_values=Tensor(7.0, requires_grad=True)).sum().backward()
    with pytest.raises(TypeError, match="mode='mean' is not supported"):
        np.pad(leaf(1, 2), 1, "mean")
