"""Gradient descent as one function: the textbook's loop around a function of yours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from fastnn.checks import number, real_array, whole
from fastnn.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["GradientDescentResult", "gradient_descent"]

Array: TypeAlias = "npt.NDArray[Any]"


class GradientDescentResult(NamedTuple):
    """Where gradient descent has come to.

    Attributes:
        w: the final weights, in the shape of w0.
        iterations: how many steps were made.
        converged: whether the last step was small enough, not only the last allowed.
        steps: float64 (iterations,), sum|W - W_old| of each step.
        losses: float64 (iterations,), f(W_old) of each step; None for a function that
            gives the gradient alone.
    """

    w: Array
    iterations: int
    converged: bool
    steps: Array
    losses: Array | None


def gradient_descent(
    f: Callable[..., Any],
    w0: npt.ArrayLike,
    lr: float,
    goal: float,
    max_iter: int,
    batch_size: int | None = None,
    *,
    X: npt.ArrayLike | Sequence[npt.ArrayLike] | None = None,
    seed: int = 0,
) -> GradientDescentResult:
    """Repeat W = W_old - lr * gradient until sum|W - W_old| <= goal.

    Without data, ``f(w)`` is a loss: it gets the weights as a Tensor and returns a
    scalar Tensor, whose gradient comes from the graph.  With data, ``f(X, W)`` is either
    the gradient, which gets arrays and returns an array of W's shape, as the lecture's
    ``eval_gradient``; or a loss, which returns a single number: a scalar Tensor, when it
    gets W as a Tensor.  Which of them it is, its first answer tells, for an array W; a
    loss is asked again, and from then on, with W as a Tensor::

        gradient_descent(lambda w: np.sum((w - 3) * (w - 3)), [0.0], 0.1, 1e-6, 1000)
        gradient_descent(eval_gradient, W0, 0.1, 1e-6, 1000, batch_size=32, X=X)

        gradient_descent(
            lambda XY, W: fastnn.mse_loss(XY[0] @ W, XY[1]), W0, 0.1, 1e-6, 1000, 32, X=(X, Y)
        )

    Args:
        f: the loss, or with X its gradient or the loss.
        w0: the weights to begin with, of any shape; float32 stays float32, whole
            numbers become float64.  Never modified.
        lr: learning rate, positive.
        goal: at least 0.
        max_iter: how many steps to make at most, at least 1.
        batch_size: give ``f`` that many samples of X a step, drawn anew each time,
            without repetition (Robbins, Monro, 1951); None gives it all of X.
        X: samples along the first axis; or a tuple or list of arrays, such as (X, y), of
            which the same samples are drawn and given to ``f`` as a tuple.  A list without
            arrays in it, of numbers or lists of them, is one array.
        seed: of the drawing, a non-negative int.

    Raises:
        TypeError, ValueError: naming the argument, also when ``f`` returns something
            else than it should.
        FloatingPointError: naming the iteration, when loss, gradient or weights are no
            longer finite.
    """
    if not callable(f):
        raise TypeError(f"f must be a function, got {f!r}")
    lr = number("lr", lr, "(0, inf)")
    goal = number("goal", goal, "[0, inf]")
    max_iter = whole("max_iter", max_iter, 1)
    w = real_array(w0, "w0")
    w = w.astype(np.result_type(w.dtype, np.float32))
    gradient_at = _of_loss(f) if X is None else _of_data(f, X, batch_size, seed)
    if X is None and batch_size is not None:
        raise ValueError("batch_size wants X, the samples to draw from")

    steps: list[float] = []
    losses: list[float] = []
    converged = False
    while not converged and len(steps) < max_iter:
        loss, gradient = gradient_at(w)
        # An overflow is reported below, as an error that names the iteration.
        with np.errstate(over="ignore", invalid="ignore"):
            step = np.asarray(lr * gradient, w.dtype)
            w_old, w = w, np.asarray(w - step)
            steps.append(float(np.abs(w - w_old).sum(dtype=np.float64)))
        if loss is not None:
            losses.append(loss)
        for what, value in (("loss", loss), ("step", steps[-1])):
            if value is not None and not math.isfinite(value):
                raise FloatingPointError(
                    f"the {what} is {value} at iteration {len(steps)}; "
                    "a lower learning rate may help"
                )
        converged = steps[-1] <= goal
    return GradientDescentResult(
        w, len(steps), converged, np.array(steps), np.array(losses) if losses else None
    )


Gradient: TypeAlias = Callable[[Array], "tuple[float | None, Array]"]


def _of_loss(f: Callable[..., Any]) -> Gradient:
    """Loss and gradient of f(w), by the graph."""
    return lambda w: _differentiate(f, w, "f(w) must return")


def _differentiate(f: Callable[..., Any], w: Array, must_return: str) -> tuple[float, Array]:
    weights = Tensor(w, requires_grad=True)
    loss = f(weights)
    if not isinstance(loss, Tensor) or loss.size != 1:
        raise TypeError(f"{must_return} a scalar Tensor, got {loss!r}")
    if not loss.requires_grad:
        raise ValueError("f must depend on w: the Tensor it returned does not")
    loss.backward()
    if weights.grad is None:
        raise ValueError("f must depend on w: its gradient did not reach it")
    return loss.item(), weights.grad


def _of_data(f: Callable[..., Any], X: Any, batch_size: int | None, seed: int) -> Gradient:
    """The gradient that f(X, W) gives or has, of all samples or of some."""
    several = isinstance(X, tuple) or (
        isinstance(X, list) and any(isinstance(each, np.ndarray) for each in X)
    )
    arrays = [real_array(each, "X") for each in (X if several else (X,))]
    lengths = {len(each) if each.ndim else 0 for each in arrays}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(
            "X must hold samples along the first axis, as many in each of its arrays; "
            f"got shapes {', '.join(str(each.shape) for each in arrays)}"
        )
    n = lengths.pop()
    size = None if batch_size is None else whole("batch_size", batch_size, 1)
    if size is not None and size > n:
        raise ValueError(f"batch_size must be at most the {n} samples of X, got {size}")
    whole("seed", seed, 0)
    rng = np.random.default_rng(seed)

    is_loss: bool | None = None  # not known before the first answer

    def gradient_at(w: Array) -> tuple[float | None, Array]:
        nonlocal is_loss
        sample = arrays
        if size is not None:
            chosen = rng.choice(n, size, replace=False, shuffle=False)
            sample = [each[chosen] for each in arrays]
        given = tuple(sample) if several else sample[0]
        if not is_loss:
            answer = f(given, w)
            if is_loss is None:
                is_loss = isinstance(answer, Tensor) or (w.ndim > 0 and _is_number(answer))
        if is_loss:
            must_return = "f(X, W) must return a gradient of W's shape, or of a Tensor W"
            return _differentiate(lambda W: f(given, W), w, must_return)
        gradient = real_array(answer, "the gradient f(X, W)")
        if gradient.shape != w.shape:
            raise ValueError(
                f"f(X, W) must return a gradient of W's shape {w.shape}, got {gradient.shape}"
            )
        return None, gradient

    return gradient_at


def _is_number(answer: Any) -> bool:
    return answer is not None and np.ndim(answer) == 0
