"""Computes all scores of an evaluation, each with its bootstrap interval, from truth and answers matched by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from model.errors import InputError, listing
from model.evaluation.coverage import CoveragePoint, coverage_curve
from model.evaluation.matching import MatchedAnswers
from model.evaluation.subgroups import Subgroup, subgroups_by_group, subgroups_by_metadata
from model.label_values import INDICES, NAMES, whole_number
from model.labels import Scheme, normal_text
from model.metrics.bootstrap import Interval, interval, resample
from model.metrics.calibration import calibration_error_of, calibration_statistics, reliability_of
from model.metrics.scores import (
    NO_ANSWER,
    Counts,
    confusion,
    count_statistics,
    per_class_of,
    scores_of,
    weighted_scores_of,
)

COMPARED = ("accuracy", "macro_f1", "gmean_f1", "balanced_accuracy")
JOINT_CLASS = ""  # the joint class among the targets, which are attributes by their names otherwise


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

    scores: by the names of metrics.scores.scores_of.
    per_class: by the name of the class.
    weighted: by the names of metrics.scores.weighted_scores_of.
    constant: weighted, of a classifier that always answers the commonest class of the truth.
    confusion: int64 (C, C), rows truth, columns answer.
    """

    class_names: list[str]
    scores: dict[str, Interval]
    per_class: dict[str, ClassScores]
    weighted: dict[str, Interval]
    constant: dict[str, Interval]
    confusion: np.ndarray

    @property
    def without_truth(self) -> list[str]:
        """Names of the classes that no image is of."""
        return [name for name, scores in self.per_class.items() if not scores.support]

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

    groups: number of groups, None without them.
    resampled_over: the column of groups or `picture`, None without resamples.
    attributes: scores by attribute, where the scheme has more than one.
    gmean_classes: classes that the geometric mean of F1 is over.
    calibration_error, reliability: None and empty without probabilities; only bins with images are listed.
    by_group: each group that has a name.
    by_metadata: by column of few values, its values.
    compare: scores of these answers less those of the others, on the same resamples.
    coverage: accuracy of the surest answers, by their share; empty without probabilities.
    unanswered, left_out: number of images without an answer, and of answers without truth.
    """

    pictures: int
    groups: int | None
    resampled_over: str | None
    resamples: int
    confidence: float
    joint: Scores
    attributes: dict[str, Scores]
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
            **self.joint.to_dict(),
            "calibration_error": self.calibration_error.to_dict() if self.calibration_error else None,
            "reliability": [part.to_dict() for part in self.reliability],
            "coverage": [point.to_dict() for point in self.coverage],
            "gmean_classes": self.gmean_classes,
            "attributes": {name: scores.to_dict() for name, scores in self.attributes.items()},
            "metadata": {
                column: {subgroup.name: subgroup.to_dict() for subgroup in subgroups}
                for column, subgroups in self.by_metadata.items()
            },
            "compare": _dicts(self.compare) if self.compare else None,
            "notes": self.notes,
        }


def evaluate(
    matched: MatchedAnswers,
    gmean_classes: Sequence[str] = (),
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    label_values: str | None = None,
) -> Evaluation:
    """Computes all scores with percentile bootstrap intervals, all from one set of resamples.

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
    targets = _targets(matched)
    totals = _resampled_totals(matched, targets, resamples, seed)

    scored = {}
    for (name, target), counts in zip(targets.items(), totals.targets, strict=True):
        scored[name] = _score(target, counts, None if name else chosen, confidence)
    compare = None
    if totals.other is not None:
        these, others = scores_of(totals.targets[0], chosen), scores_of(totals.other, chosen)
        compare = {name: interval(these[name] - others[name], confidence) for name in COMPARED}
    calibration_error, reliability = None, []
    if totals.calibration is not None:
        reliability = _reliability(totals.calibration, confidence)
        if reliability:
            calibration_error = interval(calibration_error_of(totals.calibration), confidence)
    groups = None if matched.groups is None else int(matched.groups.max()) + 1
    return Evaluation(
        pictures=len(matched.names),
        groups=groups,
        resampled_over=(matched.group_column if groups else "picture") if resamples else None,
        resamples=resamples,
        confidence=confidence,
        joint=scored.pop(JOINT_CLASS),
        attributes=scored,
        gmean_classes=[scheme.class_names[code] for code in chosen],
        calibration_error=calibration_error,
        reliability=reliability,
        by_group=subgroups_by_group(matched),
        by_metadata=subgroups_by_metadata(matched, resamples, confidence, seed),
        compare=compare,
        coverage=coverage_curve(matched, resamples, confidence, seed),
        unanswered=len(matched.unanswered),
        left_out=len(matched.left_out),
        notes=list(matched.notes),
    )


def _chosen_classes(scheme: Scheme, asked: Sequence[str], label_values: str | None) -> list[int]:
    """Numbers of the classes that gmean_classes names, all where it is empty."""
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
    return sorted({code for code in read.codes.values() if code >= 0}) or list(range(scheme.num_classes))


@dataclass(frozen=True)
class _Target:
    """What is scored: the joint class or one attribute. truth, answers: int64 (N,), -1 without an answer."""

    scheme: Scheme
    truth: np.ndarray
    answers: np.ndarray


def _targets(matched: MatchedAnswers) -> dict[str, _Target]:
    """The joint class first and, where the scheme has more than one, each attribute by its name."""
    scheme = matched.scheme
    targets = {JOINT_CLASS: _Target(scheme, matched.truth, matched.answers)}
    if len(scheme.attributes) > 1:
        truth, answers = scheme.split(matched.truth), scheme.split(matched.answers)
        for name in scheme.names:
            answered = np.where(matched.answers == NO_ANSWER, NO_ANSWER, answers[name])
            targets[name] = _Target(scheme.only(name), truth[name], answered)
    return targets


@dataclass(frozen=True)
class _Totals:
    """Statistics summed over the sample and over each resample: arrays of (1 + resamples, ...).

    targets: counts of each target, in order.
    other: counts of the answers to compare with.
    calibration: summed rows of calibration_statistics.
    """

    targets: list[Counts]
    other: Counts | None
    calibration: np.ndarray | None


def _resampled_totals(matched: MatchedAnswers, targets: dict[str, _Target], resamples: int, seed: int) -> _Totals:
    """Sums the statistics of all scores side by side, so that every score sees the same resamples."""
    blocks = [count_statistics(target.truth, target.answers, target.scheme.num_classes) for target in targets.values()]
    if matched.other is not None:
        blocks.append(count_statistics(matched.truth, matched.other, matched.scheme.num_classes))
    if matched.probabilities is not None:
        blocks.append(calibration_statistics(matched.probabilities, matched.truth))
    totals = resample(sparse.csr_array(sparse.hstack(blocks)), matched.groups, resamples, seed)
    # one part a block again, in the order above
    parts = iter(np.split(totals, np.cumsum([block.shape[1] for block in blocks])[:-1], axis=1))
    return _Totals(
        targets=[Counts.from_totals(next(parts)) for _ in targets],
        other=None if matched.other is None else Counts.from_totals(next(parts)),
        calibration=None if matched.probabilities is None else next(parts),
    )


def _score(target: _Target, counts: Counts, gmean_classes: list[int] | None, confidence: float) -> Scores:
    """Scores of one target. counts: of the sample and its resamples, (1 + resamples, C)."""

    def intervals(scores: dict[str, np.ndarray]) -> dict[str, Interval]:
        return {name: interval(values, confidence) for name, values in scores.items()}

    scores_by_class = per_class_of(counts)
    per_class = {
        name: ClassScores(
            **intervals({score: values[:, code] for score, values in scores_by_class.items()}),
            support=int(counts.truth[0, code]),
        )
        for code, name in enumerate(target.scheme.class_names)
    }
    commonest = int(counts.truth[0].argmax())
    return Scores(
        class_names=target.scheme.class_names,
        scores=intervals(scores_of(counts, gmean_classes)),
        per_class=per_class,
        weighted=intervals(weighted_scores_of(counts)),
        constant=intervals(weighted_scores_of(counts.constant(commonest))),
        confusion=confusion(target.truth, target.answers, target.scheme.num_classes),
    )


def _reliability(totals: np.ndarray, confidence: float) -> list[ReliabilityBin]:
    """The bins that hold images. totals: as _Totals.calibration."""
    bins = reliability_of(totals)
    return [
        ReliabilityBin(int(count), float(bins["confidence"][0, at]), interval(bins["accuracy"][:, at], confidence))
        for at, count in enumerate(bins["pictures"][0])
        if count
    ]


def _dicts(scores: dict[str, Interval]) -> dict[str, Any]:
    return {name: score.to_dict() for name, score in scores.items()}
