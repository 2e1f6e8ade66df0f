"""Schedules: their values by formula, and their names and configs."""

from __future__ import annotations

import json
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn import schedules

ALL = [
    schedules.constant(),
    schedules.step(2, 0.5),
    schedules.exponential(0.9),
    schedules.cosine(),
    schedules.cosine(warmup=0.1, final=0.05),
    schedules.linear(warmup=0.2),
    schedules.one_cycle(),
    schedules.one_cycle(peak_at=0.0, start=0.5, final=0.0),
]


def factors(schedule: schedules.Schedule, total: int, per_epoch: int) -> list[float]:
    return [schedule.factor(i, total, per_epoch) for i in range(total)]


def test_constant_step_and_exponential_go_by_epochs() -> None:
    assert factors(schedules.constant(), 3, 1) == [1, 1, 1]
    assert factors(schedules.step(2, 0.5), 10, 2) == [1] * 4 + [0.5] * 4 + [0.25] * 2
    expected = [1, 1, 1, 0.9, 0.9, 0.9, 0.81]
    assert factors(schedules.exponential(0.9), 7, 3) == pytest.approx(expected)


def test_cosine() -> None:
    got = factors(schedules.cosine(final=0.2), 8, 4)
    expected = [0.2 + 0.8 * (1 + math.cos(math.pi * i / 8)) / 2 for i in range(8)]
    assert got == pytest.approx(expected)
    assert got[0] == 1
    assert schedules.cosine(final=0.2).factor(8, 8, 4) == pytest.approx(0.2)


def test_linear() -> None:
    assert factors(schedules.linear(), 4, 1) == pytest.approx([1, 0.75, 0.5, 0.25])
    got = factors(schedules.linear(final=0.5), 4, 1)
    assert got == pytest.approx([1, 0.875, 0.75, 0.625])


@pytest.mark.parametrize("make", [schedules.cosine, schedules.linear])
def test_warmup_climbs_linearly_then_falls(make) -> None:
    got = factors(make(warmup=0.4), 10, 1)
    assert got[:5] == pytest.approx([0.25, 0.5, 0.75, 1, 1])
    assert got[4:] == pytest.approx(factors(make(), 6, 1))


def test_one_cycle() -> None:
    got = factors(schedules.one_cycle(), 10, 5)
    assert got[0] == pytest.approx(1 / 25)
    assert got[1] == pytest.approx(1 + (1 / 25 - 1) * (1 + math.cos(math.pi / 3)) / 2)
    assert got[3] == pytest.approx(1)
    assert max(got) == got[3]
    assert schedules.one_cycle().factor(10, 10, 5) == pytest.approx(1e-4)


@given(st.sampled_from(ALL), st.integers(1, 50), st.integers(1, 10))
def test_factors_stay_between_zero_and_one(schedule, total, per_epoch) -> None:
    for i in range(total + 3):  # a run may be prolonged beyond its plan
        assert 0 <= schedule.factor(i, total, per_epoch) <= 1


@pytest.mark.parametrize("schedule", ALL, ids=repr)
def test_config_round_trip(schedule: schedules.Schedule) -> None:
    config = json.loads(json.dumps(schedule.config()))
    for twin in (schedules.from_config(config), pickle.loads(pickle.dumps(schedule))):
        assert twin == schedule
        assert hash(twin) == hash(schedule)
        assert factors(twin, 9, 2) == factors(schedule, 9, 2)


def test_equality_is_of_configs() -> None:
    assert schedules.step(2) != schedules.step(3)
    assert schedules.cosine() != schedules.linear()
    assert schedules.constant() != "constant"


def test_configs_are_copies() -> None:
    schedule = schedules.exponential(0.5)
    schedule.config()["gamma"] = 0.1
    assert schedule.config() == {"name": "exponential", "gamma": 0.5}
    assert repr(schedule) == "schedules.exponential(gamma=0.5)"


def test_names() -> None:
    assert schedules.get("step:10,0.5") == schedules.step(10, 0.5)
    assert schedules.get("cosine") == schedules.cosine()
    assert schedules.get("one_cycle:0.2") == schedules.one_cycle(0.2)
    assert schedules.get(None) == schedules.constant()
    assert schedules.get(ALL[3]) is ALL[3]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("polynomial", "wants one of constant, step"),
        ("step:ten", "numbers after the colon"),
        ("step", "step_size"),
        ("step:1.5", "step_size"),
        ("step:nan", "step_size"),
        ("step:inf", "step_size"),
        ("constant:1", "constant"),
        ("exponential:0", "gamma"),
        ("exponential:nan", "gamma"),
        ("cosine:1", "warmup"),
        ("cosine:0,2", "final"),
        ("one_cycle:1", "peak_at"),
        ("one_cycle:0.5,2", "start"),
        ("one_cycle:0.5,0.5,-1", "final"),
    ],
)
def test_bad_names(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        schedules.get(name)


def test_bad_objects() -> None:
    with pytest.raises(TypeError, match="3"):
        schedules.get(3)
    with pytest.raises(ValueError, match="None"):
        schedules.from_config({})


@pytest.mark.parametrize("make", [schedules.cosine, schedules.exponential, schedules.step])
def test_arguments_of_another_type(make) -> None:
    with pytest.raises(TypeError, match=r"must be a(n integer| number)"):
        make("a")
