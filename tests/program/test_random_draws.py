"""fastnn.random in captured steps: new numbers at each replay, and the bits of the eager steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from noise import Noise
from program.kept import line_of
from program.replaying import assert_same_bits
from training import assert_same_weights, classes

import fastnn
from fastnn import CaptureError, Tensor, Trainer, layers, optim
from fastnn.random import Generator, default_rng
from fastnn.runtime import get_num_threads, set_num_threads

X, Y = classes()


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def twice(make: Callable[[Generator], Any], seed: int = 0) -> list[Any]:
    """A captured step and an eager one, each with a generator of its own, and these."""
    one, other = Generator(seed), Generator(seed)
    return [fastnn.capture(make(one)), make(other), one, other]


def noisy(rng: Generator) -> Any:
    return lambda x: x + 0.1 * rng.standard_normal(x.shape, np.float32)


@pytest.mark.parametrize("shape", [(5, 3), (700, 300)])
def test_noise_on_inputs(shape: tuple[int, ...], threads: Callable[[int], None]) -> None:
    """Five replays have the bits of five eager steps, on one thread and on two."""
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    results = []
    for number in (1, 2):
        threads(number)
        program, step, one, other = twice(noisy)
        found = [program(x) for _ in range(5)]
        assert_same_bits(found, [step(x) for _ in range(5)])
        assert one.state.tolist() == other.state.tolist()
        assert one.state[1] == 5
        assert len(program.recordings) == 1
        assert len({each.tobytes() for each in found}) == 5
        results.append(found)
    assert_same_bits(results[0], results[1])


DRAWS: dict[str, Callable[[Generator, Any], Any]] = {
    "random": lambda r, x: r.random(x.shape),
    "random float32": lambda r, x: r.random((3, 5), np.float32),
    "scalars": lambda r, x: (r.random(), r.normal(0, 2, None, np.float32), r.integers(9)),
    "scalar arithmetic": lambda r, x: x * r.random(dtype=np.float32) + r.standard_normal(),
    "uniform": lambda r, x: r.uniform(-1, 3, 7),
    "uniform of arrays": lambda r, x: r.uniform(np.zeros(4), x + 1, dtype=np.float32),
    "normal of an argument": lambda r, x: r.normal(x, x * x, (2, *x.shape)),
    "normal of Tensors": lambda r, x: r.normal(Tensor(x), 0.5).data,
    "integers": lambda r, x: r.integers(-3, 2**40, 9),
    "integers uint8": lambda r, x: r.integers(256, size=x.shape, dtype=np.uint8),
    "several": lambda r, x: (r.random(3), r.standard_normal(2), r.integers(5, size=4), r.random(3)),
    "mask": lambda r, x: np.where(r.random(x.shape) < 0.3, 0, x),
    "rows": lambda r, x: x[r.integers(len(x), size=6)],
    "empty": lambda r, x: r.random((0, 3)),
    "in place": lambda r, x: np.multiply(r.random(4), x, out=r.random(4)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_what_is_drawn_is_what_eager_draws(name: str) -> None:
    program, step, one, other = twice(lambda r: lambda x: DRAWS[name](r, x))
    for i in range(4):
        x = np.arange(4.0) + i
        assert_same_bits(program(x), step(x))
        assert one.state.tolist() == other.state.tolist()
    assert len(program.recordings) == 1


def test_draws_in_a_graph() -> None:
    found = []
    for captured in (True, False):
        rng, w = default_rng(1), Tensor(np.ones((5, 3)), requires_grad=True)

        def step(x: Any, y: Any, rng: Generator = rng, w: Tensor = w) -> Tensor:
            w.grad = None
            keep = rng.random(x.shape) < 0.8
            loss = fastnn.cross_entropy((x * keep + rng.normal(0, 0.1, x.shape)) @ w, y)
            loss.backward()
            w.data -= 0.1 * w.grad
            return loss

        run = fastnn.capture(step) if captured else step
        losses = [run(X[:8].astype(float), Y[:8]) for _ in range(6)]
        found.append(([getattr(each, "data", each) for each in losses], w.data.copy(), w.grad))
    assert_same_bits(found[0], found[1])


def test_recordings_of_several_shapes_share_the_count() -> None:
    program, step, one, other = twice(noisy)
    for n in (4, 7, 4, 4, 7, 3, 7):
        assert_same_bits(program(X[:n]), step(X[:n]))
    assert len(program.recordings) == 3
    np.testing.assert_array_equal(one.random(3), other.random(3))


def test_a_state_put_back_between_replays() -> None:
    program, _, rng, _ = twice(noisy)
    program(X)
    state = rng.state
    first, second = program(X), program(X)
    rng.state = state
    assert_same_bits(program(X), first)
    rng.random(17)  # one draw, of another size
    rng.state = [state[0], 2]
    assert_same_bits(program(X), second)
    assert len(program.recordings) == 1


def test_a_state_put_back_in_the_step() -> None:
    """Then each step draws the same, as it does when it is run."""

    def make(rng: Generator) -> Any:
        def step(x: Any) -> Any:
            rng.state = [5, 6]
            return x + rng.random(3)

        return step

    program, step, *_ = twice(make)
    for i in range(3):
        assert_same_bits(program(np.ones(3) * i), step(np.ones(3) * i))


def test_iterate() -> None:
    def walk(rng: Generator) -> Any:
        return lambda w, n: (w + rng.normal(0, 0.1, w.shape), n + rng.integers(5, size=2))

    one, other = Generator(0), Generator(0)
    start = np.zeros((4, 3)), np.zeros(2, np.int64)
    found = fastnn.iterate(walk(one), start, n=20)
    w, n = start
    for _ in range(20):
        w, n = walk(other)(w, n)
    assert_same_bits(found, (w, n))
    assert one.state.tolist() == other.state.tolist()
    assert one.state[1] == 40


def test_a_profile_draws_nothing() -> None:
    program, _, rng, _ = twice(noisy)
    program(X)
    state = rng.state.tolist()
    assert "random_normal" in program.profile(3)
    assert rng.state.tolist() == state


# --- steps that fail --------------------------------------------------------------------


def failing(rng: Generator) -> Any:
    def step(x: Any, y: Any) -> Any:
        return fastnn.cross_entropy(Tensor(x + rng.normal(0, 0.1, x.shape)), y).data

    return step


def test_a_recording_that_fails_counts_no_draw() -> None:
    program, step, one, _ = twice(failing)
    x, bad = X[:4].astype(float), np.array([0, 1, 9, 0])
    state = one.state.tolist()
    for _ in range(2):
        with pytest.raises(ValueError, match="is 9, allowed are 0 to 4"):
            program(x, bad)
        assert one.state.tolist() == state
    for _ in range(3):
        assert_same_bits(program(x, Y[:4]), step(x, Y[:4]))


def test_a_replay_that_fails_is_where_the_eager_step_is() -> None:
    """With as many draws as were made before the error; so is a Dropout's state."""
    program, step, one, other = twice(failing)
    x, bad = X[:4].astype(float), np.array([0, 1, 9, 0])
    for labels in (Y[:4], bad, Y[:4], bad, bad, Y[:4]):
        if labels is bad:
            for run in (program, step):
                with pytest.raises(ValueError, match="is 9, allowed are 0 to 4"):
                    run(x, labels)
        else:
            assert_same_bits(program(x, labels), step(x, labels))
        assert one.state.tolist() == other.state.tolist()


# --- what is refused --------------------------------------------------------------------


def test_a_generator_made_in_the_step() -> None:
    def step(x: Any) -> Any:
        return x + default_rng(0).random(3)  # here

    with pytest.raises(CaptureError, match=r"made in the step.*make it outside") as found:
        fastnn.capture(step)(np.ones(3))
    assert f"line {line_of(step)})" in str(found.value)


def test_numpys_generator_is_refused_with_the_way_out() -> None:
    rng = np.random.default_rng(0)

    def step(x: Any) -> Any:
        return x + rng.random(3)  # here

    with pytest.raises(CaptureError, match=r"drawn by a fastnn\.random\.Generator") as found:
        fastnn.capture(step)(np.ones(3))
    assert f"line {line_of(step)})" in str(found.value)


def test_bad_arguments_in_a_step() -> None:
    for call, message in (
        (lambda r, x: r.normal(0, -x), "scale: value -1.0 at position 0 is negative"),
        (lambda r, x: r.uniform(x, 0), "low must be at most high"),
        (lambda r, x: r.random(-1), "size must have no negative length"),
    ):
        rng = Generator(0)
        with pytest.raises(ValueError, match=message):
            fastnn.capture(lambda x, call=call, rng=rng: call(rng, x))(np.ones(3))
        assert rng.state[1] == 0


# --- training ---------------------------------------------------------------------------


def trained(capture: bool, **options: Any) -> Trainer:
    model = layers.Sequential(
        Noise(0.3), layers.Linear(5, 8, seed=1), layers.ReLU(), layers.Dropout(0.2, seed=1),
        Noise(0.1, seed=2), layers.Linear(8, 3, seed=2),
    )  # fmt: skip
    trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters()), capture=capture)
    trainer.fit(X, Y, epochs=3, batch_size=16, progress=False, **options)
    return trainer


def test_a_layer_that_draws_trains_to_the_same_bits(threads: Callable[[int], None]) -> None:
    threads(1)
    expected = trained(False)
    for number in (1, 2):
        threads(number)
        got = trained(True)
        assert_same_weights(expected.model, got.model)
        assert got.run.history["loss"].tolist() == expected.run.history["loss"].tolist()
        assert got.model[0].rng.state[1] == expected.run.step == expected.model[0].rng.state[1]


@pytest.mark.parametrize("capture", [False, True])
def test_resumed_in_the_middle_is_as_never_stopped(capture: bool, tmp_path: Any) -> None:
    class Stop:
        def on_batch_end(self, trainer: Trainer) -> None:
            if trainer.run.step == 5:
                trainer.save(tmp_path / "run.safetensors")
                raise KeyboardInterrupt

    whole = trained(capture)
    with pytest.raises(KeyboardInterrupt):
        trained(capture, callbacks=[Stop()])
    resumed = Trainer.resume(tmp_path / "run.safetensors")
    resumed.capture = capture
    resumed.fit(X, Y, progress=False)
    assert_same_weights(whole.model, resumed.model)
