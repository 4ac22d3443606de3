"""Confidence intervals by bootstrap (Efron and Tibshirani 1993, chapter 13: the percentile interval).

Pictures of one person or sender are alike, so if groups are known, whole groups are drawn (the cluster bootstrap:
Davison and Hinkley 1997, section 3.8): intervals over single pictures would be too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

DRAWS_AT_ONCE = 2**22  # 32 MiB of indices


@dataclass(frozen=True)
class Interval:
    """A score with its percentile interval.

    Attributes:
        value: The score of the sample.
        low, high: Bounds of the interval; None if there were no resamples.
        deviation: Standard deviation over the resamples; None if there were fewer than two.
    """

    value: float
    low: float | None = None
    high: float | None = None
    deviation: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """The score as evaluation.json holds it."""
        return {"value": self.value, "low": self.low, "high": self.high}


def resample(statistics: sparse.csr_array, groups: np.ndarray | None, resamples: int, seed: int) -> np.ndarray:
    """Totals of additive statistics over the sample and over bootstrap resamples of it.

    The draws depend only on seed, the number of groups and the number of resamples; columns of `statistics` are
    therefore paired.

    Args:
        statistics: (n, K), a row a picture.
        groups: integers (n,), 0 ... G - 1, whose pictures are drawn together; None to draw each picture by itself.
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
        # How often each resample (row) draws each unit (column), counted with one bincount for all rows
        draws = generator.integers(count, size=(rows, count)) + np.arange(rows)[:, None] * count
        times = np.bincount(draws.ravel(), minlength=rows * count).reshape(rows, count)
        totals.append(times @ units)
    return np.concatenate(totals)


def sum_groups(statistics: sparse.csr_array, groups: np.ndarray) -> sparse.csr_array:
    pictures = np.arange(len(groups))
    member = sparse.csr_array((np.ones(len(groups)), (groups, pictures)), shape=(int(groups.max()) + 1, len(groups)))
    return sparse.csr_array(member @ statistics)


def interval(values: np.ndarray, confidence: float) -> Interval:
    """The percentile interval of a score.

    Args:
        values: (1 + resamples,), the score of the sample and of each resample. Resamples in which the score is
            undefined (NaN, because none of its pictures was drawn) are left out.
        confidence: Share of the resamples inside the interval.
    """
    value, resampled = float(values[0]), values[1:]
    resampled = resampled[~np.isnan(resampled)]
    if not len(resampled):
        return Interval(value)
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    deviation = float(resampled.std(ddof=1)) if len(resampled) > 1 else None
    return Interval(value, float(low), float(high), deviation)
