"""Learning-rate schedules: pure functions of the step, so resuming needs no state.

A schedule's ``factor(step, total_steps, steps_per_epoch)`` is what the base learning
rate is multiplied with at the 0-based global step.  Where a schedule speaks of a final
factor, it is reached at ``total_steps``, just after the last step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from fastnn.checks import number, whole

Formula: TypeAlias = "Callable[[int, int, int], float]"


class Schedule:
    """An immutable learning-rate schedule, equal to another of the same config.

    Make one with the functions of this module; a formula of your own works as
    ``Schedule("name", {}, formula)``, but cannot be built again from its config.

    Args:
        name: the function of this module that makes such schedules.
        parameters: its arguments, as JSON can hold them.
        formula: ``formula(step, total_steps, steps_per_epoch) -> factor``.
    """

    __slots__ = ("_formula", "_name", "_parameters")

    def __init__(self, name: str, parameters: dict[str, float], formula: Formula) -> None:
        self._name = name
        self._parameters = dict(parameters)
        self._formula = formula

    def factor(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        """The multiplier of the base learning rate.

        Args:
            step: 0-based global step, counted over all epochs.
            total_steps: steps of the whole run, at least 1.
            steps_per_epoch: at least 1.
        """
        return self._formula(step, total_steps, steps_per_epoch)

    def config(self) -> dict[str, Any]:
        """``{"name": ..., **arguments}``, from which :func:`from_config` builds it."""
        return {"name": self._name, **self._parameters}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and self.config() == other.config()

    def __hash__(self) -> int:
        return hash(tuple(self.config().items()))

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self._parameters.items())
        return f"schedules.{self._name}({arguments})"

    def __reduce__(self) -> tuple[Any, ...]:
        return from_config, (self.config(),)


def constant() -> Schedule:
    """Always 1."""
    return Schedule("constant", {}, lambda step, total, per_epoch: 1.0)


def step(step_size: int, gamma: float = 0.1) -> Schedule:
    """Times gamma after every ``step_size`` epochs.

    Raises:
        ValueError: step_size is below 1 or gamma is not in (0, 1].
    """
    size = whole("step_size", step_size, 1)
    gamma = number("gamma", gamma, "(0, 1]")
    return Schedule(
        "step",
        {"step_size": size, "gamma": gamma},
        lambda step, total, per_epoch: gamma ** (step // per_epoch // size),
    )


def exponential(gamma: float) -> Schedule:
    """Times gamma after every epoch.

    Raises:
        ValueError: gamma is not in (0, 1].
    """
    gamma = number("gamma", gamma, "(0, 1]")
    return Schedule(
        "exponential",
        {"gamma": gamma},
        lambda step, total, per_epoch: gamma ** (step // per_epoch),
    )


def cosine(warmup: float = 0.0, final: float = 0.0) -> Schedule:
    """Half a cosine from 1 down to ``final`` (Loshchilov, Hutter, "SGDR", 2017).

    Args:
        warmup: part of the run, in [0, 1), that first climbs linearly to 1.
        final: factor at the end, in [0, 1].

    Raises:
        ValueError: an argument is out of its range.
    """
    return _warmed("cosine", warmup, final, lambda p: _blend(1.0, final, p))


def linear(warmup: float = 0.0, final: float = 0.0) -> Schedule:
    """A straight line from 1 down to ``final``.

    Arguments and errors: as :func:`cosine`.
    """
    return _warmed("linear", warmup, final, lambda p: 1 + (final - 1) * p)


def one_cycle(peak_at: float = 0.3, start: float = 1 / 25, final: float = 1e-4) -> Schedule:
    """Up from ``start`` to 1, then down to ``final``, along half cosines.

    Source: Smith, Topin, "Super-convergence" (2018).

    Args:
        peak_at: part of the run, in [0, 1), at which the factor is 1.
        start, final: factors at the ends, in [0, 1].

    Raises:
        ValueError: an argument is out of its range.
    """
    peak_at = number("peak_at", peak_at, "[0, 1)")
    start = number("start", start, "[0, 1]")
    final = number("final", final, "[0, 1]")

    def formula(step: int, total: int, per_epoch: int) -> float:
        progress = step / total
        if progress < peak_at:
            return _blend(start, 1.0, progress / peak_at)
        return _blend(1.0, final, (progress - peak_at) / (1 - peak_at))

    return Schedule("one_cycle", {"peak_at": peak_at, "start": start, "final": final}, formula)


def _warmed(name: str, warmup: float, final: float, shape: Callable[[float], float]) -> Schedule:
    """A linear climb to 1, then ``shape`` of the progress through the rest."""
    warmup = number("warmup", warmup, "[0, 1)")
    final = number("final", final, "[0, 1]")

    def formula(step: int, total: int, per_epoch: int) -> float:
        climb = round(warmup * total)
        if step < climb:
            return (step + 1) / climb  # the first step already learns
        return shape(min(1.0, (step - climb) / max(1, total - climb)))

    return Schedule(name, {"warmup": warmup, "final": final}, formula)


def _blend(start: float, end: float, progress: float) -> float:
    """Half a cosine from start to end, flat at both; progress beyond 1 stays at end."""
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, progress))) / 2


_BY_NAME: dict[str, Callable[..., Schedule]] = {
    f.__name__: f for f in (constant, step, exponential, cosine, linear, one_cycle)
}


def get(schedule: str | Schedule | None) -> Schedule:
    """A Schedule from its name, with arguments after a colon: ``"step:10,0.5"``.

    A Schedule is returned as it is, and None stands for ``constant()``.

    Raises:
        ValueError: the name is unknown, or the arguments do not fit it.
        TypeError: not a string, Schedule or None.
    """
    if schedule is None:
        return constant()
    if isinstance(schedule, Schedule):
        return schedule
    if not isinstance(schedule, str):
        raise TypeError(f"schedule wants a name or a Schedule, got {schedule!r}")
    name, _, arguments = schedule.partition(":")
    try:
        numbers = [_number(part) for part in arguments.split(",")] if arguments else []
    except ValueError:
        raise ValueError(
            f"schedule {schedule!r} wants numbers after the colon, as in 'step:10,0.5'"
        ) from None
    return _make(name, *numbers)


def _number(text: str) -> float:
    value = float(text)
    return int(value) if value.is_integer() else value


def from_config(config: dict[str, Any]) -> Schedule:
    """The schedule whose ``config()`` this is.

    Raises:
        ValueError: the config is malformed.
    """
    arguments = dict(config)
    return _make(arguments.pop("name", None), **arguments)


def _make(name: Any, *args: float, **kwargs: float) -> Schedule:
    if name not in _BY_NAME:
        raise ValueError(f"schedule wants one of {', '.join(_BY_NAME)}, got {name!r}")
    try:
        return _BY_NAME[name](*args, **kwargs)
    except TypeError as error:
        raise ValueError(f"schedule {name}: {error}") from None
