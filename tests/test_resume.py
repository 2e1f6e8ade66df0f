"""A run that was stopped and resumed has the bits of one that never was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from training import N, assert_same_weights, classes, net

from fastnn import cross_entropy, optim, schedules, serialize
from fastnn.callbacks import Checkpoint, EarlyStopping
from fastnn.train import Trainer

X, Y = classes()
XV, YV = classes(40, seed=2)
PLAN = {"epochs": 4, "batch_size": 16, "seed": 3}  # 5 steps an epoch, the last of 6

OPTIMIZERS: dict[str, Callable] = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.01),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=0.01, betas=(0.8, 0.99), weight_decay=0.01),
    "adamw": lambda p: optim.AdamW(p, lr=0.01),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.1),
}
SCHEDULES = {
    "none": None,
    "step": schedules.step(2, 0.5),
    "exponential": schedules.exponential(0.9),
    "cosine": schedules.cosine(0.3, 0.1),
    "linear": schedules.linear(),
    "one_cycle": schedules.one_cycle(),
}


class StopAfter:
    """Ctrl-C after so many steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_batch_end(self, trainer: Trainer) -> None:
        if trainer.run.step == self.step:
            raise KeyboardInterrupt


def make(optimizer="adam", schedule=None, loss="cross_entropy", model=None, **options):
    model = net() if model is None else model
    made = OPTIMIZERS[optimizer](model.parameters())
    return Trainer(model, loss, made, schedule=schedule, **options)


def fit(made: Trainer, callbacks=(), X=X, Y=Y, **options):
    options = {"progress": False, "validation_data": (XV, YV), **options}
    return made.fit(X, Y, callbacks=callbacks, **options)


def interrupted(made: Trainer, path, after: int, callbacks=(), **options) -> None:
    """Train until Ctrl-C after so many steps, and save."""
    with pytest.raises(KeyboardInterrupt):
        fit(made, [*callbacks, StopAfter(after)], **{**PLAN, **options})
    made.save(path)


def assert_same_run(a: Trainer, b: Trainer) -> None:
    assert_same_weights(a.model, b.model)
    assert list(a.run.history) == list(b.run.history)
    for column in set(a.run.history) - {"seconds"}:
        assert a.run.history[column].tobytes() == b.run.history[column].tobytes()
    left, right = a.optimizer.state_dict(), b.optimizer.state_dict()
    np.testing.assert_equal(right["state"], left["state"])
    for group, other in zip(left["param_groups"], right["param_groups"], strict=True):
        assert {k: np.ravel(v).tolist() for k, v in group.items()} == {
            k: np.ravel(v).tolist() for k, v in other.items()
        }


@pytest.mark.parametrize("after", [1, 5, 8, 15, 20])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_any_optimizer_stopped_at_any_step(tmp_path, optimizer, after):
    whole = make(optimizer, "cosine")
    fit(whole, **PLAN)
    interrupted(make(optimizer, "cosine"), tmp_path / "run", after)
    resumed = Trainer.resume(tmp_path / "run")
    assert resumed.run.step == after
    assert type(resumed.optimizer) is type(whole.optimizer)
    history = fit(resumed)
    assert history is resumed.run.history
    assert len(history) == 4
    assert_same_run(whole, resumed)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_any_schedule(tmp_path, schedule):
    whole = make("momentum", SCHEDULES[schedule])
    fit(whole, **PLAN)
    interrupted(make("momentum", SCHEDULES[schedule]), tmp_path / "run", 7)
    resumed = Trainer.resume(tmp_path / "run")
    assert resumed.schedule == SCHEDULES[schedule]
    fit(resumed)
    assert_same_run(whole, resumed)


def test_a_run_stopped_many_times(tmp_path):
    whole = make(schedule="one_cycle")
    fit(whole, **PLAN)
    path = tmp_path / "run"
    interrupted(make(schedule="one_cycle"), path, 2)
    for after in (3, 9, 10, 19):
        resumed = Trainer.resume(path)
        with pytest.raises(KeyboardInterrupt):
            fit(resumed, [StopAfter(after)])
        resumed.save(path)
    resumed = Trainer.resume(path)
    fit(resumed)
    assert_same_run(whole, resumed)


@pytest.mark.parametrize(
    "options",
    [
        {"clip_norm": 0.1},
        {"clip_value": 0.01},
        {"scale": 0.5, "shift": 0.25},
        {"loss": "hinge"},
        {"model": "float64"},
        {"shuffle": False},
        {"sample_weight": np.arange(N) % 3},
    ],
    ids=lambda options: next(iter(options)),
)
def test_every_other_option(tmp_path, options):
    options = dict(options)
    of_fit = {k: options.pop(k) for k in ("shuffle", "sample_weight") if k in options}

    def made():
        model = {"model": net(dtype="float64")} if "model" in options else {}
        return make(**{**options, **model})

    whole = made()
    fit(whole, **PLAN, **of_fit)
    interrupted(made(), tmp_path / "run", 8, **of_fit)
    resumed = Trainer.resume(tmp_path / "run")
    of_fit.pop("shuffle", None)
    fit(resumed, **of_fit)
    assert_same_run(whole, resumed)


def test_parameter_groups(tmp_path):
    def made():
        model = net()
        w1, b1, w2, b2 = model.parameters()
        groups = [
            {"params": [b2, w1], "lr": 0.2},
            {"params": [w2, b1], "momentum": 0.5},
        ]
        sgd = optim.SGD(groups, lr=0.1, momentum=0.9)
        return Trainer(model, "cross_entropy", sgd, schedule="cosine")

    whole = made()
    fit(whole, **PLAN)
    interrupted(made(), tmp_path / "run", 8)
    resumed = Trainer.resume(tmp_path / "run")
    fit(resumed)
    assert_same_run(whole, resumed)
    assert [group["lr"] for group in resumed.optimizer.param_groups] == [0.2, 0.1]


def test_a_learning_rate_that_a_callback_changed(tmp_path):
    class Halve:
        def on_epoch_end(self, trainer, row):
            trainer.optimizer.lr = trainer.optimizer.lr / 2

    whole = make()
    fit(whole, [Halve()], **PLAN)
    interrupted(make(), tmp_path / "run", 8, [Halve()])
    resumed = Trainer.resume(tmp_path / "run")
    fit(resumed, [Halve()])
    assert resumed.optimizer.lr == 0.01 / 16
    assert_same_run(whole, resumed)


def test_the_progress_bar_begins_where_the_run_is(tmp_path, capsys):
    interrupted(make(), tmp_path / "run", 8)
    fit(Trainer.resume(tmp_path / "run"), progress=True)
    bars = capsys.readouterr().err.split("\r")
    assert "8/20" in bars[1]
    assert "20/20" in bars[-1]


def test_a_run_that_was_told_to_stop_still_ends_its_epoch(tmp_path):
    class Stopper:
        def on_batch_end(self, trainer):
            if trainer.run.step == 7:
                trainer.run.stop()

    whole = make()
    fit(whole, [Stopper()], **PLAN)
    assert len(whole.run.history) == 2
    interrupted(make(), tmp_path / "run", 8, [Stopper()])
    resumed = Trainer.resume(tmp_path / "run")
    fit(resumed, [Stopper()])
    assert_same_run(whole, resumed)


def test_the_seconds_of_an_epoch_are_those_of_all_its_parts(tmp_path):
    made = make()
    with pytest.raises(KeyboardInterrupt):
        fit(made, [StopAfter(8)], **PLAN)
    assert 0 < made.run.seconds < 50
    made.run.seconds = 100.0
    made.save(tmp_path / "run")
    seconds = fit(Trainer.resume(tmp_path / "run"))["seconds"]
    assert 100 < seconds[1] < 150
    assert np.all(np.delete(seconds, 1) < 50)


# --- callbacks ------------------------------------------------------------------------


def early() -> EarlyStopping:
    """Stops after epoch 5 of 12 with the best weights of epoch 2, by large steps."""
    return EarlyStopping("val_accuracy", patience=3)


@pytest.mark.parametrize("after", [3, 10, 13, 20, 25])
def test_early_stopping_goes_on_from_where_it_was(tmp_path, after):
    plan = {**PLAN, "epochs": 12}
    whole, watching = make(), early()
    fit(whole, [watching], **plan)
    assert 5 < whole.run.epoch < 12
    assert watching.best_epoch < whole.run.epoch
    interrupted(make(), tmp_path / "run", after, [early()], **plan)
    resumed, resumed_watching = Trainer.resume(tmp_path / "run"), early()
    fit(resumed, [resumed_watching])
    assert_same_run(whole, resumed)
    assert resumed_watching.best == watching.best
    assert resumed_watching.best_epoch == watching.best_epoch


@pytest.mark.parametrize("order", [1, -1])
def test_a_checkpoint_holds_what_the_other_callbacks_made_of_its_epoch(tmp_path, order):
    plan = {**PLAN, "epochs": 12}
    whole = make()
    fit(whole, [early()], **plan)

    class Keep(Checkpoint):
        def on_epoch_end(self, trainer, row):
            self.path = tmp_path / f"epoch-{trainer.run.epoch}"
            super().on_epoch_end(trainer, row)

    fit(make(), [early(), Keep("")][::order], **plan)
    for epoch in range(1, whole.run.epoch + 1):
        resumed = Trainer.resume(tmp_path / f"epoch-{epoch}")
        assert resumed.run.epoch == epoch
        fit(resumed, [early()])
        assert_same_run(whole, resumed)


def test_the_callbacks_with_a_memory_must_be_the_same(tmp_path):
    interrupted(make(), tmp_path / "run", 8, [early()])
    resumed = Trainer.resume(tmp_path / "run")
    before = resumed.model.state_dict()
    with pytest.raises(ValueError, match="had EarlyStopping; got none"):
        fit(resumed)
    for name, array in resumed.model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    fit(resumed, [early()])  # the mistake can be mended
    assert resumed.run.finished


def test_a_resumed_trainer_can_be_saved_again_before_it_goes_on(tmp_path):
    interrupted(make(), tmp_path / "run", 13, [early()])
    Trainer.resume(tmp_path / "run").save(tmp_path / "copy")
    assert (tmp_path / "run").read_bytes() == (tmp_path / "copy").read_bytes()


# --- what the resumed run wants -------------------------------------------------------


def test_a_finished_run_needs_no_step_and_can_be_prolonged(tmp_path):
    made, longer = make(), make()
    fit(made, **PLAN)
    fit(longer, **{**PLAN, "epochs": 6})
    made.save(tmp_path / "run")
    resumed = Trainer.resume(tmp_path / "run")
    assert len(fit(resumed)) == 4
    assert_same_run(made, resumed)
    resumed = Trainer.resume(tmp_path / "run")
    assert len(fit(resumed, epochs=6)) == 6
    assert_same_run(longer, resumed)


def test_only_the_first_fit_goes_on(tmp_path):
    interrupted(make(), tmp_path / "run", 8)
    resumed = Trainer.resume(tmp_path / "run")
    fit(resumed)
    assert len(fit(resumed, epochs=1)) == 1


def test_a_trainer_saved_before_its_first_fit(tmp_path):
    made = make("momentum", "cosine")
    made.save(tmp_path / "run")
    resumed = Trainer.resume(tmp_path / "run")
    for each in (made, resumed):
        fit(each, **PLAN)
    assert_same_run(made, resumed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 8}, "batch_size: the saved run has 16, got 8"),
        ({"seed": 4}, "seed: the saved run has 3, got 4"),
        ({"shuffle": False}, "shuffle: the saved run has True, got False"),
        ({"epochs": 1}, "epochs: the saved run is in epoch 2, got 1"),
        ({"X": X[:-1], "Y": Y[:-1]}, "X: the saved run trains on 70 samples, got 69"),
        ({"validation_data": None}, "validation_data: the saved run records"),
    ],
)
def test_a_plan_that_does_not_fit_the_saved_run(tmp_path, options, message):
    whole = make()
    fit(whole, **PLAN)
    interrupted(make(), tmp_path / "run", 8)
    resumed = Trainer.resume(tmp_path / "run")
    with pytest.raises(ValueError, match=message):
        fit(resumed, **options)
    fit(resumed, **PLAN)  # the same arguments again do fit
    assert_same_run(whole, resumed)


# --- files ----------------------------------------------------------------------------


def test_another_process_reaches_the_same_bits(tmp_path):
    whole = make(schedule="cosine")
    fit(whole, **PLAN)
    interrupted(make(schedule="cosine"), tmp_path / "run", 8)
    np.savez(tmp_path / "data.npz", X=X, Y=Y, XV=XV, YV=YV)
    code = (
        "import sys, numpy as np; from fastnn import Trainer\n"
        "folder = sys.argv[1]; d = np.load(folder + '/data.npz')\n"
        "t = Trainer.resume(folder + '/run')\n"
        "t.fit(d['X'], d['Y'], validation_data=(d['XV'], d['YV']), progress=False)\n"
        "t.save(folder + '/done')"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert_same_run(whole, Trainer.resume(tmp_path / "done"))


def test_fastnn_load_reads_the_model_of_a_run(tmp_path):
    made = make()
    interrupted(made, tmp_path / "run", 8)
    assert_same_weights(serialize.load(tmp_path / "run"), made.model)


def test_a_function_as_the_loss_is_given_again(tmp_path):
    def loss(scores, y):
        return cross_entropy(scores, y)

    whole = make(loss=loss)
    fit(whole, **PLAN)
    interrupted(make(loss=loss), tmp_path / "run", 8)
    with pytest.raises(ValueError, match=r"loss= must be given: .* a function"):
        Trainer.resume(tmp_path / "run")
    resumed = Trainer.resume(tmp_path / "run", loss=loss)
    fit(resumed)
    assert_same_run(whole, resumed)
    interrupted(make(), tmp_path / "named", 8)
    with pytest.raises(ValueError, match=r"loss= must be left out: .* 'cross_entropy'"):
        Trainer.resume(tmp_path / "named", loss=loss)


def test_frozen_parameters_stay_frozen_after_a_resume(tmp_path):
    def frozen():
        model = net()
        next(model.parameters()).requires_grad = False
        return make(model=model)

    whole, cut = frozen(), frozen()
    before = next(whole.model.parameters()).data.copy()
    fit(whole, **PLAN)
    np.testing.assert_array_equal(next(whole.model.parameters()).data, before)
    interrupted(cut, tmp_path / "run", 8)
    resumed = Trainer.resume(tmp_path / "run")
    fit(resumed)
    assert_same_run(whole, resumed)


def test_what_a_file_cannot_hold_is_refused_when_saving(tmp_path):
    class Mine(optim.SGD):
        pass

    model = net()
    for optimizer, error in [
        (Mine(model.parameters(), lr=0.1), TypeError),
        (optim.SGD(net().parameters(), lr=0.1), ValueError),
    ]:
        with pytest.raises(error, match="optimizer: "):
            Trainer(model, "hinge", optimizer).save(tmp_path / "run")
    formula = schedules.Schedule("mine", {}, lambda step, total, per_epoch: 1.0)
    with pytest.raises(ValueError, match="schedule"):
        make(schedule=formula).save(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_holds_no_run_is_refused(tmp_path):
    path = tmp_path / "model"
    serialize.save(net(), path)
    with pytest.raises(ValueError, match=r"model' *: it holds a model but no .* run"):
        Trainer.resume(path)
    with pytest.raises(FileNotFoundError):
        Trainer.resume(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("loss"),
        lambda state: state.update(loss="log"),
        lambda state: state["optimizer"].update(type="os.system"),
        lambda state: state["optimizer"].pop("parameters"),
        lambda state: state["optimizer"]["parameters"][0].append("x"),
        lambda state: state["optimizer"].update(param_groups=[]),
        lambda state: state["optimizer"]["state"]["0"].update(m={"$array": "nowhere"}),
        lambda state: state["optimizer"]["state"].update(x={}),
        lambda state: state.update(schedule={"name": "x"}),
        lambda state: state["options"].update(clip_norm=-1),
        lambda state: state["run"].pop("rows"),
        lambda state: state["run"]["rows"][0].pop("loss"),
        lambda state: state["run"].pop("epoch"),
        lambda state: state["run"].pop("seed"),
        lambda state: state["run"].update(seed=None),
        lambda state: state["run"].update(epoch="x"),
        lambda state: state["run"].update(surprise=1),
        lambda state: state.pop("callbacks"),
        lambda state: state.clear(),
    ],
)
def test_a_damaged_state_is_one_clear_error(tmp_path, change):
    path = tmp_path / "run"
    interrupted(make(), path, 8)
    tensors, header = serialize.read_file(path)
    change(header["trainer"])
    serialize.write_file(path, tensors, header)
    with pytest.raises(ValueError, match="cannot load") as caught:
        Trainer.resume(path)
    assert repr(str(path)) in str(caught.value)
