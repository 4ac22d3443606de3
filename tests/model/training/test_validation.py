from dataclasses import replace

import numpy as np
import pytest

from model.data.channel import read_channel
from model.errors import Problems
from model.training.validation import Validation


@pytest.fixture
def validation(faces) -> Validation:
    """168 pictures of 24 persons; every picture of six persons is answered wrong."""
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    answers = table.classes()
    persons = np.unique(table.groups.astype(str))[:6]
    wrong = np.isin(table.groups.astype(str), persons)
    answers[wrong] = (answers[wrong] + 1) % 18
    probabilities = np.full((168, 18), 0.01, np.float32)
    probabilities[np.arange(168), answers] = np.linspace(0.3, 0.9, 168)
    return Validation(table, probabilities, answers, 0.5)


def test_metrics_are_those_of_the_answers(validation):
    assert validation.metrics["acc"] == pytest.approx(0.75) and validation.metrics["loss"] == 0.5
    assert validation.metrics["f1"] == pytest.approx(np.mean(validation.metrics["per_class"]["f1"]))
    assert sum(validation.metrics["per_class"]["support"]) == validation.confusion.sum() == 168
    assert np.trace(validation.confusion) == 126


def test_intervals_are_over_groups(validation):
    """Reference: a share of 18 of 24 persons has the standard deviation sqrt(0.75 * 0.25 / 24) = 0.088."""
    low, high = validation.intervals()["acc"]
    assert low < 0.75 < high and high - low == pytest.approx(2 * 1.96 * 0.088, rel=0.15)
    alone = replace(validation, table=replace(validation.table, groups=np.arange(168).astype(str).astype(object)))
    narrow_low, narrow_high = alone.intervals()["acc"]
    assert narrow_high - narrow_low < 0.5 * (high - low)
    low, high = validation.intervals()["f1"]
    assert low < validation.metrics["f1"] < high


def test_the_geometric_mean_is_over_the_classes_that_validation_has(validation):
    rows = np.flatnonzero(np.isin(validation.classes, [0, 7]))
    table = validation.table.take(rows)
    two = Validation(table, validation.probabilities[rows], validation.answers[rows], 0.5)
    f1 = np.array(two.metrics["per_class"]["f1"])
    assert list(two.present) == [0, 7] and (f1[[0, 7]] > 0).all()
    assert two.metrics["gmean"] == pytest.approx(np.sqrt(f1[0] * f1[7]))
    assert "gmean" not in two.intervals()  # nine persons


def test_no_interval_with_fewer_than_ten_groups_and_one_at_1(validation):
    few = replace(validation, table=replace(validation.table, groups=(np.arange(168) // 21).astype(str).astype(object)))
    assert few.intervals() == {}
    perfect = Validation(validation.table, validation.probabilities, validation.classes, 0.5)
    bounds = perfect.intervals()
    assert bounds["acc"][0] < bounds["acc"][1] == 1 and bounds["f1"][0] < bounds["f1"][1] == 1


def test_the_worst_are_wrong_and_the_surest_come_first(validation):
    rows = validation.worst(10)
    assert len(rows) == 10 and (validation.answers[rows] != validation.classes[rows]).all()
    sureness = validation.probabilities.max(axis=1)
    assert list(sureness[rows]) == sorted(sureness[validation.answers != validation.classes], reverse=True)[:10]
    assert len(validation.worst(1000)) == 42
