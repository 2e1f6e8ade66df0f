"""History: the table of what training recorded."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from fastnn.history import History


def filled() -> History:
    history = History(["loss", "lr"])
    history.append({"loss": 1 / 3, "lr": 0.1})
    history.append({"lr": 0.05, "loss": np.float32(0.25)})
    return history


def test_columns_are_arrays_and_rows_are_dicts():
    history = filled()
    assert len(history) == 2
    assert list(history) == ["loss", "lr"]
    assert "loss" in history
    assert "val_loss" not in history
    np.testing.assert_array_equal(history["loss"], [1 / 3, 0.25])
    assert history["loss"].dtype == np.float64
    assert history.rows[1] == {"loss": 0.25, "lr": 0.05}


def test_a_column_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(KeyError, match=r"accuracy.*loss, lr"):
        filled()["accuracy"]


@pytest.mark.parametrize("row", [{"loss": 1.0}, {"loss": 1.0, "lr": 1.0, "x": 1.0}])
def test_a_row_of_other_columns_is_refused(row):
    history = filled()
    with pytest.raises(ValueError, match="row"):
        history.append(row)
    assert len(history) == 2


def test_csv_gives_back_the_same_numbers(tmp_path):
    history = filled()
    history.append({"loss": math.nan, "lr": math.inf})
    path = tmp_path / "history.csv"
    history.to_csv(path)
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    for column in history:
        read = np.array([float(row[column]) for row in rows])
        assert read.tobytes() == history[column].tobytes()
    assert [p.name for p in tmp_path.iterdir()] == ["history.csv"]


def test_an_empty_history_has_a_header_and_no_rows(tmp_path):
    history = History(["loss"])
    history.to_csv(tmp_path / "h.csv")
    assert (tmp_path / "h.csv").read_text() == "epoch,loss\n"
    assert history["loss"].shape == (0,)
    assert "no epochs" in repr(history)


def test_repr_shows_the_last_epoch():
    assert repr(filled()) == "History(2 epochs; last: loss=0.25, lr=0.05)"
