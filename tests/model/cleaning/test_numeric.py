"""Numbers: predictions out of fold, and wrong numbers among simulated ones."""

import numpy as np
import pytest
from scipy.stats import t as student
from sklearn.linear_model import Ridge

from model.cleaning.numeric import (
    FREEDOM,
    STRENGTHS,
    combined_prediction,
    out_of_fold_ridge,
    standardised,
    wrong_number_probability,
)


def test_predictions_are_those_of_ridge_without_the_fold():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(80, 5))
    numbers = features @ np.arange(5) * 3 + generator.normal(size=80) + 40
    folds = np.arange(80) % 4
    expected = []
    for strength in STRENGTHS:
        predicted = np.zeros(80)
        for fold in range(4):
            rows = folds != fold
            predicted[~rows] = Ridge(strength).fit(features[rows], numbers[rows]).predict(features[~rows])
        expected.append(predicted)
    best = min(expected, key=lambda predicted: np.abs(predicted - numbers).mean())
    np.testing.assert_allclose(out_of_fold_ridge(features, numbers, folds), best)


def test_combined_predictions_use_the_better_source_and_survive_missing_ones():
    generator = np.random.default_rng(1)
    numbers = generator.uniform(20, 80, 300)
    good, bad = numbers + generator.normal(0, 2, 300), generator.uniform(20, 80, 300)
    bad[::3] = np.nan
    found = combined_prediction([bad, np.column_stack([good])], numbers, np.arange(300) % 5)
    assert np.abs(found - numbers).mean() < 3


def test_deviations_follow_the_spread_of_each_side():
    generator = np.random.default_rng(2)
    predictions = generator.uniform(0, 100, 4000)
    scale = 1 + predictions / 20
    noise = student.rvs(FREEDOM, size=4000, random_state=generator) * scale
    numbers = predictions + np.where(noise > 0, 3 * noise, noise)  # a long tail above
    deviations, units = standardised(numbers, predictions)
    assert np.quantile(deviations, [0.1, 0.9]) == pytest.approx(student.ppf([0.1, 0.9], FREEDOM), abs=0.2)
    high = predictions > 80
    assert units[high].mean() > 2 * units[predictions < 20].mean()
    # the order of the rows does not matter
    order = generator.permutation(4000)
    np.testing.assert_allclose(standardised(numbers[order], predictions[order])[0], deviations[order])


def test_wrong_numbers_have_high_scores_and_their_share_is_estimated():
    generator = np.random.default_rng(3)
    predictions = generator.uniform(20, 80, 2000)
    numbers = predictions + student.rvs(FREEDOM, size=2000, random_state=generator) * 2
    wrong = np.arange(2000) < 100
    numbers[wrong] = generator.uniform(20, 80, 100)
    deviations, units = standardised(numbers, predictions)
    scores = wrong_number_probability(deviations, units, float(np.ptp(numbers)))
    assert scores.sum() == pytest.approx(100, rel=0.25)
    far = wrong & (np.abs(numbers - predictions) > 15)
    assert scores[far].min() > 0.5 and np.median(scores[~wrong]) < 0.02


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_or_equal_numbers_are_no_error(n):
    deviations, units = standardised(np.full(n, 30.0), np.full(n, 30.0))
    assert np.isfinite(deviations).all() and (units > 0).all()
    assert wrong_number_probability(deviations, units, 0.0).tolist() == [0] * n
