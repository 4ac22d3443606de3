"""The order in which the page shows near-duplicates: pairs of one group are only counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exploration.near_duplicates import DuplicatePair


@dataclass(frozen=True)
class ShownPairs:
    """Near-duplicates.

    Attributes:
        pairs: Pairs to show: those with different labels, then those across splits, then those across groups; within
            each kind the most similar first.
        within_groups: Number of pairs whose images are in the same group and the same split.
    """

    pairs: list[DuplicatePair]
    within_groups: int

    @property
    def with_other_label(self) -> int:
        return sum(pair.labels_differ for pair in self.pairs)

    @property
    def across_splits(self) -> int:
        return sum(pair.across_splits for pair in self.pairs)


def order_pairs(pairs: Sequence[DuplicatePair]) -> ShownPairs:
    """Sorts pairs for the page, and counts those within one group, which are expected to be alike."""
    shown = [pair for pair in pairs if pair.across_groups or pair.across_splits]
    shown.sort(
        key=lambda pair: (
            not pair.labels_differ,
            not pair.across_splits,
            not pair.across_groups,
            pair.distance,
            -pair.similarity if pair.similarity == pair.similarity else 0.0,
            pair.rows,
        )
    )
    return ShownPairs(shown, len(pairs) - len(shown))
