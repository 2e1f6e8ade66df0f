"""What can be typed, and what it means; nothing is opened and no kernel is loaded here."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from importlib import import_module
from typing import Any, NoReturn, TypeAlias

from fastnn.cli.interrupts import held
from fastnn.cli.settings import (
    BATCH_SIZE,
    DIGITS_EPOCHS,
    EPOCHS,
    IMAGE_LEARNING_RATES,
    LEARNING_RATES,
    MODEL,
    SCHEDULE,
    SMALL_BATCH_SIZE,
    VALIDATION,
    check_model,
)


class _Parser(argparse.ArgumentParser):
    """argparse with an error of one line; what was meant stands in --help."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's, but what a command does not know is the command's error."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown

    def error(self, message: str) -> NoReturn:
        line = " ".join(message.split("\n"))
        self.exit(2, f"{self.prog}: error: {line} (see '{self.prog} --help')\n")


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; ``args.run(args)`` runs the command."""
    parser = _Parser(
        prog="fastnn",
        description="Train small and medium neural nets on a CPU.",
        epilog="Start with 'fastnn train': it needs no arguments and no downloads.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, help="show the version of fastnn and leave")
    # Not required=True: argparse would then list them in an order of its own.
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for add in (
        _add_train, _add_evaluate, _add_predict, _add_gradcheck, _add_lecture, _add_info,
    ):  # fmt: skip
        add(commands)
    parser.set_defaults(run=lambda args: parser.error("which command? " + _NAMES))
    return parser


_NAMES = "train, evaluate, predict, gradcheck, lecture or info"
_DATA = "digits, images224, idx:FOLDER, cifar10:FOLDER or npz:FILE"


class _Version(argparse.Action):
    """The version is looked up when it is asked for: the package is loaded then."""

    def __init__(self, option_strings: list[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import fastnn

        print(f"fastnn {fastnn.__version__}")
        parser.exit()


_Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"


def _add(commands: _Commands, name: str, help: str, epilog: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=help,
        description=help[0].upper() + help[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )

    def command(args: argparse.Namespace) -> int:
        with held():
            module = import_module(f"fastnn.cli.{name}")
        status: int = module.run(args)
        return status

    parser.set_defaults(run=command)
    return parser


def _add_train(commands: _Commands) -> None:
    parser = _add(
        commands,
        "train",
        "train a classifier and write a run folder",
        "examples:\n"
        "  fastnn train\n"
        "  fastnn train --data idx:/usr/share/datasets/fashion-mnist --epochs 5\n"
        "  fastnn train --data idx:/usr/share/datasets/fashion-mnist --model lenet\n"
        "  fastnn train --data images224 --model alexnet\n"
        "  fastnn train --model cifar_convnet --augment shift=1,rotation=10\n"
        "  fastnn train --model linear --loss hinge --optimizer sgd --lr 0.01\n"
        "  fastnn train --resume runs/digits-1\n\n"
        "The run folder holds model.safetensors, checkpoint.safetensors (to resume\n"
        "from), history.csv, run.json (the settings) and, where matplotlib is\n"
        "installed, loss.png. A folder that holds anything is never written over.",
    )
    what = parser.add_argument_group("what to train")
    what.add_argument(
        "--data",
        type=_data,
        help=f"{_DATA} (default: digits); images224 are the digits, enlarged, and crops of two "
        "photographs, for which scikit-learn and Pillow are needed",
    )
    what.add_argument(
        "--model",
        type=_model,
        help="linear, or mlp:WIDTH,WIDTH,... with ReLU between the layers; for images, the "
        "convolutional nets lenet (from 12x12 pixels), cifar_convnet (from 4x4) and alexnet "
        f"(from 63x63, made for 224x224) (default: {MODEL})",
    )
    what.add_argument(
        "--loss",
        choices=["cross_entropy", "hinge"],
        metavar="LOSS",
        help="cross_entropy or hinge (default: cross_entropy)",
    )
    what.add_argument(
        "--dtype",
        choices=["float32", "float64"],
        metavar="DTYPE",
        help="float32 or float64 (default: float32)",
    )
    how = parser.add_argument_group("how to train")
    how.add_argument(
        "--optimizer",
        choices=list(LEARNING_RATES),
        metavar="NAME",
        help=f"{', '.join(LEARNING_RATES)} (default: adam)",
    )
    rates = ", ".join(f"{name} {lr:g}" for name, lr in LEARNING_RATES.items())
    for_images = ", ".join(
        f"{name} {lr:g}" for name, lr in IMAGE_LEARNING_RATES.items() if lr != LEARNING_RATES[name]
    )
    how.add_argument(
        "--lr",
        type=_positive,
        help=f"the learning rate (default: {rates}; for convolutional nets {for_images}; "
        "for alexnet a tenth of theirs)",
    )
    how.add_argument(
        "--schedule",
        type=_schedule,
        help="of the learning rate: constant, cosine, one_cycle, linear, "
        f"step:EPOCHS[,FACTOR] or exponential:FACTOR (default: {SCHEDULE})",
    )
    how.add_argument(
        "--epochs",
        type=_count,
        metavar="N",
        help=f"(default: {DIGITS_EPOCHS} for digits, {EPOCHS} for other data)",
    )
    how.add_argument(
        "--batch-size",
        type=_count,
        metavar="N",
        help=f"(default: {SMALL_BATCH_SIZE} for digits and images224, {BATCH_SIZE} for other data)",
    )
    how.add_argument(
        "--weight-decay",
        type=_not_negative,
        metavar="L",
        help="adds L times the weights, not the biases, to their gradient (default: 0, adamw 0.01)",
    )
    how.add_argument(
        "--validation",
        type=_share,
        metavar="SHARE",
        help="share of the training part that is set aside to watch the curves, 0 for "
        f"none (default: {VALIDATION:g})",
    )
    how.add_argument(
        "--augment",
        type=_augment,
        metavar="WHAT",
        help="vary the images of the training part, for models of images: rotation=DEGREES, "
        "shift=PIXELS, flip (left to right), brightness=SHARE, contrast=SHARE, occlusion=PIXELS "
        "or HEIGHTxWIDTH, joined by commas (default: not at all)",
    )
    how.add_argument("--seed", type=_seed, metavar="N", help="(default: 0)")
    _add_threads(how)
    where = parser.add_argument_group("where to")
    places = where.add_mutually_exclusive_group()
    places.add_argument(
        "--out",
        type=_path,
        metavar="FOLDER",
        help="the run folder, new or empty (default: runs/NAME-1, or the first number "
        "that is free)",
    )
    places.add_argument(
        "--resume",
        type=_path,
        metavar="FOLDER",
        help="finish the interrupted run in FOLDER, with its own settings",
    )
    _add_output(where)


def _add_evaluate(commands: _Commands) -> None:
    parser = _add(
        commands,
        "evaluate",
        "tell a saved model's loss and accuracy",
        "example:\n  fastnn evaluate runs/digits-1",
    )
    _add_model(parser)
    parser.add_argument(
        "--data",
        type=_data,
        help=f"{_DATA} (default: what the run in the model's folder was trained on)",
    )
    parser.add_argument(
        "--part",
        choices=["test", "train", "all"],
        default="test",
        metavar="PART",
        help="test, train or all (default: test)",
    )
    _add_threads(parser)


def _add_gradcheck(commands: _Commands) -> None:
    parser = _add(
        commands,
        "gradcheck",
        "hold a model's gradients, and each op's backward, to differences",
        "examples:\n"
        "  fastnn gradcheck\n"
        "  fastnn gradcheck --model mlp:32 --loss hinge\n"
        "  fastnn gradcheck runs/digits-1\n\n"
        "The exit status is 0 if all is right, and 1 if not: the report then names the op.",
    )
    parser.add_argument(
        "path",
        nargs="?",
        type=_path,
        metavar="MODEL",
        help="a run folder or a .safetensors file (default: a new model)",
    )
    parser.add_argument(
        "--model", type=_model, help=f"a new model, as for 'fastnn train' (default: {MODEL})"
    )
    parser.add_argument("--data", type=_data, help=f"{_DATA} (default: digits, or the run's)")
    parser.add_argument(
        "--loss",
        choices=["cross_entropy", "hinge"],
        metavar="LOSS",
        help="cross_entropy or hinge (default: cross_entropy, or the run's)",
    )
    parser.add_argument(
        "--samples", type=_count, default=8, metavar="N", help="samples to check with (default: 8)"
    )
    parser.add_argument(
        "--seed", type=_seed, default=0, metavar="N", help="of weights and directions (default: 0)"
    )
    _add_threads(parser)


def _add_predict(commands: _Commands) -> None:
    parser = _add(
        commands,
        "predict",
        "tell the classes of new samples, one a line",
        "example:\n  fastnn predict runs/digits-1 samples.npy --proba",
    )
    _add_model(parser)
    parser.add_argument(
        "input",
        type=_path,
        metavar="INPUT",
        help="samples, as raw as those trained on: .npy, .npz (its only array, or x), "
        "an idx file of images, gzipped or not, or a binary CIFAR-10 file",
    )
    parser.add_argument(
        "--proba",
        action="store_true",
        help="a table: the label, then the probability of each class",
    )
    parser.add_argument(
        "--out",
        type=_path,
        metavar="FILE",
        help="write to FILE, .csv, .txt or .npy, and print nothing",
    )
    _add_threads(parser)


def _add_lecture(commands: _Commands) -> None:
    parser = _add(
        commands,
        "lecture",
        "show the lecture's examples, with their numbers and drawings",
        "examples:\n"
        "  fastnn lecture                        list the topics\n"
        "  fastnn lecture gates\n"
        "  fastnn lecture all --save drawings\n"
        "  fastnn lecture eleven --code\n"
        "  fastnn lecture features --samples 2000",
    )
    parser.add_argument(
        "topic",
        nargs="?",
        type=_topic,
        metavar="TOPIC",
        help="one of the list, or all (default: print the list)",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--save",
        type=_path,
        metavar="FOLDER",
        help="write the drawings there too: graphs as SVG, curves and images as PNG (for "
        "which matplotlib is needed)",
    )
    what.add_argument(
        "--code", action="store_true", help="print the topic's Python code, and do not run it"
    )
    parser.add_argument(
        "--data",
        type=_data,
        help="images for the topic features, idx:FOLDER, cifar10:FOLDER or npz:FILE (default: "
        "Fashion-MNIST, where the package dataset-fashion-mnist puts it)",
    )
    parser.add_argument(
        "--samples",
        type=_count,
        metavar="N",
        help="at most N images of each part for the topic features (default: all, which takes "
        "minutes)",
    )


def _add_info(commands: _Commands) -> None:
    parser = _add(
        commands,
        "info",
        "tell instruction set, threads, versions and the measured peak",
        "",
    )
    _add_threads(parser)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", type=_path, metavar="MODEL", help="a run folder or a .safetensors file"
    )


def _add_threads(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--threads",
        type=_count,
        metavar="N",
        help="(default: one for each CPU that this process may use)",
    )


def _add_output(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--no-progress", action="store_true", help="no progress bar, also on a terminal"
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing unless something fails")


# --- the types of arguments -----------------------------------------------------------


def _number(text: str, kind: Callable[[str], float], wanted: str) -> float:
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value


def _positive(text: str) -> float:
    value = _number(text, float, "a number above 0")
    if value == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _not_negative(text: str) -> float:
    return _number(text, float, "a number of at least 0")


def _share(text: str) -> float:
    value = _number(text, float, "a share from 0 to below 1")
    if value >= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to below 1")
    return value


def _count(text: str) -> int:
    value = int(_number(text, int, "a whole number of at least 1"))
    if value == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return value


def _seed(text: str) -> int:
    return int(_number(text, int, "a whole number of at least 0"))


def _path(text: str) -> str:
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a path")
    return text


def _accepted(text: str, check: Callable[[str], object]) -> str:
    try:
        check(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _topic(text: str) -> str:
    from fastnn.lecture import TOPICS

    if text != "all" and text not in TOPICS:
        raise argparse.ArgumentTypeError(f"{text!r} is not {', '.join(TOPICS)} or all")
    return text


def _data(text: str) -> str:
    with held():
        from fastnn.data import parse_spec
    return _accepted(text, parse_spec)


def _model(text: str) -> str:
    return _accepted(text, check_model)


def _augment(text: str) -> str:
    with held():
        from fastnn.cli.augmentation import augmentation
    return _accepted(text, augmentation)


def _schedule(text: str) -> str:
    with held():
        from fastnn import schedules
    forms = {"step": "step:EPOCHS[,FACTOR]", "exponential": "exponential:FACTOR"}
    if text.rstrip(":") in forms:
        wanted = forms[text.rstrip(":")]
        raise argparse.ArgumentTypeError(f"{text!r} lacks its numbers: {wanted}")
    return _accepted(text, schedules.get)
