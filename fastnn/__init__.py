"""fastnn: trains small and medium neural nets on a CPU, from plain NumPy code.

Start with ``Trainer`` and ``models`` to train a net, with ``functional`` for kernels under
hand-written NumPy, or with ``Tensor`` to see the computational graph.
"""

__version__ = "0.1.0"

from fastnn import functional, init, models, schedules
from fastnn.callbacks import Checkpoint, EarlyStopping
from fastnn.gradient_descent import GradientDescentResult, gradient_descent
from fastnn.history import History
from fastnn.layers import (
    Flatten,
    Linear,
    Module,
    Parameter,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)
from fastnn.layers.registry import register as register_module
from fastnn.losses import (
    binary_cross_entropy,
    cross_entropy,
    hinge_loss,
    huber_loss,
    l1_loss,
    mse_loss,
)
from fastnn.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from fastnn.runtime import get_num_threads, info, set_num_threads
from fastnn.serialize import load, load_metadata, save
from fastnn.tensor import Tensor, no_grad
from fastnn.train import Trainer

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Checkpoint",
    "EarlyStopping",
    "Flatten",
    "GradientDescentResult",
    "History",
    "Linear",
    "Module",
    "Optimizer",
    "Parameter",
    "RMSprop",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "Tensor",
    "Trainer",
    "binary_cross_entropy",
    "cross_entropy",
    "functional",
    "get_num_threads",
    "gradient_descent",
    "hinge_loss",
    "huber_loss",
    "info",
    "init",
    "l1_loss",
    "load",
    "load_metadata",
    "models",
    "mse_loss",
    "no_grad",
    "register_module",
    "save",
    "schedules",
    "set_num_threads",
]
