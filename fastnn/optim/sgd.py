"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

from fastnn import _kernels as k
from fastnn.checks import number
from fastnn.optim.optimizer import (
    Group,
    Optimizer,
    Parameters,
    decay,
    rate,
    state_array,
)
from fastnn.tensor import Tensor


class SGD(Optimizer):
    """v = momentum v + g;  w -= lr v, or with Nesterov lr (g + momentum v).

    Source: Sutskever, Martens, Dahl, Hinton (2013), in PyTorch's form; g includes
    weight_decay w.

    Args:
        params: Tensors, or group dicts.
        lr: learning rate.
        momentum: in [0, 1).
        nesterov: needs a momentum.
        weight_decay: λ, at least 0.
    """

    def __init__(
        self,
        params: Parameters,
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            nesterov=nesterov,
            weight_decay=weight_decay,
        )

    def _check(self, group: Group) -> None:
        super()._check(group)
        number("momentum", group["momentum"], "[0, 1)")
        if group["nesterov"] and not group["momentum"]:
            raise ValueError("nesterov wants a momentum above 0, got 0")

    def _update(self, parameter: Tensor, group: Group, state: dict[str, Any]) -> None:
        momentum = group["momentum"]
        k.sgd_update(
            parameter.data,
            parameter.grad,
            rate(group),
            momentum,
            group["nesterov"],
            decay(parameter, group),
            state_array(state, "velocity", parameter) if momentum else None,
        )
