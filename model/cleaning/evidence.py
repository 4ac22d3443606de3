"""Evidence about the labels of one attribute: probabilities of its classes, or predictions of its numbers, from the
embeddings and from out-of-fold predictions of a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.cleaning.grouped import Units, group_means
from model.cleaning.neighbours import Neighbours, nearest, vote
from model.cleaning.noise_model import FLOOR
from model.cleaning.numeric import combined_prediction, out_of_fold_ridge
from model.cleaning.probe import FOLDS, centred, grouped_folds, out_of_fold_probe

NEIGHBOURS = 40  # at most, that vote
VOTERS = (5, 10, 20, 40)  # numbers of neighbours that are tried


@dataclass(frozen=True)
class Sources:
    """What is known about all images of a channel, whatever the attribute.

    Attributes:
        groups: int64 (n,), the group of each row.
        features: float32 (n, d), from `centred`; None without embeddings.
        neighbours: The nearest images of other groups; None without embeddings.
        predicted: Out-of-fold probabilities of the classes, float64 (n, K) by attribute; NaN rows without a prediction.
        seed: Seed of folds and samples.
    """

    groups: NDArray[np.int64]
    features: NDArray[np.float32] | None
    neighbours: Neighbours | None
    predicted: Mapping[str, NDArray[np.float64]]
    seed: int = 0

    @classmethod
    def of(
        cls,
        groups: NDArray[np.int64],
        features: NDArray[np.floating] | None,
        predicted: Mapping[str, NDArray[np.float64]],
        seed: int = 0,
    ) -> Sources:
        """Prepares the features, if any, and finds the neighbours.

        Args:
            groups: int64 (n,), the group of each row.
            features: (n, d); rows of zeros or NaN for unreadable images; None without embeddings.
            predicted: As in the class.
            seed: Seed of folds and samples.
        """
        if features is None:
            return cls(groups, None, None, predicted, seed)
        prepared = centred(np.nan_to_num(np.asarray(features, np.float32), nan=0.0))
        return cls(groups, prepared, nearest(prepared, groups, NEIGHBOURS, seed), predicted, seed)


def class_evidence(
    sources: Sources, name: str, codes: NDArray[np.int64], classes: NDArray[np.int64], units: Units
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64] | None]:
    """The probabilities of the classes by each source.

    Args:
        sources: What is known about the images.
        name: Name of the attribute.
        codes: int64 (n,), positions in `classes`; negative: without a label.
        classes: int64 (K,), the codes of the classes that occur, in order.
        units: What is judged.

    Returns:
        Probabilities of each unit by source, float64 (U, K), out of fold; and the mean log probabilities of each row by
        the sources that know rows, float64 (n, K), to find the most suspicious image of a group; None without.
    """
    by_unit, by_row = [], []
    if sources.features is not None and sources.neighbours is not None:
        votes = _best_vote(sources.neighbours, codes, len(classes))
        by_row.append(votes)
        features = unit_features(sources.features, sources.groups, units)
        folds = grouped_folds(units.groups, units.codes, FOLDS, sources.seed)
        by_unit.append(out_of_fold_probe(features, units.codes, folds, len(classes), sources.seed))
    if name in sources.predicted:
        chosen = sources.predicted[name][:, classes]
        total = chosen.sum(axis=1, keepdims=True)
        by_row.append(np.divide(chosen, total, out=np.full_like(chosen, np.nan), where=total > 0))
    by_unit += [pooled(probabilities, sources.groups, units) for probabilities in by_row]
    if not by_row:
        return by_unit, None
    logs = [np.log(np.maximum(np.nan_to_num(rows, nan=1 / len(classes)), FLOOR)) for rows in by_row]
    return by_unit, np.mean(logs, axis=0)


def number_evidence(sources: Sources, name: str, numbers: NDArray[np.float64], units: Units) -> NDArray[np.float64]:
    """The predicted number of each unit, float64 (U,), out of fold.

    Args:
        sources: What is known about the images.
        name: Name of the attribute.
        numbers: float64 (n,), the given numbers.
        units: What is judged.
    """
    given = unit_numbers(numbers, units)
    folds = grouped_folds(units.groups, units.codes, FOLDS, sources.seed)
    columns = []
    if sources.features is not None and sources.neighbours is not None:
        features = unit_features(sources.features, sources.groups, units)
        columns.append(out_of_fold_ridge(features, given, folds, sources.seed))
        near = sources.neighbours.rows[:, : NEIGHBOURS // 2]
        known = (near >= 0) & np.isfinite(numbers[near])
        sums = np.where(known, numbers[near], 0).sum(axis=1, keepdims=True)
        count = known.sum(axis=1, keepdims=True)
        means = np.divide(sums, count, out=np.full(sums.shape, np.nan), where=count > 0)
        columns.append(_of_units(means, sources.groups, units)[:, 0])
    if name in sources.predicted:
        logs = np.log(np.maximum(sources.predicted[name], 1e-3))  # NaN stays NaN
        columns.append(_of_units(logs, sources.groups, units))
    return combined_prediction(columns, given, folds)


def unit_numbers(numbers: NDArray[np.float64], units: Units) -> NDArray[np.float64]:
    """The mean given number of each unit, float64 (U,)."""
    rows = np.flatnonzero(units.of_row >= 0)
    return np.bincount(units.of_row[rows], weights=numbers[rows], minlength=len(units)) / units.sizes


def unit_features(features: NDArray[np.float32], groups: NDArray[np.int64], units: Units) -> NDArray[np.float32]:
    """The features of each unit, float32 (U, d): of its row, or the mean of its group, with unit length."""
    if (units.sizes == 1).all() and not units.divided.any():
        return features[np.flatnonzero(units.of_row >= 0)[np.argsort(units.of_row[units.of_row >= 0])]]
    known = np.where(features.any(axis=1, keepdims=True), features, np.float32(np.nan))
    means = np.nan_to_num(group_means(known, groups)[units.groups], nan=0.0)
    return centred(means.astype(np.float32))


def pooled(probabilities: NDArray[np.float64], groups: NDArray[np.int64], units: Units) -> NDArray[np.float64]:
    """The probabilities of each unit, float64 (U, K): of its row, or the normalised geometric mean over its group.

    The mean of log probabilities does not count the images of a group as independent; the noise model scales it.
    """
    logs = np.log(np.maximum(probabilities, FLOOR))  # NaN stays NaN
    result = np.exp(_of_units(logs, groups, units))
    return np.asarray(result / result.sum(axis=1, keepdims=True), np.float64)


def _of_units(values: NDArray[np.float64], groups: NDArray[np.int64], units: Units) -> NDArray[np.float64]:
    """The value of each unit's row, or the mean over its group, float64 (U, d)."""
    if (units.sizes == 1).all() and not units.divided.any():
        rows = np.flatnonzero(units.of_row >= 0)
        result = np.empty((len(units), values.shape[1]))
        result[units.of_row[rows]] = values[rows]
        return result
    return group_means(values, groups)[units.groups]


def _best_vote(neighbours: Neighbours, codes: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """The votes of the number of neighbours that has the smallest log loss on the given labels."""
    labelled = np.flatnonzero(codes >= 0)
    best, least = None, np.inf
    for k in VOTERS:
        votes = vote(Neighbours(neighbours.rows[:, :k], neighbours.similarity[:, :k]), codes, classes)
        loss = float(-np.log(votes[labelled, codes[labelled]]).mean())
        if loss < least:
            best, least = votes, loss
    assert best is not None
    return best
