"""Random numbers for steps that are captured: as NumPy's Generator, with new ones at each replay.

::

    rng = fastnn.random.default_rng(0)

    def step(X, y):
        noisy = X + 0.1 * rng.standard_normal(X.shape, np.float32)
        ...

The numbers are Philox4x32-10's (Salmon, Moraes, Dror, Shaw, 2011), a function of the seed, of how
many draws there were before and of the place in the array, and of nothing else: the same for any
number of threads, on every processor, and whether a step is run or replayed.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fastnn import _kernels as kernels
from fastnn.checks import all_right, number
from fastnn.init import Seed
from fastnn.layers.module import Buffer
from fastnn.modes import recorder
from fastnn.program.errors import CaptureError
from fastnn.program.traced import Traced
from fastnn.program.where import where
from fastnn.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Generator", "default_rng"]

Size: TypeAlias = "int | tuple[int, ...] | None"


class Generator:
    """Draws random numbers, also in a step that is captured.

    Each call is a draw, and makes all of its numbers; the next one makes others.  While a step is
    recorded the results are arrays of the program, and each replay draws anew.  In a graph they
    are constants, without a gradient; a ``loc`` or ``scale`` that is a Tensor gets one.  A
    generator is not for several threads at once: give each one its own.

    Args:
        seed: an int of at least 0, a SeedSequence, or NumPy's Generator to draw from; None is a
            new seed from the operating system.

    Attributes:
        buffer: Buffer (2,) of int64: the key that was made of the seed, and the number of draws.  A
            Module that has it as an attribute saves it with the model, so that a run resumes
            with the draws that it would have had.

    Raises:
        CaptureError: it is made in a step that is captured: each run would begin it again.
        TypeError, ValueError: seed is none of these.
    """

    def __init__(self, seed: Seed = None) -> None:
        if recorder() is not None:
            raise CaptureError(
                "a random Generator made in the step would begin anew in each one: make it outside"
                f"{where()}"
            )
        self.buffer = Buffer(np.array([_key(seed), 0], np.int64))

    def __repr__(self) -> str:
        return f"Generator(state={self.state.tolist()})"

    @property
    def state(self) -> npt.NDArray[np.int64]:
        """The key and the number of draws (2,), int64, a copy; assigning it brings it back.

        Raises: (when assigned)
            TypeError: it is not integers.
            ValueError: it is not of shape (2,).
        """
        state: npt.NDArray[np.int64] = self.buffer.data.copy()
        return state

    @state.setter
    def state(self, value: npt.ArrayLike) -> None:
        array = np.asarray(value)
        if array.dtype.kind not in "iu":
            raise TypeError(f"state wants two integers, as a state was, got dtype {array.dtype}")
        if array.shape != (2,):
            raise ValueError(f"state wants an array of shape (2,), got {array.shape}")
        self.buffer.data = array.astype(np.int64)

    # --- draws ------------------------------------------------------------------------

    def random(self, size: Size = None, dtype: npt.DTypeLike = np.float64) -> Any:
        """Uniform in [0, 1): multiples of 2**-53 (float64) or 2**-24 (float32), all as likely.

        Args:
            size: the shape of the result, or None for a scalar.
            dtype: float32 or float64.

        Returns:
            An array of this shape and dtype, or a NumPy scalar.

        Raises:
            TypeError: size is no shape, or dtype is neither.
            ValueError: a length is negative.
        """
        return self._draw(kernels.random_uniform, _shape(size), _float(dtype))

    def uniform(
        self,
        low: Any = 0.0,
        high: Any = 1.0,
        size: Size = None,
        dtype: npt.DTypeLike = np.float64,
    ) -> Any:
        """Uniform in [low, high): low + (high - low) * :meth:`random`, which may round to high.

        Args:
            low, high: numbers, or arrays or Tensors that broadcast; finite, low <= high.
            size: the shape; None is what low and high broadcast to.
            dtype: of the draws, float32 or float64; with low and high it promotes as in NumPy.

        Raises:
            TypeError: naming the argument.
            ValueError: low is above high, or one is not finite, or a length is negative.
        """
        low, high = _real("low", low), _real("high", high)
        shape = _shape_with(size, "low and high", low, high)
        return low + _width(low, high, _float(dtype)) * self.random(shape, dtype)

    def standard_normal(self, size: Size = None, dtype: npt.DTypeLike = np.float64) -> Any:
        """Normal with mean 0 and variance 1.

        By the method of Box and Muller (1958), computed in float64 for either dtype, from 32 bits
        (float32) or 53 (float64) for the radius and as many for the angle.  So none is larger
        than 6.67 or 8.58, where 3e-11 or 1e-17 of the distribution would lie.

        Args:
            size: the shape of the result, or None for a scalar.
            dtype: float32 or float64.

        Returns:
            An array of this shape and dtype, or a NumPy scalar.

        Raises:
            TypeError: size is no shape, or dtype is neither.
            ValueError: a length is negative.
        """
        return self._draw(kernels.random_normal, _shape(size), _float(dtype))

    def normal(
        self,
        loc: Any = 0.0,
        scale: Any = 1.0,
        size: Size = None,
        dtype: npt.DTypeLike = np.float64,
    ) -> Any:
        """Normal with mean loc and standard deviation scale: loc + scale * a standard normal.

        Args:
            loc, scale: numbers, or arrays or Tensors that broadcast; finite, scale at least 0.
            size: the shape; None is what loc and scale broadcast to.
            dtype: of the draws, float32 or float64; with loc and scale it promotes as in NumPy.

        Raises:
            TypeError: naming the argument.
            ValueError: scale is negative, or one is not finite, or a length is negative.
        """
        loc, scale = _real("loc", loc), _real("scale", scale, "[0, inf)")
        shape = _shape_with(size, "loc and scale", loc, scale)
        return loc + scale * self.standard_normal(shape, dtype)

    def integers(
        self,
        low: int,
        high: int | None = None,
        size: Size = None,
        dtype: npt.DTypeLike = np.int64,
        endpoint: bool = False,
    ) -> Any:
        """Uniform integers from low to high - 1, or from 0 to low - 1 where high is None.

        The high half of the product of 128 random bits and the number of integers (Lemire, 2019).
        Nothing is rejected, so that each number has its place: some are likelier than others, by
        less than 2**-64 of their probability.

        Args:
            low, high: integers in the range of dtype.
            size: the shape of the result, or None for a scalar.
            dtype: an integer type; uint64 up to 2**63 - 1.
            endpoint: whether high (or low, where it stands alone) is drawn as well.

        Raises:
            TypeError: low or high is no integer, or dtype is no integer type.
            ValueError: there is no integer between them, or one does not fit in the dtype.
        """
        kind = np.dtype(dtype)
        if kind.kind not in "iu":
            raise TypeError(f"dtype must be an integer type, got {kind}")
        names = ("low", "low") if high is None else ("low", "high")
        first, last = (0, low) if high is None else (low, high)
        first, last = _integer("low", first), _integer(names[1], last) - (not endpoint)
        if first > last:
            raise ValueError(f"{names[1]} leaves no integer to draw: from {first} to {last}")
        greatest = min(np.iinfo(kind).max, 2**63 - 1)
        for name, end in zip(names, (first, last), strict=True):
            if not np.iinfo(kind).min <= end <= greatest:
                raise ValueError(
                    f"{name}: {kind} draws go from {np.iinfo(kind).min} to {greatest}, got {end}"
                )
        bounds = np.array([first, last], np.int64)
        drawn = self._draw(kernels.random_integers, _shape(size), np.dtype(np.int64), bounds)
        return drawn if kind == np.int64 else drawn.astype(kind)

    def _draw(self, kernel: Any, shape: tuple[int, ...], dtype: np.dtype[Any], *rest: Any) -> Any:
        """Fill a new array by a kernel that takes it, the rest and the state; count the draw."""
        taken = recorder()
        state = self.buffer.data
        out: Any = np.empty(shape, dtype) if taken is None else taken.empty(shape, dtype)
        kernel(out, *rest, state)
        draws = state[1:]
        draws += 1
        self.buffer._node.overwritten()
        if shape:
            return out
        return out[()] if taken is None else out.scalar()


def default_rng(seed: Seed = None) -> Generator:
    """A :class:`Generator`, under the name that NumPy's has."""
    return Generator(seed)


def _key(seed: Seed) -> int:
    """63 bits for a seed, others than a Dropout makes of the same one."""
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(2**63))
    if not isinstance(seed, np.random.SeedSequence):
        if seed is not None and _integer("seed", seed) < 0:
            raise ValueError(f"seed must be at least 0, got {seed}")
        seed = np.random.SeedSequence(seed)
    return int(seed.generate_state(1, np.uint64)[0] >> np.uint64(1))


def _integer(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None


def _float(dtype: npt.DTypeLike) -> np.dtype[Any]:
    kind = np.dtype(dtype).newbyteorder("=")
    if kind not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {kind}")
    return kind


def _width(low: Any, high: Any, dtype: np.dtype[Any]) -> Any:
    """high - low, which the dtype must hold."""
    with np.errstate(over="ignore"):
        width = _values(high) - _values(low)
    if not (width >= 0).all():
        raise ValueError(f"low must be at most high, got {low} and {high}")
    if not (width <= np.finfo(dtype).max).all():
        raise ValueError(f"high - low must be finite in {dtype}, got {low} and {high}")
    return high - low


def _shape(size: Any) -> tuple[int, ...]:
    if size is None:
        return ()
    try:
        parts = size if isinstance(size, (tuple, list)) else (size,)
        shape = tuple(operator.index(part) for part in parts)
    except TypeError:
        raise TypeError(f"size must be an integer or a tuple of them, got {size!r}") from None
    if min(shape, default=0) < 0:
        raise ValueError(f"size must have no negative length, got {size}")
    return shape


def _real(name: str, value: Any, interval: str = "(-inf, inf)") -> Any:
    """A number as Python's, which has no dtype to promote to; else an array or a Tensor."""
    if isinstance(value, (int, float, np.integer, np.floating)):
        return number(name, value, interval)
    if not isinstance(value, Tensor | Traced):
        value = np.asarray(value)
    if value.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers, got dtype {value.dtype}")
    values = np.atleast_1d(_values(value))
    all_right(values, np.isfinite(values), name, "not finite")
    if interval.startswith("[0"):
        all_right(values, values >= 0, name, "negative")
    return value


def _values(value: Any) -> npt.NDArray[np.float64]:
    """What there is now; in a recording, of the step that is recorded."""
    data = value.data if isinstance(value, Tensor) else value
    return np.asarray(data.array if isinstance(data, Traced) else data, np.float64)


def _shape_with(size: Size, names: str, *values: Any) -> tuple[int, ...]:
    """The shape that is wanted, or what the values broadcast to."""
    shapes = [getattr(each, "shape", ()) for each in values]
    try:
        common = np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(f"{names} must broadcast, got {shapes[0]} and {shapes[1]}") from None
    if size is None:
        return common
    shape = _shape(size)
    if len(common) > len(shape) or any(
        n not in (1, wanted) for n, wanted in zip(common[::-1], shape[::-1], strict=False)
    ):
        raise ValueError(f"size must be what {names} broadcast to, {common}, got {shape}")
    return shape
