"""Accuracy against coverage: the accuracy of the most confident predictions only.

El-Yaniv and Wiener 2010, "On the Foundations of Noise-free Selective Classification", JMLR 11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from model.evaluation.matched_answers import MatchedAnswers
from model.metrics.bootstrap import Interval
from model.metrics.proportions import share_intervals
from model.metrics.scores import NO_ANSWER

SHARES = np.arange(1, 21) / 20  # of the images that have a probability
FEWEST = 20  # images needed for a curve


@dataclass(frozen=True)
class CoveragePoint:
    """The most confident predictions.

    coverage: Their share of the images.
    pictures: Their number.
    probability: The lowest probability among them.
    accuracy: Share of them that is correct.
    """

    coverage: float
    pictures: int
    probability: float
    accuracy: Interval

    def to_dict(self) -> dict[str, Any]:
        return {
            "coverage": self.coverage,
            "pictures": self.pictures,
            "probability": self.probability,
            "accuracy": self.accuracy.to_dict(),
        }


def answer_confidence(matched: MatchedAnswers) -> np.ndarray:
    """The probability of each image's predicted class, float64 (n,); NaN without a prediction or a probability."""
    if matched.probabilities is None:
        return np.full(len(matched.names), np.nan)
    probabilities = matched.probabilities[np.arange(len(matched.names)), matched.answers]
    return np.where(matched.answers == NO_ANSWER, np.nan, probabilities)


def coverage_curve(matched: MatchedAnswers, confidence: float) -> list[CoveragePoint]:
    """A point for each of SHARES; empty if fewer than FEWEST images have a probability.

    Args:
        matched: True labels and predictions.
        confidence: Level of the intervals; 0 for none.
    """
    probability = answer_confidence(matched)
    order = np.argsort(-probability, kind="stable")[: np.count_nonzero(~np.isnan(probability))]
    if len(order) < FEWEST:
        return []
    # the number of predictions at each point, and which images these are
    counts = np.ceil(np.round(SHARES * len(order), 6)).astype(np.int64)
    rank = np.full(len(matched.names), len(order))
    rank[order] = np.arange(len(order))
    is_kept = sparse.csr_array((rank[:, None] < counts).astype(float))
    is_right = sparse.csr_array(is_kept.multiply(matched.correct[:, None]))
    return [
        CoveragePoint(float(share), int(count), float(probability[order[count - 1]]), accuracy)
        for share, count, accuracy in zip(
            SHARES, counts, share_intervals(is_right, is_kept, matched.groups, confidence), strict=True
        )
    ]
