"""Losses of classes, and classes that are alike: losses, alike."""

from __future__ import annotations

import numpy as np
import pytest
from cli_helpers import one_thread as one_thread

from fastnn import functional as F
from fastnn.lecture import alike, losses


def test_hinge_and_softmax_of_the_lectures_image() -> None:
    scores = losses.W @ losses.x + losses.b
    np.testing.assert_allclose(scores, [-2.85, 0.86, 0.28], rtol=1e-12)
    assert losses.hinge(scores, losses.RIGHT) == pytest.approx(1.58, abs=0.005)
    softmax = losses.softmax(scores, losses.RIGHT)
    assert softmax == pytest.approx(1.04, abs=0.005)
    assert softmax / np.log(10) == pytest.approx(0.452, abs=0.0005)


def test_both_losses_are_fastnns(rng: np.random.Generator) -> None:
    for y, scores in enumerate(5 * rng.standard_normal((4, 4))):
        labels = np.array([y])
        assert losses.hinge(scores, y) == pytest.approx(
            sum(max(0, s - scores[y] + 1) for s in np.delete(scores, y)), rel=1e-12
        )
        of_fastnn = float(F.cross_entropy(scores[None], labels)[0])
        assert losses.softmax(scores, y) == pytest.approx(of_fastnn, rel=1e-10)


def test_three_images_before_their_scores_move() -> None:
    assert losses.SCORES.tolist() == [[10, -2, 3], [10, 9, 9], [10, -100, -100]]
    assert [losses.hinge(row, 0) for row in losses.SCORES] == [0, 0, 0]
    found = [losses.softmax(row, 0) for row in losses.SCORES]
    wanted = [np.log1p(np.exp(-12) + np.exp(-7)), np.log1p(2 / np.e), 2 * np.exp(-110)]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("by", "hinge"), [(-1, [0, 2, 0]), (-0.25, [0, 0.5, 0]), (0.25, [0, 0, 0]), (1, [0, 0, 0])]
)
def test_three_images_after_it(by: float, hinge: list[float]) -> None:
    after = [losses.moved(row, by) for row in losses.SCORES]
    assert [losses.hinge(row, 0) for row in after] == hinge
    for row, moved in zip(losses.SCORES, after, strict=True):
        assert (losses.softmax(moved, 0) < losses.softmax(row, 0)) == (by > 0)


def test_hinge_pushes_none_of_them_and_softmax_all() -> None:
    for row in losses.SCORES:
        hinge, softmax = losses.gradients(row, 0)
        np.testing.assert_array_equal(hinge, 0)
        p = np.exp(row - 10) / np.exp(row - 10).sum()
        np.testing.assert_allclose(softmax, p - [1, 0, 0], rtol=1e-12, atol=1e-300)
        assert (softmax[1:] > 0).all()


@pytest.fixture(scope="module")
def outcome() -> alike.Outcome:
    return alike.classify()


def test_the_confusion_table_is_scikit_learns(outcome: alike.Outcome) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="it is the source to compare with")
    table = alike.confusion(outcome.y, outcome.predicted)
    np.testing.assert_array_equal(table, metrics.confusion_matrix(outcome.y, outcome.predicted))


def test_the_confusion_table_of_a_few() -> None:
    table = alike.confusion(np.array([0, 1, 1, 2]), np.array([0, 2, 2, 1]), classes=3)
    np.testing.assert_array_equal(table, [[1, 0, 0], [0, 0, 2], [0, 1, 0]])


def test_the_linear_classifier_confuses_few_digits(outcome: alike.Outcome) -> None:
    table = alike.confusion(outcome.y, outcome.predicted)
    assert table.shape == (10, 10)
    np.testing.assert_array_equal(table.sum(axis=1), np.bincount(outcome.y))
    assert 0.95 < np.trace(table) / 359 < 0.99
    assert 359 - np.trace(table) == sum(len(pair.misread) for pair in alike.most_alike(outcome))
    np.testing.assert_allclose(outcome.p.sum(axis=1), 1, rtol=1e-12)


def test_the_most_confused_pairs_come_first(outcome: alike.Outcome) -> None:
    pairs = alike.most_alike(outcome)
    assert pairs[0][:2] == (8, 9)
    order = [(len(pair.misread), pair.doubt) for pair in pairs]
    assert order == sorted(order, reverse=True)
    for pair in pairs:
        assert pair.a < pair.b
        for i in pair.misread:
            assert {outcome.y[i], outcome.predicted[i]} == {pair.a, pair.b}
        doubts = [
            p[b] for y, p in zip(outcome.y, outcome.p, strict=True)
            for a, b in ((pair.a, pair.b), (pair.b, pair.a)) if y == a
        ]  # fmt: skip
        assert pair.doubt == pytest.approx(np.mean(doubts), rel=0.05)


def test_an_image_as_text() -> None:
    image = np.zeros((8, 8))
    image[0, 1], image[7, 7] = 9, 4
    rows = alike.art(image.ravel() - 3)
    assert [len(row) for row in rows] == [16] * 8
    assert rows[0] == "  @@" + " " * 12
    assert rows[7] == " " * 14 + "=="
    assert not "".join(rows[1:7]).strip()
