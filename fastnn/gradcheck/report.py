"""What a gradient check has found, and how it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap

_WIDTH = 94
_LABEL = 12


@dataclass(frozen=True)
class ArgumentReport:
    """What was found of the gradient by one argument.

    Attributes:
        name: of the argument or parameter.
        shape, dtype: of its array.
        kind: "coordinates" where every one was checked, "directions" where random ones were.
        checked: how many of them were compared.
        set_aside: how many were not, because f has a kink or a jump there, or ends.
        max_relative_error: the largest ``|a - n| / max(|a|, |n|)`` of a, what the backward
            gives, and n, what differences of f give; where these cannot tell |a - n| from 0
            it is as small as that.
        max_allclose: the largest ``|a - n| / (atol + rtol |n|)``, of which 1 is allowed.
        index: the coordinate with the largest relative error; None where it is that of a
            whole direction, or nothing was compared.
        backward, numerical: a and n there.
        atol: the largest absolute tolerance that was needed.
        symmetric: whether f reads one triangle of a symmetric matrix, as cholesky does; then
            both triangles are moved together.
        ok: whether all that was compared agrees.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    kind: str
    checked: int
    set_aside: int
    max_relative_error: float
    max_allclose: float
    index: tuple[int, ...] | None
    backward: float
    numerical: float
    atol: float
    symmetric: bool
    ok: bool


@dataclass(frozen=True)
class WrongOp:
    """An op whose backward is not the derivative of its own forward.

    Attributes:
        name: of the op.
        argument: the position of the argument by which the derivative is wrong.
        shape: of that argument.
        makes: the name of the Tensor that the op makes, or None.
        uses, wrong_uses: how many of the op's uses were checked, and were wrong.
        backward, numerical: the slope of the op along a random direction, by both ways.
        what: what is wrong, in words.
    """

    name: str
    argument: int
    shape: tuple[int, ...]
    makes: str | None
    uses: int
    wrong_uses: int
    backward: float
    numerical: float
    what: str

    def __str__(self) -> str:
        use = f", which makes {self.makes}," if self.makes else ""
        times = f", in {self.wrong_uses} of {self.uses} uses checked" if self.uses > 1 else ""
        numbers = f" ({self.backward:.6g}, not {self.numerical:.6g}, along a random direction)"
        if self.numerical != self.numerical:
            numbers = ""
        return (
            f"the backward of {self.name!r}{use} by its argument {self.argument} of shape "
            f"{self.shape} {self.what}{numbers}{times}"
        )


@dataclass(frozen=True)
class LostValue:
    """A value that depends on the arguments, and is a constant in the graph.

    Attributes:
        name: of the op that got it.
        argument: its position among the op's arguments.
        depends_on: the argument of f with which it changes.
    """

    name: str
    argument: int
    depends_on: str

    def __str__(self) -> str:
        return (
            f"{self.name!r} got as its argument {self.argument} a value that changes with "
            f"{self.depends_on}, but is a constant in the graph: was it taken out by .data, "
            ".item(), .detach() or no_grad()?"
        )


@dataclass(frozen=True)
class GradientReport:
    """The result of :func:`fastnn.check_gradients`; true if all is right.

    Attributes:
        ok: whether every gradient agrees with the differences of f, and the backward of
            every op with those of its own forward.
        max_relative_error: the largest of the arguments'.
        arguments: an :class:`ArgumentReport` for each.
        wrong_ops: a :class:`WrongOp` for each.
        lost_values: a :class:`LostValue` for each that explains an error.
        ops, ops_checked: how many uses of ops led to the result, and how many were checked.
        rtol: the relative tolerance.
        atol: the largest absolute tolerance that was needed.
        dtype: in which f was evaluated.
        order: 1 for the gradient, 2 for the gradient of the gradient.
        seed: of all that was random.
    """

    ok: bool
    max_relative_error: float
    arguments: tuple[ArgumentReport, ...]
    wrong_ops: tuple[WrongOp, ...]
    lost_values: tuple[LostValue, ...]
    ops: int
    ops_checked: int
    rtol: float
    atol: float
    dtype: str
    order: int
    seed: int

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        blocks = (self._findings(), self._table(), self._notes())
        return "\n\n".join("\n".join(block) for block in map(list, blocks) if block)

    # --- the parts of the text --------------------------------------------------------

    def _findings(self) -> Iterator[str]:
        what = "gradient" if self.order == 1 else "gradient of the gradient"
        found = f"largest relative error {self.max_relative_error:.1e}, allowed is {self.rtol:.1g}"
        if not self.arguments:
            found = "it cannot be computed"
        elif not any(each.checked for each in self.arguments):
            found = "nothing to compare it with"
        yield f"{what} {'ok' if self.ok else 'WRONG'}: {found}"
        for op in self.wrong_ops:
            yield from _note("wrong op", str(op))
        for value in self.lost_values:
            yield from _note("lost", str(value))
        bad = [each.name for each in self.arguments if not each.ok]
        if bad and not (self.wrong_ops or self.lost_values):
            yield from _note(
                "wrong",
                f"the gradient by {', '.join(bad)}, although the backward of each op agrees with "
                "its forward",
            )
        elif self.wrong_ops and not bad and self.arguments:
            yield from _note(
                "", "The gradients by the arguments are right at this point, and wrong at others."
            )

    def _table(self) -> Iterator[str]:
        if self.arguments:
            rows: list[tuple[str, ...]] = [
                ("argument", "shape", "checked", "aside", "error", "at", "backward", "numerical")
            ]
            rows += [_row(each) for each in self.arguments]
            yield from _aligned(rows, left={0, 1, 5})

    def _notes(self) -> Iterator[str]:
        if any(each.checked for each in self.arguments):
            closest = max(each.max_allclose for each in self.arguments)
            yield from _note(
                "error",
                "|a - n| / max(|a|, |n|), a from the backward and n from differences; as allclose "
                f"has it, |a - n| is at most {closest:.2g} times (atol + rtol |n|), with rtol "
                f"{self.rtol:.1g} and atol {self.atol:.1g}, what differences cannot tell from 0",
            )
        if any(each.kind == "directions" for each in self.arguments):
            yield from _note(
                "directions",
                f"random ones of all coordinates, seed {self.seed}; slopes are per unit length",
            )
        symmetric = [each.name for each in self.arguments if each.symmetric]
        if symmetric:
            yield from _note(
                "symmetric",
                f"f reads one triangle of {', '.join(symmetric)}: [i, j] and [j, i] move together",
            )
        if any(each.set_aside for each in self.arguments):
            yield from _note(
                "aside",
                "at a kink (of ReLU, max, abs ...), at a jump, and at the edge of where f is "
                "defined there is no derivative to compare with",
            )
        unchecked = [each.name for each in self.arguments if not each.checked and each.set_aside]
        if unchecked:
            yield from _note("unchecked", f"all of {', '.join(unchecked)}")
        if not self.wrong_ops:
            yield from _note(
                "ops", f"{self._which_ops()}, each alone: its backward is the derivative"
            )
        narrow = sorted({each.dtype for each in self.arguments} - {self.dtype})
        if narrow:
            yield from _note(
                "precision",
                f"{self.dtype}, and each op's backward in {' and '.join(narrow)} as well",
            )

    def _which_ops(self) -> str:
        if self.ops_checked == self.ops:
            return f"{self.ops} checked"
        return f"{self.ops_checked} of {self.ops} checked, of each kind some"


def _row(each: ArgumentReport) -> tuple[str, ...]:
    number = (f"{each.max_relative_error:.1e}", f"{each.backward:.8g}", f"{each.numerical:.8g}")
    error, backward, numerical = number if each.checked else ("", "", "")
    where = "a direction" if each.kind == "directions" else ""
    if each.index is not None:
        where = f"[{', '.join(map(str, each.index))}]" if each.index else ""
    what = each.kind if each.checked != 1 else each.kind[:-1]
    return (
        each.name,
        str(each.shape),
        f"{each.checked} {what}",
        str(each.set_aside),
        error,
        where,
        backward,
        numerical,
        "" if each.ok else "wrong",
    )


def _aligned(rows: list[tuple[str, ...]], left: set[int]) -> Iterator[str]:
    widths = [max(len(row[i]) if i < len(row) else 0 for row in rows) for i in range(len(rows[-1]))]
    for row in rows:
        cells = [
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        yield "  ".join(cells).rstrip()


def _note(label: str, text: str) -> list[str]:
    indent = " " * _LABEL
    return wrap(text, _WIDTH, initial_indent=label.ljust(_LABEL), subsequent_indent=indent)
