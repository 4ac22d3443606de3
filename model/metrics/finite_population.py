"""Intervals of totals of a finite population of groups, estimated from a random sample without replacement: how many
labels are wrong in the groups that were not sampled. model.metrics.proportions has the intervals of shares that hold
for further data, of which the images are themselves a sample.

If each group has at most one wrong label, the bounds are the exact ones of the hypergeometric distribution, which
invert its tails (Buonaccorsi 1987, "A Note on Confidence Intervals for Proportions in Finite Populations", The American
Statistician 41, pages 215 to 218). They are quantiles of beta-binomial distributions, as those of Clopper and Pearson
are of beta distributions. If groups have several labels, the number of wrong ones in each further wrong group is drawn
by a Bayesian bootstrap of the sampled wrong groups (Ghosh and Meeden 1997, "Bayesian Methods for Finite Population
Sampling"). For the upper bound one more group, all of whose labels are wrong, is added to the sampled wrong groups.
benchmarks/audit.py simulates the coverage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, gammaln

CONFIDENCE = 0.95
DRAWS = 4_000  # of the Bayesian bootstrap
SEED = 0  # of the draws: the same sample has the same interval


@dataclass(frozen=True)
class Estimate:
    """An estimate with the bounds of its interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """value, low and high for JSON."""
        return {"value": self.value, "low": self.low, "high": self.high}


def unsampled_total(
    counts: ArrayLike,
    unsampled: int,
    largest: int = 1,
    most: int | None = None,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """The number of wrong labels in the groups that were not sampled.

    Args:
        counts: int64 (n,), number of wrong labels of each sampled group.
        unsampled: Number of groups that were not sampled.
        largest: Number of labels of a large group, which may all be wrong.
        most: Number of labels in the groups that were not sampled; default: unsampled * largest.
        confidence: Nominal coverage.

    Returns:
        The estimate. Without sampled groups it is NaN, between 0 and `most`.
    """
    counts = np.asarray(counts, dtype=np.int64)
    most = unsampled * largest if most is None else most
    sampled, tail = len(counts), (1 - confidence) / 2
    if not unsampled:
        return Estimate(0.0, 0.0, 0.0)
    if not sampled:
        return Estimate(math.nan, 0.0, float(most))
    wrong = counts[counts > 0]
    right = sampled - len(wrong)
    low = _quantile(len(wrong), right + 1, wrong, unsampled, tail) if len(wrong) else 0.0
    further = np.append(wrong, max(largest, wrong.max(initial=1)))
    high = _quantile(len(wrong) + 1, right, further, unsampled, 1 - tail) if right else float(most)
    value = min(unsampled * float(counts.mean()), most)
    return Estimate(value, min(low, value), max(min(high, most), value))


def _quantile(a: int, b: int, counts: NDArray[np.int64], unsampled: int, probability: float) -> float:
    """A quantile of the number of wrong labels in the groups that were not sampled.

    Args:
        a, b: Parameters of the beta distribution of the share of wrong groups.
        counts: int64 (k,), wrong labels of the groups from which further wrong groups are drawn.
        unsampled: Number of groups that were not sampled.
        probability: Of the quantile.
    """
    if (counts == counts[0]).all():
        return float(_beta_binomial_quantile(unsampled, a, b, probability) * counts[0])
    generator = np.random.default_rng(SEED)
    groups = generator.binomial(unsampled, generator.beta(a, b, DRAWS))
    values, multiplicity = np.unique(counts, return_counts=True)
    weights = generator.dirichlet(multiplicity, DRAWS)
    totals = generator.multinomial(groups, weights) @ values
    return float(np.quantile(totals, probability, method="higher" if probability > 0.5 else "lower"))


def _beta_binomial_quantile(n: int, a: float, b: float, probability: float) -> int:
    """The smallest k with P(X <= k) >= probability, for X beta-binomial with n trials."""
    k = np.arange(n + 1)
    log_choose = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    cumulative = np.exp(log_choose + betaln(k + a, n - k + b) - betaln(a, b)).cumsum()
    return min(int(np.searchsorted(cumulative, probability - 1e-12)), n)
