"""The joint class and the attributes of answers, and their statistics over resamples."""

from __future__ import annotations

import numpy as np
import pytest

from model.attributes import Attribute
from model.evaluation import targets as module
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.targets import JOINT_CLASS, by_resamples, resampled_totals, scores_of_targets, targets_of
from model.labels import Scheme, mask_scheme
from model.metrics.scores import Counts, scores_of, weighted_scores_of


def matched(scheme: Scheme, truth: list[int], answers: list[int], other: list[int] | None = None) -> MatchedAnswers:
    names = [f"{number}.jpg" for number in range(len(truth))]
    another = None if other is None else np.array(other)
    return MatchedAnswers(scheme, names, np.array(truth), np.array(answers), other=another)


@pytest.fixture
def hierarchy() -> Scheme:
    """Two attributes of 40 values, of whose 1,600 combinations four are classes."""
    values = tuple(f"v{code}" for code in range(40))
    scheme = Scheme((Attribute("a", values), Attribute("b", values)))
    return scheme.occurring({"a": np.array([0, 0, 1, 2]), "b": np.array([0, 1, 0, 3])})


def test_a_small_scheme_keeps_all_of_its_classes():
    result = targets_of(matched(mask_scheme(), [0, 5], [0, -1]), [])
    assert list(result) == [JOINT_CLASS, "mask", "gender", "age"]
    assert result[JOINT_CLASS].class_names == mask_scheme().class_names
    assert result["age"].truth.tolist() == [0, 2] and result["age"].answers.tolist() == [0, -1]


def test_a_large_scheme_keeps_only_true_and_predicted_classes(hierarchy):
    result = targets_of(matched(hierarchy, [0, 3, 3], [1, 3, -1]), [])
    joint = result[JOINT_CLASS]
    assert joint.class_names == ["v0/v0", "v0/v1", "v2/v3"] and joint.classes.tolist() == [0, 1, 3]
    assert joint.truth.tolist() == [0, 2, 2] and joint.answers.tolist() == [1, 2, -1]
    assert result["b"].class_names == ["v0", "v1", "v3"] and result["b"].classes.tolist() == [0, 1, 3]
    assert joint.gmean_classes is None
    chosen = targets_of(matched(hierarchy, [0, 3, 3], [1, 3, -1]), [2, 3])[JOINT_CLASS]
    assert chosen.classes.tolist() == [0, 1, 2, 3] and chosen.gmean_classes == [2, 3]


def test_the_score_of_a_large_scheme_is_the_mean_of_the_attributes(hierarchy):
    """By hand: a is v0, v2, v2, answered v0, v2, none: F1 1 and 2/3. b is v0, v3, v3, answered v1, v3, none: 0 and
    2/3; v1, which is not in truth, does not count."""
    answers = matched(hierarchy, [0, 3, 3], [1, 3, -1], [0, 3, 3])
    targets = targets_of(answers, [])
    totals = resampled_totals(answers, targets, 0, 0)
    result = scores_of_targets(targets, totals.counts, True)
    assert result["a"]["macro_f1"] == pytest.approx(5 / 6) and result["b"]["macro_f1"] == pytest.approx(1 / 3)
    assert result[JOINT_CLASS]["macro_f1"] == pytest.approx((5 / 6 + 1 / 3) / 2)
    assert result[JOINT_CLASS]["accuracy"] == pytest.approx(1 / 3)
    assert scores_of_targets(targets, totals.others, True)[JOINT_CLASS]["macro_f1"] == 1
    chosen = targets_of(answers, [0, 3])
    by_chosen = scores_of_targets(chosen, resampled_totals(answers, chosen, 0, 0).counts, True)
    assert by_chosen[JOINT_CLASS]["gmean_f1"] == 0


def test_columns_and_resamples_that_are_computed_apart_give_the_same(monkeypatch):
    generator = np.random.default_rng(0)
    truth, answers, other = (generator.integers(18, size=300).tolist() for _ in range(3))
    cases = matched(mask_scheme(), truth, answers, other)
    targets = targets_of(cases, [])
    whole = resampled_totals(cases, targets, 200, 1)
    monkeypatch.setattr(module, "COLUMNS_AT_ONCE", 7)
    apart = resampled_totals(cases, targets, 200, 1)
    for name, counts in whole.counts.items():
        assert (apart.counts[name].right == counts.right).all() and (apart.counts[name].truth == counts.truth).all()
    assert (apart.others[JOINT_CLASS].answered == whole.others[JOINT_CLASS].answered).all()
    counts = whole.counts[JOINT_CLASS]
    monkeypatch.setattr(module, "COUNTS_AT_ONCE", 50)
    for formula in (scores_of, weighted_scores_of):
        for name, values in formula(counts).items():
            np.testing.assert_allclose(by_resamples(formula, counts)[name], values, rtol=1e-12)


def test_a_constant_prediction_has_the_counts_of_a_table_of_it():
    truth = np.array([0, 0, 1, 2, 2, 2])
    reference = weighted_scores_of(Counts.from_answers(truth, np.full(6, 2), 3))
    for name, value in weighted_scores_of(Counts.from_answers(truth, truth, 3).constant(2)).items():
        assert value == reference[name]
