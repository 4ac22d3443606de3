"""Mean absolute errors and their intervals; the references are sums in Python and resampling group by group."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t

from model.attributes import banded
from model.evaluation.evaluate import evaluate
from model.evaluation.matched_answers import MatchedAnswers, MatchedNumbers
from model.evaluation.numbers import mean_interval, score_numbers
from model.evaluation.report.sentences import number_sentences
from model.evaluation.summary import summary
from model.labels import Scheme

SCHEME = Scheme((banded("age", [30, 60]),))


def matched(true: list[float], estimated: list[float], groups: list[int] | None = None) -> MatchedAnswers:
    classes = np.array([0 if math.isnan(number) else SCHEME.attributes[0].band(number) for number in true])
    names = [f"{row}.jpg" for row in range(len(true))]
    own = None if groups is None else np.array(groups)
    numbers = {"age": MatchedNumbers(np.array(true), np.array(estimated))}
    column = None if groups is None else "person"
    return MatchedAnswers(
        SCHEME, names, classes, classes, groups=own, group_column=column, group_names=names, numbers=numbers
    )


def test_the_error_is_the_mean_over_images_with_both_numbers():
    nan = math.nan
    (scores,) = score_numbers(matched([20, 30, 70, nan, 50], [25, 28, 70, 40, nan]), 0, 0.95, 0).values()
    assert scores.mean_absolute_error.value == pytest.approx((5 + 2 + 0) / 3)
    assert scores.mean_error == pytest.approx((5 - 2 + 0) / 3)
    assert (scores.pictures, scores.unestimated) == (3, 1) and scores.mean_absolute_error.low is None
    assert score_numbers(matched([nan, 20], [30, nan]), 0, 0.95, 0) == {}


def test_the_interval_is_over_whole_groups():
    """Reference: groups drawn one by one, and the interval on the logarithmic scale."""
    drawn = np.random.default_rng(1)
    groups = np.repeat(np.arange(30), drawn.integers(1, 6, 30))
    values = np.abs(drawn.normal(drawn.gamma(2, 2, 30)[groups], 1))
    found = mean_interval(values, groups, 4000, 0.9, seed=0)
    other, means = np.random.default_rng(7), []
    for _ in range(4000):
        rows = np.concatenate([np.flatnonzero(groups == group) for group in other.integers(30, size=30)])
        means.append(values[rows].mean())
    half = t.ppf(0.95, 29) * np.std(means, ddof=1) / values.mean()
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() * math.exp(-half), rel=0.03)
    assert found.high == pytest.approx(values.mean() * math.exp(half), rel=0.03)
    single = mean_interval(values, None, 4000, 0.9, seed=0)
    assert found.high - found.low > 1.3 * (single.high - single.low)  # type: ignore[operator]


def test_intervals_contain_the_mean_as_often_as_they_promise():
    """200 samples of 40 groups; 95 % intervals contain the true mean in about 95 % of them."""
    drawn, hits = np.random.default_rng(3), 0
    groups = np.repeat(np.arange(40), 4)
    for seed in range(200):
        values = drawn.gamma(2, 2, 40)[groups] * drawn.uniform(0.5, 1.5, len(groups))
        found = mean_interval(values, groups, 300, 0.95, seed)
        hits += found.low < 4 < found.high  # type: ignore[operator]
    assert 180 <= hits <= 199


@pytest.mark.parametrize("values", [np.full(20, 3.0), np.zeros(20), np.arange(9.0)])
def test_equal_values_and_few_groups_have_no_interval(values):
    assert mean_interval(values, None, 100, 0.95, 0).low is None


def test_evaluation_summary_and_page_have_the_scores():
    drawn = np.random.default_rng(0)
    true = drawn.integers(18, 80, 60).astype(float)
    evaluation = evaluate(matched(true.tolist(), (true + drawn.normal(2, 4, 60)).tolist(), [*range(60)]), resamples=200)
    (scores,) = evaluation.numbers.values()
    error = scores.mean_absolute_error
    assert evaluation.to_dict()["numbers"] == {"age": scores.to_dict()}
    cells = [f"{error.value:.4g}", f"{error.low:.4g} to {error.high:.4g}", f"{scores.mean_error:+.4g}", "60"]
    (line,) = [line for line in summary(evaluation).splitlines() if line.startswith("age ") and error_text(line, cells)]
    assert line.split()[-1] == "60"
    (sentence,) = number_sentences(evaluation)
    assert sentence.startswith(f"Mean absolute error of age: {error.value:.3g} ({error.low:.3g} to {error.high:.3g})")
    assert sentence.endswith(f"{scores.mean_error:.3g} too high.")


def error_text(line: str, cells: list[str]) -> bool:
    return all(cell in line for cell in cells)
