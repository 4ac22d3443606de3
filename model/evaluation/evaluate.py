"""The numbers of an evaluation, each with its interval, from truth and answers joined by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from model.errors import InputError
from model.evaluation.matching import MatchedAnswers
from model.evaluation.subgroups import Subgroup, subgroups_by_group, subgroups_by_metadata
from model.labels import Scheme
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


@dataclass(frozen=True)
class ClassScores:
    precision: Interval
    recall: Interval
    f1: Interval
    support: int

    def to_dict(self) -> dict[str, Any]:
        scores = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {**_dicts(scores), "support": self.support}


@dataclass(frozen=True)
class Scores:
    """Of the joint class or of one attribute. scores: those of metrics.scores_of; weighted: of
    metrics.weighted_scores_of; constant: the same for always answering the commonest class of the truth;
    confusion: int64 (C, C)."""

    class_names: list[str]
    scores: dict[str, Interval]
    per_class: dict[str, ClassScores]
    weighted: dict[str, Interval]
    constant: dict[str, Interval]
    confusion: np.ndarray

    @property
    def without_truth(self) -> list[str]:
        return [name for name, of_class in self.per_class.items() if not of_class.support]

    def to_dict(self) -> dict[str, Any]:
        per_class = {name: of_class.to_dict() for name, of_class in self.per_class.items()}
        return {**_dicts(self.scores), "per_class": per_class, "classes_without_truth": self.without_truth}


@dataclass(frozen=True)
class ReliabilityBin:
    """The pictures whose most probable class has about one probability. confidence: its mean; accuracy: the share of
    them that it is right for."""

    pictures: int
    confidence: float
    accuracy: Interval

    def to_dict(self) -> dict[str, Any]:
        return {"pictures": self.pictures, "confidence": self.confidence, "accuracy": self.accuracy.to_dict()}


@dataclass(frozen=True)
class Evaluation:
    """All of one evaluation, for evaluation.json and for what is shown. attributes: where the scheme has several;
    reliability: the bins that hold pictures; by_group: each group that has a name; by_metadata: the values of each
    column of few; compare: the score of these answers less that of the others, on the same resamples;
    resampled_over: the groups' column or `picture`, None without resamples."""

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
    unanswered: int
    left_out: int
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """The block `rarebird` of evaluation.json: all but the groups, of which there may be as many as pictures."""
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
            "reliability": [of_bin.to_dict() for of_bin in self.reliability],
            "gmean_classes": self.gmean_classes,
            "attributes": {name: scores.to_dict() for name, scores in self.attributes.items()},
            "metadata": {
                column: {of.name: of.to_dict() for of in slices} for column, slices in self.by_metadata.items()
            },
            "compare": _dicts(self.compare) if self.compare else None,
            "notes": self.notes,
        }


def evaluate(
    joined: MatchedAnswers,
    gmean_classes: Sequence[str] = (),
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Evaluation:
    """All scores of joined truth and answers with bootstrap intervals, all from one set of resamples.

    gmean_classes: names or numbers of the joint classes whose F1 the geometric mean is over, else all; an
    attribute's is over all of its values. InputError where one is unknown.
    """
    scheme = joined.scheme
    chosen = _chosen_classes(scheme, gmean_classes)
    targets: dict[str, tuple[Scheme, np.ndarray, np.ndarray]] = {"": (scheme, joined.truth, joined.answers)}
    if len(scheme.attributes) > 1:
        true, answers = scheme.split(joined.truth), scheme.split(joined.answers)
        for name in scheme.names:
            given = np.where(joined.answers == NO_ANSWER, NO_ANSWER, answers[name])
            targets[name] = (scheme.only(name), true[name], given)
    blocks = [count_statistics(truth, given, of.num_classes) for of, truth, given in targets.values()]
    if joined.other is not None:
        blocks.append(count_statistics(joined.truth, joined.other, scheme.num_classes))
    if joined.probabilities is not None:
        blocks.append(calibration_statistics(joined.probabilities, joined.truth))

    statistics = sparse.csr_array(sparse.hstack(blocks))
    totals = resample(statistics, joined.groups, resamples, seed)
    parts = np.split(totals, np.cumsum([block.shape[1] for block in blocks])[:-1], axis=1)

    scored = {}
    for (name, (of, truth, given)), part in zip(targets.items(), parts[: len(targets)], strict=True):
        matrix = confusion(truth, given, of.num_classes)
        scored[name] = _score(of.class_names, Counts.from_totals(part), matrix, None if name else chosen, confidence)
    compare = None
    if joined.other is not None:
        these = scores_of(Counts.from_totals(parts[0]), chosen)
        those = scores_of(Counts.from_totals(parts[len(targets)]), chosen)
        compare = {name: interval(these[name] - those[name], confidence) for name in COMPARED}
    reliability = [] if joined.probabilities is None else _reliability(parts[-1], confidence)
    groups = None if joined.groups is None else int(joined.groups.max()) + 1
    return Evaluation(
        pictures=len(joined.names),
        groups=groups,
        resampled_over=(joined.group_column if groups else "picture") if resamples else None,
        resamples=resamples,
        confidence=confidence,
        joint=scored.pop(""),
        attributes=scored,
        gmean_classes=[scheme.class_names[code] for code in chosen],
        calibration_error=interval(calibration_error_of(parts[-1]), confidence) if reliability else None,
        reliability=reliability,
        by_group=subgroups_by_group(joined),
        by_metadata=subgroups_by_metadata(joined, resamples, confidence, seed),
        compare=compare,
        unanswered=len(joined.unanswered),
        left_out=len(joined.left_out),
        notes=list(joined.notes),
    )


def _chosen_classes(scheme: Scheme, asked: Sequence[str]) -> list[int]:
    faults, chosen = [], []
    if " ".join(asked) in scheme.class_names:  # one name with spaces, whose words a flag has parted
        asked = [" ".join(asked)]
    for value in asked:
        try:
            chosen.append(scheme.class_of(value))
        except ValueError as error:
            faults.append(f"gmean_classes: {error}")
    if faults:
        raise InputError("\n".join(faults))
    return sorted(set(chosen)) or list(range(scheme.num_classes))


def _score(
    names: list[str], counts: Counts, matrix: np.ndarray, gmean_classes: list[int] | None, confidence: float
) -> Scores:
    """counts: of the sample and its resamples, (1 + resamples, C)."""

    def intervals(scores: dict[str, np.ndarray]) -> dict[str, Interval]:
        return {name: interval(values, confidence) for name, values in scores.items()}

    of_classes = per_class_of(counts)
    per_class = {
        name: ClassScores(
            **intervals({score: values[:, code] for score, values in of_classes.items()}),
            support=int(counts.truth[0, code]),
        )
        for code, name in enumerate(names)
    }
    commonest = int(counts.truth[0].argmax())
    return Scores(
        class_names=names,
        scores=intervals(scores_of(counts, gmean_classes)),
        per_class=per_class,
        weighted=intervals(weighted_scores_of(counts)),
        constant=intervals(weighted_scores_of(counts.constant(commonest))),
        confusion=matrix,
    )


def _reliability(totals: np.ndarray, confidence: float) -> list[ReliabilityBin]:
    """totals: summed rows of calibration_statistics, of the sample and its resamples."""
    bins = reliability_of(totals)
    return [
        ReliabilityBin(int(count), float(bins["confidence"][0, at]), interval(bins["accuracy"][:, at], confidence))
        for at, count in enumerate(bins["pictures"][0])
        if count
    ]


def _dicts(scores: dict[str, Interval]) -> dict[str, Any]:
    return {name: score.to_dict() for name, score in scores.items()}
