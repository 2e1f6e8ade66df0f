"""One row for each kernel: what its arguments are, which the doorway checks on every call.

``role shape`` for an array, ``type default`` for a scalar:

===========  ============================================================================
in           read; float32 or float64, one of them in the whole call
matrix       the same with two dimensions, whatever its strides
rows         a matrix whose rows are each one run of memory
target       the same; integers and booleans are converted
weights      read; any real numbers, finite and not negative, used as float64
in64         read; any real numbers, used as float64
labels       read; any integers, used as int64
source       read; uint8, float32 or float64
out          written; ``None`` allocates it, and ``False`` skips it where a ``?`` allows
out64        the same in float64
outlabels    the same in int64
inout        updated in place
inoutlabels  the same in int64
===========  ============================================================================

A letter names a size, which is the same wherever the letter stands, and ``...`` any number
of dimensions, the same ones wherever it stands.  A dimension may also be a number, or the name
of a scalar.  ``N+`` may not be 0, ``?`` makes an argument optional, ``>=`` and ``<=`` bound
a scalar; no scalar may be NaN.

Two tables relate sizes to each other and to scalars: ``WINDOWS`` says how many places a sliding
window has, which is a size of the output, and ``GROUPS`` how channels are divided.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

_CLASS_LOSS = {
    "weight": "weights? C",
    "sample_weight": "weights? N",
    "loss": "out?",
    "dscores": "out? N C",
}
_ELEMENTWISE = {"x": "in ...", "out": "out ..."}
_BY_ROWS = {"x": "in ... C+", "out": "out ... C"}
_RESPONSE_NORM = {
    "size": "int >=1",
    "alpha": "float 1e-4",
    "beta": "float 0.75",
    "k": "float 1.0",
}
_POOLING = {
    "kernel_h": "int >=1",
    "kernel_w": "int >=1",
    "stride_h": "int >=1",
    "stride_w": "int >=1",
    "padding_h": "int >=0 0",
    "padding_w": "int >=0 0",
}
_CONVOLUTION = {
    "stride_h": "int >=1 1",
    "stride_w": "int >=1 1",
    "padding_h": "int >=0 0",
    "padding_w": "int >=0 0",
    "dilation_h": "int >=1 1",
    "dilation_w": "int >=1 1",
    "groups": "int >=1 1",
}

ROWS: dict[str, dict[str, str]] = {
    "matmul": {"a": "matrix M K", "b": "matrix K N", "bias": "in? N", "out": "out M N"},
    "linear": {"x": "rows N D", "W": "matrix D C", "b": "in? C", "y": "out N C"},
    "linear_backward": {
        "dout": "matrix N C",
        "x": "matrix N D",
        "W": "matrix D C",
        "dx": "out? N D",
        "dW": "out? D C",
        "db": "out? C",
    },
    "relu": _ELEMENTWISE,
    "relu_backward": {"dout": "in ...", "x": "in ...", "out": "out ..."},
    "sigmoid": _ELEMENTWISE,
    "sigmoid_backward": {"dout": "in ...", "y": "in ...", "out": "out ..."},
    "tanh": _ELEMENTWISE,
    "tanh_backward": {"dout": "in ...", "y": "in ...", "out": "out ..."},
    "softmax": _BY_ROWS,
    "softmax_backward": {"dout": "in ... C+", "y": "in ... C", "out": "out ... C"},
    "log_softmax": _BY_ROWS,
    "log_softmax_backward": {"dout": "in ... C+", "y": "in ... C", "out": "out ... C"},
    "cross_entropy": {"scores": "in N+ C+", "y": "labels N", **_CLASS_LOSS},
    "hinge_loss": {
        "scores": "in N+ C+",
        "y": "labels N",
        "delta": "float 1.0",
        **_CLASS_LOSS,
    },
    "mse_loss": {
        "pred": "in N+ ...+",
        "target": "target N ...",
        "sample_weight": "weights? N",
        "loss": "out?",
        "dpred": "out? N ...",
    },
    "l1_loss": {
        "pred": "in N+ ...+",
        "target": "target N ...",
        "sample_weight": "weights? N",
        "loss": "out?",
        "dpred": "out? N ...",
    },
    "huber_loss": {
        "pred": "in N+ ...+",
        "target": "target N ...",
        "delta": "float >=0 1.0",
        "sample_weight": "weights? N",
        "loss": "out?",
        "dpred": "out? N ...",
    },
    "binary_cross_entropy": {
        "logits": "in N+ ...+",
        "target": "target N ...",
        "sample_weight": "weights? N",
        "loss": "out?",
        "dlogits": "out? N ...",
    },
    "sgd_update": {
        "w": "inout ...",
        "g": "in ...",
        "lr": "float",
        "momentum": "float 0.0",
        "nesterov": "bool False",
        "weight_decay": "float 0.0",
        "velocity": "inout? ...",
    },
    "adam_update": {
        "w": "inout ...",
        "g": "in ...",
        "m": "inout ...",
        "v": "inout ...",
        "step": "int >=1",
        "lr": "float",
        "beta1": "float 0.9",
        "beta2": "float 0.999",
        "eps": "float 1e-8",
        "weight_decay": "float 0.0",
        "decoupled": "bool False",
    },
    "rmsprop_update": {
        "w": "inout ...",
        "g": "in ...",
        "v": "inout ...",
        "lr": "float",
        "alpha": "float 0.99",
        "eps": "float 1e-8",
        "weight_decay": "float 0.0",
        "momentum": "float 0.0",
        "velocity": "inout? ...",
    },
    "adagrad_update": {
        "w": "inout ...",
        "g": "in ...",
        "s": "inout ...",
        "lr": "float",
        "eps": "float 1e-10",
        "weight_decay": "float 0.0",
    },
    "sum_of_squares": {"x": "in ...", "out": "out64"},
    "scale": {"x": "inout ...", "factor": "float"},
    "clip_value": {"x": "inout ...", "limit": "float >=0"},
    "gather_rows": {
        "source": "source R ...",
        "indices": "labels n",
        "scale": "float 1.0",
        "shift": "float 0.0",
        "out": "out n ...",
    },
    "gather_labels": {"y": "labels R", "indices": "labels n", "out": "outlabels n"},
    "draw_transforms": {
        "indices": "labels n",
        "state": "labels 2",
        "rotation": "float >=0 0.0",
        "shift_h": "int >=0 0",
        "shift_w": "int >=0 0",
        "flip": "float >=0 <=1 0.0",
        "brightness": "float >=0 0.0",
        "contrast": "float >=0 0.0",
        "out": "out64 n 11",
    },
    "gather_images": {
        "source": "source R C+ H+ W+",
        "indices": "labels n",
        "transforms": "in64 n 11",
        "height": "int >=1",
        "width": "int >=1",
        "occlusion_h": "int >=0 0",
        "occlusion_w": "int >=0 0",
        "fill": "float 0.0",
        "scale": "float 1.0",
        "shift": "float 0.0",
        "out": "out n C height width",
    },
    "conv2d": {
        "x": "in N C+ H+ W+",
        "W": "in O+ D+ KH+ KW+",
        "b": "in? O",
        **_CONVOLUTION,
        "out": "out N O P Q",
    },
    "conv2d_backward": {
        "dout": "in N O P Q",
        "x": "in N C+ H+ W+",
        "W": "in O+ D+ KH+ KW+",
        **_CONVOLUTION,
        "dx": "out? N C H W",
        "dW": "out? O D KH KW",
        "db": "out? O",
    },
    "max_pool2d": {"x": "in N C+ H+ W+", **_POOLING, "out": "out N C P Q"},
    "max_pool2d_backward": {
        "dout": "in N C P Q",
        "x": "in N C+ H+ W+",
        **_POOLING,
        "out": "out N C H W",
    },
    "avg_pool2d": {"x": "in N C+ H+ W+", **_POOLING, "out": "out N C P Q"},
    "avg_pool2d_backward": {
        "dout": "in N C+ P Q",
        "height": "int >=1",
        "width": "int >=1",
        **_POOLING,
        "out": "out N C height width",
    },
    "local_response_norm": {"x": "in N C ...", **_RESPONSE_NORM, "out": "out N C ..."},
    "local_response_norm_backward": {
        "dout": "in N C ...",
        "x": "in N C ...",
        **_RESPONSE_NORM,
        "out": "out N C ...",
    },
    "batch_norm": {
        "x": "in N+ C+ ...+",
        "gamma": "in? C",
        "beta": "in? C",
        "running_mean": "inout? C",
        "running_var": "inout? C",
        "momentum": "float >=0 <=1 0.1",
        "eps": "float >=0 1e-5",
        "out": "out? N C ...",
        "mean": "out? C",
        "rstd": "out? C",
    },
    "batch_norm_eval": {
        "x": "in N C+ ...",
        "running_mean": "in C",
        "running_var": "in C",
        "gamma": "in? C",
        "beta": "in? C",
        "eps": "float >=0 1e-5",
        "out": "out N C ...",
    },
    "batch_norm_backward": {
        "dout": "in N+ C+ ...+",
        "x": "in N C ...",
        "mean": "in C",
        "rstd": "in C",
        "gamma": "in? C",
        "training": "bool True",
        "dx": "out? N C ...",
        "dgamma": "out? C",
        "dbeta": "out? C",
    },
    "dropout": {"x": "in ...", "p": "float >=0 <=1", "state": "labels 2", "out": "out ..."},
    "random_uniform": {"out": "inout ...", "state": "labels 2"},
    "random_normal": {"out": "inout ...", "state": "labels 2"},
    "random_integers": {"out": "inoutlabels ...", "bounds": "labels 2", "state": "labels 2"},
}


class Window(NamedTuple):
    """``places`` = (size + 2 padding - dilation (kernel - 1) - 1) // stride + 1, at least 1.

    All are names of sizes or scalars of the row.  Without a dilation the window belongs to a
    pooling, where more padding than half a window would leave windows of nothing but zeros.
    """

    places: str
    size: str
    kernel: str
    stride: str
    padding: str
    dilation: str | None = None


class Groups(NamedTuple):
    """``channels`` = groups * ``depth``, and groups divides the number of ``filters``."""

    channels: str
    depth: str
    filters: str
    groups: str


_CONVOLUTION_WINDOWS = (
    Window("P", "H", "KH", "stride_h", "padding_h", "dilation_h"),
    Window("Q", "W", "KW", "stride_w", "padding_w", "dilation_w"),
)
_POOLING_WINDOWS = (
    Window("P", "H", "kernel_h", "stride_h", "padding_h"),
    Window("Q", "W", "kernel_w", "stride_w", "padding_w"),
)
WINDOWS: dict[str, tuple[Window, ...]] = {
    "conv2d": _CONVOLUTION_WINDOWS,
    "conv2d_backward": _CONVOLUTION_WINDOWS,
    "max_pool2d": _POOLING_WINDOWS,
    "max_pool2d_backward": _POOLING_WINDOWS,
    "avg_pool2d": _POOLING_WINDOWS,
    "avg_pool2d_backward": (
        Window("P", "height", "kernel_h", "stride_h", "padding_h"),
        Window("Q", "width", "kernel_w", "stride_w", "padding_w"),
    ),
}
GROUPS = {
    "conv2d": Groups("C", "D", "O", "groups"),
    "conv2d_backward": Groups("C", "D", "O", "groups"),
}

# Kernels that read an element before they write its place: an output may be an input.
IN_PLACE = frozenset(ROWS) - {
    "matmul",
    "linear",
    "linear_backward",
    "sum_of_squares",
    "gather_rows",
    "gather_labels",
    "draw_transforms",
    "gather_images",
    "conv2d",
    "conv2d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "local_response_norm",
    "local_response_norm_backward",
    "batch_norm",
    "batch_norm_eval",
    "batch_norm_backward",
    "random_uniform",
    "random_normal",
    "random_integers",
}

# An argument that is needed once a scalar is not zero: (kernel, argument) -> the scalar.
NEEDED_WITH = {
    ("sgd_update", "velocity"): "momentum",
    ("rmsprop_update", "velocity"): "momentum",
}

SCALARS = ("float", "int", "bool")
OUTPUTS = ("out", "out64", "outlabels")
WRITTEN = (*OUTPUTS, "inout", "inoutlabels")


class Argument(NamedTuple):
    """One argument of a row, taken apart."""

    name: str
    role: str
    optional: bool
    dims: tuple[str, ...]
    not_empty: tuple[bool, ...]
    default: float | None
    minimum: float | None
    maximum: float | None

    @property
    def is_required(self) -> bool:
        return not (self.optional or self.is_output)

    @property
    def is_scalar(self) -> bool:
        return self.role in SCALARS

    @property
    def is_output(self) -> bool:
        return self.role in OUTPUTS


def may_fail(kernel: str, arguments: tuple[Argument, ...]) -> bool:
    """Whether the kernel refuses some values, and so may end a replay.

    The state of random numbers is integers as labels are, but any will do.
    """
    return kernel.startswith("batch_norm") or any(
        each.role in ("labels", "weights", "target") and each.name != "state" for each in arguments
    )


def parse(row: dict[str, str]) -> tuple[Argument, ...]:
    """Take a row apart."""
    return tuple([_parse(spec)._replace(name=name) for name, spec in row.items()])


@cache
def _parse(spec: str) -> Argument:
    """An argument without its name: many have the same specification."""
    role, *rest = spec.split()
    optional, role = role.endswith("?"), role.rstrip("?")
    if role in SCALARS:
        bounds = {part[:2]: float(part[2:]) for part in rest if part[1:2] == "="}
        defaults = [part for part in rest if part[1:2] != "="]
        return Argument(
            "",
            role,
            optional=bool(defaults),
            dims=(),
            not_empty=(),
            default=_default(role, defaults[0]) if defaults else None,
            minimum=bounds.get(">="),
            maximum=bounds.get("<="),
        )
    return Argument(
        "",
        role,
        optional,
        dims=tuple(dim.rstrip("+") for dim in rest),
        not_empty=tuple(dim.endswith("+") for dim in rest),
        default=None,
        minimum=None,
        maximum=None,
    )


def _default(role: str, text: str) -> float:
    return text == "True" if role == "bool" else int(text) if role == "int" else float(text)
