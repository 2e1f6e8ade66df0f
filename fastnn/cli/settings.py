"""The settings of a run: their defaults, and how they are kept in run.json.

How the defaults were chosen. The test part took no part in it: each candidate was
trained on four fifths of the digits' training part and scored on the last fifth, over 12
stratified splits (seeds 100 to 111), each with its own initial weights and order, by a
plain NumPy loop with he initialisation. Mean accuracy in percent, standard error 0.2 to
0.35: 98.1 as it stands; 97.8 with mlp:128,64; 98.0 with mlp:512,256; 97.7 with batches of
64; 98.1 with 60 epochs, with a weight decay of 1e-3 and with a constant rate. Cosine is
for other data: Fashion-MNIST, 10 epochs, gets 90.2 on the validation part with it and
88.4 without (means over three seeds).

The learning rates are, for each optimizer, the best of three with a factor of about 3
between them, or no worse than the best by more than the error (batches of 64 for all but
adam). On the validation part of Fashion-MNIST, 4 epochs, they give 88.0 to 89.6.

lenet, on the validation part of Fashion-MNIST, 10 epochs, adam, one seed: 91.6 as it stands;
91.2 with a rate of 3e-3, and 90.3 with that and LeNet-5's 6 and 16 filters.

alexnet has 57 million parameters, 9216 inputs to a unit among them: its rates are a tenth of
other nets', for momentum that of Krizhevsky, Sutskever and Hinton (2012). Of these only
adam's is tried, on images224.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from typing import Any

MODEL = "mlp:256,128"
IMAGE_MODELS = ("lenet", "cifar_convnet", "alexnet")
SCHEDULE = "cosine"
VALIDATION = 0.1
EPOCHS, DIGITS_EPOCHS = 10, 30
BATCH_SIZE, SMALL_BATCH_SIZE = 128, 32  # the smaller for sets of less than 2000 samples
LEARNING_RATES = {
    "sgd": 0.3,
    "momentum": 0.1,
    "nesterov": 0.1,
    "adam": 3e-3,
    "adamw": 3e-3,
    "rmsprop": 1e-3,
    "adagrad": 1e-2,
}
IMAGE_LEARNING_RATES = {**LEARNING_RATES, "adam": 1e-3, "adamw": 1e-3}
ALEXNET_LEARNING_RATES = {name: rate / 10 for name, rate in IMAGE_LEARNING_RATES.items()}
_WIDEST = 2**48  # more than any memory, and its bytes can still be counted
WEIGHT_DECAY = {"adamw": 1e-2}  # without any it is adam; 0 for all others


@dataclass(frozen=True)
class Settings:
    """All that decides the outcome of a run, so that run.json can repeat it."""

    data: str = "digits"
    model: str = MODEL
    loss: str = "cross_entropy"
    optimizer: str = "adam"
    lr: float = LEARNING_RATES["adam"]
    schedule: str = SCHEDULE
    epochs: int = DIGITS_EPOCHS
    batch_size: int = SMALL_BATCH_SIZE
    weight_decay: float = 0.0
    validation: float = VALIDATION
    seed: int = 0
    dtype: str = "float32"
    augment: str = ""

    @classmethod
    def names(cls) -> list[str]:
        """The names of all settings, which are those of the options."""
        return [field.name for field in fields(cls)]

    @classmethod
    def complete(cls, given: dict[str, Any]) -> Settings:
        """Settings from those ``given``; None stands for the default."""
        chosen = {name: value for name, value in given.items() if value is not None}
        data = chosen.get("data", "digits")
        optimizer = chosen.get("optimizer", "adam")
        rates = learning_rates(chosen.get("model", MODEL))
        usual = {
            "epochs": DIGITS_EPOCHS if data == "digits" else EPOCHS,
            "batch_size": SMALL_BATCH_SIZE if data in ("digits", "images224") else BATCH_SIZE,
            "lr": rates[optimizer],
            "weight_decay": WEIGHT_DECAY.get(optimizer, 0.0),
        }
        return cls(**{**usual, **chosen})

    def to_json(self) -> bytes:
        """As the content of a run.json."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Settings:
        """Settings from a run.json.

        Raises OSError when it cannot be read and ValueError, naming it, when it is not
        what ``to_json`` wrote.
        """
        with open(path, "rb") as file:
            content = file.read()
        from fastnn.cli.augmentation import augmentation
        from fastnn.data import parse_spec

        try:
            settings = cls(**json.loads(content))
            for field in fields(cls):
                value, usual = getattr(settings, field.name), field.default
                number = isinstance(usual, float) and type(value) is int
                if type(value) is not type(usual) and not number:
                    raise ValueError(f"{field.name} is {value!r}")
            parse_spec(settings.data)
            check_model(settings.model)
            augmentation(settings.augment)
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"{path}: not the settings of a run ({error})") from None
        return settings


def learning_rates(model: str) -> dict[str, float]:
    """The default rate of each optimizer for this model."""
    if model == "alexnet":
        return ALEXNET_LEARNING_RATES
    return IMAGE_LEARNING_RATES if model in IMAGE_MODELS else LEARNING_RATES


def check_model(model: str) -> None:
    """Raise ValueError for text that names no model."""
    if model not in IMAGE_MODELS:
        hidden_widths(model)


def hidden_widths(model: str) -> tuple[int, ...]:
    """The widths of the hidden layers of ``"linear"`` or ``"mlp:256,128"``.

    Raises ValueError for text that is neither.
    """
    kind, _, widths = model.partition(":")
    if model == "linear":
        return ()
    try:
        hidden = tuple(int(width) for width in widths.split(","))
    except ValueError:
        hidden = (0,)
    if kind != "mlp" or min(hidden) < 1 or max(hidden) > _WIDEST:
        known = ", ".join(("linear", *IMAGE_MODELS))
        raise ValueError(f"{model!r} is not {known} or mlp:WIDTH,WIDTH,...")
    return hidden
