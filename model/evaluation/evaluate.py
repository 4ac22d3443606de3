"""Computes all scores of an evaluation, each with its interval, from true labels and predictions matched by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import sparse

from model.answers.files import ASK_PERSON
from model.answers.seen_images import LEARNT_FROM_KEY
from model.attributes import normal_text
from model.data.correction_record import CorrectionRecord
from model.errors import InputError, listing
from model.evaluation.asked import Asked, asked_scores
from model.evaluation.coverage import CoveragePoint, coverage_curve
from model.evaluation.interval_notes import interval_notes
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.numbers import NumberScores, score_numbers
from model.evaluation.reliability import ReliabilityBin, reliability_bins
from model.evaluation.score_notes import calibration_note, chance_note, is_at_chance
from model.evaluation.subgroups import Subgroup, subgroups_by_group, subgroups_by_metadata
from model.evaluation.targets import (
    JOINT_CLASS,
    Target,
    by_resamples,
    resampled_totals,
    scores_of_targets,
    targets_of,
)
from model.label_values import INDICES, NAMES, whole_number
from model.labels import Scheme
from model.metrics.bootstrap import Interval, interval, score_intervals
from model.metrics.calibration import calibration_error_interval
from model.metrics.epoch_metrics import SCORE_OF_MANY
from model.metrics.proportions import (
    accuracy_interval,
    class_intervals,
    number_of_units,
    with_border_intervals,
)
from model.metrics.scores import NO_TRUTH, Counts, confusion, weighted_scores_of

COMPARED = ("accuracy", "macro_f1", "gmean_f1", "balanced_accuracy")


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class. support: Number of images of the class."""

    precision: Interval
    recall: Interval
    f1: Interval
    support: int

    def to_dict(self) -> dict[str, Any]:
        scores = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {**_dicts(scores), "support": self.support}


@dataclass(frozen=True)
class Scores:
    """Scores of the joint class or of one attribute, with C classes.

    class_names: All classes; if the scheme is_large, only the true and the predicted ones.
    classes: int64 (C,), their numbers in the scheme, ascending.
    scores: By name, as of metrics.scores.scores_of.
    per_class: By name of the class.
    weighted: By name, as of metrics.scores.weighted_scores_of.
    constant: The same scores of a classifier that always predicts the most frequent true class.
    confusion: int64 (C, C), sparse; rows are true classes, columns predicted ones.
    """

    class_names: list[str]
    classes: np.ndarray
    scores: dict[str, Interval]
    per_class: dict[str, ClassScores]
    weighted: dict[str, Interval]
    constant: dict[str, Interval]
    confusion: sparse.csr_array

    @property
    def without_truth(self) -> list[str]:
        """Names of the classes without images."""
        return [name for name, scores in self.per_class.items() if not scores.support]

    @property
    def with_truth(self) -> int:
        """Number of classes with images."""
        return len(self.per_class) - len(self.without_truth)

    @property
    def pictures(self) -> int:
        """Number of images with a true class."""
        return sum(scores.support for scores in self.per_class.values())

    def to_dict(self) -> dict[str, Any]:
        per_class = {name: scores.to_dict() for name, scores in self.per_class.items()}
        return {**_dicts(self.scores), "per_class": per_class, "classes_without_truth": self.without_truth}


@dataclass(frozen=True)
class Evaluation:
    """Results of one evaluation, for evaluation.json, the summary and the page.

    pictures: Number of images with a label of every attribute. All scores are over these, except those of attributes.
    groups: Number of their groups; None without groups.
    resampled_over: The column of groups, or `picture`; None without resamples.
    joint: Scores of the joint class.
    attributes: Scores by attribute, if the scheme has several.
    is_large: Whether the scheme is_large; then every score of joint except accuracy is the mean over the attributes.
    gmean_classes: Classes of the geometric mean of F1; empty if it is the mean over the attributes.
    calibration_error, reliability: None and empty without probabilities; bins without images are omitted.
    by_group: Each group that has a name.
    by_metadata: For each column with few values, its values.
    compare: Scores of these predictions minus those of the others, on the same resamples.
    coverage: Accuracy of the most confident predictions, by their share; empty without probabilities.
    unanswered, left_out: Number of images without a prediction, and of predictions without a true label.
    notes: Sentences for the reader of the scores.
    learnt_from: Number of images by side (train, validation) that were used to train the model; None if not known.
    partial: Number of further images that have labels of some attributes only.
    group_label: Name of the column of groups in texts; None without groups.
    numbers: Scores of estimated numbers by attribute; empty if there are none.
    asked: Error and coverage of the answers for which no person is asked; None without advice to ask one.
    """

    pictures: int
    groups: int | None
    resampled_over: str | None
    resamples: int
    confidence: float
    joint: Scores
    attributes: dict[str, Scores]
    is_large: bool
    gmean_classes: list[str]
    calibration_error: Interval | None
    reliability: list[ReliabilityBin]
    by_group: list[Subgroup]
    by_metadata: dict[str, list[Subgroup]]
    compare: dict[str, Interval] | None
    coverage: list[CoveragePoint]
    unanswered: int
    left_out: int
    notes: list[str]
    learnt_from: dict[str, int] | None = None
    partial: int = 0
    group_label: str | None = None
    corrected: CorrectionRecord | None = None
    numbers: dict[str, NumberScores] = field(default_factory=dict)
    asked: Asked | None = None

    @property
    def is_at_chance(self) -> bool:
        """Whether the predictions are not clearly better than always predicting the most frequent class."""
        scored = list(self.attributes.values()) if self.is_large else [self.joint]
        share = self.joint.constant["accuracy"].value
        return is_at_chance(self.joint.scores, share, [scores.with_truth for scores in scored])

    def to_dict(self) -> dict[str, Any]:
        """The block `rarebird` of evaluation.json: everything except the groups, which may be as many as the images."""
        return {
            "pictures": self.pictures,
            "groups": self.groups,
            "resampled_over": self.resampled_over,
            "resamples": self.resamples,
            "confidence": self.confidence,
            "unanswered": self.unanswered,
            "left_out": self.left_out,
            **({} if self.learnt_from is None else {LEARNT_FROM_KEY: self.learnt_from}),
            **({} if self.corrected is None else {"corrections": self.corrected.to_dict()}),
            **({"scores_are": SCORE_OF_MANY} if self.is_large else {}),
            **self.joint.to_dict(),
            "calibration_error": self.calibration_error.to_dict() if self.calibration_error else None,
            "reliability": [part.to_dict() for part in self.reliability],
            "coverage": [point.to_dict() for point in self.coverage],
            **({} if self.asked is None else {ASK_PERSON: self.asked.to_dict()}),
            "gmean_classes": self.gmean_classes,
            "attributes": {name: self._attribute(scores) for name, scores in self.attributes.items()},
            **({"numbers": {name: own.to_dict() for name, own in self.numbers.items()}} if self.numbers else {}),
            "metadata": {
                column: {subgroup.name: subgroup.to_dict() for subgroup in subgroups}
                for column, subgroups in self.by_metadata.items()
            },
            "compare": _dicts(self.compare) if self.compare else None,
            "notes": self.notes,
        }

    def _attribute(self, scores: Scores) -> dict[str, Any]:
        """Scores of an attribute, with its number of images if that may differ from the joint class's."""
        return {**({"pictures": scores.pictures} if self.partial else {}), **scores.to_dict()}


def evaluate(
    matched: MatchedAnswers,
    gmean_classes: Sequence[str] = (),
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    label_values: str | None = None,
) -> Evaluation:
    """Computes all scores with their intervals: from the counts for proportions, from one set of resamples for others.

    Args:
        matched: True labels and predictions.
        gmean_classes: Names or numbers of the joint classes of the geometric mean of F1; all if empty. That of an
            attribute is over all of its values.
        resamples: Number of bootstrap resamples; 0 for no intervals.
        confidence: Level of the intervals.
        seed: Seed of the resamples.
        label_values: Whether gmean_classes are names or indices; None to decide by all of them.

    Raises:
        InputError: A class of gmean_classes is unknown.
    """
    scheme = matched.scheme
    # classes, targets (the joint class and each attribute), and their scores in the sample and in each resample
    chosen = _chosen_classes(scheme, gmean_classes, label_values)
    targets = targets_of(matched, chosen)
    totals = resampled_totals(matched, targets, resamples, seed)
    values = scores_of_targets(targets, totals.counts, scheme.is_large)
    complete = matched.complete  # the images that the joint class is scored over
    units = number_of_units(complete.groups, len(complete.names))
    level = confidence if resamples else 0.0

    # scores with intervals; the comparison and the calibration use the same resamples
    scored = {
        name: _score(target, totals.counts[name], values[name], matched.groups, level)
        for name, target in targets.items()
    }
    compare = None
    if totals.others:
        these, others = values[JOINT_CLASS], scores_of_targets(targets, totals.others, scheme.is_large)[JOINT_CLASS]
        compare = {name: interval(these[name] - others[name], level, units, is_difference=True) for name in COMPARED}
    calibration_error, reliability = None, []
    if totals.calibration is not None:
        reliability = reliability_bins(complete, totals.calibration[0], level)
        if reliability:
            calibration_error = calibration_error_interval(totals.calibration, level, units)
    groups = None if complete.groups is None else units
    noted = {name: target for name, target in targets.items() if name != JOINT_CLASS or not scheme.is_large}
    about_intervals = interval_notes(noted, scored[JOINT_CLASS].scores, matched.groups, units) if resamples else []
    evaluation = Evaluation(
        pictures=len(complete.names),
        groups=groups,
        resampled_over=(matched.group_column if groups else "picture") if resamples else None,
        resamples=resamples,
        confidence=confidence,
        joint=scored[JOINT_CLASS],
        attributes={name: scores for name, scores in scored.items() if name != JOINT_CLASS},
        is_large=scheme.is_large,
        gmean_classes=[scheme.class_names[code] for code in chosen],
        calibration_error=calibration_error,
        reliability=reliability,
        by_group=subgroups_by_group(complete),
        by_metadata=subgroups_by_metadata(complete, level),
        compare=compare,
        coverage=coverage_curve(complete, level),
        unanswered=len(complete.unanswered),
        left_out=len(matched.left_out),
        notes=[*matched.notes, *about_intervals],
        learnt_from=matched.learnt_from,
        partial=len(matched.names) - len(complete.names),
        group_label=matched.group_label if groups else None,
        corrected=matched.corrected,
        numbers=score_numbers(matched, resamples, level, seed),
        asked=_asked(complete, level),
    )
    about_scores = [chance_note(evaluation.is_at_chance), calibration_note(calibration_error, reliability, matched)]
    return replace(evaluation, notes=[*evaluation.notes, *filter(None, about_scores)])


def _asked(complete: MatchedAnswers, confidence: float) -> Asked | None:
    if complete.asked is None:
        return None
    answers = (complete.scheme.class_names, complete.truth, complete.answers)
    return asked_scores(*answers, complete.asked, complete.groups, confidence)


def _chosen_classes(scheme: Scheme, names: Sequence[str], label_values: str | None) -> list[int]:
    """Numbers of the classes in gmean_classes. If it is empty, all classes; none if the scheme is_large."""
    if " ".join(names) in scheme.class_names:  # a name with spaces, which the flag has split into words
        names = [" ".join(names)]
    texts = [normal_text(value) for value in names]
    readings = (label_values,) if label_values else (NAMES, INDICES)
    read = scheme.read(texts, readings)
    if read.unknown and not label_values and not any(whole_number(name) for name in scheme.class_names):
        # if no class name is a number, names and indices cannot be confused and may be mixed
        alone = [scheme.read([text], readings) for text in texts]
        read = replace(
            read,
            codes={text: code for one in alone for text, code in one.codes.items()},
            unknown={text: sentence for one in alone for text, sentence in one.unknown.items()},
        )
    problems = list(read.unknown.values())
    if read.ambiguous:
        problems.append(
            f"{listing(texts)} can be read as class names or as class indices, and the two readings give different "
            "classes; set --label_values names or --label_values indices"
        )
    if problems:
        raise InputError("\n".join(f"gmean_classes: {problem}" for problem in problems))
    chosen = sorted({code for code in read.codes.values() if code >= 0})
    return chosen or ([] if scheme.is_large else list(range(scheme.num_classes)))


def _score(
    target: Target, counts: Counts, scores: dict[str, np.ndarray], groups: np.ndarray | None, confidence: float
) -> Scores:
    """Scores of one target.

    Args:
        target: The target; images without a true class are ignored.
        counts: Its counts in the sample and in each resample, (1 + resamples, C).
        scores: Its scores, as scores_of_targets returns them.
        groups: int64 (n,), group of each image; None without groups.
        confidence: Level of the intervals; 0 for none.
    """
    known = target.truth != NO_TRUTH
    if not known.all():
        groups = None if groups is None else np.unique(groups[known], return_inverse=True)[1]
        target = replace(target, truth=target.truth[known], answers=target.answers[known])
    units = number_of_units(groups, len(target.truth))
    by_class = class_intervals(target.truth, target.answers, len(target.classes), groups, confidence)
    per_class = {
        name: ClassScores(
            **{score: intervals[code] for score, intervals in by_class.items()}, support=int(counts.truth[0, code])
        )
        for code, name in enumerate(target.class_names)
    }
    constant = counts.constant(int(counts.truth[0].argmax()))
    return Scores(
        class_names=target.class_names,
        classes=target.classes,
        scores={
            **with_border_intervals(score_intervals(scores, confidence, units), by_class, confidence),
            "accuracy": accuracy_interval(target.truth == target.answers, groups, confidence),
        },
        per_class=per_class,
        weighted=score_intervals(by_resamples(weighted_scores_of, counts), confidence, units),
        constant=score_intervals(weighted_scores_of(constant), confidence, units),
        confusion=confusion(target.truth, target.answers, len(target.classes)),
    )


def _dicts(scores: dict[str, Interval]) -> dict[str, Any]:
    return {name: score.to_dict() for name, score in scores.items()}
