"""Module: what every layer and model is; Parameter: what it learns; Buffer: what it keeps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from fastnn import _kernels as k
from fastnn.checks import finite, real_array, whole
from fastnn.init import Seed
from fastnn.modes import no_grad, recorder
from fastnn.ops.op import answer_of
from fastnn.tensor import Tensor, wrap

if TYPE_CHECKING:
    import numpy.typing as npt

Self = TypeVar("Self", bound="Module")


class Parameter(Tensor):
    """A Tensor that is learned: it needs a gradient, and a Module finds it.

    Args:
        data: initial values, copied; of a floating dtype.
        decay: whether weight decay applies to it: True for weights, False for biases.

    Raises:
        TypeError: data is not floating-point.
    """

    __slots__ = ("decay",)

    def __init__(self, data: Any, decay: bool = True) -> None:
        super().__init__(data, requires_grad=True)
        self.decay = decay


class Buffer(Tensor):
    """A Tensor that a Module keeps but does not learn, such as running statistics.

    A Module finds it as it finds Parameters; it is saved and loaded with them.  A layer
    changes it in place, by its ``data``.

    Args:
        data: initial values, copied.

    Raises:
        TypeError: data is not real numbers.
    """

    __slots__ = ()

    def __init__(self, data: Any) -> None:
        super().__init__(data)


class Module:
    """A part of a net with parameters of its own.

    A subclass sets Parameters, Buffers and Modules as attributes, alone or in lists, tuples
    and dicts, and defines ``forward``.  To be saved it is registered, and a subclass whose
    constructor has required arguments returns them from ``config()``.

    Attributes:
        training: the mode that ``train()`` and ``eval()`` set.
        input_shape: of one sample, where the module is made for one, as those of
            ``fastnn.models`` are; ``summary()`` shows the layers for it.
    """

    training: bool = True
    input_shape: tuple[int, ...] | None = None
    _registered_name: ClassVar[str]

    def forward(self, *inputs: Any) -> Any:
        """The outputs, Tensors, for inputs that are Tensors."""
        raise NotImplementedError(f"{type(self).__qualname__} wants a forward method")

    def __call__(self, *inputs: Any) -> Any:
        """``forward``, with arrays and lists of numbers wrapped in Tensors.

        Raises:
            TypeError: an array does not hold real numbers, or hides some under a mask.
        """
        taken = recorder()
        if taken is not None:
            taken.guard(partial(self._fingerprint, taken.remember(vars(self))))
        return self.forward(
            *[each if isinstance(each, Tensor) else _input(each) for each in inputs]
        )

    def _fingerprint(self, but: set[str]) -> list[Any]:
        """What a program that was recorded with this module depends on."""
        return [
            (name, member if isinstance(member, int | float | str) else id(member))
            for name, member in (("training", self.training), *self.members())
            if name not in but
        ]

    # --- what it is made of ---------------------------------------------------------

    def members(self) -> Iterator[tuple[str, Any]]:
        """The attributes, among them Parameters, Buffers and Modules, in order."""
        yield from vars(self).items()

    def named_tensors(self) -> Iterator[tuple[str, Parameter | Buffer]]:
        """Every Parameter and every Buffer once, with its dotted name."""
        seen: set[int] = set()
        for name, member in _members(self):
            if isinstance(member, (Parameter, Buffer)) and id(member) not in seen:
                seen.add(id(member))
                yield name, member

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every Parameter once, with its dotted name such as ``"0.weight"``."""
        return ((n, each) for n, each in self.named_tensors() if isinstance(each, Parameter))

    def parameters(self) -> Iterator[Parameter]:
        """Every Parameter once, in the order of :meth:`named_parameters`."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Every Buffer once, with its dotted name such as ``"1.running_mean"``."""
        return ((n, each) for n, each in self.named_tensors() if isinstance(each, Buffer))

    def buffers(self) -> Iterator[Buffer]:
        """Every Buffer once, in the order of :meth:`named_buffers`."""
        return (buffer for _, buffer in self.named_buffers())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module, as ``""``, and every module inside it, each once, with dotted names."""
        seen = {id(self)}
        yield "", self
        for name, member in _members(self):
            if isinstance(member, Module) and id(member) not in seen:
                seen.add(id(member))
                yield name, member

    def modules(self) -> Iterator[Module]:
        """This module and every module inside it, each once."""
        return (module for _, module in self.named_modules())

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the parameters; float32 for a module that has none."""
        first = next(self.parameters(), None)
        return np.dtype(np.float32) if first is None else first.dtype

    def astype(self: Self, dtype: npt.DTypeLike) -> Self:
        """Convert all parameters and floating buffers, drop gradients, and return self.

        Optimizers must be made afterwards: their state has the former dtype.

        Raises:
            TypeError: dtype is not floating-point.
        """
        wanted = np.dtype(dtype)
        if wanted.kind != "f":
            raise TypeError(f"dtype wants a floating dtype, got {wanted}")
        for _, tensor in self.named_tensors():
            if tensor.dtype.kind == "f":
                tensor._node.data = tensor.data.astype(wanted)
                tensor.grad = None
        return self

    # --- modes and gradients --------------------------------------------------------

    def train(self: Self, mode: bool = True) -> Self:
        """Switch to training behaviour, and return self."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        """Switch to the behaviour of evaluation, and return self."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def reset_parameters(self, seed: Seed = None) -> None:
        """Draw new initial parameters, here and in every module inside.

        Args:
            seed: an int, a SeedSequence, or a Generator to draw from.
        """
        rng = np.random.default_rng(seed)
        for module in self.modules():
            module._draw(rng)

    def _draw(self, rng: np.random.Generator) -> None:
        """Draw the parameters that belong to this very module, if it has any."""

    # --- saving ---------------------------------------------------------------------

    def config(self) -> Any:
        """The constructor's arguments, as JSON can hold them."""
        return {}

    @classmethod
    def _parameter_shapes(cls, config: Any) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters and buffers by name, told without making them.

        Only asked of a class that defines it itself.
        """
        raise NotImplementedError

    @classmethod
    def from_config(cls: type[Self], config: Any) -> Self:
        """The module that ``config()`` described."""
        return cls(**config)

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of all parameters and buffers by name."""
        return {name: each.data.copy() for name, each in self.named_tensors()}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Copy values into the parameters and buffers, all of them or, after an error, none.

        Raises:
            TypeError: state is no mapping, a value of it is no array of real numbers, or one
                for a buffer of integers is none of integers.
            ValueError: names are missing or unexpected, or shapes differ.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state must map names to arrays, got {type(state).__name__}")
        arrays = {name: real_array(value, str(name)) for name, value in state.items()}
        tensors = dict(self.named_tensors())
        check_shapes(
            {name: tensor.shape for name, tensor in tensors.items()},
            {name: array.shape for name, array in arrays.items()},
        )
        for name, tensor in tensors.items():
            if not np.can_cast(arrays[name].dtype, tensor.dtype, "same_kind"):
                raise TypeError(f"{name} wants {tensor.dtype}, got {arrays[name].dtype}")
        for name, tensor in tensors.items():
            tensor.data = arrays[name]

    # --- using a trained model ------------------------------------------------------

    def scores(self, X: npt.ArrayLike, batch_size: int | None = None) -> npt.NDArray[Any]:
        """The outputs for all rows of X, computed in batches, in evaluation mode.

        Args:
            X: (N, ...) finite numbers, cast to the model's dtype.
            batch_size: rows at a time, which bounds the memory needed; None: 1024, and fewer
                of rows with more than 4096 numbers.

        Raises:
            TypeError: X does not hold real numbers, or hides some under a mask.
            ValueError: X is a single number, or has a value that is not finite in the model's
                dtype, or batch_size is below 1.
        """
        X = real_array(X, "X")
        if X.ndim == 0:
            raise ValueError(f"X wants rows, got a single number, {X}")
        if batch_size is None:
            batch_size = rows_at_once(X.shape[1:])
        batch_size = whole("batch_size", batch_size, 1)
        dtype = self.dtype
        finite(X, "X", dtype)
        with in_mode(self, training=False), no_grad():
            batches = [
                self(X[start : start + batch_size].astype(dtype, copy=False)).data
                for start in range(0, max(len(X), 1), batch_size)
            ]
        return np.concatenate(batches)

    def predict(self, X: npt.ArrayLike, batch_size: int | None = None) -> npt.NDArray[Any]:
        """The class of each row: the index of its largest score, int64 (N,).

        A model with a single output column predicts a value: (N,) in its dtype.

        Args: see :meth:`scores`.
        """
        scores = self.scores(X, batch_size)
        if scores.ndim == 2 and scores.shape[1] == 1:
            return scores[:, 0]
        classes: npt.NDArray[Any] = np.argmax(scores, axis=-1)
        return classes.astype(np.int64, copy=False)

    def predict_proba(self, X: npt.ArrayLike, batch_size: int | None = None) -> npt.NDArray[Any]:
        """The probability of each class: softmax of the scores, (N, C).

        Args: see :meth:`scores`.

        Raises:
            ValueError: the model has a single output column, whose softmax is 1.
        """
        scores = self.scores(X, batch_size)
        if scores.shape[-1] == 1:
            raise ValueError(
                "predict_proba wants a model with 2 or more output columns, got 1: for "
                "a logit, apply the sigmoid to scores(X)"
            )
        probabilities: npt.NDArray[Any] = k.softmax(scores)
        return probabilities

    def summary(self, input_shape: Sequence[int] | None = None) -> str:
        """A table of the parameters, or of the layers for samples of a shape.

        Without an input shape: each parameter's shape and number, and the bytes of all.

        Args:
            input_shape: the shape of one sample, such as (3, 224, 224); None: the model's own,
                if it is made for one, as those of ``fastnn.models`` are.  Then a sample of
                zeros goes through the model, and the table tells each layer's output, its
                parameters and its multiply-adds for one sample (of the layers that have
                ``multiply_adds``: convolutions and linear ones).

        Raises:
            TypeError, ValueError: input_shape is no shape of sizes, or does not fit the model.
        """
        from fastnn.layers import summary  # which imports this module

        shape = self.input_shape if input_shape is None else input_shape
        return summary.of_parameters(self) if shape is None else summary.of_layers(self, shape)


def rows_at_once(row_shape: tuple[int, ...]) -> int:
    """How many rows of this shape to evaluate together: 1024, or 2**22 numbers if that is less."""
    return max(1, min(1024, 2**22 // max(math.prod(row_shape), 1)))


@contextmanager
def in_mode(model: Module, *, training: bool) -> Iterator[None]:
    """The model in training or in evaluation mode; afterwards as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _input(value: Any) -> Any:
    """Arrays and lists of numbers as Tensors; a forward may take anything else too."""
    if isinstance(value, np.ndarray):
        return wrap(real_array(value, "input"))
    if answer_of(type(value)):
        return wrap(value)
    first = value
    while isinstance(first, list) and first:
        first = first[0]
    if first is not value and isinstance(first, int | float | np.number | np.ndarray):
        return wrap(real_array(value, "input"))
    return value


def check_shapes(
    wanted: Mapping[str, tuple[int, ...]], given: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise a ValueError unless the names and shapes of parameters are the same."""
    missing = [name for name in wanted if name not in given]
    unexpected = [name for name in given if name not in wanted]
    if missing or unexpected:
        raise ValueError(
            f"state wants the names of this model's parameters: "
            f"missing {missing}, unexpected {unexpected}"
        )
    for name, shape in wanted.items():
        if given[name] != shape:
            raise ValueError(f"{name} wants shape {shape}, got {given[name]}")


def _members(owner: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Parameters, Buffers and Modules inside a Module or container, depth first, with names."""
    items: Iterable[tuple[str, Any]]
    if isinstance(owner, Module):
        items = owner.members()
    elif isinstance(owner, dict):
        items = ((str(key), value) for key, value in owner.items())
    else:
        items = ((str(i), value) for i, value in enumerate(owner))
    for name, value in items:
        if isinstance(value, (Parameter, Buffer)):
            yield prefix + name, value
        elif isinstance(value, Module):
            yield prefix + name, value
            yield from _members(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple, dict)):
            yield from _members(value, f"{prefix}{name}.")
