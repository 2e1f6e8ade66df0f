"""The lecture's examples, one module a topic: code to read beside the slides, and to run.

``fastnn lecture`` lists the topics, ``fastnn lecture gates`` shows one.  A module has the
lecture's formulas as functions, and ``show(page)``, which prints their numbers.  The lecture
is a university course's on linear classifiers, gradients and the computational graph.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

__all__ = ["IMPORTS", "TOPICS", "NotInstalledError", "topic"]

# Nothing is imported before it is shown: the list itself is needed by --help.
TOPICS = {
    "gates": "f = (x + y) z: add distributes, multiply switches, max routes",
    "sigmoid": "a neuron from elementary gates and from one sigmoid gate",
    "slope": "the derivative of x^4/2 - 2x^2 + x + 5, numerically and analytically",
    "numerical": "the gradient of a loss over W, coordinate by coordinate",
    "relu": "ReLU's Jacobian, which nobody ever forms",
    "nets": "linear, 2-layer and 3-layer nets in plain NumPy, on the digits",
    "eleven": "a net in eleven lines, with its own update",
    "descent": "gradient descent, and when it stops",
    "minibatch": "mini-batches: a noisy loss, and more steps for the same work",
    "rates": "the learning rate: too high, high, low, good",
    "losses": "hinge and softmax side by side, when the scores move a little",
    "alike": "which digits a linear classifier takes for one another",
    "features": "designed features against end-to-end training, on Fashion-MNIST",
}

# Modules with other packages below them, which a topic imports when it comes to them.
IMPORTS = {"features": "fastnn.lecture.descriptors"}


class NotInstalledError(ImportError):
    """A topic needs packages or data that are not there; the message says what to install."""


def topic(name: str) -> ModuleType:
    """The module of a topic, which has ``show(page)``.

    Raises KeyError for a name that is not in ``TOPICS``.
    """
    if name not in TOPICS:
        raise KeyError(name)
    return import_module(f"fastnn.lecture.{name}")
