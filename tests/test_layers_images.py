"""Layers for images, normalisation and dropout: modes, state, errors, saving, capture."""

from __future__ import annotations

import numpy as np
import pytest
from numerical import check_gradients
from training import assert_same_weights

import fastnn
from fastnn import optim, serialize
from fastnn.layers import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Buffer,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
)
from fastnn.layers.registry import build, describe, parameter_shapes
from fastnn.runtime import get_num_threads, set_num_threads
from fastnn.tensor import Tensor
from fastnn.train import Trainer


def everything(seed: int = 1) -> Sequential:
    """A net with every layer there is for images (2, 8, 8), and 3 classes."""
    return Sequential(
        Conv2d(2, 4, 3, padding=1),
        BatchNorm2d(4),
        ReLU(),
        LocalResponseNorm(3, alpha=0.1),
        MaxPool2d(3, 2),
        Dropout(0.2),
        Conv2d(4, 6, (2, 3), stride=(1, 2), padding=(1, 0), dilation=(2, 1), groups=2, bias=False),
        AvgPool2d(1),
        AdaptiveAvgPool2d((3, 1)),
        Flatten(),
        Linear(18, 6),
        BatchNorm1d(6, affine=False),
        Dropout(0.5),
        Linear(6, 3),
        seed=seed,
    )


def images(n: int = 70, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 2, 8, 8)).astype(np.float32), rng.integers(0, 3, n)


# --- convolution ----------------------------------------------------------------------


def test_conv2d_by_formula(rng: np.random.Generator, dtype: np.dtype) -> None:
    layer = Conv2d(2, 3, (3, 2), stride=2, padding=(1, 0), seed=0, dtype=dtype)
    layer.bias.data = [1, 2, 3]
    assert (layer.weight.shape, layer.weight.decay, layer.bias.decay) == ((3, 2, 3, 2), True, False)
    x = rng.standard_normal((2, 2, 5, 6)).astype(dtype)
    y = layer(x)
    assert (y.shape, y.dtype) == ((2, 3, 3, 3), dtype)
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    expected = np.sum(wide[1, :, 2:5, 4:6] * layer.weight.data[2]) + 3
    assert y.data[1, 2, 1, 2] == pytest.approx(expected, rel=1e-5)
    assert Conv2d(2, 3, 1, bias=False).bias is None


def test_filters_are_drawn_for_their_fan_in() -> None:
    weight = Conv2d(32, 64, 5, groups=2, seed=0).weight.data
    assert weight.std() == pytest.approx(np.sqrt(2 / (16 * 25)), rel=0.02)
    # A unit's outputs: 64 filters at 25 taps.
    glorot = fastnn.init.glorot_normal((64, 16, 5, 5), 0)
    assert glorot.std() == pytest.approx(np.sqrt(2 / (16 * 25 + 64 * 25)), rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 1, 3), ValueError, "in_channels must be at least 1, got 0"),
        ((1, 1.5, 3), TypeError, "out_channels must be an integer, got 1.5"),
        ((1, 1, 0), ValueError, "kernel_size must be at least 1, got 0"),
        ((1, 1, (3, 3, 3)), TypeError, r"kernel_size must be an integer or a pair .*\(3, 3, 3\)"),
        ((1, 1, 3, 0), ValueError, "stride must be at least 1, got 0"),
        ((1, 1, 3, (1, -1)), ValueError, r"stride must be at least 1, got \(1, -1\)"),
        ((1, 1, 3, 1, -1), ValueError, "padding must be at least 0, got -1"),
        ((1, 1, 3, 1, "same"), TypeError, "padding must be an integer or a pair .* got 'same'"),
        ((1, 1, 3, 1, 0, 0), ValueError, "dilation must be at least 1, got 0"),
        ((3, 8, 3, 1, 0, 1, 2), ValueError, "groups must divide in_channels=3 and out_channels=8"),
    ],
)
def test_convolutions_that_cannot_be(arguments, error, message: str) -> None:
    with pytest.raises(error, match=message):
        Conv2d(*arguments)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Conv2d(3, 2, 3), (4, 1, 8, 8), r"Conv2d wants .*\(N, 3, H, W\), got \(4, 1, 8, 8\)"),
        (Conv2d(3, 2, 3), (3, 8, 8), r"Conv2d wants .*\(N, 3, H, W\), got \(3, 8, 8\)"),
        (
            Conv2d(1, 2, 5, padding=1),
            (1, 1, 2, 9),
            "larger than the padded input: KH=5, but H=2 and padding_h=1 on both sides make 4",
        ),
        (
            Conv2d(1, 2, 3, dilation=3),
            (1, 1, 9, 6),
            "KW=3, spread over 7 by dilation_w=3, but W=6",
        ),
        (MaxPool2d(3), (1, 2, 2, 8), "larger than the padded input: kernel_h=3, but H=2"),
        (AvgPool2d(3), (8, 8), r"AvgPool2d wants .*\(N, C, H, W\), got \(8, 8\)"),
        (AdaptiveAvgPool2d(1), (2, 8, 8), r"AdaptiveAvgPool2d wants .*\(N, C, H, W\)"),
        (AdaptiveAvgPool2d(1), (2, 3, 0, 8), "channels, rows and columns may not"),
        (BatchNorm2d(3), (4, 3), r"BatchNorm2d wants .*\(N, 3, H, W\), got \(4, 3\)"),
        (BatchNorm1d(3), (4, 2), r"BatchNorm1d wants .*\(N, 3\) or \(N, 3, L\), got \(4, 2\)"),
        (BatchNorm1d(3), (1, 3), r"shape \(1, 3\) has one value for each channel"),
        (BatchNorm2d(3), (1, 3, 1, 1), "one value for each channel"),
        (BatchNorm1d(3), (0, 3), "the mean over an empty batch is undefined"),
        (LocalResponseNorm(3), (3,), r"LocalResponseNorm wants .*\(N, C, ...\), got \(3,\)"),
    ],
)
def test_input_that_does_not_fit(layer: Module, shape, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    "layer",
    [
        Conv2d(1, 1, 1), MaxPool2d(1), AvgPool2d(1), AdaptiveAvgPool2d(), BatchNorm1d(1),
        BatchNorm2d(1), LocalResponseNorm(1), Dropout(),
    ],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
def test_layers_want_arrays(layer: Module) -> None:
    with pytest.raises(TypeError, match=f"{type(layer).__name__} wants a Tensor or an array, got"):
        layer("x")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MaxPool2d(2, padding=2), ValueError, "at most half of kernel_size=2, got 2"),
        (lambda: AvgPool2d(2, stride=0), ValueError, "stride must be at least 1, got 0"),
        (lambda: AdaptiveAvgPool2d(0), ValueError, "output_size must be at least 1, got 0"),
        (lambda: Dropout(1.5), ValueError, r"p must be a number in \[0, 1\], got 1.5"),
        (lambda: Dropout(-0.1), ValueError, r"p must be a number in \[0, 1\], got -0.1"),
        (lambda: BatchNorm1d(0), ValueError, "num_features must be at least 1, got 0"),
        (lambda: BatchNorm2d(2, momentum=2), ValueError, r"momentum must be a number in \[0, 1\]"),
        (lambda: LocalResponseNorm(0), ValueError, "size must be at least 1, got 0"),
        (lambda: LocalResponseNorm(2, k=0), ValueError, r"k must be a number in \(0, inf\), got 0"),
    ],
)
def test_arguments_out_of_range(make, error, message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_empty_batches_pass_where_no_mean_is_taken() -> None:
    x = Tensor(np.zeros((0, 2, 8, 8), np.float32), requires_grad=True)
    model = Sequential(
        Conv2d(2, 4, 3), MaxPool2d(2), AvgPool2d(3), LocalResponseNorm(2), Dropout(), Flatten(),
        Linear(4, 2),
    )  # fmt: skip
    y = model(x)
    assert y.shape == (0, 2)
    y.sum().backward()
    assert x.grad.shape == x.shape
    for parameter in model.parameters():
        assert not parameter.grad.any()
    norm = BatchNorm2d(2).eval()
    norm(x).sum().backward()
    assert norm.weight.grad.tolist() == [0, 0]


# --- pooling --------------------------------------------------------------------------


def test_pools_by_hand() -> None:
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    assert MaxPool2d(2)(x).numpy().tolist() == [[[[5, 7], [13, 15]]]]
    assert MaxPool2d(3, 1)(x).numpy().tolist() == [[[[10, 11], [14, 15]]]]
    assert AvgPool2d((2, 4))(x).numpy().tolist() == [[[[3.5], [11.5]]]]
    assert AvgPool2d(2, padding=1)(x).numpy()[0, 0, 0].tolist() == [0, 0.75, 0.75]
    assert AdaptiveAvgPool2d()(x).numpy().tolist() == [[[[7.5]]]]
    assert AdaptiveAvgPool2d(4)(x).numpy().tolist() == x.tolist()


def test_adaptive_pool_shares_rows_between_windows(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 3, 7, 5))
    layer = AdaptiveAvgPool2d((3, 2))
    # Rows 0..2, 2..4, 4..6 and columns 0..2, 2..4.
    expected = np.array(
        [
            [x[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].mean((2, 3)) for j in range(2)]
            for i in range(3)
        ]
    ).transpose(2, 3, 0, 1)
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-12)
    check_gradients(layer, x)
    check_gradients(AdaptiveAvgPool2d((7, 1)), x)
    # More places than rows: each row by itself, or with the next.
    finer = AdaptiveAvgPool2d((4, 1))(np.array([0.0, 3, 12]).reshape(1, 1, 3, 1))
    assert finer.numpy().ravel().tolist() == [0, 1.5, 7.5, 12]


# --- normalisation --------------------------------------------------------------------


def test_batch_norm_in_training_and_in_evaluation(rng: np.random.Generator) -> None:
    layer = BatchNorm2d(3, momentum=0.5, dtype="float64")
    x = 2 * rng.standard_normal((4, 3, 5, 5)) + 1
    y = layer(x).data
    np.testing.assert_allclose(y.mean((0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(y.var((0, 2, 3)), 1, rtol=1e-4)
    np.testing.assert_allclose(layer.running_mean.data, x.mean((0, 2, 3)) / 2)
    np.testing.assert_allclose(layer.running_var.data, 0.5 + x.var((0, 2, 3), ddof=1) / 2)
    before = layer.state_dict()
    layer.eval()
    shape = (1, 3, 1, 1)
    mean, var = (before[f"running_{name}"].reshape(shape) for name in ("mean", "var"))
    np.testing.assert_allclose(layer(x).data, (x - mean) / np.sqrt(var + 1e-5), rtol=1e-12)
    np.testing.assert_array_equal(layer.running_mean.data, before["running_mean"])


def test_statistics_moved_before_backward_are_noticed() -> None:
    layer = BatchNorm1d(2, dtype="float64").eval()
    y = layer(np.ones((3, 2)))
    layer.train()(np.eye(2))
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()


# --- dropout --------------------------------------------------------------------------


def test_dropout_in_training_and_in_evaluation() -> None:
    layer, x = Dropout(0.25, seed=0), np.ones((100, 100), np.float32)
    first, second = layer(x).data, layer(x).data
    assert set(np.unique(first)) == {np.float32(0), np.float32(1 / 0.75)}
    assert (first == 0).mean() == pytest.approx(0.25, abs=0.02)
    assert not np.array_equal(first, second)
    assert layer.random_state.data[1] == 2
    assert np.array_equal(layer.eval()(x).data, x)
    assert layer.random_state.data[1] == 2
    assert np.array_equal(Dropout(0.25, seed=0)(x).data, first)
    assert not np.array_equal(Dropout(0.25, seed=1)(x).data, first)
    assert not Dropout(1.0)(x).data.any()


def test_backward_has_the_mask_of_its_own_use() -> None:
    layer = Dropout(0.5, seed=0)
    x = Tensor(np.ones(50), requires_grad=True)
    first, second = layer(x), layer(x)
    first.sum().backward()
    assert np.array_equal(x.grad, first.data)
    x.grad = None
    second.sum().backward()
    assert np.array_equal(x.grad, second.data)


# --- state ----------------------------------------------------------------------------


def test_buffers_are_state_and_no_parameters() -> None:
    model = everything()
    buffers = dict(model.named_buffers())
    assert list(buffers) == [
        "1.running_mean", "1.running_var", "5.random_state", "11.running_mean",
        "11.running_var", "12.random_state",
    ]  # fmt: skip
    assert list(model.buffers()) == list(buffers.values())
    assert not any(isinstance(p, Buffer) for p in model.parameters())
    assert set(model.state_dict()) == {*buffers, *dict(model.named_parameters())}
    held = buffers["1.running_mean"].data
    state = model.state_dict()
    state["1.running_mean"] += 3
    model.load_state_dict(state)
    assert held.tolist() == [3, 3, 3, 3]
    state["5.random_state"] = np.zeros(2)
    state["1.running_mean"] += 3
    with pytest.raises(TypeError, match=r"5\.random_state wants int64, got float64"):
        model.load_state_dict(state)
    assert held.tolist() == [3, 3, 3, 3]
    model.astype("float64")
    assert {name: b.dtype.name for name, b in model.named_buffers()} == {
        name: "int64" if "state" in name else "float64" for name in buffers
    }


def test_saved_and_loaded(tmp_path, dtype: np.dtype) -> None:
    model = everything().astype(dtype)
    x = images()[0].astype(dtype)
    model(x)
    serialize.save(model, tmp_path / "model.safetensors")
    loaded = serialize.load(tmp_path / "model.safetensors")
    assert_same_weights(model, loaded)
    assert np.array_equal(model.scores(x), loaded.scores(x))
    assert np.array_equal(model(x).data, loaded(x).data)
    assert_same_weights(model, loaded)
    assert not loaded[1].weight.decay


def test_shapes_are_told_without_making_them() -> None:
    model = everything()
    shapes = {name: tensor.shape for name, tensor in model.named_tensors()}
    assert parameter_shapes(describe(model)) == shapes
    huge = Conv2d.__name__, {"in_channels": 2**40, "out_channels": 2, "kernel_size": 3}
    assert parameter_shapes({"type": huge[0], "config": huge[1]})["weight"] == (2, 2**40, 3, 3)
    assert describe(build(describe(model))) == describe(model)


def test_reset_draws_everything_again() -> None:
    model, twin = everything(), everything()
    model(images()[0])
    model[1].weight.data = [2, 2, 2, 2]
    model.reset_parameters(1)
    assert_same_weights(model, twin)


# --- training -------------------------------------------------------------------------


@pytest.fixture
def threads():
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def trained(capture: bool, **options) -> Trainer:
    model = everything()
    trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters()), capture=capture)
    trainer.fit(*images(), epochs=3, batch_size=16, progress=False, **options)
    return trainer


@pytest.mark.filterwarnings("error")
def test_replay_has_the_bits_of_python_on_any_number_of_threads(threads) -> None:
    threads(1)
    expected = trained(False)
    for number in (1, 2):
        threads(number)
        for capture in (False, True):
            got = trained(capture)
            assert_same_weights(expected.model, got.model)
            assert got.run.history["loss"].tolist() == expected.run.history["loss"].tolist()
    assert expected.model[5].random_state.data[1] == 15
    assert expected.model[1].running_mean.data.all()


@pytest.mark.parametrize("capture", [False, True])
def test_resumed_in_the_middle_is_as_never_stopped(capture: bool, tmp_path) -> None:
    class Stop:
        def on_batch_end(self, trainer) -> None:
            if trainer.run.step == 7:
                trainer.save(tmp_path / "run.safetensors")
                raise KeyboardInterrupt

    whole = trained(capture)
    with pytest.raises(KeyboardInterrupt):
        trained(capture, callbacks=[Stop()])
    resumed = Trainer.resume(tmp_path / "run.safetensors")
    resumed.capture = capture
    history = resumed.fit(*images(), progress=False)
    assert_same_weights(whole.model, resumed.model)
    assert history["loss"].tolist() == whole.run.history["loss"].tolist()


def test_a_program_notices_the_mode() -> None:
    model = everything()
    program = fastnn.capture(lambda x: model(x))
    x = images(8)[0]
    first, second = program(x), program(x)
    assert not np.array_equal(first, second)
    assert model[5].random_state.data[1] == 2
    model.eval()
    third = program(x)
    assert np.array_equal(third, program(x))
    assert np.array_equal(third, model.scores(x))
    statistics = model[1].running_mean.data.copy()
    model.load_state_dict({**model.state_dict(), "1.running_mean": statistics + 1})
    assert np.array_equal(program(x), model.scores(x))
    assert not np.array_equal(program(x), third)


# --- evaluation -----------------------------------------------------------------------


def test_large_samples_are_evaluated_in_smaller_batches() -> None:
    class Watched(Module):
        def forward(self, x):
            sizes.append(len(x))
            return x

    for shape, expected in (
        ((3,), [1024, 276]),
        ((4096,), [1024, 276]),
        ((8, 1024), [512, 512, 276]),
    ):
        sizes: list[int] = []
        Watched().scores(np.zeros((1300, *shape), np.float32))
        assert sizes == expected
    sizes = []
    Watched().scores(np.zeros((5, 3), np.float32), batch_size=2)
    assert sizes == [2, 2, 1]
