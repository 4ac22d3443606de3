"""Reference: a bootstrap that writes out every resample and scores it with scikit-learn, on the same draws."""

import tracemalloc
import warnings

import numpy as np
import pytest
import sklearn.metrics as reference
from scipy import sparse, stats
from scipy.special import expit, logit

from model.metrics import bootstrap
from model.metrics.bootstrap import Interval, interval, resample, score_intervals
from model.metrics.calibration import calibration_error_of, calibration_statistics
from model.metrics.scores import Counts, count_statistics, scores_of

CLASSES = 5
METRICS = {
    "accuracy": lambda truth, answers: reference.accuracy_score(truth, answers),
    "macro_f1": lambda truth, answers: reference.f1_score(
        truth, answers, labels=range(CLASSES), average="macro", zero_division=0
    ),
    "balanced_accuracy": lambda truth, answers: reference.balanced_accuracy_score(truth, answers),
}


@pytest.fixture
def pictures():
    """Truth, answers, other answers (some -1), groups of unequal size in no order; class 4 is in few resamples."""
    generator = np.random.default_rng(3)
    truth = generator.integers(4, size=120)
    truth[:2] = 4
    right = generator.random((2, 120)) < [[0.6], [0.5]]
    answers, other = np.where(right, truth, generator.integers(-1, CLASSES, size=(2, 120)))
    return truth, answers, other, generator.permutation(np.append(np.arange(17), generator.integers(17, size=103)))


def brute_resamples(groups: np.ndarray | None, pictures: int, resamples: int, seed: int) -> list[np.ndarray]:
    """The images of the sample and then of each resample, by index."""
    members = [np.flatnonzero(groups == g) for g in range(groups.max() + 1)] if groups is not None else None
    count = pictures if members is None else len(members)
    draws = np.random.default_rng(seed).integers(count, size=(resamples, count))
    written_out = [draw if members is None else np.concatenate([members[g] for g in draw]) for draw in draws]
    return [np.arange(pictures), *written_out]


@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_equal_those_of_a_brute_force_bootstrap(pictures, grouped):
    truth, answers, other, groups = pictures
    groups = groups if grouped else None
    blocks = [count_statistics(truth, classes, CLASSES) for classes in (answers, other)]
    totals = resample(sparse.csr_array(sparse.hstack(blocks)), groups, resamples=80, seed=7)
    these, those = (scores_of(Counts.from_totals(part)) for part in np.split(totals, 2, axis=1))
    drawn = brute_resamples(groups, len(truth), 80, 7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # y_pred contains classes not in y_true
        for name, metric in METRICS.items():
            expected = np.array([metric(truth[d], answers[d]) for d in drawn])
            np.testing.assert_allclose(these[name], expected, atol=1e-12)
            difference = expected - [metric(truth[d], other[d]) for d in drawn]
            units = len(truth) if groups is None else 17
            estimate = interval(these[name] - those[name], 0.9, units, is_difference=True)
            deviation = np.std(difference[1:], ddof=1)
            half = stats.t.ppf(0.95, units - 1) * deviation
            assert estimate.value == pytest.approx(difference[0]) and estimate.deviation == pytest.approx(deviation)
            bounds = difference[0] - half, difference[0] + half
            assert (estimate.low, estimate.high) == (pytest.approx(bounds[0]), pytest.approx(bounds[1]))


def test_calibration_error_is_resampled_as_by_brute_force(pictures):
    truth, _, _, groups = pictures
    probabilities = np.random.default_rng(5).dirichlet(np.ones(CLASSES), size=len(truth))
    probabilities[3] = np.nan
    errors = calibration_error_of(resample(calibration_statistics(probabilities, truth), groups, 50, 1))
    resamples = brute_resamples(groups, len(truth), 50, 1)
    expected = [calibration_error_of(calibration_statistics(probabilities[r], truth[r]).sum(axis=0)) for r in resamples]
    np.testing.assert_allclose(errors, expected, atol=1e-12)


def test_resamples_depend_on_the_seed_and_not_on_how_many_are_drawn_at_once(pictures, monkeypatch):
    truth, answers, _, groups = pictures
    statistics = count_statistics(truth, answers, CLASSES)
    totals = resample(statistics, groups, 100, seed=0)
    monkeypatch.setattr(bootstrap, "DRAWS_AT_ONCE", 17 * 7)
    np.testing.assert_array_equal(resample(statistics, groups, 100, seed=0), totals)
    assert not np.array_equal(resample(statistics, groups, 100, seed=1)[1:], totals[1:])


def test_groups_of_images_that_are_alike_give_wider_intervals():
    """Twenty equal images a person hold no more than one: the deviation is that of so many persons."""
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(100), 20)
    answers = np.where(np.repeat(generator.random(100) < 0.7, 20), 0, 1)
    statistics = count_statistics(np.zeros(2000, dtype=int), answers, 2)

    def deviation(by: np.ndarray | None) -> float | None:
        return interval(Counts.from_totals(resample(statistics, by, 2000, 0)).accuracy, 0.95, 100).deviation

    assert deviation(groups) == pytest.approx((0.7 * 0.3 / 100) ** 0.5, rel=0.1)
    assert deviation(None) == pytest.approx((0.7 * 0.3 / 2000) ** 0.5, rel=0.1)


def test_without_resamples_there_is_no_interval(pictures):
    truth, answers, _, groups = pictures
    totals = resample(count_statistics(truth, answers, CLASSES), groups, 0, 0)
    assert interval(Counts.from_totals(totals).accuracy, 0.95, 17) == Interval((truth == answers).mean())


def test_two_thousand_resamples_of_twenty_thousand_images_fit_in_memory():
    generator = np.random.default_rng(0)
    statistics = count_statistics(generator.integers(200, size=20_000), generator.integers(200, size=20_000), 200)
    tracemalloc.start()
    totals = resample(statistics, None, 2000, 0)
    scores_of(Counts.from_totals(totals))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert totals.shape == (2001, 600)
    assert peak < 300e6


def test_the_interval_of_a_score_is_symmetric_on_the_logit_scale_and_inside_0_and_1():
    values = np.append(0.98, np.random.default_rng(0).normal(0.97, 0.02, size=4000))
    estimate = interval(values, 0.95, 50)
    deviation = values[1:].std(ddof=1)
    half = stats.t.ppf(0.975, 49) * deviation / (0.98 * 0.02)
    assert estimate.low == pytest.approx(expit(logit(0.98) - half)) and estimate.value == 0.98
    assert estimate.high == pytest.approx(expit(logit(0.98) + half)) and estimate.high < 1
    assert estimate.deviation == pytest.approx(deviation)


def test_there_is_no_interval_with_fewer_than_ten_groups_or_without_variation():
    values = np.array([0.5, 0.45, 0.5, 0.55])
    assert interval(values, 0.95, 10).low is not None
    assert interval(values, 0.95, 9) == Interval(0.5, deviation=pytest.approx(0.05))
    for value in (0.0, 0.4, 1.0):
        assert interval(np.full(100, value), 0.95, 50) == Interval(value, deviation=pytest.approx(0, abs=1e-9))


def test_a_difference_that_never_varies_is_that_difference():
    assert interval(np.zeros(100), 0.95, 50, is_difference=True) == Interval(0.0, 0.0, 0.0, 0.0)
    assert interval(np.zeros(100), 0.95, 9, is_difference=True).low is None


def test_the_geometric_mean_keeps_its_own_scale():
    values = np.append(0.3, np.random.default_rng(0).beta(2, 4, size=500))
    half = stats.t.ppf(0.975, 49) * values[1:].std(ddof=1)
    result = score_intervals({"gmean_f1": values, "macro_f1": values}, 0.95, 50)
    assert (result["gmean_f1"].low, result["gmean_f1"].high) == (max(0, 0.3 - half), pytest.approx(0.3 + half))
    assert 0 < result["macro_f1"].low == interval(values, 0.95, 50).low


def brute_geometric_means(groups: np.ndarray, truth: np.ndarray, answers: np.ndarray, resamples: int) -> np.ndarray:
    """The geometric mean of F1 of the sample and of each resample, by scikit-learn."""
    values = []
    for drawn in brute_resamples(groups, len(truth), resamples, 0):
        f1 = reference.f1_score(truth[drawn], answers[drawn], labels=range(3), average=None, zero_division=0)
        values.append(stats.gmean(f1))
    return np.array(values)


def test_the_upper_bound_of_a_geometric_mean_ignores_resamples_at_0():
    """A third of the resamples has no correct prediction of class 2, which one group of 20 has."""
    groups = np.repeat(np.arange(20), 5)
    truth = np.where(groups == 0, 2, groups % 2)
    answers = np.where(np.arange(100) % 5 == 4, (truth + 1) % 3, truth)
    values = brute_geometric_means(groups, truth, answers, 200)
    totals = resample(count_statistics(truth, answers, 3), groups, 200, 0)
    estimate = score_intervals({"gmean_f1": scores_of(Counts.from_totals(totals))["gmean_f1"]}, 0.95, 20)["gmean_f1"]
    above = values[1:][values[1:] > 0]
    assert 40 < np.sum(values[1:] == 0) < 100
    assert estimate.value == pytest.approx(values[0]) and estimate.low == 0
    assert estimate.high == pytest.approx(values[0] + stats.t.ppf(0.975, 19) * above.std(ddof=1))
    assert np.quantile(values[1:], 0.975) - 0.05 < estimate.high < 0.95  # with all resamples it was 1
    assert estimate.deviation == pytest.approx(values[1:].std(ddof=1))


@pytest.mark.parametrize(("zeros", "is_zero"), [(10, False), (11, True)])
def test_few_resamples_at_0_leave_the_lower_bound_above_0(zeros, is_zero):
    """With 400 resamples and a confidence of 0.95, the lower percentile is 0 from the eleventh zero on."""
    values = np.concatenate([[0.7], np.zeros(zeros), np.random.default_rng(0).normal(0.7, 0.02, 400 - zeros)])
    estimate = score_intervals({"gmean_f1": values}, 0.95, 50)["gmean_f1"]
    assert (estimate.low == 0) == is_zero


def test_a_geometric_mean_that_is_almost_always_0_has_no_interval():
    for above, has_interval in ((9, False), (10, True)):
        values = np.concatenate([[0.4], np.zeros(400), np.linspace(0.3, 0.5, above)])
        estimate = score_intervals({"gmean_f1": values}, 0.95, 50)["gmean_f1"]
        assert (estimate.low is not None) == (estimate.high is not None) == has_interval
        assert estimate.deviation == pytest.approx(values[1:].std(ddof=1))
