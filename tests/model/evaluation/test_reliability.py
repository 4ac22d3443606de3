"""Bins of the reliability curve, and their means over all images."""

import numpy as np
import pytest

from model.attributes import Attribute
from model.evaluation.matched_answers import MatchedAnswers
from model.evaluation.reliability import mean_reliability, reliability_bins
from model.labels import Scheme
from model.metrics.calibration import calibration_statistics

SCHEME = Scheme((Attribute("kind", ("cat", "dog")),))


def test_means_over_the_bins_are_those_over_the_images():
    generator = np.random.default_rng(0)
    probability = generator.uniform(0.5, 1, 50)
    probabilities, truth = np.column_stack([probability, 1 - probability]), generator.integers(2, size=50)
    matched = MatchedAnswers(SCHEME, [f"{row}" for row in range(50)], truth, np.zeros(50, int), probabilities)
    totals = np.asarray(calibration_statistics(probabilities, truth).sum(axis=0))
    bins = reliability_bins(matched, totals, 0.0)
    assert len(bins) == 8 and sum(part.pictures for part in bins) == 50  # bins of 1/15 from 0.467 to 1
    assert mean_reliability(bins) == (pytest.approx(probability.mean()), pytest.approx((truth == 0).mean()))
