"""Dropout: noise against overfitting, in training alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import ops
from fastnn.checks import number
from fastnn.init import Seed
from fastnn.layers.module import Buffer, Module
from fastnn.layers.registry import register
from fastnn.tensor import Tensor, record


@register
class Dropout(Module):
    """In training, each element is 0 with probability p, else x / (1 - p); otherwise x itself.

    (Srivastava et al., 2014.)  What is dropped is a function of a seed and of the number of
    times that this layer was used in training.  Both are saved with the model, so a run goes
    on after a resume with the masks that it would have had; and they do not depend on the
    number of threads.

    Args:
        p: from 0 to 1.
        seed: an int, a SeedSequence, or a Generator to draw from; None is a new seed
            from the operating system.

    Attributes:
        random_state: Buffer (2,) of int64, the seed and the number of uses.

    Raises:
        TypeError: p is no number.
        ValueError: p is outside [0, 1].
    """

    def __init__(self, p: float = 0.5, *, seed: Seed = None) -> None:
        self.p = number("p", p, "[0, 1]")
        self.random_state = Buffer(np.zeros(2, np.int64))
        self._draw(np.random.default_rng(seed))

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape -> the same shape.

        Raises:
            TypeError: x is neither a Tensor nor an array of real numbers.
        """
        if not isinstance(x, Tensor):
            raise TypeError(f"Dropout wants a Tensor or an array, got {x!r}")
        if not self.training or self.p == 0:
            return x
        state = self.random_state.data
        # The backward pass wants this one, also when the layer is used again before it.
        now = state.copy()
        uses = state[1:]
        uses += 1
        self.random_state._node.overwritten()
        return record(ops.dropout, (x, self.p, now))

    def _draw(self, rng: np.random.Generator) -> None:
        self.random_state.data = np.array([rng.integers(2**63), 0])

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, but for the seed, which is in the state."""
        return {"p": self.p}
