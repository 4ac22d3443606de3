"""Accuracy, precision, recall, F1 and other scores, from counts of correct predictions.

Each image has a row of statistics. Scores are computed from sums of rows; in a bootstrap resample, each row is
multiplied by the number of its draws. So the sample and all resamples use the same formulas. Arrays of sums may have
any leading axes (resamples); the last axis has the statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

NO_ANSWER = NO_TRUTH = -1  # instead of a predicted class, of a true class


@dataclass(frozen=True)
class Counts:
    """Numbers of images by class, float64 (..., C). An image without a prediction counts in truth only, so it is wrong.

    Attributes:
        right: Images of the class that are predicted as the class.
        truth: Images of the class.
        answered: Images that are predicted as the class.
    """

    right: np.ndarray
    truth: np.ndarray
    answered: np.ndarray

    @classmethod
    def from_totals(cls, totals: np.ndarray) -> Counts:
        """Counts from summed rows of count_statistics, (..., 3C)."""
        right, truth, answered = np.split(totals, 3, axis=-1)
        return cls(right, truth, answered)

    @classmethod
    def from_answers(cls, truth: ArrayLike, answers: ArrayLike, num_classes: int) -> Counts:
        """Counts from true classes (n,) and predicted classes (n,), -1 without a prediction."""
        return cls.from_totals(count_statistics(truth, answers, num_classes).sum(axis=0))

    @property
    def pictures(self) -> np.ndarray:
        return self.truth.sum(axis=-1)

    @property
    def accuracy(self) -> np.ndarray:
        return divide(self.right.sum(axis=-1), self.pictures)

    @property
    def precision(self) -> np.ndarray:
        return divide(self.right, self.answered)

    @property
    def recall(self) -> np.ndarray:
        return divide(self.right, self.truth)

    def f(self, beta: float = 1.0) -> np.ndarray:
        """F-beta of each class (van Rijsbergen 1979), 0 for a class without images and predictions."""
        return divide((1 + beta**2) * self.right, self.answered + beta**2 * self.truth)

    def constant(self, answer: int) -> Counts:
        """The counts of a classifier that always predicts one class. All other classes are counted as one, which has no
        correct prediction.

        Args:
            answer: The predicted class.
        """
        truth = self.truth[..., answer]
        pairs = ((truth, 0 * truth), (truth, self.pictures - truth), (self.pictures, 0 * truth))
        return Counts(*(np.stack(pair, axis=-1) for pair in pairs))

    def only(self, classes: Sequence[int] | np.ndarray) -> Counts:
        """The counts of these classes only."""
        return Counts(*(counts[..., classes] for counts in (self.right, self.truth, self.answered)))


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The quotient, 0 if the denominator is 0 (scikit-learn's zero_division=0)."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator, dtype=float), where=denominator != 0)


def count_statistics(truth: ArrayLike, answers: ArrayLike, num_classes: int) -> sparse.csr_array:
    """The statistics that Counts sums up.

    Args:
        truth: True classes (n,), -1 if not known; such images are not counted.
        answers: Predicted classes (n,), -1 without a prediction.
        num_classes: C.

    Returns:
        float64 (n, 3C), one row per image, with at most three entries of 1: in right, truth and answered.

    Raises:
        ValueError: If a class is outside -1 ... C - 1, or the lengths differ.
    """
    truth, answers = _classes(truth, answers, num_classes)
    known, answered = truth != NO_TRUTH, answers != NO_ANSWER
    masks = (known & (truth == answers), known, known & answered)
    row = np.concatenate([np.flatnonzero(mask) for mask in masks])
    right, of_truth, given = (classes[mask] for classes, mask in zip((truth, truth, answers), masks))
    column = np.concatenate([right, num_classes + of_truth, 2 * num_classes + given])
    return sparse.csr_array((np.ones(len(row)), (row, column)), shape=(len(truth), 3 * num_classes))


def _classes(truth: ArrayLike, answers: ArrayLike, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    truth, answers = np.asarray(truth, dtype=np.int64), np.asarray(answers, dtype=np.int64)
    if truth.shape != answers.shape or truth.ndim != 1:
        raise ValueError(f"truth {truth.shape} and answers {answers.shape} must be vectors of equal length")
    for name, classes in (("truth", truth), ("answers", answers)):
        if classes.size and not -1 <= classes.min() <= classes.max() < num_classes:
            raise ValueError(f"{name} must be from -1 to {num_classes - 1}, not {classes.min()} to {classes.max()}")
    return truth, answers


def confusion(truth: ArrayLike, answers: ArrayLike, num_classes: int) -> sparse.csr_array:
    """Confusion matrix, int64 (C, C), sparse: rows are true classes, columns predicted ones.

    An image without a prediction (-1) is in no column, so the sum of a row may be less than the support of its class.
    An image without a true class (-1) is not counted.
    """
    truth, answers = _classes(truth, answers, num_classes)
    counted = (truth != NO_TRUTH) & (answers != NO_ANSWER)
    indices = (truth[counted], answers[counted])
    return sparse.csr_array((np.ones(len(indices[0]), np.int64), indices), shape=(num_classes, num_classes))


def scores(
    truth: ArrayLike, answers: ArrayLike, num_classes: int, gmean_classes: Sequence[int] | None = None
) -> dict[str, float]:
    """The scores of scores_of from true classes (n,) and predicted classes (n,). No prediction (-1) counts as wrong."""
    counts = Counts.from_answers(truth, answers, num_classes)
    return {name: float(value) for name, value in scores_of(counts, gmean_classes).items()}


def scores_of(counts: Counts, gmean_classes: Sequence[int] | None = None) -> dict[str, np.ndarray]:
    """The values of SCORES by name, (...) each.

    Args:
        counts: Counts of C classes.
        gmean_classes: Classes of gmean_f1; None for all.
    """
    formulas = {**SCORES, "gmean_f1": lambda counts: gmean_f1(counts, gmean_classes)}
    return {name: formula(counts) for name, formula in formulas.items()}


def mean_scores_of(attributes: Iterable[Counts], accuracy: np.ndarray) -> dict[str, np.ndarray]:
    """The scores of a hierarchy, whose combinations are too many to be classes, by name, (...) each.

    They are means over the attributes, each over the values with images (epoch_metrics.SCORE_OF_MANY).

    Args:
        attributes: Counts of each attribute's values.
        accuracy: Share of the images with all attributes correct, (...).
    """
    by_attribute = [scores_of(values_in_truth(counts)) for counts in attributes]
    means = {name: np.mean([values[name] for values in by_attribute], axis=0) for name in by_attribute[0]}
    return {**means, "accuracy": accuracy}


def values_in_truth(counts: Counts) -> Counts:
    """The counts of the classes with images; with resamples, those with images in the sample (the first row)."""
    sample = counts.truth.reshape(-1, counts.truth.shape[-1])[0]
    return counts.only(np.flatnonzero(sample))


def gmean_f1(counts: Counts, classes: Sequence[int] | None = None) -> np.ndarray:
    """Geometric mean of F1 over these classes or all, (...); 0 if a class has no correct prediction."""
    f1 = counts.f() if classes is None else counts.f()[..., list(classes)]
    with np.errstate(divide="ignore"):  # log 0 is -inf, and exp(-inf) is 0, as intended
        return np.exp(np.log(f1).mean(axis=-1))


def balanced_accuracy(counts: Counts) -> np.ndarray:
    """Mean recall over the classes with images, (...)."""
    return divide(counts.recall.sum(axis=-1), (counts.truth > 0).sum(axis=-1))


# Scores, (...), of the counts of C classes, by name; equal to scikit-learn's. Macro means are over all C classes
# (scikit-learn's labels=range(C), zero_division=0).
SCORES: dict[str, Callable[[Counts], np.ndarray]] = {
    "accuracy": lambda counts: counts.accuracy,
    "macro_f1": lambda counts: counts.f().mean(axis=-1),
    "gmean_f1": gmean_f1,
    "balanced_accuracy": balanced_accuracy,
    "macro_precision": lambda counts: counts.precision.mean(axis=-1),
    "macro_recall": lambda counts: counts.recall.mean(axis=-1),
}

# Their names in texts, in the order of tables
SCORE_LABELS = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "balanced_accuracy": "balanced accuracy",
    "gmean_f1": "geometric mean of F1",
    "macro_precision": "macro precision",
    "macro_recall": "macro recall",
}


def weighted_scores_of(counts: Counts) -> dict[str, np.ndarray]:
    """Accuracy, and precision, recall and F-beta weighted by the support of each class, (...) each; equal to
    scikit-learn's average="weighted"."""

    def weighted(per_class: np.ndarray) -> np.ndarray:
        return divide((per_class * counts.truth).sum(axis=-1), counts.pictures)

    return {
        "accuracy": counts.accuracy,
        "weighted_recall": weighted(counts.recall),
        "weighted_precision": weighted(counts.precision),
        "weighted_f0_5": weighted(counts.f(0.5)),
        "weighted_f1": weighted(counts.f()),
        "weighted_f2": weighted(counts.f(2)),
    }


def per_class(truth: ArrayLike, answers: ArrayLike, num_classes: int) -> dict[str, np.ndarray]:
    """precision, recall and f1, float (C,), and support, int64 (C,), by name."""
    counts = Counts.from_answers(truth, answers, num_classes)
    return {**per_class_of(counts), "support": counts.truth.astype(np.int64)}


def per_class_of(counts: Counts) -> dict[str, np.ndarray]:
    """precision, recall and f1 of each class, (..., C)."""
    return {"precision": counts.precision, "recall": counts.recall, "f1": counts.f()}
