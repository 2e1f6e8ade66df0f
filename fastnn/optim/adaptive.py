"""Optimizers that scale each weight's step by the history of its gradients."""

from __future__ import annotations

from typing import Any

from fastnn import _kernels as k
from fastnn.checks import number
from fastnn.optim.optimizer import (
    Group,
    Optimizer,
    Parameters,
    counted,
    decay,
    rate,
    state_array,
)
from fastnn.tensor import Tensor


class Adam(Optimizer):
    """Adam (Kingma, Ba, 2015), with bias-corrected moments m of g and v of g².

    Args:
        params: Tensors, or group dicts.
        lr: learning rate.
        betas: decay rates of m and v, in [0, 1).
        eps: added to the root of v, above 0.
        weight_decay: λ, at least 0; λw is added to g.
    """

    _decoupled = False

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def _check(self, group: Group) -> None:
        super()._check(group)
        betas = group["betas"]
        if not isinstance(betas, tuple | list):
            raise TypeError(f"betas must be two numbers, got {betas!r}")
        if len(betas) != 2:
            raise ValueError(f"betas must be two numbers, got {len(betas)}")
        for beta in betas:
            number("betas", beta, "[0, 1)")
        number("eps", group["eps"], "(0, inf)")

    def _update(self, parameter: Tensor, group: Group, state: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        k.adam_update(
            parameter.data,
            parameter.grad,
            state_array(state, "m", parameter),
            state_array(state, "v", parameter),
            counted(state, "step"),
            rate(group),
            beta1,
            beta2,
            group["eps"],
            decay(parameter, group),
            self._decoupled,
        )


class AdamW(Adam):
    """Adam with decoupled weight decay: w *= 1 - lr λ before the step.

    Source: Loshchilov, Hutter, "Decoupled weight decay regularization" (2019).

    Args: as :class:`Adam`.
    """

    _decoupled = True

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


class RMSprop(Optimizer):
    """v = alpha v + (1 - alpha) g²;  w -= lr g / (sqrt(v) + eps).

    Source: Hinton, "Neural networks for machine learning", lecture 6e (2012); momentum
    as PyTorch's.

    Args:
        params: Tensors, or group dicts.
        lr: learning rate.
        alpha: decay rate of v, in [0, 1).
        eps: above 0.
        weight_decay: λ, at least 0; λw is added to g.
        momentum: in [0, 1).
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
        )

    def _check(self, group: Group) -> None:
        super()._check(group)
        number("alpha", group["alpha"], "[0, 1)")
        number("eps", group["eps"], "(0, inf)")
        number("momentum", group["momentum"], "[0, 1)")

    def _update(self, parameter: Tensor, group: Group, state: dict[str, Any]) -> None:
        momentum = group["momentum"]
        k.rmsprop_update(
            parameter.data,
            parameter.grad,
            state_array(state, "v", parameter),
            rate(group),
            group["alpha"],
            group["eps"],
            decay(parameter, group),
            momentum,
            state_array(state, "velocity", parameter) if momentum else None,
        )


class Adagrad(Optimizer):
    """s += g²;  w -= lr g / (sqrt(s) + eps)  (Duchi, Hazan, Singer, 2011).

    Args:
        params: Tensors, or group dicts.
        lr: learning rate.
        eps: above 0.
        weight_decay: λ, at least 0; λw is added to g.
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        eps: float = 1e-10,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, eps=eps, weight_decay=weight_decay)

    def _check(self, group: Group) -> None:
        super()._check(group)
        number("eps", group["eps"], "(0, inf)")

    def _update(self, parameter: Tensor, group: Group, state: dict[str, Any]) -> None:
        k.adagrad_update(
            parameter.data,
            parameter.grad,
            state_array(state, "s", parameter),
            rate(group),
            group["eps"],
            decay(parameter, group),
        )
