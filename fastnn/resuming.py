"""What ``Trainer.save`` writes and ``Trainer.resume`` reads beside the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastnn import optim
from fastnn.layers.module import Module
from fastnn.serialize import (
    StrPath,
    build_model,
    damaged,
    explaining,
    model_header,
    pack,
    read_file,
    unpack,
    write_file,
)

_OPTIMIZERS: dict[str, type[optim.Optimizer]] = {
    cls.__name__: cls for cls in (optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad)
}


def save(
    model: Module,
    state: Mapping[str, Any],
    path: StrPath,
    metadata: Mapping[str, Any] | None,
) -> None:
    """Write a model's file with a trainer's state beside the weights."""
    header = model_header(model, metadata)
    tensors = model.state_dict()
    header["trainer"] = pack(state, tensors)
    write_file(path, tensors, header)


def read(path: StrPath, has_loss: bool) -> tuple[Module, dict[str, Any]]:
    """The model and the state that ``save`` wrote.

    Raises:
        OSError: if the file cannot be read.
        ValueError: naming ``path``, if it is damaged or holds no run, or if a function
            as the loss is missing or not wanted.
    """
    tensors, header = read_file(path)
    if "trainer" not in header:
        raise damaged(path, "it holds a model but no training run; use fastnn.load")
    model = build_model(path, tensors, header)
    with explaining(path):
        state: dict[str, Any] = unpack(header["trainer"], tensors)
        name = state["loss"]
    if has_loss != (name is None):
        wanted = (
            "must be given: the run was saved with a function"
            if name is None
            else f"must be left out: the run was saved with {name!r}"
        )
        raise ValueError(f"{path}: loss= {wanted}")
    return model, state


def make_optimizer(optimizer: optim.Optimizer | str, model: Module) -> optim.Optimizer:
    """The optimizer, or one of this name with its default options.

    Raises:
        TypeError, ValueError: it is neither, or has parameters that are not the model's.
    """
    if isinstance(optimizer, optim.Optimizer):
        _names(optimizer, model)
        return optimizer
    if not isinstance(optimizer, str):
        raise TypeError(f"optimizer must be an Optimizer or a name, got {optimizer!r}")
    by_name = {name.lower(): cls for name, cls in _OPTIMIZERS.items()}
    if optimizer not in by_name:
        raise ValueError(
            f"optimizer: there is none called {optimizer!r}; there are {', '.join(by_name)}"
        )
    if optimizer == "sgd":
        return optim.SGD(model.parameters(), lr=0.01)
    return by_name[optimizer](model.parameters())


def save_optimizer(optimizer: optim.Optimizer, model: Module) -> dict[str, Any]:
    """What ``load_optimizer`` makes it again from, its parameters by their names."""
    kind = type(optimizer).__name__
    if _OPTIMIZERS.get(kind) is not type(optimizer):
        raise TypeError(
            f"optimizer: a run can be saved with {', '.join(_OPTIMIZERS)}, not with "
            f"{type(optimizer).__qualname__}"
        )
    return {
        "type": kind,
        "parameters": _names(optimizer, model),
        **optimizer.state_dict(),
    }


def _names(optimizer: optim.Optimizer, model: Module) -> list[list[str]]:
    """The parameters of each group by their names in the model."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = [group["params"] for group in optimizer.param_groups]
    if any(id(parameter) not in names for group in groups for parameter in group):
        raise ValueError("optimizer: it has parameters that are not the model's")
    return [[names[id(p)] for p in group] for group in groups]


def load_optimizer(state: Mapping[str, Any], model: Module) -> optim.Optimizer:
    """The optimizer of a saved run, for the parameters of ``model``."""
    named = dict(model.named_parameters())
    groups = [{"params": [named[n] for n in names]} for names in state["parameters"]]
    optimizer = _OPTIMIZERS[state["type"]](groups, lr=0.0)
    # JSON made the numbers of the parameters strings.
    numbered = {int(number): values for number, values in state["state"].items()}
    optimizer.load_state_dict({"state": numbered, "param_groups": state["param_groups"]})
    return optimizer
