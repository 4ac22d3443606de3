"""Class biases for the highest macro F1 or geometric mean of F1.

Coordinate ascent: the bias of one value at a time is set to the best of GRID, with the others fixed. A change of the
score by less than its noise is not worth a bias: the search maximises the score minus a penalty that grows with the
squares of the biases, and the result is multiplied by a factor that an inner cross-validation over groups chooses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.calibration.held_out import HeldOut
from model.calibration.value_biases import ValueBiases
from model.decisions import Decision
from model.metrics.scores import Counts, gmean_f1

F1, GMEAN = "f1", "gmean"
GRID = np.linspace(-3, 3, 49)  # biases, in units of log probability
PASSES = 4  # over all values; fewer if a pass changes nothing
PENALTY = 0.1  # times the score's standard error without biases, per value, at a bias of 1
SHRINKING = (0.0, 0.25, 0.5, 0.75, 1.0)  # factors of the biases
FOLDS = 4  # of the inner cross-validation
SEED = 1  # of these folds


def score_of(counts: Counts, optimise: str) -> NDArray[np.float64]:
    """macro F1 or the geometric mean of F1 over the classes with images, (...).

    Args:
        counts: Counts of C classes, (..., C); the classes with images in the first row count.
        optimise: F1 or GMEAN.
    """
    present = np.flatnonzero(counts.truth.reshape(-1, counts.truth.shape[-1])[0])
    if optimise == GMEAN:
        return np.asarray(gmean_f1(counts, present.tolist()))
    return np.asarray(counts.only(present).f().mean(axis=-1))


def sweep(
    scores: NDArray[np.float64], members: NDArray[np.bool_], truth: NDArray[np.int64], shifts: NDArray[np.float64]
) -> Counts:
    """The counts of predictions if a shift is added to the scores of some classes, (S, C) for S shifts.

    Args:
        scores: float64 (n, C).
        members: bool (C,), the classes that are shifted; at least one, and not all.
        truth: int64 (n,), true classes.
        shifts: float64 (S,), ascending.
    """
    num_classes, rows = scores.shape[1], np.arange(len(scores))
    inside, outside = np.flatnonzero(members), np.flatnonzero(~members)
    best_inside = inside[Decision().classes(scores[:, inside])]
    best_outside = outside[Decision().classes(scores[:, outside])]
    # from this shift on, the best of the shifted classes is predicted; a tie goes to the first class
    gap = scores[rows, best_outside] - scores[rows, best_inside]
    first = np.where(
        best_inside < best_outside, np.searchsorted(shifts, gap, side="left"), np.searchsorted(shifts, gap, "right")
    )

    def counted(classes: NDArray[np.int64], counts: NDArray[np.bool_], from_first: bool) -> NDArray[np.float64]:
        """Predictions of each class at each shift, (S, C), of the images that count."""
        at = first[counts] * num_classes + classes[counts]
        started = np.bincount(at, minlength=(len(shifts) + 1) * num_classes).reshape(-1, num_classes)
        if from_first:
            return np.asarray(np.cumsum(started, axis=0)[:-1], dtype=np.float64)
        return np.asarray(started.sum(axis=0) - np.cumsum(started, axis=0)[:-1], dtype=np.float64)

    everything = np.ones(len(scores), bool)
    answered = counted(best_inside, everything, True) + counted(best_outside, everything, False)
    right = counted(best_inside, best_inside == truth, True) + counted(best_outside, best_outside == truth, False)
    of_class = np.bincount(truth, minlength=num_classes).astype(np.float64)
    return Counts(right, np.broadcast_to(of_class, right.shape), answered)


def search_biases(
    log_scores: NDArray[np.float64], truth: NDArray[np.int64], structure: ValueBiases, optimise: str, penalty: float
) -> NDArray[np.float64]:
    """The biases of the values, float64 (V,), by coordinate ascent; mean 0 in each attribute.

    Args:
        log_scores: float64 (n, C), log probabilities divided by the temperature.
        truth: int64 (n,), true classes.
        structure: Which classes have which values.
        optimise: F1 or GMEAN.
        penalty: Of a bias of 1; it grows with the square of the bias.
    """
    values = np.zeros(len(structure.members))
    for _ in range(PASSES):
        before = values.copy()
        for position, members in enumerate(structure.members):
            if members.all() or not members.any():
                continue
            others = values.copy()
            others[position] = 0
            counts = sweep(log_scores + structure.of_classes(others), members, truth, GRID)
            objective = score_of(counts, optimise) - penalty * GRID**2
            # of equally good biases, the smallest
            best = GRID[objective >= objective.max() - 1e-12]
            values[position] = min(best.tolist(), key=abs)
        if np.array_equal(values, before):
            break
    return structure.centred(values)


def fit_biases(held_out: HeldOut, temperature: float, optimise: str) -> NDArray[np.float64]:
    """The shrunk biases of the joint classes, float64 (C,); zeros if none are better.

    Args:
        held_out: The predictions.
        temperature: Divides the log probabilities.
        optimise: F1 or GMEAN.
    """
    structure = ValueBiases(held_out.scheme)
    scores, penalty = held_out.log_probabilities / temperature, PENALTY * standard_error(held_out)
    full = search_biases(scores, held_out.truth, structure, optimise, penalty)
    number = min(FOLDS, held_out.num_groups)
    if number < 2 or not full.any():
        return np.zeros(held_out.scheme.num_classes)
    # predictions for each fold with the biases of the others, for each factor
    folds = held_out.folds(number, SEED)
    predicted = np.empty((len(SHRINKING), len(held_out)), np.int64)
    for fold in range(number):
        own, others = folds == fold, folds != fold
        found = search_biases(scores[others], held_out.truth[others], structure, optimise, penalty)
        for row, factor in enumerate(SHRINKING):
            biases = tuple(structure.of_classes(factor * found).tolist())
            predicted[row, own] = Decision(temperature, biases).classes(held_out.probabilities[own])
    num_classes = held_out.scheme.num_classes
    reached = [score_of(Counts.from_answers(held_out.truth, row, num_classes), optimise) for row in predicted]
    best = max(range(len(SHRINKING)), key=lambda row: float(reached[row]))  # of equally good ones, the smallest
    return structure.of_classes(SHRINKING[best] * full)


def standard_error(held_out: HeldOut) -> float:
    """A rough standard error of a score between 0 and 1: 1 / (2 sqrt(groups))."""
    return 0.5 / max(held_out.num_groups, 1) ** 0.5
