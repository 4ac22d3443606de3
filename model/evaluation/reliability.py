"""Reliability of the probabilities: their mean and the accuracy of the predictions, by bins of probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.evaluation.matched_answers import MatchedAnswers
from model.metrics.bootstrap import Interval
from model.metrics.calibration import calibration_statistics, reliability_of, reliability_trials
from model.metrics.proportions import share_intervals


@dataclass(frozen=True)
class ReliabilityBin:
    """The images whose most probable class has a probability in one bin.

    pictures: Number of images.
    confidence: Mean of that probability.
    accuracy: Share of the images whose most probable class is correct.
    """

    pictures: int
    confidence: float
    accuracy: Interval

    def to_dict(self) -> dict[str, Any]:
        return {"pictures": self.pictures, "confidence": self.confidence, "accuracy": self.accuracy.to_dict()}


def reliability_bins(matched: MatchedAnswers, totals: np.ndarray, confidence: float) -> list[ReliabilityBin]:
    """The bins with images.

    Args:
        matched: True labels and predictions with probabilities.
        totals: Summed rows of calibration_statistics, (3 bins,).
        confidence: Level of the intervals; 0 for none.
    """
    bins = reliability_of(totals)
    assert matched.probabilities is not None
    correct, trials = reliability_trials(calibration_statistics(matched.probabilities, matched.truth))
    accuracy = share_intervals(correct, trials, matched.groups, confidence)
    return [
        ReliabilityBin(int(count), float(bins["confidence"][at]), accuracy[at])
        for at, count in enumerate(bins["pictures"])
        if count
    ]


def mean_reliability(bins: Sequence[ReliabilityBin]) -> tuple[float, float]:
    """Mean probability of the most probable class over all images, and the share of them for which it is correct."""
    weights = np.array([part.pictures for part in bins])
    confidence = np.average([part.confidence for part in bins], weights=weights)
    return float(confidence), float(np.average([part.accuracy.value for part in bins], weights=weights))
