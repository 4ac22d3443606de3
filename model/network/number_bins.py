"""Bins of a number (age in years): a head that learns its distribution has one logit per bin.

The cuts between the bands of the number are edges of bins, so the probability of a band is a sum over bins. Uses numpy
without torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.settings.numbers import NumberLearning

Numbers = dict[str, NDArray[np.float32]]  # numbers of images, (N,), by the name of their attribute

MOST_BINS = 1_000
MARGIN = 3  # sigmas beyond the smallest and the largest training number: cuts off 0.1 % of a target at most


@dataclass(frozen=True)
class NumberBins:
    """Bins of a number, in ascending order.

    Attributes:
        edges: Lower edge of each bin, then the upper edge of the last one; increasing.
        cuts: The lower bounds of the bands except the first; each is one of the inner edges.
        offset: Distance between the number of an image and its position among the edges: 0.5 if numbers are whole, as
            60 years means from 60 to below 61; otherwise 0.
        sigma: Standard deviation of the training targets.
    """

    edges: tuple[float, ...]
    cuts: tuple[float, ...]
    offset: float
    sigma: float

    def __post_init__(self) -> None:
        if len(self.edges) < 2 or any(not low < high for low, high in pairwise(self.edges)):
            raise InputError(f"edges of bins must be increasing numbers, not {list(self.edges)}")
        if not set(self.cuts) <= set(self.edges[1:-1]):
            raise InputError(f"each cut of {list(self.cuts)} must be an edge between two bins")
        if not self.sigma > 0:
            raise InputError(f"sigma of bins must be above 0, not {self.sigma:g}")

    def __len__(self) -> int:
        """Number of bins."""
        return len(self.edges) - 1

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """The number that each bin stands for, its centre minus the offset, float64 (bins,)."""
        edges = np.asarray(self.edges)
        return (edges[:-1] + edges[1:]) / 2 - self.offset

    @cached_property
    def bands(self) -> NDArray[np.int64]:
        """The band of each bin, int64 (bins,), ascending."""
        return np.searchsorted(np.asarray(self.cuts), np.asarray(self.edges[:-1]), side="right").astype(np.int64)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The first bin of each band, int64 (bands,)."""
        return np.searchsorted(self.bands, np.arange(len(self.cuts) + 1)).astype(np.int64)

    def band_log_probabilities(self, log_probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log probabilities of the bands, float32 (N, bands), from those of the bins, float32 (N, bins)."""
        return np.logaddexp.reduceat(log_probabilities, self.starts, axis=1)

    def mean(self, log_probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mean number, float32 (N,), from log probabilities of the bins, (N, bins)."""
        return (np.exp(log_probabilities.astype(np.float64)) @ self.values).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """The content of labels.json; the cuts are those of the attribute."""
        return {"edges": list(self.edges), "offset": self.offset, "sigma": self.sigma}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any], cuts: Sequence[float]) -> NumberBins:
        """The inverse of to_dict. Raises KeyError, TypeError, ValueError or InputError if the content is invalid."""
        edges = tuple(float(edge) for edge in saved["edges"])
        return cls(edges, tuple(cuts), float(saved["offset"]), float(saved["sigma"]))


def make_bins(name: str, cuts: Sequence[float], learning: NumberLearning, numbers: NDArray[np.float64]) -> NumberBins:
    """Makes the bins of an attribute.

    Args:
        name: Name of the attribute, for messages.
        cuts: Its cuts.
        learning: Sigma, width of the bins, range.
        numbers: The numbers of the training images, float64 (n,), NaN without one.

    Raises:
        InputError: No training image has a number, or there are more than MOST_BINS bins.
    """
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        raise InputError(
            f"attribute {name}: `learn: distribution` needs numbers, but every training label is the name of a band"
        )
    is_whole = bool((np.concatenate([known, cuts]) % 1 == 0).all())
    offset, width = 0.5 if is_whole else 0.0, learning.bin_width
    if learning.range:
        low, high = learning.range[0], learning.range[1] + 2 * offset
    else:
        # at least one whole bin outside the cuts; all bins of the first and the last band have the exact width
        reach = MARGIN * learning.sigma
        below = max(1, math.ceil((cuts[0] - (known.min() - reach)) / width))
        above = max(1, math.ceil((known.max() + 2 * offset + reach - cuts[-1]) / width))
        low, high = cuts[0] - below * width, cuts[-1] + above * width
    borders = [low, *cuts, high]
    counts = [max(1, round((end - start) / width)) for start, end in pairwise(borders)]
    if sum(counts) > MOST_BINS:
        raise InputError(
            f"attribute {name}: bin_width {width:g} makes {sum(counts):,} bins from {low:g} to {high:g}, expected at "
            f"most {MOST_BINS:,}; set a larger bin_width or a smaller range"
        )
    # equal bins between two borders
    edges = [np.linspace(start, end, count + 1)[:-1] for (start, end), count in zip(pairwise(borders), counts)]
    return NumberBins((*np.concatenate(edges).tolist(), float(high)), tuple(cuts), offset, learning.sigma)
