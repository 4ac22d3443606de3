"""Reference: scikit-learn and scipy on random input, a plain loop for the calibration error."""

import itertools
import warnings

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gmean

from model.metrics.calibration import calibration_error, calibration_statistics, reliability_of
from model.metrics.scores import Counts, confusion, count_statistics, per_class, scores, scores_of, weighted_scores_of

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


@st.composite
def answered_pictures(draw):
    """Classes, truth and answers; some classes without truth, some pictures without an answer."""
    num_classes = draw(st.integers(1, 6))
    pictures = draw(st.integers(1, 40))
    truth = draw(st.lists(st.integers(0, num_classes - 1), min_size=pictures, max_size=pictures))
    answers = draw(st.lists(st.integers(-1, num_classes - 1), min_size=pictures, max_size=pictures))
    return num_classes, np.array(truth), np.array(answers)


@settings(max_examples=100, deadline=None)
@given(answered_pictures())
def test_scores_equal_scikit_learns(case):
    num_classes, truth, answers = case
    labels = range(num_classes)
    macro = {"labels": labels, "average": "macro", "zero_division": 0}
    found = scores(truth, answers, num_classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # y_pred contains classes not in y_true
        expected = {
            "accuracy": reference.accuracy_score(truth, answers),
            "macro_f1": reference.f1_score(truth, answers, **macro),
            "macro_precision": reference.precision_score(truth, answers, **macro),
            "macro_recall": reference.recall_score(truth, answers, **macro),
            "balanced_accuracy": reference.balanced_accuracy_score(truth, answers),
            "gmean_f1": gmean(reference.f1_score(truth, answers, labels=labels, average=None, zero_division=0)),
        }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, err_msg=name, **CLOSE)


@settings(max_examples=100, deadline=None)
@given(answered_pictures())
def test_per_class_equals_scikit_learns(case):
    num_classes, truth, answers = case
    expected = reference.precision_recall_fscore_support(truth, answers, labels=range(num_classes), zero_division=0)
    found = per_class(truth, answers, num_classes)
    for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        np.testing.assert_allclose(found[name], values, err_msg=name, **CLOSE)


@settings(max_examples=40, deadline=None)
@given(answered_pictures())
def test_weighted_scores_equal_scikit_learns(case):
    num_classes, truth, answers = case
    counts = Counts.of(truth, answers, num_classes)
    commonest = int(counts.truth.argmax())
    for given_answers, found in (
        (answers, weighted_scores_of(counts)),
        (np.full_like(truth, commonest), weighted_scores_of(counts.constant(commonest))),
    ):
        weighted = {"labels": range(num_classes), "average": "weighted", "zero_division": 0}
        expected = {
            "accuracy": reference.accuracy_score(truth, given_answers),
            "weighted_recall": reference.recall_score(truth, given_answers, **weighted),
            "weighted_precision": reference.precision_score(truth, given_answers, **weighted),
            "weighted_f0_5": reference.fbeta_score(truth, given_answers, beta=0.5, **weighted),
            "weighted_f1": reference.f1_score(truth, given_answers, **weighted),
            "weighted_f2": reference.fbeta_score(truth, given_answers, beta=2, **weighted),
        }
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, err_msg=name, **CLOSE)


@pytest.mark.filterwarnings("ignore:A single label")
@settings(max_examples=50, deadline=None)
@given(answered_pictures())
def test_confusion_equals_scikit_learns_and_leaves_unanswered_out(case):
    num_classes, truth, answers = case
    expected = np.zeros((num_classes, num_classes), dtype=int)
    if (answers >= 0).any():
        expected = reference.confusion_matrix(truth[answers >= 0], answers[answers >= 0], labels=range(num_classes))
    found = confusion(truth, answers, num_classes)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected)


def test_geometric_mean_over_chosen_classes():
    truth, answers = [0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 0, 0]
    f1 = reference.f1_score(truth, answers, average=None)
    assert scores(truth, answers, 3)["gmean_f1"] == 0
    assert scores(truth, answers, 3, gmean_classes=[0, 1])["gmean_f1"] == pytest.approx((f1[0] * f1[1]) ** 0.5)


def test_geometric_mean_does_not_underflow_with_many_classes():
    truth = np.repeat(np.arange(200), 100)
    answers = np.where(np.arange(len(truth)) % 100 == 0, truth, (truth + 1) % 200)  # F1 of 0.01, 0.01 ** 200 is 0
    assert scores(truth, answers, 200)["gmean_f1"] == pytest.approx(0.01)


def test_a_resample_axis_gives_what_each_resample_gives_alone():
    generator = np.random.default_rng(0)
    truth, answers = generator.integers(4, size=30), generator.integers(-1, 4, size=30)
    draws = generator.integers(30, size=(5, 30))
    together = scores_of(
        Counts.from_totals(np.stack([count_statistics(truth[d], answers[d], 4).sum(axis=0) for d in draws])), [1, 3]
    )
    for row, draw in enumerate(draws):
        for name, value in scores(truth[draw], answers[draw], 4, [1, 3]).items():
            assert together[name][row] == value


@pytest.mark.parametrize(
    "truth, answers",
    [([0, 3], [0, 1]), ([-1, 0], [0, 0]), ([0, 1], [0, 3]), ([0, 1], [-2, 0]), ([0, 1], [0]), ([[0]], [[0]])],
)
def test_classes_outside_the_scheme_and_unequal_lengths_are_refused(truth, answers):
    with pytest.raises(ValueError, match=r"truth|answers"):
        scores(truth, answers, 3)
    with pytest.raises(ValueError, match=r"truth|answers"):
        confusion(truth, answers, 3)


def brute_calibration_error(probabilities: np.ndarray, truth: np.ndarray, bins: int) -> float:
    """Guo et al. 2017: sum over bins of |accuracy - confidence|, weighted by the bin's share of the pictures."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    edges, error = np.linspace(0, 1, bins + 1), 0.0
    for low, high in itertools.pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_error_equals_a_loop_over_bins(bins):
    generator = np.random.default_rng(bins)
    probabilities = generator.dirichlet(np.ones(4) * 0.3, size=500)
    probabilities[:20] = np.eye(4)[0]  # on the last edge
    truth = generator.integers(4, size=500)
    assert calibration_error(probabilities, truth, bins) == pytest.approx(
        brute_calibration_error(probabilities, truth, bins), abs=1e-12
    )


def test_a_confidence_on_an_edge_belongs_to_the_bin_below():
    probabilities = [[0.5, 0.5], [0.8, 0.2]]  # wrong by 0.5 in (0, 0.5], right by 0.2 less in (0.5, 1]
    assert calibration_error(probabilities, [1, 0], bins=2) == pytest.approx((0.5 + 0.2) / 2)


def test_calibration_error_leaves_pictures_without_probabilities_out():
    probabilities = np.array([[0.8, 0.2], [np.nan, np.nan], [0.3, 0.7]])
    truth = np.array([0, 1, 0])
    known = [0, 2]
    assert calibration_error(probabilities, truth) == pytest.approx(
        brute_calibration_error(probabilities[known], truth[known], 15)
    )


def test_reliability_is_the_mean_confidence_and_accuracy_of_each_bin():
    generator = np.random.default_rng(5)
    probabilities = generator.dirichlet(np.ones(3), size=200)
    truth = generator.integers(3, size=200)
    probabilities[7] = np.nan
    found = reliability_of(calibration_statistics(probabilities, truth, 10).sum(axis=0))
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    for at in range(10):
        inside = (confidence > at / 10) & (confidence <= (at + 1) / 10)
        assert found["pictures"][at] == inside.sum()
        if inside.any():
            assert found["confidence"][at] == pytest.approx(confidence[inside].mean())
            assert found["accuracy"][at] == pytest.approx(right[inside].mean())
        else:
            assert np.isnan(found["confidence"][at]) and np.isnan(found["accuracy"][at])
    assert found["pictures"].sum() == 199
