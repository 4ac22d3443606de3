"""Computes all scores of an evaluation, each with its interval, from truth and answers matched by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from model.answers.seen_images import LEARNT_FROM_KEY
from model.attributes import normal_text
from model.errors import InputError, listing
from model.evaluation.coverage import CoveragePoint, coverage_curve
from model.evaluation.interval_notes import interval_notes
from model.evaluation.matched_answers import MatchedAnswers
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
from model.metrics.calibration import (
    calibration_error_interval,
    calibration_statistics,
    reliability_of,
    reliability_trials,
)
from model.metrics.epoch_metrics import SCORE_OF_MANY
from model.metrics.proportions import (
    accuracy_interval,
    class_intervals,
    number_of_units,
    share_intervals,
    with_border_intervals,
)
from model.metrics.scores import NO_TRUTH, Counts, confusion, weighted_scores_of

COMPARED = ("accuracy", "macro_f1", "gmean_f1", "balanced_accuracy")


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class. support: number of images of the class."""

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

    class_names: all of them; where the scheme is_large only those of truth or answers.
    classes: int64 (C,), their numbers in the scheme, ascending.
    scores: by the names of metrics.scores.scores_of.
    per_class: by the name of the class.
    weighted: by the names of metrics.scores.weighted_scores_of.
    constant: weighted, of a classifier that always answers the commonest class of the truth.
    confusion: int64 (C, C), sparse, rows truth, columns answer.
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
        """Names of the classes that no image is of."""
        return [name for name, scores in self.per_class.items() if not scores.support]

    @property
    def pictures(self) -> int:
        """Number of images with a true class."""
        return sum(scores.support for scores in self.per_class.values())

    def to_dict(self) -> dict[str, Any]:
        per_class = {name: scores.to_dict() for name, scores in self.per_class.items()}
        return {**_dicts(self.scores), "per_class": per_class, "classes_without_truth": self.without_truth}


@dataclass(frozen=True)
class ReliabilityBin:
    """The images whose most probable class has a probability in one bin.

    confidence: mean of that probability.
    accuracy: share of the images that the class is right for.
    """

    pictures: int
    confidence: float
    accuracy: Interval

    def to_dict(self) -> dict[str, Any]:
        return {"pictures": self.pictures, "confidence": self.confidence, "accuracy": self.accuracy.to_dict()}


@dataclass(frozen=True)
class Evaluation:
    """Results of one evaluation, for evaluation.json, the summary and the page.

    images: number of images with a label of every attribute, which all scores but those of attributes are over.
    groups: number of their groups, None without them.
    resampled_over: the column of groups or `picture`, None without resamples.
    attributes: scores by attribute, where the scheme has more than one.
    is_large: whether the scheme is_large; then every score of joint but accuracy is the mean of the attributes' scores.
    gmean_classes: classes that the geometric mean of F1 is over; empty where it is such a mean.
    calibration_error, reliability: None and empty without probabilities; only bins with images are listed.
    by_group: each group that has a name.
    by_metadata: by column of few values, its values.
    compare: scores of these answers less those of the others, on the same resamples.
    coverage: accuracy of the surest answers, by their share; empty without probabilities.
    unanswered, left_out: number of images without an answer, and of answers without truth.
    learnt_from: number of images by side (train, validation) that the model saw in its training; None if not known.
    partial: number of further images that have a label of some attributes only.
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

    def to_dict(self) -> dict[str, Any]:
        """The block `rarebird` of evaluation.json: all but the groups, of which there may be as many as images."""
        return {
            "pictures": self.pictures,
            "groups": self.groups,
            "resampled_over": self.resampled_over,
            "resamples": self.resamples,
            "confidence": self.confidence,
            "unanswered": self.unanswered,
            "left_out": self.left_out,
            **({} if self.learnt_from is None else {LEARNT_FROM_KEY: self.learnt_from}),
            **({"scores_are": SCORE_OF_MANY} if self.is_large else {}),
            **self.joint.to_dict(),
            "calibration_error": self.calibration_error.to_dict() if self.calibration_error else None,
            "reliability": [part.to_dict() for part in self.reliability],
            "coverage": [point.to_dict() for point in self.coverage],
            "gmean_classes": self.gmean_classes,
            "attributes": {name: self._attribute(scores) for name, scores in self.attributes.items()},
            "metadata": {
                column: {subgroup.name: subgroup.to_dict() for subgroup in subgroups}
                for column, subgroups in self.by_metadata.items()
            },
            "compare": _dicts(self.compare) if self.compare else None,
            "notes": self.notes,
        }

    def _attribute(self, scores: Scores) -> dict[str, Any]:
        """Scores of an attribute; with the number of images where it may be another than that of the joint class."""
        return {**({"pictures": scores.pictures} if self.partial else {}), **scores.to_dict()}


def evaluate(
    matched: MatchedAnswers,
    gmean_classes: Sequence[str] = (),
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    label_values: str | None = None,
) -> Evaluation:
    """Computes all scores with their intervals: those of proportions from the counts, others by one set of resamples.

    Args:
        matched: truth and answers.
        gmean_classes: names or numbers of the joint classes whose F1 the geometric mean is over, all where empty; an
            attribute's is over all of its values.
        resamples: number of bootstrap resamples; 0 for no intervals.
        confidence: of the intervals.
        seed: of the resamples.
        label_values: whether gmean_classes holds names or indices; None to decide by all of them.

    Raises:
        InputError: a class of gmean_classes is unknown.
    """
    scheme = matched.scheme
    chosen = _chosen_classes(scheme, gmean_classes, label_values)
    targets = targets_of(matched, chosen)
    totals = resampled_totals(matched, targets, resamples, seed)
    values = scores_of_targets(targets, totals.counts, scheme.is_large)
    complete = matched.complete  # the images that the joint class is scored over
    units = number_of_units(complete.groups, len(complete.names))
    level = confidence if resamples else 0.0

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
        reliability = _reliability(complete, totals.calibration[0], level)
        if reliability:
            calibration_error = calibration_error_interval(totals.calibration, level, units)
    groups = None if complete.groups is None else units
    noted = {name: target for name, target in targets.items() if name != JOINT_CLASS or not scheme.is_large}
    about_intervals = interval_notes(noted, scored[JOINT_CLASS].scores, matched.groups, units) if resamples else []
    return Evaluation(
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
    )


def _chosen_classes(scheme: Scheme, asked: Sequence[str], label_values: str | None) -> list[int]:
    """Numbers of the classes that gmean_classes names; where it is empty, all or, where the scheme is_large, none."""
    if " ".join(asked) in scheme.class_names:  # one name with spaces, whose words a flag has parted
        asked = [" ".join(asked)]
    texts = [normal_text(value) for value in asked]
    readings = (label_values,) if label_values else (NAMES, INDICES)
    read = scheme.read(texts, readings)
    if read.unknown and not label_values and not any(whole_number(name) for name in scheme.class_names):
        # Names that are no numbers cannot be taken for indices, so both may be given together
        alone = [scheme.read([text], readings) for text in texts]
        read = replace(
            read,
            codes={text: code for one in alone for text, code in one.codes.items()},
            unknown={text: sentence for one in alone for text, sentence in one.unknown.items()},
        )
    problems = list(read.unknown.values())
    if read.ambiguous:
        problems.append(
            f"{listing(texts)} fit the names of classes and their indices, which differ; give --label_values names or "
            "--label_values indices"
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
        target: what is scored, over the images with a true class.
        counts: its counts of the sample and of each resample, (1 + resamples, C).
        scores: of them, as scores_of_targets gives them.
        groups: integers (n,) of the images; None without groups.
        confidence: of the intervals; 0 for none.
    """
    known = target.truth != NO_TRUTH
    if not known.all():
        groups = None if groups is None else np.unique(groups[known], return_inverse=True)[1]
        target = replace(target, truth=target.truth[known], answers=target.answers[known])
    units = number_of_units(groups, len(target.truth))
    by_class = class_intervals(target.truth, target.answers, len(target.classes), groups, confidence)
    per_class = {
        name: ClassScores(
            **{score: found[code] for score, found in by_class.items()}, support=int(counts.truth[0, code])
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


def _reliability(matched: MatchedAnswers, totals: np.ndarray, confidence: float) -> list[ReliabilityBin]:
    """The bins that hold images. totals: summed rows of calibration_statistics, (3 bins,)."""
    bins = reliability_of(totals)
    assert matched.probabilities is not None
    correct, trials = reliability_trials(calibration_statistics(matched.probabilities, matched.truth))
    accuracy = share_intervals(correct, trials, matched.groups, confidence)
    return [
        ReliabilityBin(int(count), float(bins["confidence"][at]), accuracy[at])
        for at, count in enumerate(bins["pictures"])
        if count
    ]


def _dicts(scores: dict[str, Interval]) -> dict[str, Any]:
    return {name: score.to_dict() for name, score in scores.items()}
