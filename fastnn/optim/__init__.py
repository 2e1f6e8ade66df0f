"""Optimizers: they update parameters in place from their gradients.

``weight_decay`` is the λ of R(W) = λ/2 ΣW²: it adds λW to the gradient of every
parameter whose ``decay`` is true (AdamW shrinks W directly instead).  Options belong to
parameter groups, as in PyTorch: pass a list of dicts with ``"params"`` and the options
that differ from the constructor's.
"""

from fastnn.optim.adaptive import Adagrad, Adam, AdamW, RMSprop
from fastnn.optim.optimizer import Optimizer
from fastnn.optim.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop"]
