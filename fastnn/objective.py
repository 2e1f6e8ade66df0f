"""What a Trainer minimizes: a loss, the targets it wants, and the hits it can count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from fastnn import losses
from fastnn.augment import Augment
from fastnn.batches import (
    Batches,
    Counter,
    binary_hits,
    input_rows,
    label_hits,
    label_rows,
    sample_weights,
    target_rows,
    whole_number_rows,
)
from fastnn.layers.module import Module, in_mode, rows_at_once
from fastnn.modes import no_grad
from fastnn.tensor import Tensor, wrap

__all__ = ["NAMES", "Objective"]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_ON_LABELS: dict[str, Callable[..., Tensor]] = {
    "cross_entropy": losses.cross_entropy,
    "hinge": losses.hinge_loss,
}
_ON_VALUES: dict[str, Callable[..., Tensor]] = {
    "mse": losses.mse_loss,
    "l1": losses.l1_loss,
    "huber": losses.huber_loss,
    "binary_cross_entropy": losses.binary_cross_entropy,
}
_FUNCTIONS = {**_ON_LABELS, **_ON_VALUES}

NAMES = tuple(_FUNCTIONS)


class Objective:
    """A named loss, or a function of two Tensors (scores and targets) to a scalar one.

    Raises:
        ValueError: an unknown name.
        TypeError: neither a name nor a function.
    """

    def __init__(self, loss: str | Callable[[Tensor, Tensor], Tensor]) -> None:
        self.name = loss if isinstance(loss, str) else None
        if isinstance(loss, str):
            if loss not in _FUNCTIONS:
                raise ValueError(
                    f"loss: there is none called {loss!r}; there are "
                    f"{', '.join(NAMES)}, and any function of (scores, y)"
                )
            self._function: Callable[..., Tensor] = _FUNCTIONS[loss]
        elif callable(loss):
            self._function = loss
        else:
            raise TypeError(f"loss must be a name or a function, got {loss!r}")

    def __call__(self, scores: Tensor, y: Array, weight: Array | None) -> Tensor:
        """The scalar loss of a batch, as a Tensor."""
        if self.name is not None:
            return self._function(scores, y, sample_weight=weight)
        loss = self._function(scores, wrap(y))
        if not isinstance(loss, Tensor) or loss.size != 1:
            raise TypeError(f"loss: the function must return a scalar Tensor, got {loss!r}")
        return loss

    def batches(
        self,
        model: Module,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        size: int | None,
        scale: float,
        shift: float,
        of: str,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> Batches:
        """X and y, checked by themselves, against each other and against the model.

        ``size`` is that of a batch, None for what is evaluated at once; ``of`` stands before
        their names in an error.  With ``augment`` they are what is trained on, in a run of this
        seed.
        """
        if sample_weight is not None and self.name is None:
            raise ValueError("sample_weight wants a named loss: a function gets none")
        dtype = model.dtype
        X = input_rows(X, f"{of}X", dtype)
        seen = X if augment is None else augment.center_crop(augment.check(X, f"{of}X"))
        output = (len(X), *_output_shape(model, seen, f"{of}X"))
        y = self._targets(y, f"{of}y", output, dtype)
        if sample_weight is not None:
            sample_weight = sample_weights(sample_weight, len(X))
        return Batches(
            X,
            y,
            sample_weight,
            size=rows_at_once(X.shape[1:]) if size is None else size,
            dtype=dtype,
            scale=scale,
            shift=shift,
            count=self._counter(y, output),
            augment=augment,
            seed=seed,
        )

    def _targets(self, y: Any, name: str, output: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """y, checked once, in the dtype and shape that the loss computes with.

        ``output`` is the shape of the model's output for all rows together.  A function
        gets whole numbers as int64 and other targets in ``dtype``, in their own shape.
        """
        n = output[0]
        if self.name is None:
            if np.asarray(y).dtype.kind in "biu":
                return whole_number_rows(y, name, n)
            return target_rows(y, name, n, None, dtype)
        if self.name in _ON_LABELS:
            if len(output) != 2:
                raise ValueError(
                    f"{self.name} wants a model with an output of shape (N, classes), "
                    f"this one's is {output}"
                )
            return label_rows(y, name, n, output[1])
        bounds = (0.0, 1.0) if self.name == "binary_cross_entropy" else None
        return target_rows(y, name, n, output[1:], dtype, bounds)

    def _counter(self, y: Array, output: tuple[int, ...]) -> Counter | None:
        """How to count hits for these targets; None where there is no right or wrong.

        Class labels are hit by the largest score, binary targets by a logit of the
        right sign, each element for itself.
        """
        if self.name == "binary_cross_entropy":
            return binary_hits
        if self.name in _ON_VALUES:
            return None
        is_labels = y.ndim == 1 and y.dtype == np.int64
        return label_hits if is_labels and len(output) == 2 and output[1] > 1 else None


def _output_shape(model: Module, X: Array, name: str) -> tuple[int, ...]:
    """The shape of the model's output for one sample: learned by trying the first."""
    try:
        with in_mode(model, training=False), no_grad():
            output: Tensor = model(wrap(X[:1].astype(model.dtype)))
    except ValueError as error:
        raise ValueError(
            f"{name}: samples of shape {X.shape[1:]} do not fit the model: {error}"
        ) from error
    return output.shape[1:]
