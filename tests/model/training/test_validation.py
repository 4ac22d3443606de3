from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import metrics as reference

from model.attributes import Attribute
from model.data.channel import read_channel
from model.errors import Problems
from model.evaluation.evaluate import evaluate
from model.evaluation.matched_answers import MatchedAnswers
from model.labels import Scheme
from model.network.heads import make_heads
from model.network.probabilities import joint_probabilities
from model.settings.evaluation import EvaluationSettings
from model.training import validation as module
from model.training.validation import Validation, Validator


@pytest.fixture
def validation(faces) -> Validation:
    """168 images of 24 persons; all predictions for six persons are wrong."""
    table = read_channel(faces / "train", Problems(""))
    assert table is not None
    answers = table.classes()
    persons = np.unique(table.groups.astype(str))[:6]
    wrong = np.isin(table.groups.astype(str), persons)
    answers[wrong] = (answers[wrong] + 1) % 18
    probabilities = np.full((168, 18), 0.01, np.float32)
    probabilities[np.arange(168), answers] = np.linspace(0.3, 0.9, 168)
    return Validation(table, probabilities, answers, 0.5)


def test_metrics_are_those_of_the_predictions(validation):
    assert validation.metrics["acc"] == pytest.approx(0.75) and validation.metrics["loss"] == 0.5
    assert validation.metrics["f1"] == pytest.approx(np.mean(validation.metrics["per_class"]["f1"]))
    assert sum(validation.metrics["per_class"]["support"]) == validation.confusion.sum() == 168
    assert np.trace(validation.confusion) == 126


def test_intervals_are_resampled_by_group(validation):
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


def test_the_worst_predictions_are_sorted_by_decreasing_confidence(validation):
    rows = validation.worst(10)
    assert len(rows) == 10 and (validation.answers[rows] != validation.classes[rows]).all()
    sureness = validation.probabilities.max(axis=1)
    assert list(sureness[rows]) == sorted(sureness[validation.answers != validation.classes], reverse=True)[:10]
    assert len(validation.worst(1000)) == 42


def test_each_attribute_is_scored(validation):
    """Reference: scikit-learn's scores for the values of each attribute."""
    scheme, by_attribute = validation.table.scheme, validation.metrics["attributes"]
    assert list(by_attribute) == ["mask", "gender", "age"]
    truth, answers = scheme.split(validation.classes), scheme.split(validation.answers)
    for attribute in scheme.attributes:
        own = truth[attribute.name], answers[attribute.name]
        labels = range(len(attribute.values))
        expected = reference.f1_score(*own, labels=labels, average="macro", zero_division=0)
        assert by_attribute[attribute.name]["f1"] == pytest.approx(expected)
        assert by_attribute[attribute.name]["accuracy"] == pytest.approx(reference.accuracy_score(*own))
    alone = Validation(replace(validation.table, scheme=scheme.only("age")), np.zeros((168, 3)), answers["age"], 0.5)
    assert "attributes" not in alone.metrics


@pytest.fixture
def hierarchy(validation) -> Validation:
    """Three images with two attributes of 40 values each; four of their combinations are classes."""
    values = tuple(f"v{code}" for code in range(40))
    scheme = Scheme((Attribute("a", values), Attribute("b", values)))
    scheme = scheme.occurring({"a": np.array([0, 0, 1, 2]), "b": np.array([0, 1, 0, 3])})
    table = replace(validation.table.take([0, 1, 2]), labels=pd.DataFrame({"a": [0, 2, 2], "b": [0, 3, 3]}))
    return Validation(replace(table, scheme=scheme), np.full((3, 4), 0.25), np.array([1, 3, 2]), 0.5)


def test_the_scores_of_a_hierarchy_are_means_over_its_attributes(hierarchy):
    """By hand: a is v0, v2, v2, predicted v0, v2, v1: F1 1 and 2/3. b is v0, v3, v3, predicted v1, v3, v0: 0 and 2/3.
    Values that are not in the true labels do not count."""
    metrics = hierarchy.metrics
    assert metrics["attributes"]["a"]["f1"] == pytest.approx(5 / 6)
    assert metrics["attributes"]["b"] == {"f1": pytest.approx(1 / 3), "accuracy": pytest.approx(1 / 3)}
    assert metrics["f1"] == pytest.approx(7 / 12) and metrics["acc"] == pytest.approx(1 / 3)
    assert metrics["per_class"]["support"] == [1, 0, 0, 2]
    assert hierarchy.intervals() == {}  # there are only three groups


def test_the_scores_of_a_hierarchy_have_intervals(hierarchy):
    rows = np.tile([0, 1, 2], 8)
    table = replace(hierarchy.table.take(rows), groups=np.arange(len(rows)).astype(str))
    repeated = replace(
        hierarchy, table=table, probabilities=hierarchy.probabilities[rows], answers=hierarchy.answers[rows]
    )
    for name, (low, high) in repeated.intervals().items():
        assert low <= repeated.metrics[name] <= high
    assert {"f1", "acc"} <= repeated.intervals().keys()


def test_an_image_without_a_label_counts_for_the_other_attributes(hierarchy):
    labels = hierarchy.table.labels.assign(b=[-1, 3, 3])
    metrics = replace(hierarchy, table=replace(hierarchy.table, labels=labels)).metrics
    assert metrics["attributes"]["a"]["f1"] == pytest.approx(5 / 6)
    assert metrics["attributes"]["b"] == {"f1": pytest.approx(2 / 3), "accuracy": 0.5} and metrics["acc"] == 0.5


def test_probabilities_of_a_hierarchy_are_computed_in_blocks_of_rows(hierarchy, monkeypatch):
    heads = make_heads(hierarchy.table.scheme, "heads", lambda head, classes: classes)
    validator = object.__new__(Validator)
    validator.heads = heads
    logits = torch.randn(7, heads.outputs)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 3)
    np.testing.assert_allclose(validator._probabilities(logits), joint_probabilities(heads, logits), rtol=1e-6)


@pytest.mark.parametrize("grouped", [True, False])
def test_an_evaluation_of_the_same_predictions_has_the_same_intervals(validation, grouped):
    if not grouped:
        paths = np.array(validation.table.locations.paths, dtype=object)
        validation = replace(validation, table=replace(validation.table, groups=paths))
    scheme, groups = validation.table.scheme, pd.factorize(validation.table.groups)[0]
    matched = MatchedAnswers(
        scheme,
        list(validation.table.locations.paths),
        validation.classes,
        validation.answers,
        groups=groups if grouped else None,
        group_column="group",
        group_names=[str(group) for group in range(groups.max() + 1)] if grouped else [],
    )
    scores = evaluate(matched, resamples=EvaluationSettings().resamples).joint.scores
    intervals = validation.intervals()
    for name, score in (("f1", "macro_f1"), ("acc", "accuracy"), ("gmean", "gmean_f1")):
        if name in intervals:
            assert intervals[name] == [scores[score].low, scores[score].high]
    assert {"f1", "acc"} <= intervals.keys()


def test_estimated_numbers_have_their_mean_absolute_error_over_the_images_with_a_number(validation):
    assert "mean_absolute_error" not in validation.metrics
    numbers = validation.table.numbers.copy()
    numbers.loc[5:20, "age"] = np.nan
    estimated = np.random.default_rng(0).normal(40, 10, 168).astype(np.float32)
    aged = replace(validation, table=replace(validation.table, numbers=numbers), numbers={"age": estimated})
    known = [row for row in range(168) if not 5 <= row <= 20]
    expected = sum(abs(estimated[row] - validation.table.numbers["age"][row]) for row in known) / len(known)
    assert aged.metrics["mean_absolute_error"] == {"age": pytest.approx(expected, rel=1e-5)}
    without = replace(aged, table=replace(aged.table, numbers=numbers.assign(age=np.nan)))
    assert without.number_errors == {}
