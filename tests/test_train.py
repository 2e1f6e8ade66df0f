"""Trainer.fit and evaluate: what they compute."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from training import (
    CLASSES,
    FEATURES,
    N,
    assert_same_weights,
    classes,
    fitted,
    net,
    trainer,
)

from fastnn import cross_entropy, models, optim, schedules
from fastnn.train import Trainer

X, Y = classes()
XV, YV = classes(40, seed=2)


class Watch:
    """Calls a function after each step."""

    def __init__(self, after_step):
        self.on_batch_end = after_step


def seen_batches(n=N, **options):
    """The numbers of the samples in each step, as lists; each step is made in Python."""
    batches = []
    numbers = np.arange(n)

    def loss(scores, y):
        batches.append(y.data.tolist())
        return scores.mean()

    rows = np.ones((n, FEATURES), np.float32)
    trainer(loss, capture=False).fit(rows, numbers, progress=False, **options)
    return batches


# --- the arithmetic -------------------------------------------------------------------


def test_fit_is_the_loop_written_by_hand_in_numpy():
    """Linear softmax classifier, SGD with weight decay, partial last batch, float64."""
    rate, decay, size = 0.3, 0.1, 32
    model = models.linear(FEATURES, CLASSES, dtype="float64")
    W, b = (p.data.copy() for p in model.parameters())
    optimizer = optim.SGD(model.parameters(), lr=rate, weight_decay=decay)
    made = Trainer(model, "cross_entropy", optimizer)
    history = made.fit(X, Y, epochs=2, batch_size=size, shuffle=False, progress=False)
    wide = X.astype(np.float64)
    for row in history.rows:
        total, hits = 0.0, 0
        for start in range(0, N, size):
            x, y = wide[start : start + size], Y[start : start + size]
            scores = x @ W + b
            p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            total -= np.log(p[np.arange(len(y)), y]).sum()
            hits += (scores.argmax(axis=1) == y).sum()
            d = (p - np.eye(CLASSES)[y]) / len(y)
            W, b = W - rate * (x.T @ d + decay * W), b - rate * d.sum(axis=0)
        np.testing.assert_allclose(row["data_loss"], total / N, rtol=1e-12)
        np.testing.assert_allclose(row["regularization"], decay / 2 * (W**2).sum(), rtol=1e-12)
        assert row["loss"] == row["data_loss"] + row["regularization"]
        assert row["accuracy"] == hits / N
        assert row["lr"] == rate
    for parameter, expected in zip(model.parameters(), (W, b), strict=True):
        np.testing.assert_allclose(parameter.data, expected, rtol=1e-12)


def test_training_learns():
    _, history = fitted(epochs=30)
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    assert history["accuracy"][-1] > 0.75


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_evaluate_is_the_mean_over_all_rows(loss, dtype):
    rows, labels = classes(2500)  # several evaluation batches, the last one partial
    model = net(dtype=dtype)
    result = trainer(loss, model).evaluate(rows, labels)
    scores = model.scores(rows).astype(np.float64)
    at = np.arange(len(labels))
    if loss == "hinge":
        margins = np.maximum(0, scores - scores[at, labels][:, None] + 1)
        expected = margins.sum(axis=1).mean() - 1
    else:
        expected = (np.log(np.exp(scores).sum(axis=1)) - scores[at, labels]).mean()
    np.testing.assert_allclose(result["loss"], expected, rtol=1e-6)
    assert result["accuracy"] == (model.predict(rows) == labels).mean()


# --- the order of the samples ---------------------------------------------------------


def test_each_epoch_takes_every_sample_once_in_an_order_of_its_own():
    batches = seen_batches(epochs=3, batch_size=32)
    assert [len(batch) for batch in batches] == [32, 32, 6] * 3
    epochs = [np.concatenate(batches[i : i + 3]).tolist() for i in (0, 3, 6)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(N))
        assert epoch != list(range(N))
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_the_seed_decides_the_order():
    first = seen_batches(epochs=1, seed=5)
    assert seen_batches(epochs=1, seed=5) == first
    assert seen_batches(epochs=1, seed=6) != first


def test_without_shuffling_the_order_is_the_given_one():
    batches = seen_batches(epochs=2, batch_size=50, shuffle=False)
    assert batches == 2 * [list(range(50)), list(range(50, N))]


def test_by_default_ten_epochs_in_shuffled_batches_of_128_with_seed_0():
    batches = seen_batches(n=200)
    assert [len(batch) for batch in batches] == [128, 72] * 10
    assert batches == seen_batches(n=200, epochs=10, batch_size=128, seed=0)


def test_a_batch_larger_than_the_data_is_all_of_it():
    assert [len(batch) for batch in seen_batches(epochs=2, batch_size=1000)] == [N, N]


def test_the_same_seed_gives_the_same_run_to_the_bit():
    (first, a), (second, b) = fitted(seed=4), fitted(seed=4)
    assert_same_weights(first.model, second.model)
    for name in set(a) - {"seconds"}:
        assert a[name].tobytes() == b[name].tobytes()
    assert not np.array_equal(fitted(seed=5)[1]["loss"], a["loss"])


# --- validation -----------------------------------------------------------------------


def test_validation_measures_and_does_not_touch_the_training():
    made, history = fitted(validation_data=(XV, YV))
    plain, other = fitted()
    assert_same_weights(made.model, plain.model)
    assert list(history) == [
        "loss", "data_loss", "regularization", "accuracy",
        "val_loss", "val_accuracy", "lr", "seconds",
    ]  # fmt: skip
    np.testing.assert_array_equal(history["loss"], other["loss"])
    result = made.evaluate(XV, YV)
    assert history.rows[-1]["val_loss"] == result["loss"]
    assert history.rows[-1]["val_accuracy"] == result["accuracy"]
    assert history["val_loss"][0] != history["val_loss"][1]


def test_modes_are_training_in_steps_evaluation_outside_and_then_as_before():
    modes = []

    class Spy(type(net())):
        def forward(self, x):
            modes.append((len(x), self.training, self.layers[0].training))
            return super().forward(x)

    model = Spy(*net().layers)
    model.layers[0].train(False)
    fitted(model=model, validation_data=(XV, YV), epochs=1, capture=False)
    # Samples of one find out the shapes; then three batches, then the validation.
    assert modes == [(1, False, False)] * 2 + [
        *((n, True, True) for n in (32, 32, 6)),
        (40, False, False),
    ]
    assert model.training
    assert not model.layers[0].training


# --- learning rates and clipping ------------------------------------------------------


def test_a_schedule_multiplies_the_rate_of_each_step_and_leaves_no_trace():
    seen = []
    model = net()
    weight, *rest = model.parameters()
    groups = [{"params": [weight], "lr": 0.5}, {"params": rest}]
    optimizer = optim.SGD(groups, lr=0.1)
    made = Trainer(model, "cross_entropy", optimizer, schedule="cosine:0.2,0.1")
    watch = Watch(lambda t: seen.append([g["lr"] for g in optimizer.param_groups]))
    history = made.fit(X, Y, epochs=4, batch_size=32, callbacks=[watch], progress=False)
    factor = schedules.cosine(0.2, 0.1).factor
    assert seen == [[r * factor(step, 12, 3) for r in (0.5, 0.1)] for step in range(12)]
    assert history["lr"].tolist() == [row[0] for row in seen[2::3]]
    assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.1]


def gradients_after_each_step(**options):
    """The gradients of each step as one vector."""
    found = []

    def keep(made):
        found.append(np.concatenate([p.grad.ravel() for p in made.model.parameters()]))

    fitted(callbacks=[Watch(keep)], epochs=1, **options)
    return found


def test_clip_norm_scales_all_gradients_together_and_only_if_too_long():
    free = gradients_after_each_step(lr=0.0)
    norms = [np.linalg.norm(g) for g in free]
    limit = float(np.mean(norms))
    assert min(norms) < limit < max(norms)
    clipped = gradients_after_each_step(lr=0.0, clip_norm=limit)
    for g, norm, c in zip(free, norms, clipped, strict=True):
        expected = g * (limit / norm) if norm > limit else g
        np.testing.assert_allclose(c, expected, rtol=1e-5)
        if norm < limit:
            np.testing.assert_array_equal(c, g)


def test_clip_value_clips_each_element_before_the_norm():
    free = gradients_after_each_step(lr=0.0)
    limit = float(np.abs(free[0]).mean())
    clipped = gradients_after_each_step(lr=0.0, clip_value=limit)
    for g, c in zip(free, clipped, strict=True):
        np.testing.assert_array_equal(c, np.clip(g, -limit, limit, dtype=np.float32))
    both = gradients_after_each_step(lr=0.0, clip_value=limit, clip_norm=1e-3)
    np.testing.assert_allclose(np.linalg.norm(both[0]), 1e-3, rtol=1e-5)
    np.testing.assert_allclose(both[0] / both[0].max(), clipped[0] / clipped[0].max(), rtol=1e-5)


def test_clipping_happens_before_the_update():
    made, _ = fitted(clip_norm=1e-6, epochs=1)
    for p, q in zip(made.model.parameters(), net().parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.data, atol=3.1e-7)


# --- names of optimizers --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sgd", optim.SGD),
        ("adam", optim.Adam),
        ("adamw", optim.AdamW),
        ("rmsprop", optim.RMSprop),
        ("adagrad", optim.Adagrad),
    ],
)
def test_an_optimizer_by_name_has_its_defaults(name, kind):
    model = net()
    made = Trainer(model, "cross_entropy", name)
    assert type(made.optimizer) is kind
    options = {"lr": 0.01} if name == "sgd" else {}
    assert made.optimizer.lr == kind(model.parameters(), **options).lr
    made.fit(X, Y, epochs=1, progress=False)


# --- a loss that is not finite --------------------------------------------------------


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_stops_before_its_update(wrong):
    steps, weights = [], []

    def loss(scores, y):
        steps.append(None)
        mean = cross_entropy(scores, y)
        return mean * np.float32(wrong) if len(steps) == 5 else mean

    made = trainer(loss, capture=False)
    watch = Watch(lambda t: weights.append(t.model.state_dict()))
    message = rf"loss is {wrong} at epoch 2, step 2 of 3"
    with pytest.raises(FloatingPointError, match=message):
        made.fit(X, Y, epochs=3, batch_size=32, callbacks=[watch], progress=False)
    assert len(weights) == 4
    for name, array in made.model.state_dict().items():
        np.testing.assert_array_equal(array, weights[-1][name])
    assert len(made.run.history) == 1
    assert (made.run.epoch, made.run.position) == (1, 1)


def test_an_infinite_norm_stops_before_its_update():
    # The loss is 0; its derivative, that of a root at 0, is not finite.
    made = trainer(lambda scores, y: np.sqrt(scores * 0).mean(), clip_norm=1.0)
    message = "norm of the gradients is nan at epoch 1, step 1 of 3"
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=message):
        made.fit(X, Y, batch_size=32, progress=False)
    assert_same_weights(made.model, net())


def test_a_rate_too_high_is_told_and_leaves_finite_weights():
    target = X.sum(axis=1)
    made = trainer("mse", net(1), lr=10.0)
    with (
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match="lower learning rate"),
    ):
        made.fit(X, target, epochs=100, progress=False)
    for parameter in made.model.parameters():
        assert np.isfinite(parameter.data).all()


# --- runs -----------------------------------------------------------------------------


def test_a_second_fit_is_a_run_of_its_own_from_the_present_weights():
    made, first = fitted()
    second = made.fit(X, Y, epochs=1, progress=False)
    assert len(first) == 2
    assert len(second) == 1
    assert made.run.history is second
    assert second["loss"][0] < first["loss"][0]


def test_a_trainer_without_a_run_says_so():
    with pytest.raises(RuntimeError, match="call fit first"):
        _ = trainer().run


# --- progress -------------------------------------------------------------------------


def test_the_progress_bar_shows_epoch_loss_and_accuracy(capsys):
    _, history = fitted(progress=True, validation_data=(XV, YV))
    output = capsys.readouterr().err
    last = output.rsplit("\r", 1)[-1]
    assert "epoch 2/2: 100%" in last
    assert "6/6" in last
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert f"{name} {history[name][-1]:.4f}" in last


def test_the_progress_bar_changes_nothing_and_is_closed_after_an_error(capsys):
    made, _ = fitted(progress=True)
    assert_same_weights(made.model, fitted()[0].model)
    capsys.readouterr()

    def fail(trainer):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        fitted(progress=True, callbacks=[Watch(fail)])
    assert capsys.readouterr().err.endswith("\n")
    del caught  # until here it kept the bar alive, which closes itself when it is freed


def test_without_progress_nothing_is_printed_or_imported(capfd):
    fitted()
    assert capfd.readouterr() == ("", "")
    code = (
        "import sys, numpy as np; from fastnn import Trainer, models\n"
        "t = Trainer(models.linear(2, 2), 'cross_entropy', 'adam')\n"
        "t.fit(np.ones((4, 2)), [0, 1, 0, 1], epochs=1, progress=False)\n"
        "print([m for m in ('tqdm', 'safetensors', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
