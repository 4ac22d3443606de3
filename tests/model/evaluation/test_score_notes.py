"""Notes on predictions no better than chance, and on probabilities that do not fit the accuracy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.artifacts.provenance import MemberProvenance, Provenance, SplitSize
from model.attributes import Attribute
from model.evaluation.evaluate import Evaluation, evaluate
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.score_notes import calibration_note, is_at_chance
from model.evaluation.summary import summary
from model.labels import Scheme
from model.metrics.bootstrap import Interval

CHANCE = "the predictions are not clearly better than always predicting the most frequent class"
TEN = Scheme((Attribute("kind", tuple("abcdefghij")),))
TWO = Scheme((Attribute("kind", ("ok", "broken")),))
MEMBER = MemberProvenance(
    "exp", "resnet18", {}, "class folders", "", SplitSize(90, 90), None, {}, "f1", True, 1, 1, 1.0, "CPU", {}
)


def evaluated(truth: np.ndarray, answers: np.ndarray, scheme: Scheme, resamples: int = 200) -> Evaluation:
    return evaluate(
        MatchedAnswers(scheme, [f"{row}" for row in range(len(truth))], truth, answers), resamples=resamples
    )


def notes_on_chance(evaluation: Evaluation) -> list[str]:
    return [note for note in evaluation.notes if note.startswith(CHANCE)]


@pytest.mark.parametrize(("right", "at_chance"), [(1, True), (5, False)])
def test_predictions_near_the_share_of_the_most_frequent_class_have_a_note(right, at_chance):
    # ten images of each of ten classes, of which `right` are predicted correctly
    truth = np.repeat(np.arange(10), 10)
    answers = np.where(np.arange(100) % 10 < right, truth, (truth + 1) % 10)
    evaluation = evaluated(truth, answers, TEN)
    assert evaluation.is_at_chance == at_chance == bool(notes_on_chance(evaluation))
    assert (f"note: {CHANCE}: train for more epochs" in summary(evaluation)) == at_chance


def test_always_predicting_the_most_frequent_class_has_the_note():
    truth = np.repeat([0, 1], [95, 5])
    assert evaluated(truth, np.zeros(100, int), TWO).is_at_chance


def test_a_model_that_finds_a_rare_class_has_no_note_though_its_accuracy_is_lower():
    truth = np.repeat([0, 1], [950, 50])
    answers = truth.copy()
    answers[:60] = 1  # false alarms: accuracy 0.94, always predicting `ok` gives 0.95
    evaluation = evaluated(truth, answers, TWO)
    assert evaluation.joint.scores["accuracy"].value < evaluation.joint.constant["accuracy"].value
    assert not evaluation.is_at_chance


def test_an_accuracy_that_is_clearly_higher_is_not_at_chance():
    balanced = Interval(0.55, 0.45, 0.65)
    assert not is_at_chance({"accuracy": Interval(0.7, 0.6, 0.8), "balanced_accuracy": balanced}, 0.59, [2])
    assert is_at_chance({"accuracy": Interval(0.7, 0.59, 0.8), "balanced_accuracy": balanced}, 0.59, [2])


def test_chance_is_not_judged_without_intervals_or_with_one_true_class():
    truth = np.repeat([0, 1], 50)
    assert not evaluated(truth, 1 - truth, TWO, resamples=0).is_at_chance
    assert not evaluated(np.zeros(100, int), np.zeros(100, int), TWO).is_at_chance


def test_a_hierarchy_is_compared_with_the_chance_of_its_attributes():
    values = tuple(f"v{code}" for code in range(40))
    scheme = Scheme((Attribute("a", values), Attribute("b", values)))
    codes = np.arange(400) % 4
    scheme = scheme.occurring({"a": codes % 2, "b": codes})
    assert evaluated(codes, np.random.default_rng(0).permutation(codes), scheme).is_at_chance
    assert not evaluated(codes, codes, scheme).is_at_chance


def with_probabilities(probability: float, right: float, loss: str | None) -> list[str]:
    """The notes about the calibration error of 200 predictions with one probability, of a model of this loss."""
    truth = np.where(np.arange(200) < 200 * right, 0, 1)
    probabilities = np.tile([probability, 1 - probability], (200, 1))
    settings = {} if loss == "focal" else {"loss": loss}  # settings with their default values are omitted
    made = None if loss is None else Provenance("exp", 1, "", (replace(MEMBER, settings=settings),))
    names = [f"{row}" for row in range(200)]
    matched = MatchedAnswers(TWO, names, truth, np.zeros(200, int), probabilities, provenance=made)
    return [note for note in evaluate(matched, resamples=200).notes if note.startswith("calibration error")]


@pytest.mark.parametrize(
    ("loss", "end"),
    [
        ("focal", "; the loss focal lowers them, --loss cross_entropy does not"),
        (None, "; the loss focal lowers them, --loss cross_entropy does not"),
        ("label_smoothing", "; the loss label_smoothing lowers them, --loss cross_entropy does not"),
        ("cross_entropy", "points too low"),
    ],
)
def test_probabilities_that_are_too_low_name_the_loss_that_lowers_them(loss, end):
    (note,) = with_probabilities(0.55, 0.9, loss)
    assert "the probabilities are on average 35.0 points too low" in note and note.endswith(end)


def test_probabilities_that_are_too_high_name_label_smoothing():
    (note,) = with_probabilities(0.95, 0.6, "focal")
    assert note.endswith("35.0 points too high; --loss label_smoothing in training lowers them")
    assert with_probabilities(0.95, 0.6, "label_smoothing")[0].endswith("points too high")


def test_a_calibration_error_whose_interval_includes_a_tenth_has_no_note():
    assert with_probabilities(0.72, 0.6, "focal") == []
    assert with_probabilities(0.6, 0.6, "focal") == []
    assert calibration_note(None, [], MatchedAnswers(TWO, [], np.array([]), np.array([]))) == ""
