"""Accuracy against coverage: how often the answers are right if only the surest of them are given (El-Yaniv and Wiener
2010, "On the Foundations of Noise-free Selective Classification", JMLR 11)."""

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
FEWEST = 20  # images for which there is a curve


@dataclass(frozen=True)
class CoveragePoint:
    """The surest answers.

    coverage: share of the images that they are.
    images: number of them.
    probability: the lowest among them.
    accuracy: share of them that is right.
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
    """The probability of each image's answer, float (n,); NaN where there is no answer or no probability."""
    if matched.probabilities is None:
        return np.full(len(matched.names), np.nan)
    probabilities = matched.probabilities[np.arange(len(matched.names)), matched.answers]
    return np.where(matched.answers == NO_ANSWER, np.nan, probabilities)


def coverage_curve(matched: MatchedAnswers, confidence: float) -> list[CoveragePoint]:
    """A point for each of SHARES; empty where fewer than FEWEST images have a probability.

    Args:
        matched: truth and answers.
        confidence: of the intervals; 0 for none.
    """
    probability = answer_confidence(matched)
    order = np.argsort(-probability, kind="stable")[: np.count_nonzero(~np.isnan(probability))]
    if len(order) < FEWEST:
        return []
    # How many of the surest answers each point has, and which images those are
    counts = np.ceil(np.round(SHARES * len(order), 6)).astype(np.int64)
    rank = np.full(len(matched.names), len(order))
    rank[order] = np.arange(len(order))
    is_given = sparse.csr_array((rank[:, None] < counts).astype(float))
    is_right = sparse.csr_array(is_given.multiply(matched.correct[:, None]))
    return [
        CoveragePoint(float(share), int(count), float(probability[order[count - 1]]), accuracy)
        for share, count, accuracy in zip(
            SHARES, counts, share_intervals(is_right, is_given, matched.groups, confidence), strict=True
        )
    ]
