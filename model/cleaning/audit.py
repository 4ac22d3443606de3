"""Audit of labels: how many are wrong, estimated from a random sample of groups that a person reviews, and how many
wrong ones are still unseen after a review of suspects. The latter is the stopping rule of a review.

The unseen wrong labels are a stratified estimate. What was reviewed outside of the audit is a census: its wrong labels
are known. The rest is estimated from those labels of the audit's sample that the review had not reached.

Imports no torch. `python -m exploration audit` and the review page print the results.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.cleaning.verdicts import UNSURE, WRONG, LabelJudge, Verdicts, is_of_group
from model.data.corrections import Correction
from model.data.table import Table
from model.metrics.finite_population import CONFIDENCE, Estimate, unsampled_total

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class AttributeAudit:
    """The result for one attribute.

    Attributes:
        unit: What `unseen` counts: "groups" if the label is one of the whole group, otherwise "images".
        reviewed: Number of groups of the sample that were reviewed.
        wrong: Number of these that have a wrong label.
        unsure: Number of these that have no wrong label, but one of which the reviewer was unsure.
        found: Number of wrong labels that reviews have found, inside and outside of the sample.
        group_rate: Share of all groups that have a wrong label.
        image_rate: Share of all images whose label is wrong.
        unseen: Number of wrong labels that no review has seen.
    """

    unit: str
    reviewed: int
    wrong: int
    unsure: int
    found: int
    group_rate: Estimate
    image_rate: Estimate
    unseen: Estimate

    def to_dict(self) -> dict[str, Any]:
        """The content for JSON."""
        return {
            name: value.to_dict() if isinstance(value, Estimate) else value
            for name, value in ((name, getattr(self, name)) for name in self.__dataclass_fields__)
        }


@dataclass(frozen=True)
class AuditResult:
    """The result of an audit.

    Attributes:
        units: "groups", or "images" if the channel has no groups.
        population: Number of groups of the channel.
        sampled: Number of groups in the sample.
        reviewed: Number of these that were reviewed.
        attributes: By name.
        unseen: Number of wrong labels of all attributes that no review has seen.
        confidence: Nominal coverage of the intervals.
    """

    units: str
    population: int
    sampled: int
    reviewed: int
    attributes: Mapping[str, AttributeAudit]
    unseen: Estimate
    confidence: float = CONFIDENCE

    def to_dict(self) -> dict[str, Any]:
        """The content for JSON. Without a reviewed group, values are None."""
        content = {
            "units": self.units,
            "population": self.population,
            "sampled": self.sampled,
            "reviewed": self.reviewed,
            "confidence": self.confidence,
            "attributes": {name: result.to_dict() for name, result in self.attributes.items()},
            "unseen": self.unseen.to_dict(),
            "sentences": self.sentences(),
        }
        return _without_nan(content)

    def sentences(self) -> list[str]:
        """The result in sentences: one per attribute, then the wrong labels still unseen."""
        if not self.reviewed:
            return [f"none of the {self.sampled:,} sampled {self.units} is reviewed yet"]
        texts = [
            f"{self.reviewed:,} of {self.sampled:,} sampled {self.units} are reviewed; the channel has "
            f"{self.population:,}"
        ]
        for name, result in self.attributes.items():
            texts.append(self._rate_sentence(name, result))
        texts.append(f"expected wrong labels still unseen: {count_text(self.unseen)}")
        if len(self.attributes) > 1:
            by_attribute = (
                f"{name} {count_text(result.unseen)} {result.unit}" for name, result in self.attributes.items()
            )
            texts[-1] += f"; {', '.join(by_attribute)}"
        return texts

    def _rate_sentence(self, name: str, result: AttributeAudit) -> str:
        text = f"{name}: {rate_text(result.group_rate)} of the {self.units} have a wrong label"
        text += f"; found in {result.wrong:,} of {result.reviewed:,}"
        if result.unsure:
            text += f", {result.unsure:,} unsure (the interval covers both answers)"
        if result.unit == "images" and self.units == "groups":
            text += f"; {rate_text(result.image_rate)} of the images"
        return text


def count_text(estimate: Estimate) -> str:
    """`14 (8 to 21)`; without an estimate `unknown (at most 700)`."""
    if np.isnan(estimate.value):
        return f"unknown (at most {estimate.high:,.0f})"
    return f"{estimate.value:,.0f} ({np.floor(estimate.low):,.0f} to {np.ceil(estimate.high):,.0f})"


def rate_text(estimate: Estimate) -> str:
    """`9.0 % (4.6 % to 16.1 %)`."""
    if np.isnan(estimate.value):
        return "an unknown share"
    return f"{100 * estimate.value:.1f} % ({100 * estimate.low:.1f} % to {100 * estimate.high:.1f} %)"


def draw_sample(groups: Sequence[str] | NDArray[Any], size: int, seed: int) -> list[str]:
    """A uniform random sample of groups without replacement, in random order.

    A larger sample with the same seed begins with the smaller one, so that an audit can be continued.

    Args:
        groups: str (n,), group of each image.
        size: Number of groups; all if there are fewer.
        seed: Seed of the sample. It does not depend on the order of the images.
    """
    names = np.unique(np.asarray(groups, dtype=object).astype(str))
    order = np.random.default_rng(seed).permutation(len(names))
    return [str(name) for name in names[order[:size]]]


class Audit:
    """The audit of a channel. It is prepared once, and then estimates from each new state of the log.

    Args:
        table: The channel with its labels as they were reviewed, without corrections.
        sample: The groups of the sample in the order of their review (draw_sample).
        confidence: Nominal coverage of the intervals.
    """

    def __init__(self, table: Table, sample: Sequence[str], confidence: float = CONFIDENCE) -> None:
        self.table, self.confidence = table, confidence
        self.judge = LabelJudge(table)
        number = {str(name): position for position, name in enumerate(self.judge.group_names)}
        self.positions = np.array([number[name] for name in sample if name in number], dtype=np.int64)
        self._is_of_group = [is_of_group(table, name) for name in table.scheme.names]

    def result(self, corrections: Iterable[Correction]) -> AuditResult:
        """The estimates from all rows of a log."""
        return self.estimate(self.judge.judge(corrections))

    def estimate(self, verdicts: Verdicts) -> AuditResult:
        """The estimates from the verdicts of reviewers."""
        reviewed = verdicts.audited(self.positions, self.judge.group_of_row)
        labels = {
            name: self._count(column, verdicts, reviewed[:, column])
            for column, name in enumerate(self.table.scheme.names)
        }
        return AuditResult(
            units="groups" if self.table.grouped_by else "images",
            population=len(self.judge.group_names),
            sampled=len(self.positions),
            reviewed=int(reviewed.any(axis=1).sum()),
            attributes={name: own.result() for name, own in labels.items()},
            unseen=_unseen(list(labels.values()), self.confidence),
            confidence=self.confidence,
        )

    def _count(self, column: int, verdicts: Verdicts, reviewed: Flags) -> _Labels:
        """Counts the labels of one attribute by group.

        Args:
            column: Position of the attribute.
            verdicts: Of all attributes.
            reviewed: bool (sample,), whether the audit has reviewed each sampled group.
        """
        group_of_row, groups = self.judge.group_of_row, len(self.judge.group_names)

        def count(rows: Flags) -> NDArray[np.int64]:
            return np.bincount(group_of_row[rows], minlength=groups).astype(np.int64)

        is_labelled = self.table.labels[self.table.scheme.names[column]].to_numpy() >= 0
        status, census = verdicts.status[:, column], verdicts.census[:, column]
        wrong, unsure = is_labelled & (status == WRONG), is_labelled & (status == UNSURE)
        if self._is_of_group[column]:  # a verdict on one image is one on the label of the group
            census = (count(census) > 0)[group_of_row]
        return _Labels(
            one_per_group=self._is_of_group[column],
            sizes=count(is_labelled),
            unseen_sizes=count(is_labelled & ~census),
            positions=self.positions,
            is_reviewed=reviewed,
            wrong=count(wrong),
            unsure=count(unsure),
            unseen_wrong=count(wrong & ~census),
            unseen_unsure=count(unsure & ~census),
            confidence=self.confidence,
        )


@dataclass(frozen=True)
class _Labels:
    """The labels of one attribute by group of the channel, and of the sample.

    Attributes:
        one_per_group: Whether the label is one of the whole group.
        sizes: int64 (G,), number of images with a label.
        unseen_sizes: int64 (G,), number of these that no review outside of the audit has seen.
        positions: int64 (n,), the sampled groups.
        is_reviewed: bool (n,), whether the audit has reviewed each.
        wrong, unsure: int64 (G,), number of images with these verdicts.
        unseen_wrong, unseen_unsure: int64 (G,), likewise of the images that no review outside of the audit has seen.
        confidence: Nominal coverage.
    """

    one_per_group: bool
    sizes: NDArray[np.int64]
    unseen_sizes: NDArray[np.int64]
    positions: NDArray[np.int64]
    is_reviewed: Flags
    wrong: NDArray[np.int64]
    unsure: NDArray[np.int64]
    unseen_wrong: NDArray[np.int64]
    unseen_unsure: NDArray[np.int64]
    confidence: float

    def result(self) -> AttributeAudit:
        sampled = self.positions[self.is_reviewed & (self.sizes[self.positions] > 0)]
        is_wrong, is_unsure = self.wrong > 0, (self.unsure > 0) & (self.wrong == 0)
        labels = is_wrong if self.one_per_group else self.wrong
        return AttributeAudit(
            unit="groups" if self.one_per_group else "images",
            reviewed=len(sampled),
            wrong=int(is_wrong[sampled].sum()),
            unsure=int(is_unsure[sampled].sum()),
            found=int(labels.sum()),
            group_rate=self._rate(sampled, is_wrong, is_unsure, (self.sizes > 0).astype(np.int64)),
            image_rate=self._rate(sampled, self.wrong, self.unsure, self.sizes),
            unseen=_unseen([self], self.confidence),
        )

    def _rate(
        self, sampled: NDArray[np.int64], wrong: NDArray[Any], unsure: NDArray[Any], sizes: NDArray[np.int64]
    ) -> Estimate:
        """The share of wrong labels among all.

        Args:
            sampled: Groups that were reviewed.
            wrong, unsure, sizes: (G,), numbers of labels.
        """
        certain, doubtful = wrong[sampled].astype(np.int64), unsure[sampled].astype(np.int64)
        rest = _total(certain, doubtful, sizes, sampled, self.confidence)
        # of the sampled labels, those of which the reviewer was unsure are wrong at the upper bound only
        total = max(int(sizes.sum()), 1)
        known, possible = int(certain.sum()), int(doubtful.sum())
        decided = max(int(sizes[sampled].sum()) - possible, 1)
        value = known + possible * known / decided + rest.value
        return Estimate(value / total, (known + rest.low) / total, (known + possible + rest.high) / total)


def _unseen(attributes: Sequence[_Labels], confidence: float) -> Estimate:
    """The number of wrong labels of some attributes that no review has seen.

    It is estimated from the sampled groups in which the review of suspects has not seen all labels.
    """
    if not attributes or not len(attributes[0].sizes):
        return Estimate(0.0, 0.0, 0.0)
    wrong, unsure, sizes = (np.zeros(len(attributes[0].sizes), dtype=np.int64) for _ in range(3))
    is_reviewed = np.ones(len(attributes[0].positions), dtype=bool)
    for own in attributes:
        counts = (own.unseen_wrong, own.unseen_unsure, own.unseen_sizes)
        for total, count in zip((wrong, unsure, sizes), counts):
            total += (count > 0) if own.one_per_group else count
        is_reviewed &= own.is_reviewed | (own.unseen_sizes[own.positions] == 0)
    sampled = attributes[0].positions[is_reviewed]
    sampled = sampled[sizes[sampled] > 0]
    return _total(wrong[sampled], unsure[sampled], sizes, sampled, confidence)


def _total(
    wrong: NDArray[np.int64],
    unsure: NDArray[np.int64],
    sizes: NDArray[np.int64],
    sampled: NDArray[np.int64],
    confidence: float,
) -> Estimate:
    """The number of wrong labels in the groups that were not sampled.

    If the reviewer was unsure of labels, the lower bound counts them as right and the upper bound as wrong; for the
    value they count as neither.

    Args:
        wrong, unsure: int64 (sampled,), number of labels with these verdicts.
        sizes: int64 (G,), number of labels of all groups.
        sampled: Groups of the sample that were reviewed.
        confidence: Nominal coverage.
    """
    rest = sizes.copy()
    rest[sampled] = 0
    number, labels = int((rest > 0).sum()), int(rest.sum())
    largest = int(np.ceil(labels / number)) if number else 1
    without = unsampled_total(wrong, number, largest, labels, confidence)
    if not unsure.any():
        return without
    decided = max(int(sizes[sampled].sum()) - int(unsure.sum()), 1)
    value = min(without.value * int(sizes[sampled].sum()) / decided, labels)
    high = unsampled_total(wrong + unsure, number, largest, labels, confidence).high
    return Estimate(min(value, high), without.low, high)


def _without_nan(content: Any) -> Any:
    """The content with None in place of NaN, which JSON does not have."""
    if isinstance(content, Mapping):
        return {name: _without_nan(value) for name, value in content.items()}
    return None if isinstance(content, float) and np.isnan(content) else content
