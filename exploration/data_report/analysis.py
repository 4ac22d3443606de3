"""Analysis: everything that a data report says, as numbers; without HTML and thumbnails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from exploration.data_report.duplicate_order import ShownPairs, order_pairs
from exploration.data_report.embedding_map import EmbeddingMap, make_map
from exploration.data_report.findings import Finding, find
from exploration.data_report.leaks import Leak, copies_within, find_leaks
from exploration.data_report.map_content import NeighbourRow, neighbour_table
from exploration.data_report.measures import Measure, image_measures, odd_counts, size_counts
from exploration.data_report.report_data import ReportData
from exploration.data_report.summary import (
    GroupCounts,
    MixedGroup,
    TargetCounts,
    group_counts,
    mixed_groups,
    split_counts,
    target_counts,
)
from exploration.image_statistics import ImageStatistics, UnusualImage, unusual_images
from exploration.near_duplicates import DuplicatePair
from model.embeddings.embed import Embeddings


@dataclass(frozen=True)
class Analysis:
    """What a report says.

    Attributes:
        data: The images.
        splits: Name, images and groups of each split.
        targets: Counts of the joint class, if there are several attributes, and of each attribute.
        groups: Sizes of the groups; None without groups.
        mixed: Groups with several values of an attribute that almost all groups have one value of.
        leaks: What each pair of splits shares.
        copies: Images that are an exact copy of an earlier one.
        shown: Near-duplicates.
        measures: Distributions of brightness, contrast and so on.
        sizes: Width, height and number of images, the most frequent first.
        unusual: Images that are unusually dark, blurred and so on, the most unusual of each kind first.
        oddities: Number of images by oddity, such as transparency.
        found_map: Positions of the images.
        neighbours: Classes of the neighbours of each class.
        embedder: Name of the embeddings.
        notes: Sentences about what could not be computed as asked.
        findings: What deserves attention.
    """

    data: ReportData
    splits: list[tuple[str, int, int]]
    targets: list[TargetCounts]
    groups: GroupCounts | None
    mixed: list[MixedGroup]
    leaks: list[Leak]
    copies: int
    shown: ShownPairs
    measures: list[Measure]
    sizes: list[tuple[int, int, int]]
    unusual: list[UnusualImage]
    oddities: dict[str, int]
    found_map: EmbeddingMap
    neighbours: list[NeighbourRow]
    embedder: str
    notes: list[str]
    findings: list[Finding]

    def to_dict(self) -> dict[str, Any]:
        """The numbers, for JSON. Images are named by their path and split."""
        data = self.data

        def image(row: int) -> dict[str, str]:
            return {"path": data.paths[row], "split": data.split_names[splits[row]]}

        splits = data.splits
        return {
            "channels": data.channels,
            "findings": [asdict(finding) for finding in self.findings],
            "splits": {name: {"images": images, "groups": groups} for name, images, groups in self.splits},
            "targets": {
                target.name: {
                    "missing": dict(zip(data.split_names, target.missing)),
                    "classes": {
                        one.name: {
                            "images": dict(zip(data.split_names, one.images)),
                            "groups": dict(zip(data.split_names, one.groups)),
                        }
                        for one in target.classes
                    },
                }
                for target in self.targets
            },
            "groups": None if self.groups is None else asdict(self.groups),
            "mixed_groups": [
                {"attribute": mixed.attribute, "group": mixed.group, "values": mixed.values} for mixed in self.mixed
            ],
            "image_sizes": [{"width": width, "height": height, "images": n} for width, height, n in self.sizes],
            "image_measures": {measure.name: measure.quantiles for measure in self.measures},
            "oddities": self.oddities,
            "unusual_images": [
                {**image(one.row), "kind": one.kind, "value": float(f"{one.value:.6g}"), "reason": one.reason}
                for one in self.unusual
            ],
            "unreadable": [dict(zip(("channel", "path", "reason"), skipped)) for skipped in data.skipped],
            "leaks": [
                {
                    "splits": [leak.first, leak.second],
                    "copies": leak.copies,
                    "groups": leak.groups,
                    "images_of_groups": leak.group_images,
                }
                for leak in self.leaks
            ],
            "exact_copies": self.copies,
            "near_duplicates": {
                "within_groups": self.shown.within_groups,
                "pairs": [_pair(pair, image(pair.rows[0]), image(pair.rows[1])) for pair in self.shown.pairs],
            },
            "embeddings": self.embedder,
            "neighbours": [asdict(row) for row in self.neighbours],
            "notes": self.notes,
        }


def _pair(pair: DuplicatePair, first: dict[str, str], second: dict[str, str]) -> dict[str, Any]:
    return {
        "images": [first, second],
        "similarity": round(pair.similarity, 4) if np.isfinite(pair.similarity) else None,
        "distance": round(pair.distance, 4),
        "labels_differ": pair.labels_differ,
        "across_splits": pair.across_splits,
        "across_groups": pair.across_groups,
    }


def analyse(
    data: ReportData,
    embeddings: Embeddings,
    pairs: Sequence[DuplicatePair],
    statistics: ImageStatistics,
    points: int,
    seed: int = 0,
    notes: Sequence[str] = (),
) -> Analysis:
    """Computes the numbers of a report.

    Args:
        data: The images.
        embeddings: Their embeddings.
        pairs: Near-duplicates among them.
        statistics: Sizes, brightness and so on, of the images.
        points: Maximum number of images in the map.
        seed: Seed of the map's sample.
        notes: Sentences about what could not be computed as asked.
    """
    targets, mixed, leaks = target_counts(data), mixed_groups(data), find_leaks(data)
    shown, unusual = order_pairs(pairs), unusual_images(statistics)
    classes, joint = data.table.classes(), targets[0]
    found = make_map(embeddings.normalised(), classes, points, seed)
    return Analysis(
        data=data,
        splits=split_counts(data),
        targets=targets,
        groups=group_counts(data),
        mixed=mixed,
        leaks=leaks,
        copies=copies_within(data),
        shown=shown,
        measures=image_measures(statistics),
        sizes=size_counts(statistics),
        unusual=unusual,
        oddities=odd_counts(statistics),
        found_map=found,
        neighbours=neighbour_table(data, found, [one.name for one in joint.classes], classes),
        embedder=embeddings.name,
        notes=list(notes),
        findings=find(data, targets, mixed, leaks, shown, unusual),
    )
