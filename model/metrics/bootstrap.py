"""Bootstrap confidence intervals of means over classes (such as macro F1) and of differences of scores.

The standard deviation over the resamples gives the interval, symmetric on the logit scale (Efron and Tibshirani 1993,
An Introduction to the Bootstrap: standard intervals, section 12.4; transformations, 12.6). Percentile intervals
(chapter 13) are too low for macro scores, because resamples lose images of rare classes. For proportions see
model.metrics.proportions; docs/evaluation.md has the coverage of all intervals in a simulation.

The geometric mean of F1 is 0 in resamples without a correct prediction of some class. If these are frequent, the lower
bound is 0 and the upper one is computed from the other resamples.

Images of one person or sender are similar. If groups are known, whole groups are drawn (cluster bootstrap: Davison and
Hinkley 1997, section 3.8); intervals from single images would be too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import expit, logit, stdtrit

FEW_GROUPS = 10  # with fewer, no interval reaches its nominal coverage
SKEWED = ("gmean_f1",)  # 0 if one class has no correct prediction, which happens in some resamples if it is rare
FEW_RESAMPLES = 10  # with fewer that are above 0, a skewed score has no interval
NO_DEVIATION = 1e-12  # rounding errors of a score that is the same in all resamples
DRAWS_AT_ONCE = 2**22  # 32 MiB of indices


@dataclass(frozen=True)
class Interval:
    """A score with its confidence interval.

    Attributes:
        value: The score of the sample.
        low, high: Bounds of the interval; None if there is none.
        deviation: Standard deviation of the score; None if it is unknown.
    """

    value: float
    low: float | None = None
    high: float | None = None
    deviation: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """The score as in evaluation.json."""
        return {"value": self.value, "low": self.low, "high": self.high}


def resample(statistics: sparse.csr_array, groups: np.ndarray | None, resamples: int, seed: int) -> np.ndarray:
    """Totals of additive statistics over the sample and over bootstrap resamples of it.

    The draws depend only on seed, the number of groups and the number of resamples; columns of `statistics` are
    therefore paired.

    Args:
        statistics: (n, K), one row per image.
        groups: int64 (n,), 0 ... G - 1; images of a group are drawn together. None to draw single images.
        resamples: Number of resamples. Each draws as many groups as there are, with replacement.
        seed: Seed of the draws.

    Returns:
        float (1 + resamples, K): the totals of the sample itself, then those of each resample.
    """
    units = statistics if groups is None else sum_groups(statistics, groups)
    count = units.shape[0]
    totals = [np.asarray(units.sum(axis=0))[None]]
    generator = np.random.default_rng(seed)
    at_once = max(1, DRAWS_AT_ONCE // count)
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        # count how often each resample (row) draws each unit (column), with one bincount for all rows
        draws = generator.integers(count, size=(rows, count)) + np.arange(rows)[:, None] * count
        times = np.bincount(draws.ravel(), minlength=rows * count).reshape(rows, count)
        totals.append(times @ units)
    return np.concatenate(totals)


def sum_groups(statistics: sparse.csr_array, groups: np.ndarray) -> sparse.csr_array:
    """Sums the rows of each group, (G, K)."""
    shape = (int(groups.max(initial=-1)) + 1, len(groups))
    member = sparse.csr_array((np.ones(len(groups)), (groups, np.arange(len(groups)))), shape=shape)
    return sparse.csr_array(member @ statistics)


def score_intervals(scores: dict[str, np.ndarray], confidence: float, units: int) -> dict[str, Interval]:
    """The intervals of scores by their names (metrics.scores.scores_of). The other arguments are those of interval."""
    return {name: interval(values, confidence, units, is_skewed=name in SKEWED) for name, values in scores.items()}


def interval(
    values: np.ndarray, confidence: float, units: int, is_difference: bool = False, is_skewed: bool = False
) -> Interval:
    """The interval of a score between 0 and 1, or of a difference of two.

    There is none if the score is the same in all resamples, as at 0 and 1: that does not mean that it is certain.

    Args:
        values: (1 + resamples,), the score of the sample and of each resample.
        confidence: Nominal coverage.
        units: Number of groups (of images, without groups). There is no interval for fewer than FEW_GROUPS.
        is_difference: Whether the values are differences of scores, between -1 and 1.
        is_skewed: Whether resamples reach far towards 0 or are 0 (_skewed_interval).
    """
    value, resampled = float(values[0]), values[1:]
    deviation = float(resampled.std(ddof=1)) if len(resampled) > 1 else None
    if deviation is None or units < FEW_GROUPS:
        return Interval(value, deviation=deviation)
    half = float(stdtrit(units - 1, (1 + confidence) / 2)) * deviation
    if is_difference:
        return Interval(value, max(value - half, -1.0), min(value + half, 1.0), deviation)
    if deviation < NO_DEVIATION or not 0 < value < 1:
        return Interval(value, deviation=deviation)
    if is_skewed:
        return _skewed_interval(value, resampled, deviation, confidence, units)
    # the derivative of the logit is 1 / (value (1 - value))
    centre, half = logit(value), half / (value * (1 - value))
    return Interval(value, float(expit(centre - half)), float(expit(centre + half)), deviation)


def _skewed_interval(value: float, resampled: np.ndarray, deviation: float, confidence: float, units: int) -> Interval:
    """The interval of a score that is 0 in some resamples, on its own scale.

    The distance to 0 dominates the standard deviation if many resamples are 0. The upper bound, which that distance
    does not concern, then has the deviation of the other resamples; otherwise it could be 1 for every value.

    Args:
        value: Score of the sample, between 0 and 1.
        resampled: Scores of the resamples, (resamples,).
        deviation: Their standard deviation.
        confidence, units: As of interval.
    """
    quantile = float(stdtrit(units - 1, (1 + confidence) / 2))
    above = resampled[resampled > 0]
    # the percentile that belongs to the lower bound is above 0
    if len(resampled) - len(above) <= (1 - confidence) / 2 * len(resampled):
        half = quantile * deviation
        return Interval(value, max(value - half, 0.0), min(value + half, 1.0), deviation)
    if len(above) < FEW_RESAMPLES:
        return Interval(value, deviation=deviation)
    return Interval(value, 0.0, min(value + quantile * float(above.std(ddof=1)), 1.0), deviation)
