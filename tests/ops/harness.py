"""Checks of one op in one call: its forward, its backward, and the derivative of that.

The functions under test run on plain arrays as on Tensors, so what they return for arrays is
the oracle, and differences of it are the derivatives that a Tensor must give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastnn.tensor import Tensor

STEP = 1e-6


def since_numpy(version: str, *cases: Case) -> list[Case]:
    """Cases of what NumPy itself can do since this version."""
    return list(cases) if np.lib.NumpyVersion(np.__version__) >= version else []


def leaf(*values: float, dtype: Any = float) -> Tensor:
    """A row of numbers that needs a gradient."""
    return Tensor(np.array(values, dtype), requires_grad=True)


@dataclass(frozen=True)
class Plain:
    """An array of floats that is no variable; it comes in the dtype of the variables."""

    value: np.ndarray


@dataclass(frozen=True)
class Case:
    """One call of a function.

    Attributes:
        f: called with args and options; float64 arrays among the args, also in lists and
            tuples, are the variables.
        to_the_bit: whether the forward value equals the oracle's bit for bit.
        oracle: what computes the expected value; default: f itself, on arrays.
        twice: whether the gradient has a derivative.
    """

    f: Callable[..., Any]
    args: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    to_the_bit: bool = True
    oracle: Callable[..., Any] | None = None
    twice: bool = True

    @property
    def variables(self) -> list[np.ndarray]:
        """The arrays to differentiate by."""
        return list(_variables(self.args))

    def run(self, variables: list[Any], f: Callable[..., Any] | None = None) -> list[Any]:
        """The results of the call with these in the place of the variables."""
        waiting = iter(variables)
        dtype = variables[0].dtype if variables else np.dtype(float)
        args = [_filled(each, waiting, dtype) for each in self.args]
        return flattened((f or self.f)(*args, **self.options))


def case(
    f: Callable[..., Any],
    *args: Any,
    to_the_bit: bool = True,
    oracle: Callable[..., Any] | None = None,
    twice: bool = True,
    **options: Any,
) -> Case:
    """A :class:`Case`; further options are f's, and a number of float64 is an array to it."""
    args = tuple(np.asarray(each) if isinstance(each, np.float64) else each for each in args)
    return Case(f, args, options, to_the_bit, oracle, twice)


def rounded(f: Callable[..., Any], *args: Any, **options: Any) -> Case:
    """A case whose value equals the oracle's to rounding."""
    return case(f, *args, to_the_bit=False, **options)


def _variables(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _variables(each)
    elif isinstance(value, np.ndarray) and value.dtype == np.float64:
        yield value


def _filled(value: Any, waiting: Iterator[Any], dtype: np.dtype) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_filled(each, waiting, dtype) for each in value)
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return next(waiting)
    return value.value.astype(dtype) if isinstance(value, Plain) else value


def flattened(result: Any) -> list[Any]:
    """The arrays, or Tensors, in a result."""
    if isinstance(result, (list, tuple)):
        return [each for part in result for each in flattened(part)]
    return [result]


# --- forward --------------------------------------------------------------------------


def check_forward(case: Case, dtype: str) -> None:
    """Values, shapes and dtypes are NumPy's, and what is float is in the graph."""
    tensors = leaves_of(case, dtype)
    results = case.run(tensors)
    expected = case.run([t.data for t in tensors], case.oracle)
    assert len(results) == len(expected)
    for result, wanted in zip(results, expected, strict=True):
        value = result.data if isinstance(result, Tensor) else result
        assert np.shape(value) == np.shape(wanted)
        assert np.asarray(value).dtype == np.asarray(wanted).dtype
        if case.to_the_bit:
            assert np.array_equal(value, wanted, equal_nan=True)
        else:
            tolerance = 100 * np.finfo(dtype).eps
            np.testing.assert_allclose(value, wanted, rtol=tolerance, atol=tolerance)
    assert not tensors or any(getattr(each, "requires_grad", False) for each in results)


def leaves_of(case: Case, dtype: str = "float64") -> list[Tensor]:
    """The variables as Tensors that need a gradient."""
    return [Tensor(each.astype(dtype), requires_grad=True) for each in case.variables]


# --- backward -------------------------------------------------------------------------


def weights(case: Case, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Random weights of the results' elements, which make one number of them all."""
    rng = np.random.default_rng(7)
    return [np.asarray(rng.uniform(0.5, 1.5, np.shape(each))) for each in case.run(arrays)]


def total(results: list[Any], by: list[Any]) -> Any:
    """The weighted sum of all results that are floats; also of plain ones."""
    return sum(
        np.sum(np.multiply(result, weight))
        for result, weight in zip(results, by, strict=True)
        if np.asarray(getattr(result, "data", result)).dtype.kind == "f"
    )


def gradients(case: Case, tensors: list[Tensor], by: list[Any]) -> list[np.ndarray]:
    """The gradient of the weighted sum by each of the tensors, which are leaves."""
    for each in tensors:
        each.grad = None
    result = total(case.run(tensors), by)
    if isinstance(result, Tensor) and result.requires_grad:
        result.backward()
    return [np.zeros(t.shape, t.dtype) if t.grad is None else t.grad for t in tensors]


def check_backward(case: Case) -> None:
    """Gradients are central differences, for all variables together and for each alone."""
    arrays = case.variables
    by = weights(case, arrays)
    together = gradients(case, leaves_of(case), by)
    for position, (array, found) in enumerate(zip(arrays, together, strict=True)):
        assert (found.shape, found.dtype) == (array.shape, array.dtype)
        expected = np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            ends = []
            for step in (STEP, -STEP):
                moved = [each.copy() for each in arrays]
                moved[position][index] += step
                ends.append(total(case.run(moved), by))
            expected[index] = (ends[0] - ends[1]) / (2 * STEP)
        assert_close(found, expected)
        if len(arrays) > 1:
            tensors = [Tensor(each, requires_grad=i == position) for i, each in enumerate(arrays)]
            alone = gradients(case, tensors, by)
            assert all(t.grad is None for t in tensors if not t.requires_grad)
            np.testing.assert_allclose(alone[position], found, rtol=1e-12, atol=1e-12)


def check_backward_of_float32(case: Case) -> None:
    """Gradients are those of float64, to rounding, in the dtype of the leaf."""
    by = weights(case, case.variables)
    exact = gradients(case, leaves_of(case), by)
    rough = gradients(case, leaves_of(case, "float32"), by)
    for found, wanted in zip(rough, exact, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def check_layouts(case: Case) -> None:
    """Values and gradients are the same of views: transposed, reversed and strided ones."""
    arrays = case.variables
    by = weights(case, arrays)
    expected = gradients(case, leaves_of(case), by)
    for viewed in (_transposed, _reversed, _strided):
        leaves, views = zip(*(viewed(each) for each in arrays), strict=True)
        values = case.run([view.data for view in views], case.oracle)
        for result, wanted in zip(case.run(list(views)), values, strict=True):
            value = np.asarray(getattr(result, "data", result))
            if case.to_the_bit:
                assert np.array_equal(value, wanted, equal_nan=True)
            else:
                np.testing.assert_allclose(value, wanted, rtol=1e-12, atol=1e-12)
        result = total(case.run(list(views)), by)
        if result.requires_grad:
            result.backward()
        for leaf, wanted in zip(leaves, expected, strict=True):
            found = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad
            found = _undone[viewed](found, wanted.shape)
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


def _transposed(array: np.ndarray) -> tuple[Tensor, Tensor]:
    leaf = Tensor(array.T, requires_grad=True)
    return leaf, leaf.T


def _reversed(array: np.ndarray) -> tuple[Tensor, Tensor]:
    backwards = (slice(None, None, -1),) * array.ndim
    leaf = Tensor(array[backwards], requires_grad=True)
    return leaf, leaf[backwards]


def _strided(array: np.ndarray) -> tuple[Tensor, Tensor]:
    leaf = Tensor(np.stack([array, array + 1], axis=-1), requires_grad=True)
    return leaf, leaf[..., 0]


_undone: dict[Any, Callable[[np.ndarray, Any], np.ndarray]] = {
    _transposed: lambda g, _: g.T,
    _reversed: lambda g, shape: g[(slice(None, None, -1),) * len(shape)],
    _strided: lambda g, _: g[..., 0],
}


# --- the derivative of the backward ---------------------------------------------------


def check_second_backward(case: Case) -> None:
    """The gradient's own derivatives, by the variables and by the gradient that arrives.

    Of s = <v, gradient(x, w)>, where w are the weights of the results: its gradient by x is
    the Hessian times v, which is the change of the gradient along v; its gradient by w is the
    Jacobian times v, the change of the results along v.
    """
    arrays = case.variables
    rng = np.random.default_rng(8)
    by = weights(case, arrays)
    direction = [np.asarray(rng.uniform(-1, 1, each.shape)) for each in arrays]
    leaves = leaves_of(case)
    seeds = [Tensor(each, requires_grad=True) for each in by]
    result = total(case.run(leaves), seeds)
    result.backward(create_graph=True)
    firsts = [each.grad for each in leaves]
    for each in (*leaves, *seeds):
        each.grad = None
    along = sum(
        np.sum(np.multiply(first, v))
        for first, v in zip(firsts, direction, strict=True)
        if first is not None
    )
    if isinstance(along, Tensor) and along.requires_grad:
        along.backward()

    def moved(step: float) -> list[np.ndarray]:
        return [each + step * v for each, v in zip(arrays, direction, strict=True)]

    def first_at(step: float) -> list[np.ndarray]:
        return gradients(case, [Tensor(each, requires_grad=True) for each in moved(step)], by)

    for leaf, ahead, behind in zip(leaves, first_at(STEP), first_at(-STEP), strict=True):
        assert_close(_zeros_for_none(leaf), (ahead - behind) / (2 * STEP))
    for seed, ahead, behind in zip(
        seeds, case.run(moved(STEP)), case.run(moved(-STEP)), strict=True
    ):
        if np.asarray(ahead).dtype.kind == "f":
            assert_close(_zeros_for_none(seed), (ahead - behind) / (2 * STEP))


def _zeros_for_none(leaf: Tensor) -> Any:
    return np.zeros(leaf.shape) if leaf.grad is None else leaf.grad


def assert_close(found: Any, expected: Any) -> None:
    """Equal within the error of central differences."""
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-8)
