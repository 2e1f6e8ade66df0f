"""What all optimizers share: parameter groups, state, and its saving."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from fastnn import _kernels as k
from fastnn.checks import number, real_array
from fastnn.modes import recorder, tracked
from fastnn.tensor import Tensor

Group: TypeAlias = "dict[str, Any]"
Parameters: TypeAlias = "Iterable[Tensor] | Iterable[Group]"


class Optimizer:
    """What all optimizers share: parameter groups, state, and its saving.

    Parameters with ``requires_grad=False`` are frozen: they stay as they are, and learn
    again when that is set to True.

    Attributes:
        param_groups: dicts with ``"params"``, ``"lr"``, ``"initial_lr"`` (the lr at
            construction) and the optimizer's other options, read at every step.
        state: what each parameter remembers between steps, arrays and counts by name.

    Raises:
        TypeError: a parameter is not a Tensor, or is the result of an operation, or an
            option is of another type.
        ValueError: there are no parameters, or all are frozen, one appears twice, or an
            option is out of its range or unknown.
    """

    def __init__(self, params: Parameters, **options: Any) -> None:
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        members = _listed(params)
        groups = members if members and isinstance(members[0], dict) else None
        for group in [{"params": members}] if groups is None else groups:
            self._add_group(group, options)
        if not self.state:
            raise ValueError("params wants at least one parameter, got none")
        if not any(parameter.requires_grad for parameter in self.state):
            raise ValueError(
                "params has nothing to train: none of them needs a gradient (requires_grad=True)"
            )

    def _add_group(self, given: Any, options: Group) -> None:
        if not isinstance(given, dict) or "params" not in given:
            raise TypeError(f'a parameter group wants a dict with "params", got {given!r}')
        unknown = set(given) - set(options) - {"params"}
        if unknown:
            raise ValueError(
                f"a parameter group of {type(self).__name__} wants the options "
                f"{', '.join(options)}, got {', '.join(sorted(unknown))}"
            )
        params = given["params"]
        group = {**options, **given, "params": None}
        group["params"] = [params] if isinstance(params, Tensor) else _listed(params)
        group["initial_lr"] = group["lr"]
        self._check(group)
        for parameter in group["params"]:
            if not isinstance(parameter, Tensor):
                raise TypeError(f"params wants Tensors, got {type(parameter).__name__}")
            made_by = parameter._node.op
            if made_by is not None:
                raise TypeError(
                    f"params wants Tensors that you made, got the result of {made_by.name}: "
                    "updating it would train nothing"
                )
            if parameter in self.state:
                raise ValueError("params has a parameter twice")
            self.state[parameter] = {}
        self.param_groups.append(group)

    def _check(self, group: Group) -> None:
        """Raise a ValueError for an option out of its range."""
        number("lr", group["lr"], "[0, inf)")
        number("weight_decay", group["weight_decay"], "[0, inf)")

    def step(self) -> None:
        """Update every parameter that has a gradient and is not frozen, in place."""
        taken = recorder()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.requires_grad:
                    state = self.state[parameter]
                    if taken is not None:
                        taken.remember(state)
                    self._update(parameter, group, state)
                    parameter._node.overwritten()
        if taken is not None:
            has_rates = [taken.has_rate(group) for group in self.param_groups]
            taken.guard(partial(self._options, has_rates))

    def _options(self, has_rates: list[bool]) -> list[Any]:
        """What a program depends on: options, other than rates that it looks up, and whose
        state it changes."""
        found: list[Any] = [len(self.param_groups)]
        for group, has_rate in zip(self.param_groups, has_rates, strict=False):
            left_out = ("params", "initial_lr", "lr" if has_rate else None)
            found.append({key: group[key] for key in group if key not in left_out})
            found.append([id(self.state.get(each)) for each in group["params"]])
        return found

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
        number("lr", value, "[0, inf)")
        first = self.param_groups[0]["initial_lr"]
        for group in self.param_groups:
            initial = group["initial_lr"]
            # Equal rates stay equal to the bit, and may be zero.
            group["lr"] = value if initial == first else value * (initial / first)

    def regularization(self) -> float:
        """R(W) = Σ weight_decay/2 ΣW² over what decays and is not frozen, in float64."""
        total = 0.0
        for group in self.param_groups:
            if group["weight_decay"]:
                for parameter in group["params"]:
                    if parameter.requires_grad and getattr(parameter, "decay", True):
                        squares = float(k.sum_of_squares(parameter.data))
                        total += group["weight_decay"] / 2 * squares
        return total

    # --- saving ---------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Copies of everything a continued run needs, parameters numbered in order.

        Returns:
            ``{"state": {number: {name: array or int}}, "param_groups": [options]}``,
            each group's ``"params"`` being numbers.
        """
        index = {parameter: i for i, parameter in enumerate(self.state)}
        return {
            "state": {
                index[parameter]: {
                    name: value.copy() if isinstance(value, np.ndarray) else value
                    for name, value in state.items()
                }
                for parameter, state in self.state.items()
            },
            "param_groups": [
                {**group, "params": [index[each] for each in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from what :meth:`state_dict` returned; after an error, as before.

        Raises:
            ValueError: groups, options or shapes differ from this optimizer's, or an
                option is out of its range.
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
            raise ValueError("param_groups of the state divide the parameters in another way")
        for group in groups:
            self._check(group)
        loaded = []
        for index, parameter in enumerate(self.state):
            state = {}
            for name, value in state_dict["state"].get(index, {}).items():
                if isinstance(value, np.ndarray):
                    value = real_array(value, f"state {name} of parameter {index}")
                    if value.shape != parameter.shape:
                        raise ValueError(
                            f"state {name} of parameter {index} wants shape "
                            f"{parameter.shape}, got {value.shape}"
                        )
                    value = value.astype(parameter.dtype)
                state[name] = value
            loaded.append(state)
        for own_group, group in zip(self.param_groups, groups, strict=True):
            own_group.update({**group, "params": own_group["params"]})
        for parameter, state in zip(self.state, loaded, strict=True):
            self.state[parameter] = state


def _listed(params: Any) -> list[Any]:
    """params as a list; an error for what only looks as if it had parameters."""
    if hasattr(params, "parameters"):
        raise TypeError(
            f"params wants Tensors, got a {type(params).__name__}: pass its .parameters()"
        )
    if isinstance(params, Tensor | Mapping | str) or not isinstance(params, Iterable):
        raise TypeError(f"params wants a list of Tensors, got {type(params).__name__}")
    return list(params)


def decay(parameter: Tensor, group: Group) -> float:
    """The weight decay of a parameter: none for one that does not decay."""
    return group["weight_decay"] if getattr(parameter, "decay", True) else 0.0


def state_array(state: dict[str, Any], name: str, parameter: Tensor) -> Any:
    """The state array of this name, zeros before the first step."""
    array = state.get(name)
    if array is None:
        array = state[name] = np.zeros(parameter.shape, parameter.dtype)
    taken = recorder()
    if taken is not None:
        taken.guard(lambda: state.get(name) is array)
    return tracked(array)


def rate(group: Group) -> Any:
    """The learning rate of a group; in a program, looked up before each replay."""
    taken = recorder()
    return group["lr"] if taken is None else taken.rate(group)


def counted(state: dict[str, Any], name: str) -> Any:
    """The number of this step, from 1 on, counted in the state; also by a program."""
    taken = recorder()
    if taken is not None:
        return taken.counted(state, name)
    state[name] = state.get(name, 0) + 1
    return state[name]
