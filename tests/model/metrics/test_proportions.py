"""References: scipy's intervals of binomial proportions, formulas written out, and exact binomial coverage."""

import numpy as np
import pytest
import sklearn.metrics as reference
from scipy import sparse, stats

from model.metrics.bootstrap import Interval
from model.metrics.proportions import (
    Trials,
    accuracy_interval,
    class_intervals,
    number_of_units,
    proportion_intervals,
    with_border_intervals,
)


def rows(values: list[float]) -> sparse.csr_array:
    return sparse.csr_array(np.array(values, dtype=float)[:, None])


def of_groups(right: list[int], sizes: list[int], confidence: float = 0.95) -> Interval:
    """The interval of groups with so many right answers each."""
    trials = Trials.from_groups(rows(right), rows(sizes))
    return proportion_intervals(trials, confidence, units=100)[0]


def scipy_bounds(right: float, count: float, method: str, confidence: float = 0.95) -> tuple[float, float]:
    result = stats.binomtest(int(right), int(count), 0.5).proportion_ci(confidence, method=method)
    return pytest.approx(result.low, abs=1e-12), pytest.approx(result.high, abs=1e-12)


@pytest.mark.parametrize(("right", "count"), [(0, 3), (3, 3), (1, 12), (30, 40), (99, 100), (700, 1000)])
@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_independent_images_have_wilsons_interval(right, count, confidence):
    correct = np.arange(count) < right
    trials = Trials.from_groups(rows(correct.tolist()), rows([1] * count))
    result = proportion_intervals(trials, confidence, units=100)[0]
    assert result.value == right / count and (result.low, result.high) == scipy_bounds(
        right, count, "wilson", confidence
    )


def test_groups_that_agree_have_clopper_and_pearsons_interval_of_the_groups():
    """With fewer than ten groups exactly; with more the correction for degrees of freedom makes it wider."""
    result = of_groups([7, 7, 0, 7, 0], [7] * 5)
    assert result.value == 0.6 and (result.low, result.high) == scipy_bounds(3, 5, "exact")
    more = of_groups([7] * 6 + [0] * 6, [7] * 12)
    ratio = (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 11)) ** 2
    # Korn and Graubard 1998: quantiles of the beta distribution for the effective number of trials
    effective = (0.25 / (12 / 11 * 12 * 3.5**2 / 84**2)) * ratio
    assert effective < 12 * ratio and more.low == pytest.approx(stats.beta.ppf(0.025, 6 * ratio, 6 * ratio + 1))
    assert more.high == pytest.approx(stats.beta.ppf(0.975, 6 * ratio + 1, 6 * ratio))


def test_the_variance_is_that_of_a_ratio_over_groups():
    """Cochran 1977, equation 6.13, written out."""
    right, sizes = np.array([3, 0, 5, 2, 9, 1, 1, 4, 0, 6, 2]), np.array([4, 3, 5, 5, 9, 2, 1, 8, 1, 6, 7])
    result = of_groups(right.tolist(), sizes.tolist())
    share = right.sum() / sizes.sum()
    variance = 11 / 10 * ((right - share * sizes) ** 2).sum() / sizes.sum() ** 2
    assert result.value == pytest.approx(share) and result.deviation == pytest.approx(variance**0.5)
    count = share * (1 - share) / variance * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 10)) ** 2
    bounds = stats.beta.ppf(0.025, share * count, count - share * count + 1)
    assert result.low == pytest.approx(bounds)


def test_the_number_of_independent_trials_is_between_groups_and_images():
    for alike in ([3, 2] * 10, [2] * 20):  # groups that differ less than at random, and not at all
        trials = Trials.from_groups(rows(alike), rows([4] * 20))
        assert trials.variance[0] < 0.25 / 80 and trials.effective()[0] == 80
    right = Trials.from_groups(rows([4] * 20), rows([4] * 20))  # no variance: each group counts once
    assert right.effective()[0] == 20
    unequal = Trials.from_groups(rows([9, 1]), rows([9, 1]))
    assert unequal.effective()[0] == pytest.approx(100 / 82)  # Kish 1965: (sum of sizes)^2 / sum of squares


@pytest.mark.parametrize("right", [0, 7])
def test_intervals_at_0_and_1_have_a_width_for_any_groups(right):
    for result in (of_groups([right] * 30, [7] * 30), of_groups([right], [7]), of_groups([right // 7] * 3, [1] * 3)):
        assert result.high - result.low > 0.1 and (result.low == 0 or result.high == 1)


def test_without_trials_confidence_or_ten_groups_there_is_no_interval():
    assert of_groups([0] * 12, [0] * 12) == Interval(0.0)
    trials = Trials.from_groups(rows([1, 0] * 6), rows([1] * 12))
    assert proportion_intervals(trials, 0.95, units=9) == proportion_intervals(trials, 0.0, units=12) == [Interval(0.5)]
    assert proportion_intervals(trials, 0.95, units=10)[0].low is not None


def test_intervals_of_classes_contain_scikit_learns_scores():
    generator = np.random.default_rng(0)
    truth = np.append(generator.integers(3, size=60), 3)
    answers = np.where(generator.random(61) < 0.7, truth, generator.integers(-1, 5, size=61))
    result = class_intervals(truth, answers, 6, None, 0.95)
    expected = reference.precision_recall_fscore_support(truth, answers, labels=range(6), zero_division=0)
    for name, values in zip(("precision", "recall", "f1"), expected):
        assert [one.value for one in result[name]] == pytest.approx(values.tolist())
        for number, one in enumerate(result[name][:3]):
            assert one.low < one.value < one.high, (name, number)
    right = int(((truth == 0) & (answers == 0)).sum())
    recall, f1 = result["recall"][0], result["f1"][0]
    assert (recall.low, recall.high) == scipy_bounds(right, (truth == 0).sum(), "wilson")
    # F1 = 2 J / (1 + J), where J is a share of the images that are of the class or answered as it
    low, high = stats.binomtest(right, int(((truth == 0) | (answers == 0)).sum()), 0.5).proportion_ci(method="wilson")
    assert (f1.low, f1.high) == (pytest.approx(2 * low / (1 + low)), pytest.approx(2 * high / (1 + high)))
    assert result["recall"][5] == result["precision"][5] == result["f1"][5] == Interval(0.0)  # neither truth nor answer


def test_the_deviation_of_f1_is_that_of_many_samples():
    generator = np.random.default_rng(1)

    def sample() -> Interval:
        truth = (generator.random(200) < 0.4).astype(int)
        answers = np.where(generator.random(200) < 0.8, truth, 1 - truth)
        return class_intervals(truth, answers, 2, None, 0.95)["f1"][1]

    samples = [sample() for _ in range(400)]
    observed = np.std([one.value for one in samples], ddof=1)
    assert np.mean([one.deviation for one in samples]) == pytest.approx(observed, rel=0.12)


def test_accuracy_is_over_the_groups_that_there_are():
    correct = np.repeat([True, True, True, False] * 5, 6)
    groups = np.repeat(np.arange(20), 6)
    alone, grouped = accuracy_interval(correct, None, 0.95), accuracy_interval(correct, groups, 0.95)
    assert (alone.low, alone.high) == scipy_bounds(90, 120, "wilson")
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)
    assert number_of_units(groups, 120) == 20 and number_of_units(None, 120) == 120


def test_accuracy_of_no_image_has_no_interval():
    for groups in (None, np.array([], dtype=int)):
        assert accuracy_interval(np.array([], dtype=bool), groups, 0.95) == Interval(0.0)


def test_a_mean_that_never_varies_has_an_interval_from_its_classes():
    truth = np.repeat([0, 1], 20)
    by_class = class_intervals(truth, truth, 2, None, 0.95)
    scores = {name: Interval(1.0) for name in ("macro_f1", "balanced_accuracy", "macro_precision", "macro_recall")}
    result = with_border_intervals({**scores, "gmean_f1": Interval(1.0)}, by_class, 0.95)
    own = 1 - stats.binomtest(20, 20, 0.5).proportion_ci(method="wilson").low
    assert result["macro_recall"].low == pytest.approx(1 - own * 2**0.5 / 2) and result["macro_recall"].high == 1
    assert all(result[name].low < 1 for name in scores) and result["gmean_f1"].low is None
    assert with_border_intervals(scores, by_class, 0.0) == scores
    varied = {**scores, "macro_f1": Interval(0.9, 0.8, 0.95)}
    assert with_border_intervals(varied, by_class, 0.95)["macro_f1"] == varied["macro_f1"]


def test_balanced_accuracy_ignores_classes_without_images():
    truth = np.repeat([0, 1], 20)
    scores = {"balanced_accuracy": Interval(1.0), "macro_recall": Interval(2 / 3)}
    scores |= {"macro_f1": Interval(2 / 3), "macro_precision": Interval(2 / 3)}
    result = with_border_intervals(scores, class_intervals(truth, truth, 3, None, 0.95), 0.95)
    assert result["balanced_accuracy"].high == 1
    assert result["macro_recall"].high == pytest.approx(2 / 3) and result["macro_recall"].low < 0.6
