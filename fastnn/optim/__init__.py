"""Optimizers: they update parameters in place from their gradients.

``weight_decay`` is the λ of R(W) = λ/2 ΣW²: it adds λW to the gradient of every
parameter whose ``decay`` is true (AdamW shrinks W directly instead).  Options belong to
parameter groups, as in PyTorch: pass a list of dicts with ``"params"`` and the options
that differ from the constructor's.

On x86 the updates that keep running means count denormal numbers, in float32 those below 1.2e-38,
as zero: the mean of a gradient that has become zero would be one before long, and cost a
hundred times as much as another number.
"""

from fastnn.optim.adaptive import Adagrad, Adam, AdamW, RMSprop
from fastnn.optim.optimizer import Optimizer
from fastnn.optim.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop"]
