import dataclasses

import numpy as np
import pytest

from model.attributes import Attribute
from model.evaluation.evaluate import evaluate
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.report import sentences
from model.evaluation.subgroups import Subgroup
from model.labels import Scheme
from model.metrics.bootstrap import Interval

SCHEME = Scheme((Attribute("kind", ("cat", "dog", "owl", "emu")),))


def evaluated(truth, answers, probabilities=None):
    names = [str(row) for row in range(len(truth))]
    matched = MatchedAnswers(SCHEME, names, np.array(truth), np.array(answers), probabilities)
    return evaluate(matched, resamples=0)


def test_the_weakest_classes_come_with_their_confusions():
    truth = [0] * 8 + [1] * 6 + [2] * 4 + [3]
    answers = [0] * 8 + [1, 0, 0, 0, 0, -1] + [2] * 4 + [0]
    result = sentences.weakest_classes(evaluated(truth, answers).joint)
    assert result == [
        ("emu", "F1 0.00. None of 1 image is correct, 1 is predicted as cat."),
        ("dog", "F1 0.29. 1 of 6 images is correct, 4 are predicted as cat."),
    ]


def test_wrong_predictions_of_a_class_are_counted():
    truth, answers = [0, 0, 0, 0, 1, 1, 2, 3, 3], [0, 2, 2, 2, 1, 1, 2, 3, 3]
    result = dict(sentences.weakest_classes(evaluated(truth, answers).joint))
    assert result["owl"] == "F1 0.40. 1 of 1 image is correct; 3 of 4 predictions of this class are wrong."
    truth, answers = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3], [0, 0, 3, 3, 1, 1, 2, 2, 0, 0]
    result = dict(sentences.weakest_classes(evaluated(truth, answers).joint))
    assert result["emu"] == (
        "F1 0.00. None of 2 images is correct, 2 are predicted as cat; all 2 predictions of this class are wrong."
    )


def test_there_are_no_weakest_classes_if_all_is_correct():
    everything = [0, 1, 2, 3]
    assert sentences.weakest_classes(evaluated(everything, everything).joint) == []


@pytest.mark.parametrize(
    ("sure", "right", "words"),
    [
        (0.9, 5, "overconfident by 40.0 points"),
        (0.6, 9, "underconfident by 30.0 points"),
        (0.5, 5, "the two agree on average"),
    ],
)
def test_the_model_is_over_or_underconfident(sure, right, words):
    probabilities = np.full((10, 4), (1 - sure) / 3)
    probabilities[:, 0] = sure
    truth = [0] * right + [1] * (10 - right)
    assert words in sentences.calibration_sentence(evaluated(truth, [0] * 10, probabilities))


def test_groups_with_only_correct_or_only_wrong_predictions_are_counted():
    slices = [Subgroup(str(right), 4, right, Interval(right / 4)) for right in (0, 1, 3, 4, 4)]
    assert sentences.groups_sentence(slices, "persons") == (
        "Of the 5 persons, 2 have only correct predictions and 1 has only wrong ones. The median accuracy is 75\u00a0%."
    )


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.01, 0.1, "higher than that of b"), (-0.1, -0.01, "lower than that of b"), (-0.1, 0.1, "not clearly different")],
)
def test_a_comparison_depends_on_the_interval_of_the_difference(low, high, words):
    compare = {"macro_f1": Interval((low + high) / 2, low, high)}
    assert words in sentences.comparison_sentence(compare, "b")


def test_numbers_have_one_format():
    assert sentences.count(20000) == "20,000"
    assert [sentences.counted(n, "class", "es") for n in (1, 2)] == ["1 class", "2 classes"]
    assert sentences.difference(-0.01234) == "\u22120.0123"
    assert [sentences.duration(s) for s in (9.4, 600, 7500)] == ["9\u00a0s", "10\u00a0min", "2\u00a0h 5\u00a0min"]
    assert sentences.span(Interval(0.5)) == "" == sentences.inside(Interval(0.5))
    assert sentences.groups_noun("sender") == "senders" and sentences.groups_noun("ward") == "groups by ward"


def test_the_first_line_says_whether_images_were_used_in_training():
    unknown = evaluated([0, 1], [0, 1])
    new = dataclasses.replace(unknown, learnt_from={"train": 0, "validation": 0})
    seen = dataclasses.replace(unknown, learnt_from={"train": 1, "validation": 0})
    assert sentences.seen_images_sentence(unknown) == ""
    assert sentences.seen_images_sentence(new) == "None of these images was used to train the model."
    assert sentences.seen_images_sentence(seen) == (
        "1 of 2 images was used to train the model: 1 for its weights; scores on new images are likely to be lower."
    )
    assert "learnt_from" not in unknown.to_dict() and seen.to_dict()["learnt_from"] == {"train": 1, "validation": 0}


def test_the_worst_attribute_comes_first_with_the_images_that_it_is_scored_over():
    scheme = Scheme((Attribute("kind", ("cat", "dog")), Attribute("size", ("small", "large"))))
    whole = MatchedAnswers(scheme, list("abcd"), np.array([0, 1, 2, 3]), np.array([0, 0, 2, 2]))
    labels = {"kind": np.array([0, 0, 1, 1]), "size": np.array([0, 1, 0, -1])}
    partial = dataclasses.replace(whole, truth=np.array([0, 1, 2, -1]), truth_by_attribute=labels)
    message = [sentences.attributes_sentence(evaluate(one, resamples=0)) for one in (whole, partial)]
    assert message == [
        "Accuracy by attribute: size 50.0\u00a0%, kind 100.0\u00a0%.",
        "Accuracy by attribute: size 66.7\u00a0%, kind 100.0\u00a0%; each is computed over the images that have a "
        "label for this attribute.",
    ]
    assert sentences.attributes_sentence(evaluated([0, 1], [0, 1])) == ""
