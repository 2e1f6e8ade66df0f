"""A bad call raises the right exception: it names the argument, got and wanted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from fastnn import _kernels as k

F32, F64 = np.float32, np.float64
HUGE = 2**63 + 5


def zeros(*shape, dtype=F32):
    return np.zeros(shape, dtype)


def frozen(*shape, dtype=F32):
    array = zeros(*shape, dtype=dtype)
    array.flags.writeable = False
    return array


def masked(*shape):
    return np.ma.masked_array(zeros(*shape), mask=np.ones(shape, bool))


def labels(*values, dtype=np.int64):
    return np.array(values, dtype)


@dataclass(frozen=True)
class Bad:
    """A call, the exception, and patterns that the message must hold."""

    label: str
    call: Callable[[], object]
    error: type[Exception]
    patterns: tuple[str, ...]


def bad(label, call, error, *patterns):
    return Bad(label, call, error, patterns)


S45, S4 = r"\(4, 5\)", r"\(4,\)"
A45, A34 = np.zeros((4, 5), F32), np.zeros((3, 4), F32)
FLOATS = "float32.*float64|float64.*float32|floating"
INTEGER = "integer|int64"

ARRAYS = [
    bad("None", lambda: k.relu(None), TypeError, r"\bx\b", "None", "array"),
    bad("text", lambda: k.relu("1.0"), TypeError, r"\bx\b", "<U3", FLOATS),
    bad("list of integers", lambda: k.relu([1, 2]), TypeError, r"\bx\b", "int64"),
    bad("masked", lambda: k.relu(masked(3)), TypeError, r"\bx\b", "(?i)masked"),
    bad(
        "integers",
        lambda: k.relu(zeros(3, dtype=np.int64)),
        TypeError,
        r"\bx\b",
        "int64",
        FLOATS,
    ),
    bad("half", lambda: k.relu(zeros(3, dtype="f2")), TypeError, r"\bx\b", "float16"),
    bad("complex", lambda: k.relu(zeros(3, dtype="c8")), TypeError, "complex64"),
    bad("object", lambda: k.relu(zeros(3, dtype=object)), TypeError, "object"),
    bad("boolean", lambda: k.relu(zeros(3, dtype=bool)), TypeError, "bool"),
    bad(
        "mixed floats",
        lambda: k.matmul(zeros(3, 4), zeros(4, 5, dtype=F64)),
        TypeError,
        r"\bb\b",
        "float64",
        "float32",
    ),
    bad(
        "mixed floats, bias",
        lambda: k.linear(zeros(3, 4), zeros(4, 5), zeros(5, dtype=F64)),
        TypeError,
        r"\bb\b",
        "float64",
        "float32",
    ),
    bad(
        "mixed floats, update",
        lambda: k.sgd_update(zeros(3), zeros(3, dtype=F64), 0.1),
        TypeError,
        r"\bg\b",
        "float64",
        "float32",
    ),
    bad(
        "None bias of backward",
        lambda: k.linear_backward(None, A34, A45),
        TypeError,
        r"\bdout\b",
        "None",
    ),
    bad("None weight matrix", lambda: k.linear(zeros(3, 4), None), TypeError, r"\bW\b"),
    bad("missing", lambda: k.matmul(zeros(3, 4)), TypeError, r"\bb\b"),
    bad("unknown keyword", lambda: k.relu(zeros(3), x_=1), TypeError, "x_"),
    bad("too many", lambda: k.relu(zeros(3), None, None), TypeError, "relu"),
]

SHAPES = [
    bad("vector", lambda: k.matmul(zeros(4), A45), ValueError, r"\ba\b", S4, "M, K"),
    bad("cube", lambda: k.matmul(zeros(2, 3, 4), A45), ValueError, r"\ba\b", "M, K"),
    bad("inner", lambda: k.matmul(zeros(3, 6), A45), ValueError, r"\bb\b", S45, "6"),
    bad("bias", lambda: k.matmul(zeros(3, 4), zeros(4, 5), zeros(4)), ValueError,
        r"\bbias\b", S4, "5"),
    bad("bias row", lambda: k.linear(zeros(3, 4), zeros(4, 5), zeros(1, 5)), ValueError,
        r"\bb\b", r"\(1, 5\)"),
    bad("dout", lambda: k.linear_backward(zeros(3, 6), zeros(3, 4), zeros(4, 5)),
        ValueError, r"\bdout\b|\bW\b", "6", "5"),
    bad("rows", lambda: k.linear_backward(zeros(3, 5), zeros(2, 4), zeros(4, 5)),
        ValueError, r"\bx\b", r"\(2, 4\)", "3"),
    bad("saved", lambda: k.relu_backward(A45, zeros(5, 4)), ValueError, r"\bx\b",
        r"\(5, 4\)", S45),
    bad("no broadcasting", lambda: k.tanh_backward(zeros(4, 5), zeros(5)), ValueError,
        r"\by\b", r"\(5,\)", S45),
    bad("scores", lambda: k.cross_entropy(zeros(4), labels(0, 1)), ValueError,
        r"\bscores\b", S4, "N, C"),
    bad("target", lambda: k.mse_loss(zeros(4, 5), zeros(4)), ValueError, r"\btarget\b",
        S4, S45),
    bad("sample_weight", lambda: k.mse_loss(zeros(4, 5), zeros(4, 5), zeros(5)),
        ValueError, r"\bsample_weight\b", r"\(5,\)", "4"),
    bad("gradient", lambda: k.sgd_update(zeros(4, 5), zeros(5, 4), 0.1), ValueError,
        r"\bg\b", r"\(5, 4\)", S45),
    bad("state", lambda: k.adam_update(zeros(3), zeros(3), zeros(3), zeros(4), 1, 0.1),
        ValueError, r"\bv\b", S4, r"\(3,\)"),
    bad("softmax of a scalar", lambda: k.softmax(zeros()), ValueError, r"\bx\b"),
    bad("softmax of nothing", lambda: k.softmax(zeros(4, 0)), ValueError, r"\bx\b"),
    bad("source", lambda: k.gather_rows(zeros(), labels(0)), ValueError, r"\bsource\b"),
]  # fmt: skip

EMPTY = [
    bad(name, call, ValueError, rf"\b{first}\b", "(?i)empty|no |at least")
    for first, name, call in [
        ("scores", "cross_entropy", lambda: k.cross_entropy(zeros(0, 5), labels())),
        ("scores", "hinge_loss", lambda: k.hinge_loss(zeros(0, 5), labels())),
        ("pred", "mse_loss", lambda: k.mse_loss(zeros(0, 5), zeros(0, 5))),
        ("pred", "mse_loss, no columns", lambda: k.mse_loss(zeros(5, 0), zeros(5, 0))),
        ("pred", "l1_loss", lambda: k.l1_loss(zeros(0), zeros(0))),
        ("pred", "huber_loss", lambda: k.huber_loss(zeros(0), zeros(0))),
        (
            "logits",
            "binary_cross_entropy",
            lambda: k.binary_cross_entropy(zeros(0), zeros(0)),
        ),
    ]
]


def _labels_of(name) -> list[Bad]:
    kernel = getattr(k, name)

    def case(label, y, error, *patterns):
        call = lambda: kernel(zeros(4, 5), y)  # noqa: E731
        return bad(f"{name}: {label}", call, error, r"\by\b", *patterns)

    one_hot = np.eye(5, dtype=np.int64)[:4]
    return [
        case("too large", labels(0, 4, 5, 1), ValueError, r"\b5\b", r"\b2\b", r"\b4\b"),
        case("negative", labels(0, 1, 2, -3), ValueError, r"-3\b", r"\b3\b", r"\b4\b"),
        case("small dtype", labels(-1, 0, 0, 0, dtype=np.int8), ValueError, "-1", "0"),
        case("unsigned", labels(0, 200, 0, 0, dtype="u1"), ValueError, "200", r"\b1\b"),
        case("huge", labels(0, HUGE, 0, 0, dtype="u8"), ValueError, str(HUGE), "1"),
        case("floats", zeros(4), TypeError, "float32", INTEGER),
        case("booleans", zeros(4, dtype=bool), TypeError, "bool", INTEGER),
        case("one-hot", one_hot, ValueError, S45, S4),
        case("column", one_hot[:, :1], ValueError, r"\(4, 1\)", S4),
        case("too few", labels(0, 1, 2), ValueError, r"\(3,\)|\b3\b", r"\b4\b"),
        case("too many", labels(0, 1, 2, 3, 4), ValueError, r"\(5,\)|\b5\b", r"\b4\b"),
        case("None", None, TypeError, "None"),
        case("list of floats", [0.0, 1, 2, 3], TypeError, "float64", INTEGER),
        case("masked", np.ma.masked_array(labels(0, 1, 2, 3)), TypeError, "(?i)masked"),
    ]


def _weights_of(name) -> list[Bad]:
    kernel = getattr(k, name)

    def case(label, error, *patterns, **weights):
        call = lambda: kernel(zeros(4, 5), labels(0, 1, 2, 3), **weights)  # noqa: E731
        return bad(f"{name}: {label}", call, error, *patterns)

    return [
        case("class weights", ValueError, r"\bweight\b", S4, "5", weight=zeros(4)),
        case("sample weights", ValueError, "sample_weight", "5", "4",
             sample_weight=zeros(5)),
        case("negative class weight", ValueError, r"\bweight\b", "-1",
             weight=np.array([1, 1, -1, 1, 1], F32)),
        case("negative sample weight", ValueError, "sample_weight", "-1",
             sample_weight=np.array([1, 1, -1, 1], F32)),
        case("NaN weight", ValueError, "sample_weight", "(?i)nan",
             sample_weight=np.array([1, np.nan, 1, 1], F32)),
        case("infinite weight", ValueError, r"\bweight\b", "(?i)inf",
             weight=np.array([1, np.inf, 1, 1, 1], F32)),
        case("zero weights", ValueError, "weight", "(?i)zero|0",
             sample_weight=zeros(4)),
        case("weights of text", TypeError, r"\bweight\b", "<U1",
             weight=zeros(5, dtype="U1")),
    ]  # fmt: skip


LABELS = [
    row
    for name in ("cross_entropy", "hinge_loss")
    for row in _labels_of(name) + _weights_of(name)
]

OUTPUTS = [
    bad("dtype", lambda: k.relu(zeros(3), zeros(3, dtype=F64)), TypeError, r"\bout\b",
        "float64", "float32"),
    bad("shape", lambda: k.relu(zeros(4, 5), zeros(5, 4)), ValueError, r"\bout\b",
        r"\(5, 4\)", S45),
    bad("read-only", lambda: k.relu(zeros(3), frozen(3)), ValueError, r"\bout\b",
        "(?i)read-only|writ"),
    bad("zero stride", lambda: k.relu(zeros(4, 5), writable_rows(4, 5)), ValueError,
        r"\bout\b", "share memory"),
    bad("overlapping windows", lambda: k.relu(zeros(3, 2), windows(4, 2)), ValueError,
        r"\bout\b", "share memory"),
    bad("list", lambda: k.relu(zeros(3), [0.0] * 3), TypeError, r"\bout\b", "list"),
    bad("True", lambda: k.relu(zeros(3), True), TypeError, r"\bout\b", "bool|True"),
    bad("masked", lambda: k.relu(zeros(3), masked(3)), TypeError, r"\bout\b"),
    bad("product shape", lambda: k.matmul(zeros(3, 4), zeros(4, 5), None, zeros(3, 4)),
        ValueError, r"\bout\b", r"\(3, 4\)", r"\(3, 5\)"),
    bad("loss shape",
        lambda: k.cross_entropy(zeros(2, 3), labels(0, 1), loss=zeros(1)),
        ValueError, r"\bloss\b", r"\(1,\)", r"\(\)"),
    bad("gradient dtype",
        lambda: k.mse_loss(zeros(3), zeros(3), dpred=zeros(3, dtype=F64)),
        TypeError, r"\bdpred\b", "float64", "float32"),
    bad("updated read-only", lambda: k.sgd_update(frozen(3), zeros(3), 0.1), ValueError,
        r"\bw\b", "(?i)read-only|writ"),
    bad("updated zero stride",
        lambda: k.sgd_update(writable_rows(4, 5), zeros(4, 5), 0.1),
        ValueError, r"\bw\b"),
    bad("scaled read-only", lambda: k.scale(frozen(3), 2.0), ValueError, r"\bx\b"),
    bad("integers to gather into",
        lambda: k.gather_rows(zeros(3, 2), labels(0), out=zeros(1, 2, dtype=np.int64)),
        TypeError, r"\bout\b", "int64"),
    bad("labels to gather into",
        lambda: k.gather_labels(labels(0, 1), labels(0), zeros(1, dtype=np.int32)),
        TypeError, r"\bout\b", "int32", "int64"),
]  # fmt: skip

OPTIONS = [
    bad("NaN rate", lambda: k.sgd_update(zeros(3), zeros(3), np.nan), ValueError,
        r"\blr\b", "nan"),
    bad("NaN margin",
        lambda: k.hinge_loss(zeros(1, 2), labels(0), float("nan")), ValueError,
        r"\bdelta\b", "nan"),
    bad("negative delta", lambda: k.huber_loss(zeros(3), zeros(3), -1.0), ValueError,
        r"\bdelta\b", "-1", r"\b0\b"),
    bad("huge integer", lambda: k.scale(zeros(3), 10**400), ValueError, r"\bfactor\b",
        "too large"),
    bad("weights beyond float64",
        lambda: k.mse_loss(zeros(3), zeros(3), np.full(3, 1e308)), ValueError,
        "weights", "infinity"),
    bad("ragged", lambda: k.relu([[1.0], [1.0, 2.0]]), ValueError, r"\bx\b"),
    bad("no classes", lambda: k.cross_entropy(zeros(4, 0), labels(0, 0, 0, 0)),
        ValueError, r"\bscores\b", r"\(4, 0\)", "column"),
    bad("huge label", lambda: k.cross_entropy(zeros(1, 2), labels(HUGE, dtype="u8")),
        ValueError, rf"\by\[0\] is {HUGE}"),
    bad("a column of labels",
        lambda: k.cross_entropy(zeros(2, 3), zeros(2, 1, dtype=np.int64)), ValueError,
        r"y\[:, 0\]"),
    bad("text", lambda: k.sgd_update(zeros(3), zeros(3), "fast"), TypeError, r"\blr\b"),
    bad("None", lambda: k.scale(zeros(3), None), TypeError, r"\bfactor\b"),
    bad("momentum alone", lambda: k.sgd_update(zeros(3), zeros(3), 0.1, 0.9),
        (TypeError, ValueError), r"\bvelocity\b", "(?i)momentum|None"),
    bad("rmsprop momentum alone",
        lambda: k.rmsprop_update(zeros(3), zeros(3), zeros(3), 0.1, momentum=0.9),
        (TypeError, ValueError), r"\bvelocity\b", "(?i)momentum|None"),
    bad("step zero",
        lambda: k.adam_update(zeros(3), zeros(3), zeros(3), zeros(3), 0, 0.1),
        ValueError, r"\bstep\b", r"\b0\b", r"\b1\b"),
]  # fmt: skip

VALUES = [
    *(
        bad(
            f"target {value}",
            lambda value=value: k.binary_cross_entropy(
                zeros(2, 3), np.array([[0, 1, 0], [1, value, 0]], F32)
            ),
            ValueError,
            r"\btarget\b",
            shown,
            "1, 1",
            "between 0 and 1",
        )
        for value, shown in ((-1, "-1"), (1.5, "1.5"), (np.nan, "nan"))
    ),
    bad(
        "negative limit",
        lambda: k.clip_value(zeros(3), -1.0),
        ValueError,
        "limit",
        "-1",
    ),
]

GATHERS = [
    bad("index too large", lambda: k.gather_rows(zeros(4, 5), labels(0, 4)),
        ValueError, r"\bindices\b", r"\b4\b", r"\b1\b", r"\b3\b"),
    bad("index too small", lambda: k.gather_rows(zeros(4, 5), labels(0, 1, -9)),
        ValueError, r"\bindices\b", "-9", r"\b2\b"),
    bad("label index", lambda: k.gather_labels(labels(1, 2), labels(2)),
        ValueError, r"\bindices\b", r"\b2\b", r"\b0\b"),
    bad("float indices", lambda: k.gather_rows(zeros(4, 5), zeros(2)), TypeError,
        r"\bindices\b", "float32", INTEGER),
    bad("mask", lambda: k.gather_rows(zeros(4, 5), zeros(4, dtype=bool)), TypeError,
        r"\bindices\b", "bool", INTEGER),
    bad("matrix of indices",
        lambda: k.gather_rows(zeros(4, 5), zeros(2, 2, dtype=np.int64)),
        ValueError, r"\bindices\b", r"\(2, 2\)"),
    bad("source of text", lambda: k.gather_rows(zeros(4, 5, dtype="U1"), labels(0)),
        TypeError, r"\bsource\b"),
    bad("source of int64", lambda: k.gather_rows(zeros(4, 5, dtype="i8"), labels(0)),
        TypeError, r"\bsource\b", "int64", "uint8"),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", ">i2", "u4", "i8", ">i8", "u8"])
def test_labels_of_any_integer_type_are_the_same_labels(dtype):
    scores = np.random.default_rng(0).standard_normal((4, 5))
    expected = k.cross_entropy(scores, labels(4, 0, 3, 1))
    for got, want in zip(
        k.cross_entropy(scores, labels(4, 0, 3, 1, dtype=dtype)), expected, strict=True
    ):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("tiny", [1e-320, 1e300])
def test_weights_at_the_ends_of_float64_weigh_as_ones_do(tiny):
    scores, y = np.array([[1.0, 2, 4], [0, 1, 0]]), labels(1, 2)
    loss, gradient = k.cross_entropy(scores, y, None, np.full(2, tiny))
    expected, slope = k.cross_entropy(scores, y)
    np.testing.assert_allclose(loss, expected, rtol=1e-3)  # 1e-320 has three digits
    np.testing.assert_allclose(gradient, slope, rtol=1e-3)


def writable_rows(rows, columns):
    """One row seen ``rows`` times: NumPy itself calls writing to it a mistake."""
    return np.lib.stride_tricks.as_strided(zeros(columns), (rows, columns), (0, 4))


def windows(length, width):
    shape = (length - width + 1, width)
    return np.lib.stride_tricks.as_strided(zeros(length), shape, (4, 4))


def _id(row):
    return row.label


TABLE = ARRAYS + SHAPES + EMPTY + LABELS + OUTPUTS + OPTIONS + VALUES + GATHERS


@pytest.mark.parametrize("row", TABLE, ids=_id)
def test_bad_call(row):
    with pytest.raises(row.error) as caught:
        row.call()
    message = str(caught.value)
    for pattern in row.patterns:
        assert re.search(pattern, message), f"{pattern!r} not in {message!r}"
    assert "\n" not in message


def test_a_refused_update_changes_nothing(rng):
    w, m, v = (rng.random((4, 5)) for _ in range(3))
    kept = w.copy(), m.copy(), v.copy()
    with pytest.raises(ValueError, match=r"\bg\b"):
        k.adam_update(w, rng.random((5, 4)), m, v, 1, 0.1)
    for array, before in zip((w, m, v), kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_what_is_converted_without_a_word(dtype, rng):
    """Lists of the right type, weights of any real type, targets of whole numbers."""
    scores, y = rng.standard_normal((4, 5)).astype(dtype), rng.integers(5, size=4)
    plain = k.cross_entropy(scores, y, np.arange(5.0), np.arange(1.0, 5))
    for weights in (
        (np.arange(5, dtype="u1"), [1, 2, 3, 4]),
        (np.arange(5, dtype="f4"), np.arange(1, 5, dtype=">i2")),
    ):
        for given in (y, y.tolist()):
            for result, wanted in zip(
                k.cross_entropy(scores, given, *weights), plain, strict=True
            ):
                np.testing.assert_array_equal(result, wanted)
    x = [[-1.5, 2.0], [0.0, 1.0]]
    np.testing.assert_array_equal(k.relu(x), np.maximum(x, 0))
    for target in (scores > 0, (scores > 0).astype(int)):
        wanted, _ = k.binary_cross_entropy(scores, target.astype(dtype))
        np.testing.assert_array_equal(k.binary_cross_entropy(scores, target)[0], wanted)


def test_subclasses_without_meaning_of_their_own_are_arrays(rng):
    """As a memmap is one, they are read as the memory they are."""

    class Named(np.ndarray):
        pass

    x = rng.random((3, 4))
    result = k.relu(x.view(Named))
    np.testing.assert_array_equal(result, np.maximum(x, 0))
