"""Groups, such as the images of a person: which attributes are constant in a group, evidence of all its images, and
labels that are exchanged between two of its images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

MOST_DISAGREEMENT = 0.4  # within groups, as a share of that of random pairs, for a constant attribute
MOST_CANDIDATES = 20  # images of a group that are compared for exchanged labels


@dataclass(frozen=True)
class Units:
    """What is judged: single images, or the images of a group that have the same label.

    Attributes:
        of_row: int64 (n,), the unit of each row; -1 for rows without a label.
        groups: int64 (U,), the group of each unit.
        codes: int64 (U,), the label of each unit.
        sizes: int64 (U,), the number of rows of each unit.
        divided: bool (U,), whether other rows of the group have another label, although the attribute is constant.
    """

    of_row: NDArray[np.int64]
    groups: NDArray[np.int64]
    codes: NDArray[np.int64]
    sizes: NDArray[np.int64]
    divided: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.codes)


def within_group_disagreement(codes: NDArray[np.int64], groups: NDArray[np.int64]) -> float:
    """Probability that two images of a group have different labels, divided by that of two random images.

    Args:
        codes: int64 (n,); negative: without a label.
        groups: int64 (n,), the group of each row.

    Returns:
        About 1 for an attribute that does not depend on the group, 0 if it is constant in every group; 1 if no group
        has two labels, or all labels are the same.
    """
    labelled = codes >= 0
    codes, groups = codes[labelled], np.unique(groups[labelled], return_inverse=True)[1]
    if not len(codes):
        return 1.0
    shares = np.bincount(codes) / len(codes)
    expected = 1 - float((shares**2).sum())
    sizes = np.bincount(groups)
    pairs = float((sizes * (sizes - 1)).sum())
    _, counts = np.unique(np.stack([groups, codes]), axis=1, return_counts=True)
    agreeing = float((counts * (counts - 1)).sum())
    return (1 - agreeing / pairs) / expected if pairs and expected else 1.0


def is_constant(codes: NDArray[np.int64], groups: NDArray[np.int64]) -> bool:
    """Whether an attribute belongs to the group (gender of a person), judged by the labels; see
    within_group_disagreement.

    It tolerates wrong labels of single images, because finding them in their groups is the purpose. The labels of an
    attribute that is constant here may therefore differ within many groups; verdicts.is_of_group is the rule for
    changing or counting the labels of a group as one.
    """
    return within_group_disagreement(codes, groups) <= MOST_DISAGREEMENT


def rows_of_groups(group_of_row: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The rows of each group in order, int64 each.

    Args:
        group_of_row: int64 (n,), 0 to G - 1, each of which occurs.
    """
    order = np.argsort(group_of_row, kind="stable")
    return np.split(order, np.cumsum(np.bincount(group_of_row, minlength=1))[:-1])


def make_units(codes: NDArray[np.int64], groups: NDArray[np.int64], by_group: bool) -> Units:
    """Divides the labelled rows into units.

    Args:
        codes: int64 (n,); negative: without a label.
        groups: int64 (n,), the group of each row.
        by_group: Whether the attribute is constant in each group; otherwise each row is a unit.
    """
    labelled = np.flatnonzero(codes >= 0)
    of_row = np.full(len(codes), -1, np.int64)
    if not by_group:
        of_row[labelled] = np.arange(len(labelled))
        ones = np.ones(len(labelled), np.int64)
        return Units(of_row, groups[labelled], codes[labelled], ones, np.zeros(len(labelled), bool))
    pairs = np.stack([groups[labelled], codes[labelled]])
    found, of_labelled, sizes = np.unique(pairs, axis=1, return_inverse=True, return_counts=True)
    of_row[labelled] = of_labelled.ravel()
    divided = np.bincount(found[0], minlength=int(groups.max(initial=0)) + 1)[found[0]] > 1
    return Units(of_row, found[0], found[1], sizes.astype(np.int64), divided)


def group_means(values: NDArray[np.floating], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean of the rows of each group without NaN, float64 (groups.max() + 1, d); NaN for a group without rows.

    Args:
        values: (n, d); a row with NaN is left out.
        groups: int64 (n,), the group of each row.
    """
    known = np.flatnonzero(~np.isnan(values).any(axis=1))
    count = int(groups.max(initial=-1)) + 1
    order = known[np.argsort(groups[known], kind="stable")]
    present, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    means = np.full((count, values.shape[1]), np.nan)
    if len(order):
        sums = np.add.reduceat(values[order].astype(np.float64), starts, axis=0)
        means[present] = sums / sizes[:, None]
    return means


def joined_posterior(
    log_probabilities: NDArray[np.float64], noise: NDArray[np.float64], units: Units
) -> NDArray[np.float64]:
    """Probabilities of the true class of each unit of a constant attribute, given all labels of its group.

    The labels of a group that is not divided are one observation: they were copied. In a divided group each image's
    label is one, so a few deviating labels are suspect.

    Args:
        log_probabilities: float64 (U, K), before the labels are known; equal for the units of a group.
        noise: float64 (K true, K given), rows sum to 1.
        units: The units.

    Returns:
        float64 (U, K), rows sum to 1.
    """
    evidence = np.log(noise[:, units.codes].T) * np.where(units.divided, units.sizes, 1)[:, None]
    total = np.zeros((int(units.groups.max(initial=0)) + 1, noise.shape[0]))
    np.add.at(total, units.groups, evidence)
    joint = log_probabilities + total[units.groups]
    joint = np.exp(joint - joint.max(axis=1, keepdims=True))
    return np.asarray(joint / joint.sum(axis=1, keepdims=True), np.float64)


@dataclass(frozen=True)
class Exchange:
    """Two images of a group whose labels fit if exchanged, and the probability that they are exchanged."""

    first: int
    second: int
    score: float


def exchanged(
    log_probabilities: NDArray[np.float64],
    codes: NDArray[np.int64],
    groups: NDArray[np.int64],
    error_share: float,
) -> list[Exchange]:
    """Finds pairs of images of a group with exchanged labels; each image is in one pair at most.

    An exchange is one error, with probability error_share / 2, shared by the possible partners; two separate errors
    would need two. A pair counts only if each of both images fits the other's label better than its own.

    Args:
        log_probabilities: float64 (n, K), of the true class of each row before labels are known.
        codes: int64 (n,), the labels; negative: without a label.
        groups: int64 (n,), the group of each row.
        error_share: Share of wrong labels, above 0 and below 1.

    Returns:
        The pairs that are more probably exchanged than right, most probable first.
    """
    own = np.where(codes >= 0, np.take_along_axis(log_probabilities, np.maximum(codes, 0)[:, None], axis=1)[:, 0], 0)
    doubt = np.where(codes >= 0, log_probabilities.max(axis=1) - own, 0)
    labelled = np.bincount(groups[codes >= 0], minlength=int(groups.max(initial=0)) + 1)  # images of each group
    found: list[Exchange] = []
    for rows in _doubtful_by_group(doubt, groups):
        partners = max(int(labelled[groups[rows[0]]]) - 1, 1)
        prior = float(np.log(error_share / 2 / partners) - np.log1p(-error_share))
        for first, second in combinations(rows.tolist(), 2):
            gains = (
                log_probabilities[first, codes[second]] - own[first],
                log_probabilities[second, codes[first]] - own[second],
            )
            if codes[first] != codes[second] and min(gains) > 0 and sum(gains) + prior > 0:
                score = 1 / (1 + float(np.exp(-(sum(gains) + prior))))
                found.append(Exchange(first, second, score))
    taken: set[int] = set()
    result = []
    for exchange in sorted(found, key=lambda pair: (-pair.score, pair.first, pair.second)):
        if taken.isdisjoint((exchange.first, exchange.second)):
            taken |= {exchange.first, exchange.second}
            result.append(exchange)
    return result


def _doubtful_by_group(doubt: NDArray[np.float64], groups: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The most doubtful rows of each group that has at least two."""
    rows = np.flatnonzero(doubt > 0)
    rows = rows[np.lexsort((rows, -doubt[rows], groups[rows]))]
    starts = np.flatnonzero(np.r_[True, np.diff(groups[rows]) != 0]) if len(rows) else np.empty(0, np.int64)
    for part in np.split(rows, starts[1:]):
        if len(part) > 1:
            yield part[:MOST_CANDIDATES]
