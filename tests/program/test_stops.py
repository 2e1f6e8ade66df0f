"""What ends a replay: the eager error, at the same step, and the program goes on afterwards."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from program.replaying import assert_same_bits
from training import assert_same_weights, classes

import fastnn
from fastnn import Tensor, Trainer, models, optim

X, Y = classes()


def both(make: Any) -> tuple[Any, Any]:
    """A captured step and an eager one, each with a model of its own, and the models."""
    found = []
    for captured in (True, False):
        model = models.mlp(5, (4,), 3, seed=1)
        optimizer = optim.Adam(model.parameters(), 0.05)

        def step(x: Any, y: Any, *rest: Any, model: Any = model, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = make(model(x), y, *rest)
            loss.backward()
            optimizer.step()
            return loss

        found.append((fastnn.capture(step) if captured else step, model, optimizer))
    return tuple(found)  # type: ignore[return-value]


def same_error(both: Any, *args: Any) -> str:
    """Both raise the same, and leave the same; the message."""
    messages = []
    for run, model, _ in both:
        before = [p.data.copy() for p in model.parameters()]
        with pytest.raises((ValueError, IndexError)) as found:
            run(*args)
        messages.append((found.type, str(found.value)))
        assert_same_bits([p.data for p in model.parameters()], before)
    assert messages[0] == messages[1]
    return messages[0][1]


def run_both(both: Any, *args: Any) -> None:
    found, expected = (run(*args) for run, *_ in both)
    assert_same_bits(found, expected.data)
    assert_same_weights(both[0][1], both[1][1])
    np.testing.assert_equal(both[0][2].state_dict(), both[1][2].state_dict())


@pytest.mark.parametrize("loss", [fastnn.cross_entropy, fastnn.hinge_loss])
def test_bad_labels(loss: Any) -> None:
    pair = both(lambda s, y: loss(s, y))
    bad = np.array([0, 1, 3, 0])
    assert "3" in same_error(pair, X[:4], bad)  # in the recording
    for _ in range(2):
        run_both(pair, X[:4], Y[:4])
        assert "3" in same_error(pair, X[:4], bad)
        assert "-1" in same_error(pair, X[:4], np.array([0, -1, 2, 0]))
        run_both(pair, X[4:8], Y[4:8])


@pytest.mark.parametrize("bad", [[1, -1, 1, 1], [1, np.nan, 1, 1], [0, 0, 0, 0], [1, np.inf, 1, 1]])
def test_bad_sample_weights(bad: Any) -> None:
    pair = both(lambda s, y, w: fastnn.cross_entropy(s, y, sample_weight=w))
    run_both(pair, X[:4], Y[:4], np.ones(4))
    same_error(pair, X[:4], Y[:4], np.array(bad, float))
    run_both(pair, X[:4], Y[:4], np.arange(4.0))


def test_bad_indices() -> None:
    pair = both(lambda s, y, i: fastnn.cross_entropy(s[i], y))
    run_both(pair, X[:4], Y[:4], np.array([0, 1, -1, 3]))
    assert "index 4" in same_error(pair, X[:4], Y[:4], np.array([0, 4, 1, 1]))
    assert "index -5" in same_error(pair, X[:4], Y[:4], np.array([0, -5, 1, 1]))
    run_both(pair, X[:4], Y[:4], np.array([0, 0, -1, 3]))


# --- in the middle of an epoch ---------------------------------------------------------------


def diverging(capture: bool, **options: Any) -> tuple[Trainer, str]:
    data = X.copy()
    if options.pop("late", False):
        data[-1, 0] = 3e38  # in the last, smaller batch
    model = models.mlp(5, (8,), 3, seed=1)
    trainer = Trainer(
        model, options.pop("loss", "mse"), optim.SGD(model.parameters(), options.pop("lr")),
        capture=capture, **options,
    )  # fmt: skip
    y = np.eye(3)[Y]
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError) as found:
        trainer.fit(data, y, epochs=50, batch_size=16, shuffle=False, progress=False)
    return trainer, str(found.value)


@pytest.mark.parametrize(
    "options",
    [{"lr": 30.0}, {"lr": 30.0, "loss": lambda s, y: ((s - y) ** 4).mean()},
     {"lr": 0.1, "late": True}, {"lr": 300.0, "clip_norm": 1e30}, {"lr": 30.0, "clip_value": 1e30}],
    ids=lambda each: "-".join(each),
)  # fmt: skip
def test_what_is_not_finite_ends_a_fit_before_the_step(options: dict[str, Any]) -> None:
    (captured, message), (eager, expected) = (diverging(c, **options) for c in (True, False))
    assert message == expected
    assert "that step was not made" in message
    assert captured.run.step == eager.run.step > 0
    assert_same_weights(captured.model, eager.model)
    assert all(np.isfinite(p.data).all() for p in captured.model.parameters())
    for name in ("position", "loss_sum", "weight_sum", "hits", "chances"):
        assert getattr(captured.run, name) == getattr(eager.run, name)
    for trainer in (captured, eager):
        trainer.optimizer.lr = 1e-9
        trainer.model.reset_parameters(0)
        with np.errstate(all="ignore"):
            trainer.fit(X, np.eye(3)[Y], epochs=1, batch_size=16, progress=False)
    assert_same_weights(captured.model, eager.model)


def test_labels_that_only_the_loss_knows_to_be_bad() -> None:
    """Found at the step that meets them; the run is where the last whole step left it."""
    y = Y.copy()
    y[40] = 5
    found = []
    for capture in (True, False):
        model = models.mlp(5, (8,), 3, seed=1)
        trainer = Trainer(
            model, lambda s, y: fastnn.cross_entropy(s, y), optim.SGD(model.parameters(), 0.1),
            capture=capture,
        )  # fmt: skip
        with pytest.raises(ValueError, match="allowed are 0 to 2") as error:
            trainer.fit(X, y, epochs=2, batch_size=8, shuffle=False, progress=False)
        found.append((str(error.value), trainer.run.step, [p.data for p in model.parameters()]))
    assert found[0][:2] == found[1][:2]
    assert found[0][1] == 5
    assert_same_bits(found[0][2], found[1][2])


# --- floating-point errors ----------------------------------------------------------------------

KINDS = {
    "over": (lambda x: np.exp(x), [1.0, 2.0], [1.0, 2000.0], "overflow encountered in exp"),
    "divide": (lambda x: 1 / x, [1.0, 2.0], [0.0, 2.0], "divide by zero encountered in divide"),
    "invalid": (lambda x: np.sqrt(x), [1.0, 2.0], [-1.0, 2.0], "invalid value encountered in sqrt"),
    "under": (lambda x: x * 1e-300, [1.0, 2.0], [1e-300, 2.0], "underflow encountered in multiply"),
}
REDUCED = {
    "over": (lambda x: x.sum(), [1.0, 2.0], [1e308, 1e308], "overflow encountered in reduce"),
    "invalid": (
        lambda x: x.sum(), [1.0, 2.0], [np.inf, -np.inf], "invalid value encountered in reduce"),
}  # fmt: skip
CAST = (lambda x: x.astype(np.float32), [1.0, 2.0], [1e300, 1.0], "overflow encountered in cast")
CASES = [*KINDS.items(), *REDUCED.items(), ("over", CAST)]


@pytest.mark.parametrize(("kind", "case"), CASES, ids=lambda each: str(each)[:12])
def test_errstate_at_the_capture_is_honoured(kind: str, case: Any) -> None:
    function, good, bad, message = case
    good, bad = np.array(good), np.array(bad)
    for first in (good, bad):
        with np.errstate(**{kind: "warn"}):
            program = fastnn.capture(function)
            for given in (first, bad, good, bad):
                with warnings.catch_warnings(record=True) as found:
                    warnings.simplefilter("always")
                    program(given)
                assert [str(each.message) for each in found] == ([message] if given is bad else [])
                assert all(each.category is RuntimeWarning for each in found)
                assert all(each.filename == __file__ for each in found)
    with np.errstate(**{kind: "raise"}):
        program = fastnn.capture(function)
        with pytest.raises(FloatingPointError, match=f"^{message}$"):
            function(bad)
        for given in (bad, good, bad):
            if given is bad:
                with pytest.raises(FloatingPointError, match=f"^{message}$"):
                    program(given)
            else:
                assert_same_bits(program(given), function(given))
    with np.errstate(**{kind: "ignore"}):
        program = fastnn.capture(function)
        program(good)
        assert_same_bits(program(bad), function(bad))
    with np.errstate(**{kind: "raise"}):
        program(bad)  # recorded where it is ignored


def test_errstate_in_the_step_is_honoured() -> None:
    def step(x: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            quiet = np.log(x)
        return quiet, 1 / (x + 1)

    program = fastnn.capture(step)
    program(np.array([1.0, 2.0]))
    program(np.array([0.0, 2.0]))
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in divide"):
        program(np.array([-1.0, 2.0]))


def test_shared_loops_tell_of_their_errors_too() -> None:
    program = fastnn.capture(lambda x: np.exp(x))
    x = np.zeros(200_000)
    program(x)
    for at in (0, 70_000, 199_999):
        x[:] = 0
        x[at] = 1e4
        with pytest.warns(RuntimeWarning, match="overflow encountered in exp"):
            program(x)
    x[:] = 0
    program(x)


def test_a_warning_that_is_an_error_leaves_whole_steps() -> None:
    """As with ``-W error``: the run counts the steps that its parameters have made."""
    y = np.zeros(len(X), int)
    y[33] = 1

    def loss(s: Any, y: Any) -> Any:
        return (s * s).mean() + np.minimum(np.exp(y * 1000), 2).mean()

    def trained(capture: bool, count: int, mode: str) -> Trainer:
        model = models.mlp(5, (), 3, seed=1)
        trainer = Trainer(model, loss, optim.SGD(model.parameters(), 0.1), capture=capture)
        plan = {"epochs": 1, "batch_size": 8, "shuffle": False, "progress": False}
        with warnings.catch_warnings():
            warnings.simplefilter(mode)
            if mode == "error":
                with pytest.raises(RuntimeWarning, match="overflow encountered in exp"):
                    trainer.fit(X[:count], y[:count], **plan)
            else:
                trainer.fit(X[:count], y[:count], **plan)
        return trainer

    eager, captured = (trained(capture, len(X), "error") for capture in (False, True))
    assert eager.run.step == 4
    assert captured.run.step >= 5  # of these it was told afterwards
    expected = trained(False, captured.run.step * 8, "ignore")
    assert_same_weights(captured.model, expected.model)


def test_a_tensor_keeps_its_version() -> None:
    """A replay changes parameters: a graph from before it may not be walked back."""
    w = Tensor(np.ones(3), requires_grad=True)

    def step(x: Any) -> None:
        w.data -= 0.1 * x

    program = fastnn.capture(step)
    program(np.ones(3))
    before = (w * w).sum()
    program(np.ones(3))
    with pytest.raises(RuntimeError, match="changed in place"):
        before.backward()


@pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble"])
def test_a_flag_is_told_once(dtype: str) -> None:
    """Long double has flags of its own on x86, in another unit's state."""
    program = fastnn.capture(lambda x, y: x / y)
    one, zero = np.ones(3, dtype), np.zeros(3, dtype)
    program(one, one)
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in divide"):
        program(one, zero)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        program(one, one)
        assert_same_bits(program(zero, one), zero)
