"""check_gradients: the gradients of a function or a model against differences."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from fastnn.checks import number, whole
from fastnn.differentiate import Trace
from fastnn.gradcheck.compare import ArgumentCheck, Tolerances
from fastnn.gradcheck.directions import random_signs
from fastnn.gradcheck.forward import Forward, trace_of
from fastnn.gradcheck.nodes import OpChecks
from fastnn.gradcheck.report import GradientReport, LostValue, WrongOp
from fastnn.gradcheck.subject import Subject, subject_of
from fastnn.gradcheck.tolerance import default_rtol
from fastnn.gradcheck.trail import entry_of_error
from fastnn.ops.op import plain

Array: TypeAlias = npt.NDArray[Any]


def check_gradients(
    f: Any,
    *args: Any,
    order: int = 1,
    rtol: float | None = None,
    atol: float = 0.0,
    max_coordinates: int = 256,
    directions: int = 16,
    seed: int = 0,
) -> GradientReport:
    """Compare the gradients of f with differences of its values, and each op's by itself.

    ::

        report = fastnn.check_gradients(lambda W: fastnn.cross_entropy(X @ W, y), W)
        report = fastnn.check_gradients(model, "cross_entropy", X, y)
        assert report.ok, report

    Args:
        f, args: one of three.
            A function of arrays that returns a Tensor of any shape, and its arguments as
            ``fastnn.grad`` takes them: arrays of floats, floats, or lists, tuples and dicts
            of them.  What holds no floats, such as labels, is passed to f as it is.
            A Module, a loss, X and y: the loss by all parameters of the model; loss, X and
            y are as ``fastnn.Trainer`` takes them.
            A Module and its inputs: its output by its parameters and by those inputs.
        order: 1 checks the gradient, 2 the gradient of the gradient (``create_graph=True``).
        rtol: the relative tolerance; by default 1e-6 in float64.
        atol: the absolute tolerance, to which is added what rounding hides.
        max_coordinates: arguments of up to so many numbers are checked at every coordinate,
            larger ones along random directions.
        directions: how many of those.
        seed: of all that is random.

    Returns:
        A report, which is true if all is right and reads well when it is printed.

    Compared are a, what the backward gives, and n, a centred difference of f, whose step,
    between 1e-3 and 4e-9 of the argument's size, is chosen for each coordinate by what
    curvature and rounding allow.  They agree when |a - n| is at most ``rtol max(|a|, |n|)``,
    or too small for differences to tell.  A coordinate along which f has a kink (ReLU, max,
    abs), however small the step, has no derivative: it is set aside, and counted.  A result
    of several numbers is projected on a fixed random direction.

    Each op on the way is checked by itself as well: its backward, where it was used, for a
    random gradient, against differences of its forward alone.

    float32: f and its backward are run in float64 on the very same numbers, and besides each
    op's float32 backward is checked by itself, as it was used, with an rtol of 1e-3.  Where
    f has no float64 (it converts to float32, or calls what takes nothing else), all is done
    in float32, and rtol is 8e-3.  float64 is the serious check.

    The arguments and the model are left as they are.

    Raises:
        TypeError: f does not return a Tensor made from its arguments, these hold no floats,
            or an op on the way has no derivative.
        ValueError: f does not depend on its arguments, its value is not finite, or another
            when f is called again (dropout).
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}")
    options = _Options(
        order,
        None if rtol is None else number("rtol", rtol, "(0, 1)"),
        number("atol", atol, "[0, inf)"),
        whole("max_coordinates", max_coordinates, 0),
        whole("directions", directions, 1),
        whole("seed", seed, 0),
    )
    rng = np.random.default_rng(options.seed)
    # What divides by zero or overflows shows in the numbers that are reported.
    with np.errstate(all="ignore"):
        subject = subject_of(f, args)
        trace, projection = _projected_run(subject, rng)
        if order == 2:
            along = [random_signs(value.shape, rng) for value in subject.values]
            subject = subject.slope(along, projection)
            trace, projection = _projected_run(subject, rng)
        return _report(subject, trace, projection, options, rng)


class _Options(NamedTuple):
    order: int
    rtol: float | None
    atol: float
    max_coordinates: int
    directions: int
    seed: int


def _report(
    subject: Subject,
    trace: Trace,
    projection: Array,
    options: _Options,
    rng: np.random.Generator,
) -> GradientReport:
    forward = Forward(subject, trace, projection, rng)
    runs = [forward.trace] if forward.trace is trace else [forward.trace, trace]
    gradients, error = _gradients(runs, projection)
    # Those of a run in float32 have the tolerance of float32.
    ops = [OpChecks(runs[0].nodes, options.rtol, rng)]
    ops += [OpChecks(run.nodes, None, rng) for run in runs[1:]]
    for each in ops:
        each.run(all_of_them=error is not None)
    if error is not None and not _wrong(ops):
        raise error

    rtol = default_rtol(forward.eps) if options.rtol is None else options.rtol
    tolerances = Tolerances(rtol, options.atol, forward.eps, excuses=not _wrong(ops))
    checks = [
        ArgumentCheck(forward, which, gradient, tolerances, rng)
        for which, gradient in enumerate(gradients)
    ]
    arguments = [
        check.report(name, str(value.dtype), options.max_coordinates, options.directions)
        for check, name, value in zip(checks, subject.names, subject.values, strict=False)
    ]
    all_right = error is None and all(each.ok for each in arguments)
    lost: list[LostValue] = []
    if not _wrong(ops):
        for check, argument in zip(checks, arguments, strict=True):
            if not argument.ok:
                lost += _traced(forward, projection, check, argument.name, ops[0])
    return GradientReport(
        ok=all_right and not _wrong(ops),
        max_relative_error=max((each.max_relative_error for each in arguments), default=inf),
        arguments=tuple(arguments),
        wrong_ops=_wrong(ops),
        lost_values=tuple(lost),
        ops=ops[0].total,
        ops_checked=ops[0].checked,
        rtol=rtol,
        atol=max((each.atol for each in arguments), default=options.atol),
        dtype=str(np.result_type(*forward.values)),
        order=options.order,
        seed=options.seed,
    )


def _projected_run(subject: Subject, rng: np.random.Generator) -> tuple[Trace, Array]:
    """A run of the subject, and what its result is projected on."""
    trace = trace_of(subject, subject.values)
    result = trace.result
    if not any(node in trace.nodes for node in trace.variables):
        raise ValueError(
            "f must depend on its arguments, but nothing led from them to its result: are they "
            "used, and as Tensors, without .data, .item() or .detach()?"
        )
    return trace, np.ones(result.shape) if result.size == 1 else random_signs(result.shape, rng)


def _gradients(runs: Sequence[Trace], projection: Array) -> tuple[list[Array], ValueError | None]:
    """The gradients by the first run; or the error of one that has the wrong shape.

    Where those of another run are not finite, neither are these.
    """
    found = []
    try:
        for run in runs:
            gradients = run.gradients(projection.astype(run.result.dtype))
            found.append([np.asarray(plain(each), np.float64) for each in gradients])
    except ValueError as error:
        return [], error
    first, *others = found
    for gradients in others:
        first = [
            np.where(np.isfinite(narrow), wide, narrow)
            for wide, narrow in zip(first, gradients, strict=True)
        ]
    return first, None


def _wrong(ops: Sequence[OpChecks]) -> tuple[WrongOp, ...]:
    """What was found in all runs, once."""
    found: dict[tuple[str, int], WrongOp] = {}
    for each in ops:
        for op in each.wrong:
            found.setdefault((op.name, op.argument), op)
    return tuple(found.values())


def _traced(
    forward: Forward, projection: Array, check: ArgumentCheck, name: str, ops: OpChecks
) -> list[LostValue]:
    """Follow an error that no op shows by itself: to a lost value, or to an op after all."""
    entry = None if check.worst is None else entry_of_error(forward, projection, check.worst)
    if entry is None or entry.node.op is None:
        return []
    if not entry.constants:
        ops.run_along(entry.node, entry.tangents, entry.gradient)
    return [LostValue(entry.node.op.name, position, name) for position in entry.constants]
