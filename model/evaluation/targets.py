"""The targets of an evaluation, the joint class and each attribute, with their statistics over bootstrap resamples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from model.evaluation.matched_answers import MatchedAnswers
from model.labels import Scheme
from model.metrics.bootstrap import resample
from model.metrics.calibration import calibration_statistics
from model.metrics.scores import (
    NO_ANSWER,
    Counts,
    count_statistics,
    gmean_f1,
    mean_scores_of,
    scores_of,
    values_in_truth,
)

COLUMNS_AT_ONCE = 8_000  # statistics that are resampled together; only large schemes have more
COUNTS_AT_ONCE = 2**22  # counts (one per resample and class) whose scores are computed together
JOINT_CLASS = ""  # name of the joint class among the targets; the others have the names of attributes


@dataclass(frozen=True)
class Target:
    """The joint class or one attribute, with C classes: all of its scheme, or only those that occur in true labels or
    predictions if the scheme of the predictions is_large.

    class_names, classes: Names of the classes and their numbers in the target's scheme, int64 (C,), ascending.
    truth, answers, other: int64 (N,), true classes, predictions, and predictions to compare with (None without them):
        0 to C - 1, -1 without a label or a prediction.
    gmean_classes: Those of the C classes that the geometric mean of F1 is over; None for all.
    """

    class_names: list[str]
    classes: np.ndarray
    truth: np.ndarray
    answers: np.ndarray
    other: np.ndarray | None
    gmean_classes: list[int] | None = None


def targets_of(matched: MatchedAnswers, gmean_classes: list[int]) -> dict[str, Target]:
    """The joint class first, then each attribute by its name if there are several.

    Args:
        matched: True labels and predictions.
        gmean_classes: Joint classes of the geometric mean of F1; empty for all.
    """
    scheme = matched.scheme
    codes = [matched.truth, matched.answers, *([] if matched.other is None else [matched.other])]
    targets = {JOINT_CLASS: _make_target(scheme, scheme.is_large, codes, gmean_classes)}
    if len(scheme.attributes) > 1:
        for name in scheme.names:
            own = [matched.truth_of(name), *matched.answers_of(name)]
            targets[name] = _make_target(scheme.only(name), scheme.is_large, own, [])
    return targets


def _make_target(scheme: Scheme, only_occurring: bool, codes: list[np.ndarray], gmean_classes: list[int]) -> Target:
    """A target. codes: True classes, predictions and perhaps other predictions, int64 (N,) each, in the scheme."""
    classes = np.arange(scheme.num_classes)
    if only_occurring:
        occurring = np.unique(np.concatenate([*codes, np.array(gmean_classes, np.int64)]))
        classes = occurring[occurring != NO_ANSWER]
        codes = [np.where(own == NO_ANSWER, NO_ANSWER, np.searchsorted(classes, own)) for own in codes]
        gmean_classes = np.searchsorted(classes, gmean_classes).tolist()
    truth, answers, *other = codes
    names = scheme.class_names
    return Target(
        class_names=[names[code] for code in classes.tolist()],
        classes=classes,
        truth=truth,
        answers=answers,
        other=other[0] if other else None,
        gmean_classes=gmean_classes or None,
    )


@dataclass(frozen=True)
class Totals:
    """Statistics summed over the sample and over each resample: arrays of (1 + resamples, ...).

    counts: Counts of each target by its name.
    others: Counts of the other predictions, for the targets of the comparison; empty without other predictions.
    calibration: Summed rows of calibration_statistics; None without probabilities.
    """

    counts: dict[str, Counts]
    others: dict[str, Counts]
    calibration: np.ndarray | None


def resampled_totals(matched: MatchedAnswers, targets: dict[str, Target], resamples: int, seed: int) -> Totals:
    """Sums the statistics of all scores together, so that every score has the same resamples.

    Args:
        matched: True labels and predictions.
        targets: The joint class and each attribute.
        resamples: Number of resamples.
        seed: Seed of the resamples.
    """
    # one block of columns per target
    blocks = [count_statistics(target.truth, target.answers, len(target.classes)) for target in targets.values()]
    # the comparison is of the joint class, or of all attributes if the scheme is_large
    compared = targets if matched.scheme.is_large else {JOINT_CLASS: targets[JOINT_CLASS]}
    others = {name: target.other for name, target in compared.items() if target.other is not None}
    blocks += [count_statistics(targets[name].truth, own, len(targets[name].classes)) for name, own in others.items()]
    if matched.probabilities is not None:
        blocks.append(calibration_statistics(matched.probabilities, matched.truth))
    totals = _resample(sparse.csr_array(sparse.hstack(blocks)), matched.groups, resamples, seed)
    # split the sums into the blocks again, in the order above
    parts = iter(np.split(totals, np.cumsum([block.shape[1] for block in blocks])[:-1], axis=1))
    return Totals(
        counts={name: Counts.from_totals(next(parts)) for name in targets},
        others={name: Counts.from_totals(next(parts)) for name in others},
        calibration=None if matched.probabilities is None else next(parts),
    )


def _resample(statistics: sparse.csr_array, groups: np.ndarray | None, resamples: int, seed: int) -> np.ndarray:
    """bootstrap.resample with less memory for many columns."""
    width = statistics.shape[1]
    if width <= COLUMNS_AT_ONCE:
        return resample(statistics, groups, resamples, seed)
    # some columns at a time, with the same draws; float32 is exact for integers up to 16 million
    totals = np.empty((1 + resamples, width), np.float32)
    for start in range(0, width, COLUMNS_AT_ONCE):
        columns = slice(start, start + COLUMNS_AT_ONCE)
        totals[:, columns] = resample(sparse.csr_array(statistics[:, columns]), groups, resamples, seed)
    return totals


def scores_of_targets(
    targets: dict[str, Target], counts: dict[str, Counts], is_large: bool
) -> dict[str, dict[str, np.ndarray]]:
    """The scores of each target by name, (1 + resamples,) each.

    Args:
        targets: The joint class and each attribute.
        counts: Counts of the targets to score, (1 + resamples, C) each.
        is_large: Whether the scheme is_large; then the scores of the joint class are mean_scores_of the attributes,
            except for the geometric mean of F1 if its classes were chosen.
    """
    if not is_large:
        return {name: by_resamples(_formula(targets[name].gmean_classes), own) for name, own in counts.items()}
    joint, chosen = counts[JOINT_CLASS], targets[JOINT_CLASS].gmean_classes
    attributes = {name: values_in_truth(own) for name, own in counts.items() if name != JOINT_CLASS}
    means = mean_scores_of(attributes.values(), joint.accuracy)
    if chosen:
        means["gmean_f1"] = gmean_f1(joint.only(chosen))
    return {JOINT_CLASS: means, **{name: scores_of(own) for name, own in attributes.items()}}


def _formula(gmean_classes: list[int] | None) -> Callable[[Counts], dict[str, np.ndarray]]:
    return lambda counts: scores_of(counts, gmean_classes)


def by_resamples(formula: Callable[[Counts], dict[str, np.ndarray]], counts: Counts) -> dict[str, np.ndarray]:
    """The scores of a formula on counts (1 + resamples, C), (1 + resamples,) each, computed in chunks of resamples."""
    parts = [formula(part) for part in _chunks(counts)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _chunks(counts: Counts) -> Iterator[Counts]:
    rows, classes = counts.truth.shape
    at_once = max(1, COUNTS_AT_ONCE // classes)
    for start in range(0, rows, at_once):
        chunk = slice(start, start + at_once)
        yield Counts(counts.right[chunk], counts.truth[chunk], counts.answered[chunk])
