"""fastnn: trains small and medium neural nets on a CPU, from plain NumPy code.

Start with ``Trainer`` and ``models`` to train a net, with ``functional`` for kernels under
hand-written NumPy, or with ``Tensor`` to see the computational graph.

Each name is imported when it is first used: importing the package loads no kernel, so
that a tool can ask for its version, and a Ctrl-C during the loading is the command's to
answer.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

TYPE_CHECKING = False  # type checkers take it for typing's, whose import takes longer
if TYPE_CHECKING:
    from fastnn import data, functional, init, layers, losses, models, optim, random, schedules
    from fastnn.augment import Augment
    from fastnn.callbacks import Checkpoint, EarlyStopping
    from fastnn.differentiate import grad, jacobian, value_and_grad
    from fastnn.drawing import draw
    from fastnn.gradcheck import GradientReport, check_gradients, numerical_gradient
    from fastnn.gradient_descent import GradientDescentResult, gradient_descent
    from fastnn.history import History
    from fastnn.layers import (
        AdaptiveAvgPool2d,
        AvgPool2d,
        BatchNorm1d,
        BatchNorm2d,
        Buffer,
        Conv2d,
        Dropout,
        Flatten,
        Linear,
        LocalResponseNorm,
        MaxPool2d,
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
    from fastnn.modes import enable_grad, no_grad
    from fastnn.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
    from fastnn.program import CaptureError, Program, capture, iterate
    from fastnn.runtime import get_num_threads, info, set_num_threads
    from fastnn.serialize import load, load_metadata, save
    from fastnn.tensor import Tensor
    from fastnn.train import Trainer
    from fastnn.user_op import op

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "AdaptiveAvgPool2d",
    "Augment",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Buffer",
    "CaptureError",
    "Checkpoint",
    "Conv2d",
    "Dropout",
    "EarlyStopping",
    "Flatten",
    "GradientDescentResult",
    "GradientReport",
    "History",
    "Linear",
    "LocalResponseNorm",
    "MaxPool2d",
    "Module",
    "Optimizer",
    "Parameter",
    "Program",
    "RMSprop",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "Tensor",
    "Trainer",
    "binary_cross_entropy",
    "capture",
    "check_gradients",
    "cross_entropy",
    "data",
    "draw",
    "enable_grad",
    "functional",
    "get_num_threads",
    "grad",
    "gradient_descent",
    "hinge_loss",
    "huber_loss",
    "info",
    "init",
    "iterate",
    "jacobian",
    "l1_loss",
    "layers",
    "load",
    "load_metadata",
    "losses",
    "models",
    "mse_loss",
    "no_grad",
    "numerical_gradient",
    "op",
    "optim",
    "random",
    "register_module",
    "save",
    "schedules",
    "set_num_threads",
    "value_and_grad",
]

_HOMES = {
    "data": "fastnn.data",
    "functional": "fastnn.functional",
    "init": "fastnn.init",
    "layers": "fastnn.layers",
    "losses": "fastnn.losses",
    "models": "fastnn.models",
    "optim": "fastnn.optim",
    "random": "fastnn.random",
    "schedules": "fastnn.schedules",
    "Augment": "fastnn.augment.Augment",
    "Checkpoint": "fastnn.callbacks.Checkpoint",
    "EarlyStopping": "fastnn.callbacks.EarlyStopping",
    "grad": "fastnn.differentiate.grad",
    "jacobian": "fastnn.differentiate.jacobian",
    "value_and_grad": "fastnn.differentiate.value_and_grad",
    "draw": "fastnn.drawing.draw",
    "GradientReport": "fastnn.gradcheck.GradientReport",
    "check_gradients": "fastnn.gradcheck.check_gradients",
    "numerical_gradient": "fastnn.gradcheck.numerical_gradient",
    "GradientDescentResult": "fastnn.gradient_descent.GradientDescentResult",
    "gradient_descent": "fastnn.gradient_descent.gradient_descent",
    "History": "fastnn.history.History",
    "AdaptiveAvgPool2d": "fastnn.layers.AdaptiveAvgPool2d",
    "AvgPool2d": "fastnn.layers.AvgPool2d",
    "BatchNorm1d": "fastnn.layers.BatchNorm1d",
    "BatchNorm2d": "fastnn.layers.BatchNorm2d",
    "Buffer": "fastnn.layers.Buffer",
    "Conv2d": "fastnn.layers.Conv2d",
    "Dropout": "fastnn.layers.Dropout",
    "Flatten": "fastnn.layers.Flatten",
    "Linear": "fastnn.layers.Linear",
    "LocalResponseNorm": "fastnn.layers.LocalResponseNorm",
    "MaxPool2d": "fastnn.layers.MaxPool2d",
    "Module": "fastnn.layers.Module",
    "Parameter": "fastnn.layers.Parameter",
    "ReLU": "fastnn.layers.ReLU",
    "Sequential": "fastnn.layers.Sequential",
    "Sigmoid": "fastnn.layers.Sigmoid",
    "Tanh": "fastnn.layers.Tanh",
    "register_module": "fastnn.layers.registry.register",
    "binary_cross_entropy": "fastnn.losses.binary_cross_entropy",
    "cross_entropy": "fastnn.losses.cross_entropy",
    "hinge_loss": "fastnn.losses.hinge_loss",
    "huber_loss": "fastnn.losses.huber_loss",
    "l1_loss": "fastnn.losses.l1_loss",
    "mse_loss": "fastnn.losses.mse_loss",
    "SGD": "fastnn.optim.SGD",
    "Adagrad": "fastnn.optim.Adagrad",
    "Adam": "fastnn.optim.Adam",
    "AdamW": "fastnn.optim.AdamW",
    "Optimizer": "fastnn.optim.Optimizer",
    "RMSprop": "fastnn.optim.RMSprop",
    "CaptureError": "fastnn.program.CaptureError",
    "Program": "fastnn.program.Program",
    "capture": "fastnn.program.capture",
    "iterate": "fastnn.program.iterate",
    "get_num_threads": "fastnn.runtime.get_num_threads",
    "info": "fastnn.runtime.info",
    "set_num_threads": "fastnn.runtime.set_num_threads",
    "load": "fastnn.serialize.load",
    "load_metadata": "fastnn.serialize.load_metadata",
    "save": "fastnn.serialize.save",
    "Tensor": "fastnn.tensor.Tensor",
    "enable_grad": "fastnn.modes.enable_grad",
    "no_grad": "fastnn.modes.no_grad",
    "Trainer": "fastnn.train.Trainer",
    "op": "fastnn.user_op.op",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].rpartition(".")
    if module == __name__:
        value: object = import_module(_HOMES[name])
    else:
        value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Where a function has the name of its module, the function wins."""

    def __setattr__(self, name: str, value: object) -> None:
        # The import system sets each submodule as an attribute of the package.
        if isinstance(value, ModuleType) and _HOMES.get(name) == f"{value.__name__}.{name}":
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
