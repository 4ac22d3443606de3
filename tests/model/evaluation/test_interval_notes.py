"""Notes about intervals: of classes with images of few groups, and of scores without an interval."""

from __future__ import annotations

import numpy as np

from model.attributes import Attribute
from model.evaluation.interval_notes import interval_notes
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.targets import targets_of
from model.labels import Scheme
from model.metrics.bootstrap import Interval
from model.metrics.scores import SCORE_LABELS

SCHEME = Scheme((Attribute("kind", ("cat", "dog", "owl")), Attribute("age", ("old", "young"))))
WITH_INTERVAL = dict.fromkeys(SCORE_LABELS, Interval(0.5, 0.4, 0.6, 0.05))


def notes(truth: list[int], groups: list[int] | None = None, scores: dict[str, Interval] = WITH_INTERVAL) -> list[str]:
    """The notes about images that are all answered rightly."""
    codes = np.array(truth)
    matched = MatchedAnswers(SCHEME, [f"{row}.jpg" for row in range(len(truth))], codes, codes)
    members = None if groups is None else np.array(groups)
    units = len(truth) if groups is None else len(set(groups))
    return interval_notes(targets_of(matched, []), scores, members, units)


def test_classes_of_few_groups_are_named_with_their_number() -> None:
    # joint classes: 12 images of cat/old, 9 of owl/young, none of the others
    truth = [0] * 12 + [5] * 9
    tail = "the intervals of macro scores may be too narrow"
    assert notes(truth) == [
        f"joint classes with fewer than 10 images: 1 (owl/young: 9); {tail}",
        f"values of kind with fewer than 10 images: 1 (owl: 9); {tail}",
        f"values of age with fewer than 10 images: 1 (young: 9); {tail}",
    ]
    # ten groups of cat/old, nine of owl/young with two images each
    groups = [*range(10), 0, 1, *range(10, 19)]
    assert notes([*truth, *[5] * 9], [*groups, *range(10, 19)])[0] == (
        f"joint classes with fewer than 10 groups: 1 (owl/young: 9); {tail}"
    )
    assert notes([0] * 12 + [5] * 10) == []


def test_images_without_a_label_are_of_no_class() -> None:
    assert notes([0] * 10 + [5] * 10 + [-1] * 3) == []


def test_scores_without_an_interval_are_named() -> None:
    scores = {**WITH_INTERVAL, "gmean_f1": Interval(0.0)}
    expected = ["no interval for geometric mean of F1: the value is the same in every resample"]
    assert notes([0] * 10 + [5] * 10, scores=scores) == expected


def test_of_few_groups_the_first_note_is_the_only_one() -> None:
    assert notes([0] * 9) == ["no intervals: 9 images; an interval needs at least 10"]
    assert notes([0, 5], [0, 0]) == ["no intervals: 1 group; an interval needs at least 10"]


def test_attributes_with_labels_of_more_images_have_intervals_of_their_own() -> None:
    # 9 images have both labels, 12 more that of kind alone
    kind, age = np.array([0] * 18 + [1] * 3), np.array([0] * 9 + [-1] * 12)
    truth = np.where(age < 0, -1, 0)
    names = [f"{row}.jpg" for row in range(21)]
    matched = MatchedAnswers(SCHEME, names, truth, np.zeros(21, int), truth_by_attribute={"kind": kind, "age": age})
    assert interval_notes(targets_of(matched, []), WITH_INTERVAL, None, 9) == [
        "no intervals for scores that use only images labelled for all attributes: 9 images; an interval "
        "needs at least 10",
        "values of kind with fewer than 10 images: 1 (dog: 3); the intervals of macro scores may be too narrow",
    ]
