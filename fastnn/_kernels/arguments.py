"""What the doorway does with arguments that are not plain: make them so, or say what is wrong.

This is the slow path, in the readable language: it is entered only with lists, unusual
layouts, other integer types, overlapping outputs, and mistakes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from fastnn._kernels.relations import relate_sizes
from fastnn._kernels.signatures import NEEDED_WITH, WRITTEN, Argument

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_INT64_MAX = np.iinfo(np.int64).max


class _Call:
    """The arguments of one call, and what their shapes and types have told so far."""

    def __init__(self, kernel: str, arguments: Sequence[Argument], given: dict[str, Any]) -> None:
        self.kernel = kernel
        self.arguments = arguments
        self.given = given
        self.sizes = {d: int(d) for a in arguments for d in a.dims if d.isdecimal()}
        self.scalars: dict[str, float] = {}
        self.group: tuple[int, ...] | None = None
        self.dtype: np.dtype[Any] | None = None
        self.first = ""  # the argument that the others are compared with

    def fail(self, argument: Argument, message: str, error: type = ValueError) -> NoReturn:
        raise error(f"{self.kernel}: {argument.name} {message}")

    # --- scalars ---

    def scalar(self, argument: Argument) -> float | int | bool:
        if argument.name not in self.given:
            if argument.default is None:
                self.fail(
                    argument,
                    f"is missing: wanted a number ({argument.role})",
                    TypeError,
                )
            return argument.default
        value = self.given[argument.name]
        if isinstance(value, np.ndarray) and value.shape == ():
            value = value[()]
        if not isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)):
            self.fail(argument, f"must be a number, got {_describe(value)}", TypeError)
        try:
            float(value)
        except OverflowError:
            self.fail(argument, "is an integer too large for a floating-point number")
        if argument.role != "float" and not float(value).is_integer():
            self.fail(argument, f"must be a whole number, got {value!r}", TypeError)
        if value != value:
            self.fail(argument, "must be a number, got nan")
        if argument.minimum is not None and not value >= argument.minimum:
            self.fail(argument, f"must be at least {argument.minimum:g}, got {value}")
        if argument.maximum is not None and not value <= argument.maximum:
            self.fail(argument, f"must be at most {argument.maximum:g}, got {value}")
        return float(value) if argument.role == "float" else int(value)

    # --- arrays ---

    def array(self, argument: Argument) -> Any:
        """A plain array, or None or False where that may stand."""
        value = self.given.get(argument.name)
        if value is None:
            return self.absent(argument)
        if value is False and argument.is_output and argument.optional:
            return False
        if argument.role in WRITTEN:
            return self.written(argument, value)
        return self.read(argument, value)

    def absent(self, argument: Argument) -> None:
        scalar = NEEDED_WITH.get((self.kernel, argument.name))
        if scalar is not None and self.given.get(scalar, 0) != 0:
            self.fail(
                argument,
                f"is needed when {scalar} is not 0: give an array of zeros like w",
            )
        if not argument.optional and not argument.is_output:
            what = "is None" if argument.name in self.given else "is missing"
            self.fail(argument, f"{what}: wanted {self.wanted(argument)}", TypeError)

    def wanted(self, argument: Argument) -> str:
        kind = {
            "labels": "integers",
            "weights": "real numbers",
            "in64": "real numbers",
            "source": "uint8, float32 or float64",
            "out64": "float64",
            "outlabels": "int64",
            "inoutlabels": "int64",
        }.get(argument.role, str(self.dtype or "float32 or float64"))
        return f"an array of {kind} of shape {self.shape_text(argument)}"

    def shape_text(self, argument: Argument) -> str:
        parts: list[str] = []
        for dim in argument.dims:
            if dim == "..." and self.group is not None:
                parts.extend(str(size) for size in self.group)
            else:
                parts.append(str(self.sizes.get(dim, dim)))
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"

    def read(self, argument: Argument, value: Any) -> np.ndarray:
        if isinstance(value, np.ma.MaskedArray):
            self.fail(
                argument,
                f"is a masked array; pass {argument.name}.filled(value) to say what "
                "the masked elements are",
                TypeError,
            )
        try:
            array = np.asarray(value)
        except ValueError as error:
            self.fail(argument, f"cannot be made an array: {error}")
        if argument.role == "labels":
            return self.labels(argument, array)
        if argument.role in ("weights", "in64"):
            if array.dtype.kind not in "fiub":
                self.fail(argument, f"must be real numbers, got {array.dtype}", TypeError)
            dtype = np.dtype(np.float64)
        elif argument.role == "source":
            if array.dtype.newbyteorder("=") not in (np.dtype(np.uint8), *_FLOATS):
                self.fail(
                    argument,
                    f"must be uint8, float32 or float64, got {array.dtype}",
                    TypeError,
                )
            dtype = array.dtype.newbyteorder("=")
        else:
            dtype = self.floating(argument, array)
        self.check_shape(argument, array)
        return _plain(array, dtype)

    def floating(self, argument: Argument, array: np.ndarray) -> np.dtype[Any]:
        dtype = array.dtype.newbyteorder("=")
        if argument.role == "target" and array.dtype.kind in "iub" and self.dtype:
            return self.dtype
        if dtype not in _FLOATS:
            advice = (
                f"; convert it with {argument.name}.astype(np.float32)"
                if array.dtype.kind in "iubf"
                else ""
            )
            self.fail(
                argument,
                f"must be float32 or float64, got {array.dtype}{advice}",
                TypeError,
            )
        if self.dtype is None:
            self.dtype = dtype
        elif dtype != self.dtype:
            self.fail(
                argument,
                f"is {dtype} but {self.first} is {self.dtype}: "
                "all arrays of one call must have one type",
                TypeError,
            )
        return dtype

    def labels(self, argument: Argument, array: np.ndarray) -> np.ndarray:
        classes = self.sizes.get("C") if argument.name == "y" else self.sizes.get("R")
        allowed = f"integers from 0 to {classes - 1}" if classes else "integers"
        if array.ndim == 2 and argument.name == "y":
            self.fail(
                argument,
                f"must be class indices of shape {self.shape_text(argument)}, {allowed}, got "
                f"shape {array.shape}; pass "
                + ("y[:, 0]" if array.shape[1] == 1 else "y.argmax(axis=1) of one-hot rows"),
            )
        self.check_shape(argument, array)
        if array.dtype.kind not in "iu":
            if array.size == 0 and not isinstance(self.given[argument.name], np.ndarray):
                return np.empty(0, np.int64)
            example = f" ({argument.name}[0] is {array.flat[0]})" if array.size else ""
            self.fail(argument, f"must be {allowed}, got {array.dtype}{example}", TypeError)
        if array.dtype.kind == "u" and array.size and array.max() > _INT64_MAX:
            at = int(array.argmax())
            raise ValueError(
                f"{self.kernel}: {argument.name}[{at}] is {array[at]}, allowed are {allowed}"
            )
        return _plain(array, np.dtype(np.int64))

    def check_shape(self, argument: Argument, array: np.ndarray) -> None:
        fixed = sum(dim != "..." for dim in argument.dims)
        loose = fixed < len(argument.dims)
        if array.ndim < fixed or (array.ndim > fixed and not loose):
            self.wrong_shape(argument, array)
        at = 0
        for dim, not_empty in zip(argument.dims, argument.not_empty, strict=True):
            if dim == "...":
                inner = array.shape[at : at + array.ndim - fixed]
                at += len(inner)
                if self.group is None:
                    self.group = inner
                if self.group != inner:
                    self.wrong_shape(argument, array)
                if not_empty and 0 in inner:
                    self.empty(argument, array)
                continue
            size = array.shape[at]
            at += 1
            if self.sizes.setdefault(dim, size) != size:
                self.wrong_shape(argument, array)
            if not_empty and size == 0:
                self.empty(argument, array)
        self.first = self.first or argument.name

    def wrong_shape(self, argument: Argument, array: np.ndarray) -> NoReturn:
        first = next(a for a in self.arguments if a.name == (self.first or argument.name))
        like = ""
        if first is not argument:
            shape = np.shape(self.given[first.name])
            like = f" because {first.name} is {shape}"
        self.fail(
            argument,
            f"must have shape {self.shape_text(argument)}{like}, got shape {array.shape}",
        )

    def empty(self, argument: Argument, array: np.ndarray) -> NoReturn:
        if argument.dims[0] == "N" and (
            (argument.not_empty[0] and len(array) == 0) or argument.dims[-1] == "..."
        ):
            self.fail(
                argument,
                f"has shape {array.shape}: the mean over an empty batch is undefined",
            )
        if argument.dims[0] == "N" and len(argument.dims) == 4:
            wanted = "a batch may be empty, channels, rows and columns may not"
        elif len(argument.dims) == 4:
            wanted = "no dimension may be empty"
        else:
            wanted = "it needs at least one column"
        self.fail(argument, f"has shape {array.shape}: {wanted}")

    def written(self, argument: Argument, value: Any) -> np.ndarray:
        if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
            self.fail(
                argument,
                f"must be a NumPy array to write to, got {_describe(value)}",
                TypeError,
            )
        dtype = value.dtype.newbyteorder("=")
        wanted: np.dtype[Any]
        if argument.role == "out64":
            wanted = np.dtype(np.float64)
        elif argument.role in ("outlabels", "inoutlabels"):
            wanted = np.dtype(np.int64)
        else:
            wanted = self.floating(argument, value)
        if dtype != wanted:
            self.fail(argument, f"must be {wanted}, got {value.dtype}", TypeError)
        self.check_shape(argument, value)
        if not value.flags.writeable:
            self.fail(argument, "is read-only: wanted an array to write to")
        if _overlaps_itself(value):
            self.fail(argument, "has elements that share memory (a broadcast array)")
        return value


def _overlaps_itself(array: np.ndarray) -> bool:
    """Whether elements may share memory: an axis steps inside what lies below it."""
    span = array.itemsize
    axes = zip(map(abs, array.strides), array.shape, strict=True)
    for stride, n in sorted(axis for axis in axes if axis[1] > 1):
        if stride < span:
            return True
        span += stride * (n - 1)
    return False


def _describe(value: Any) -> str:
    return f"{value!r}" if isinstance(value, (str, bool)) else type(value).__name__


def _plain(array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """A C-contiguous, aligned, native array; the same one where it is that already."""
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"]).view(np.ndarray)


def _is_plain(array: np.ndarray) -> bool:
    return type(array) is np.ndarray and array.flags.carray and array.dtype.isnative


def _share_memory(a: np.ndarray, b: np.ndarray) -> bool:
    try:
        # NumPy takes any bound; its stubs know only the two named ones
        return np.shares_memory(a, b, max_work=10_000)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def normalise(
    kernel: str, arguments: Sequence[Argument], given: dict[str, Any]
) -> tuple[list[Any], list[tuple[int, np.ndarray, np.ndarray]]]:
    """Plain arguments for ``kernel``, and which outputs are to be copied back afterwards.

    The copies are (place among the arrays, the user's array, the plain array).
    """
    call = _Call(kernel, arguments, given)
    if kernel in ("gather_rows", "gather_images") and isinstance(given.get("out"), np.ndarray):
        call.dtype, call.first = given["out"].dtype.newbyteorder("="), "out"
    plain: list[Any] = []
    related = False
    for argument in arguments:
        if argument.is_output and not related:
            relate_sizes(kernel, arguments, given, call.sizes, call.scalars)
            related = True
        if argument.is_scalar:
            plain.append(call.scalar(argument))
            call.scalars[argument.name] = plain[-1]
        else:
            plain.append(call.array(argument))
    arrays = [(i, a) for i, a in enumerate(arguments) if not a.is_scalar]
    copies = []
    for place, (i, argument) in enumerate(arrays):
        target = plain[i]
        if argument.role not in WRITTEN or not isinstance(target, np.ndarray):
            continue
        lies_apart = True
        for j, other in arrays:
            value = given.get(other.name)
            if j == i or not isinstance(value, np.ndarray):
                continue
            if other.role in WRITTEN and _share_memory(target, value):
                call.fail(argument, f"and {other.name} are written to the same memory")
            lies_apart = lies_apart and not np.may_share_memory(target, value)
        if not (lies_apart and _is_plain(target)):
            copy = np.empty(target.shape, target.dtype.newbyteorder("="))
            if not argument.is_output:
                copy[...] = target
            plain[i] = copy
            copies.append((place, target, copy))
    return plain, copies


# The numbers of ``Status`` in call.pxd.
_LABEL_OUT_OF_RANGE, _BAD_WEIGHT, _NO_WEIGHT, _TARGET_OUT_OF_RANGE = 1, 2, 3, 4
_ONE_VALUE, _TOO_LARGE = 5, 6


def explain(
    kernel: str,
    arguments: Sequence[Argument],
    arrays: Sequence[Any],
    status: int,
    bad_array: int,
    index: int,
) -> NoReturn:
    """Raise the error for what a kernel found wrong in the values of its arguments."""
    named = [argument for argument in arguments if not argument.is_scalar]
    if status == _NO_WEIGHT:
        raise ValueError(
            f"{kernel}: the weights sum to zero or to infinity: their mean is undefined"
        )
    name, array = named[bad_array].name, arrays[bad_array]
    if status == _ONE_VALUE:
        raise ValueError(
            f"{kernel}: {name} of shape {np.shape(array)} has one value for each channel, of which "
            "the variance is undefined: in training at least 2 are needed"
        )
    if status == _TOO_LARGE:
        raise ValueError(
            f"{kernel}: {name} of shape {np.shape(array)} has images of more than 2**31 elements a "
            "channel"
        )
    where = np.unravel_index(index, np.shape(array))
    value = np.asarray(array)[where]
    place = f"{name}[{', '.join(str(int(i)) for i in where)}]"
    if status == _LABEL_OUT_OF_RANGE:
        source = np.asarray(arrays[0])
        if name == "indices":
            wanted = f"0 to {len(source) - 1}: {named[0].name} has {len(source)} rows"
        else:
            wanted = f"0 to {source.shape[1] - 1}: {named[0].name} has {source.shape[1]} classes"
        raise ValueError(f"{kernel}: {place} is {value}, allowed are {wanted}")
    if status == _BAD_WEIGHT:
        raise ValueError(f"{kernel}: {place} is {value}, but weights are finite and not negative")
    raise ValueError(f"{kernel}: {place} is {value}, but targets are probabilities between 0 and 1")
