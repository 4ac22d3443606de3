"""Reference: scikit-learn and scipy on random input."""

import warnings

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gmean

from model.metrics.scores import (
    Counts,
    confusion,
    count_statistics,
    mean_scores_of,
    per_class,
    scores,
    scores_of,
    weighted_scores_of,
)

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


@st.composite
def answered_pictures(draw):
    """Classes, truth and answers; some classes without truth, some images without an answer."""
    num_classes = draw(st.integers(1, 6))
    pictures = draw(st.integers(1, 40))
    truth = draw(st.lists(st.integers(0, num_classes - 1), min_size=pictures, max_size=pictures))
    answers = draw(st.lists(st.integers(-1, num_classes - 1), min_size=pictures, max_size=pictures))
    return num_classes, np.array(truth), np.array(answers)


@settings(max_examples=100, deadline=None)
@given(answered_pictures())
def test_scores_and_those_of_each_class_equal_scikit_learns(case):
    num_classes, truth, answers = case
    given = {"labels": range(num_classes), "zero_division": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # y_pred contains classes not in y_true
        by_class = reference.precision_recall_fscore_support(truth, answers, **given)
        precision, recall, f1, _ = reference.precision_recall_fscore_support(truth, answers, average="macro", **given)
        expected = {
            "accuracy": reference.accuracy_score(truth, answers),
            "macro_f1": f1,
            "macro_precision": precision,
            "macro_recall": recall,
            "balanced_accuracy": reference.balanced_accuracy_score(truth, answers),
            "gmean_f1": gmean(by_class[2]),
        }
    result = scores(truth, answers, num_classes)
    assert result.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(result[name], value, err_msg=name, **CLOSE)
    result = per_class(truth, answers, num_classes)
    for name, values in zip(("precision", "recall", "f1", "support"), by_class, strict=True):
        np.testing.assert_allclose(result[name], values, err_msg=name, **CLOSE)


@settings(max_examples=40, deadline=None)
@given(answered_pictures())
def test_weighted_scores_equal_scikit_learns(case):
    num_classes, truth, answers = case
    counts = Counts.from_answers(truth, answers, num_classes)
    commonest = int(counts.truth.argmax())
    for given_answers, result in (
        (answers, weighted_scores_of(counts)),
        (np.full_like(truth, commonest), weighted_scores_of(counts.constant(commonest))),
    ):
        weighted = {"labels": range(num_classes), "average": "weighted", "zero_division": 0}
        precision, recall, f1, _ = reference.precision_recall_fscore_support(truth, given_answers, **weighted)
        expected = {
            "accuracy": reference.accuracy_score(truth, given_answers),
            "weighted_recall": recall,
            "weighted_precision": precision,
            "weighted_f0_5": reference.fbeta_score(truth, given_answers, beta=0.5, **weighted),
            "weighted_f1": f1,
            "weighted_f2": reference.fbeta_score(truth, given_answers, beta=2, **weighted),
        }
        assert result.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(result[name], value, err_msg=name, **CLOSE)


@pytest.mark.filterwarnings("ignore:A single label")
@settings(max_examples=50, deadline=None)
@given(answered_pictures())
def test_confusion_equals_scikit_learns_and_ignores_missing_predictions(case):
    num_classes, truth, answers = case
    expected = np.zeros((num_classes, num_classes), dtype=int)
    if (answers >= 0).any():
        expected = reference.confusion_matrix(truth[answers >= 0], answers[answers >= 0], labels=range(num_classes))
    result = confusion(truth, answers, num_classes)
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result.toarray(), expected)


def test_geometric_mean_over_chosen_classes():
    truth, answers = [0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 0, 0]
    f1 = reference.f1_score(truth, answers, average=None)
    assert scores(truth, answers, 3)["gmean_f1"] == 0
    assert scores(truth, answers, 3, gmean_classes=[0, 1])["gmean_f1"] == pytest.approx((f1[0] * f1[1]) ** 0.5)


def test_geometric_mean_does_not_underflow_with_many_classes():
    truth = np.repeat(np.arange(200), 100)
    answers = np.where(np.arange(len(truth)) % 100 == 0, truth, (truth + 1) % 200)  # F1 of 0.01, 0.01 ** 200 is 0
    assert scores(truth, answers, 200)["gmean_f1"] == pytest.approx(0.01)


def test_a_resample_axis_gives_the_scores_of_each_resample():
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
    [([0, 3], [0, 1]), ([-2, 0], [0, 0]), ([0, 1], [0, 3]), ([0, 1], [-2, 0]), ([0, 1], [0]), ([[0]], [[0]])],
)
def test_classes_outside_the_scheme_and_unequal_lengths_are_refused(truth, answers):
    with pytest.raises(ValueError, match=r"truth|answers"):
        scores(truth, answers, 3)
    with pytest.raises(ValueError, match=r"truth|answers"):
        confusion(truth, answers, 3)


def test_an_image_of_an_unknown_class_is_not_counted():
    truth, answers = np.array([0, -1, 1, -1]), np.array([0, 1, -1, -1])
    known = truth >= 0
    rows = count_statistics(truth, answers, 2).toarray()
    assert (rows[known] == count_statistics(truth[known], answers[known], 2).toarray()).all() and not rows[~known].any()
    assert scores(truth, answers, 2) == scores(truth[known], answers[known], 2)
    assert confusion(truth, answers, 2).toarray().tolist() == [[1, 0], [0, 0]]


def test_scores_of_many_combinations_are_means_of_the_attributes_over_values_with_images():
    """Reference: scikit-learn's, of each attribute."""
    generator = np.random.default_rng(3)
    attributes = [(generator.integers(3, 8, size=60), generator.integers(0, 10, size=60)) for _ in range(2)]
    counts = [Counts.from_answers(truth, answers, 10) for truth, answers in attributes]
    outcome = mean_scores_of(counts, np.array(0.125))
    labels = {"labels": range(3, 8), "zero_division": 0}
    by_attribute = [reference.f1_score(*own, average="macro", **labels) for own in attributes]
    assert outcome["macro_f1"] == pytest.approx(np.mean(by_attribute)) and outcome["accuracy"] == 0.125
    recalls = [reference.recall_score(*own, average="macro", **labels) for own in attributes]
    assert outcome["balanced_accuracy"] == pytest.approx(np.mean(recalls))
