"""Optimizers: they update parameters in place from their gradients.

``weight_decay`` is the λ of R(W) = λ/2 ΣW²: it adds λW to the gradient of every
parameter whose ``decay`` is true (AdamW shrinks W directly instead).  Options belong to
parameter groups, as in PyTorch: pass a list of dicts with ``"params"`` and the options
that differ from the constructor's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from fastnn import _kernels as k
from fastnn.tensor import Tensor

Group: TypeAlias = "dict[str, Any]"
Parameters: TypeAlias = "Iterable[Tensor] | Iterable[Group]"


class Optimizer:
    """What all optimizers share: parameter groups, state, and its saving.

    Attributes:
        param_groups: dicts with ``"params"``, ``"lr"``, ``"initial_lr"`` (the lr at
            construction) and the optimizer's other options, read at every step.
        state: what each parameter remembers between steps, arrays and counts by name.

    Raises:
        TypeError: a parameter is not a Tensor that needs a gradient.
        ValueError: there are no parameters, one appears twice, or an option is out of
            its range or unknown.
    """

    def __init__(self, params: Parameters, **options: Any) -> None:
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        members = list(params)
        groups = members if members and isinstance(members[0], dict) else None
        for group in [{"params": members}] if groups is None else groups:
            self._add_group(group, options)
        if not self.state:
            raise ValueError("params wants at least one parameter, got none")

    def _add_group(self, given: Any, options: Group) -> None:
        if not isinstance(given, dict) or "params" not in given:
            raise TypeError(
                f'a parameter group wants a dict with "params", got {given!r}'
            )
        unknown = set(given) - set(options) - {"params"}
        if unknown:
            raise ValueError(
                f"a parameter group of {type(self).__name__} wants the options "
                f"{', '.join(options)}, got {', '.join(sorted(unknown))}"
            )
        params = given["params"]
        group = {**options, **given, "params": None}
        group["params"] = [params] if isinstance(params, Tensor) else list(params)
        group["initial_lr"] = group["lr"]
        self._check(group)
        for parameter in group["params"]:
            if not isinstance(parameter, Tensor) or not parameter.requires_grad:
                raise TypeError(
                    "params wants Tensors that need a gradient, got "
                    f"{type(parameter).__name__}"
                )
            if parameter in self.state:
                raise ValueError("params has a parameter twice")
            self.state[parameter] = {}
        self.param_groups.append(group)

    def _check(self, group: Group) -> None:
        """Raise a ValueError for an option out of its range."""
        _require("lr", group["lr"], 0, math.inf)
        _require("weight_decay", group["weight_decay"], 0, math.inf)

    def step(self) -> None:
        """Update every parameter that has a gradient, in place."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group, self.state[parameter])

    def _update(self, parameter: Tensor, group: Group, state: dict[str, Any]) -> None:
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.state:
            parameter.grad = None

    @property
    def lr(self) -> float:
        """The learning rate of the first group.

        Setting it sets every group's, in the ratio of their ``"initial_lr"``.
        """
        return float(self.param_groups[0]["lr"])

    @lr.setter
    def lr(self, value: float) -> None:
        _require("lr", value, 0, math.inf)
        first = self.param_groups[0]["initial_lr"]
        for group in self.param_groups:
            initial = group["initial_lr"]
            # Equal rates stay equal to the bit, and may be zero.
            group["lr"] = value if initial == first else value * (initial / first)

    def regularization(self) -> float:
        """R(W) = Σ weight_decay/2 ΣW² over the parameters that decay, in float64."""
        total = 0.0
        for group in self.param_groups:
            if group["weight_decay"]:
                for parameter in group["params"]:
                    if getattr(parameter, "decay", True):
                        squares = float(k.sum_of_squares(parameter._data))
                        total += group["weight_decay"] / 2 * squares
        return total

    # --- saving ---------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Copies of everything a continued run needs, parameters numbered in order.

        Returns:
            ``{"state": {number: {name: array or int}}, "param_groups": [options]}``,
            each group's ``"params"`` being numbers.
        """
        number = {parameter: i for i, parameter in enumerate(self.state)}
        return {
            "state": {
                number[parameter]: {
                    name: value.copy() if isinstance(value, np.ndarray) else value
                    for name, value in state.items()
                }
                for parameter, state in self.state.items()
            },
            "param_groups": [
                {**group, "params": [number[each] for each in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned; after an error, as before.

        Raises:
            ValueError: groups, options or shapes differ from this optimizer's.
        """
        own = self.state_dict()["param_groups"]
        groups = state_dict["param_groups"]
        if [set(group) for group in groups] != [set(group) for group in own]:
            raise ValueError(
                f"param_groups of the state wants {len(own)} groups of "
                f"{type(self).__name__} with the options {', '.join(own[0])}; got "
                f"{len(groups)}, with {', '.join(groups[0]) if groups else 'none'}"
            )
        if [group["params"] for group in groups] != [group["params"] for group in own]:
            raise ValueError(
                "param_groups of the state divide the parameters in another way"
            )
        loaded = []
        for number, parameter in enumerate(self.state):
            state = {}
            for name, value in state_dict["state"].get(number, {}).items():
                if isinstance(value, np.ndarray):
                    if value.shape != parameter.shape:
                        raise ValueError(
                            f"state {name} of parameter {number} wants shape "
                            f"{parameter.shape}, got {value.shape}"
                        )
                    value = value.astype(parameter.dtype)
                state[name] = value
            loaded.append(state)
        for own_group, group in zip(self.param_groups, groups, strict=True):
            own_group.update({**group, "params": own_group["params"]})
        for parameter, state in zip(self.state, loaded, strict=True):
            self.state[parameter] = state


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
        _require("momentum", group["momentum"], 0, 1)
        if group["nesterov"] and not group["momentum"]:
            raise ValueError("nesterov wants a momentum above 0, got 0")

    def _update(self, parameter: Tensor, group: Group, state: dict[str, Any]) -> None:
        momentum = group["momentum"]
        k.sgd_update(
            parameter._data,
            parameter.grad,
            group["lr"],
            momentum,
            group["nesterov"],
            _decay(parameter, group),
            _array(state, "velocity", parameter) if momentum else None,
        )


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
        if len(group["betas"]) != 2:
            raise ValueError(f"betas wants two numbers, got {group['betas']!r}")
        for beta in group["betas"]:
            _require("betas", beta, 0, 1)
        _require_positive("eps", group["eps"])

    def _update(self, parameter: Tensor, group: Group, state: dict[str, Any]) -> None:
        state["step"] = step = state.get("step", 0) + 1
        beta1, beta2 = group["betas"]
        k.adam_update(
            parameter._data,
            parameter.grad,
            _array(state, "m", parameter),
            _array(state, "v", parameter),
            step,
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            _decay(parameter, group),
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
        _require("alpha", group["alpha"], 0, 1)
        _require_positive("eps", group["eps"])
        _require("momentum", group["momentum"], 0, 1)

    def _update(self, parameter: Tensor, group: Group, state: dict[str, Any]) -> None:
        momentum = group["momentum"]
        k.rmsprop_update(
            parameter._data,
            parameter.grad,
            _array(state, "v", parameter),
            group["lr"],
            group["alpha"],
            group["eps"],
            _decay(parameter, group),
            momentum,
            _array(state, "velocity", parameter) if momentum else None,
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
        _require_positive("eps", group["eps"])

    def _update(self, parameter: Tensor, group: Group, state: dict[str, Any]) -> None:
        k.adagrad_update(
            parameter._data,
            parameter.grad,
            _array(state, "s", parameter),
            group["lr"],
            group["eps"],
            _decay(parameter, group),
        )


def _decay(parameter: Tensor, group: Group) -> float:
    return group["weight_decay"] if getattr(parameter, "decay", True) else 0.0


def _array(state: dict[str, Any], name: str, parameter: Tensor) -> Any:
    """The state array of this name, zeros before the first step."""
    array = state.get(name)
    if array is None:
        array = state[name] = np.zeros_like(parameter._data)
    return array


def _require(name: str, value: float, low: float, below: float) -> None:
    if not low <= value < below:
        raise ValueError(f"{name} wants a number in [{low}, {below}), got {value!r}")


def _require_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} wants a finite number above 0, got {value!r}")
