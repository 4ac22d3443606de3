"""Intervals by bootstrap (Efron and Tibshirani 1993, chapter 13: the percentile interval).

Pictures of one person or sender are alike, so where groups are known, whole groups are drawn (the cluster
bootstrap: Davison and Hinkley 1997, section 3.8): intervals over single pictures would be too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

DRAWS_AT_ONCE = 2**22  # 32 MiB of indices


@dataclass(frozen=True)
class Interval:
    """A score of the sample, its percentile interval and its standard deviation over the resamples; None without."""

    value: float
    low: float | None = None
    high: float | None = None
    deviation: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """What evaluation.json holds of a score."""
        return {"value": self.value, "low": self.low, "high": self.high}


def resample(statistics: sparse.csr_array, groups: np.ndarray | None, resamples: int, seed: int) -> np.ndarray:
    """Totals of additive statistics over the sample and over bootstrap resamples of it.

    statistics: (n, K), a row a picture; groups: integers (n,), 0 ... G - 1, whose pictures are drawn together, or
    None where each picture is drawn by itself. Float (1 + resamples, K): first the sample's own totals, then those
    of each resample, which draws as many groups as there are, with replacement. The draws depend on nothing but
    seed, the number of groups and that of resamples; what stands side by side in K is therefore paired.
    """
    units = statistics if groups is None else _sum_groups(statistics, groups)
    count = units.shape[0]
    totals = [np.asarray(units.sum(axis=0))[None]]
    generator = np.random.default_rng(seed)
    at_once = max(1, DRAWS_AT_ONCE // count)
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        draws = generator.integers(count, size=(rows, count)) + np.arange(rows)[:, None] * count
        times = np.bincount(draws.ravel(), minlength=rows * count).reshape(rows, count)
        totals.append(times @ units)
    return np.concatenate(totals)


def _sum_groups(statistics: sparse.csr_array, groups: np.ndarray) -> sparse.csr_array:
    pictures = np.arange(len(groups))
    member = sparse.csr_array((np.ones(len(groups)), (groups, pictures)), shape=(int(groups.max()) + 1, len(groups)))
    return sparse.csr_array(member @ statistics)


def interval(values: np.ndarray, confidence: float) -> Interval:
    """From a score of the sample and of its resamples, (1 + resamples,). confidence: the share of resamples inside.
    Resamples in which the score is not defined (NaN: none of its pictures was drawn) are left out."""
    value, drawn = float(values[0]), values[1:]
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return Interval(value)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high), float(drawn.std(ddof=1)) if len(drawn) > 1 else None)
