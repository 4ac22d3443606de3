"""CorrectionRecord: what the corrections of labels changed, for logs, metrics.json, model cards and evaluations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model.data.corrections import PENDING, Correction
from model.errors import listing
from model.runtime.terminal import counted

SHOWN_HASH = 8  # hex digits of the file's hash in sentences


@dataclass(frozen=True)
class CorrectionRecord:
    """What a log of corrections changed in a channel.

    Attributes:
        file: Name of the log.
        digest: Hash of its content.
        relabelled: Number of images by attribute whose label is another one now.
        deleted: Number of images that were left out.
        repaired: How many of the relabelled labels were missing or invalid.
        groups: Number of groups that a row for a whole group changed.
        rows: Number of rows in force by action, of images and groups that the channel has.
        unused: Number of rows for attributes that the label scheme does not have, although the channel does.
        outdated: Rows whose image has neither the label of the review nor the new one, as text.
        unusual: Numbers that are far outside of those in the channel, as text.
        elsewhere: Rows in force of images and groups that the channel does not have.
        paths: Paths of the log that changed an image, as they are written there.
        disagreements: Number of labels about which reviewers disagree.
    """

    file: str
    digest: str
    relabelled: Mapping[str, int] = field(default_factory=dict)
    deleted: int = 0
    repaired: int = 0
    groups: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    unused: int = 0
    outdated: tuple[str, ...] = ()
    unusual: tuple[str, ...] = ()
    elsewhere: tuple[Correction, ...] = ()
    paths: frozenset[str] = frozenset()
    disagreements: int = 0

    @property
    def changes(self) -> int:
        """Number of labels that were changed and images that were left out."""
        return sum(self.relabelled.values()) + self.deleted

    @property
    def source(self) -> str:
        """The name of the log and the beginning of its hash."""
        return f"{self.file} ({self.digest[:SHOWN_HASH]})" if self.digest else self.file

    def to_dict(self) -> dict[str, Any]:
        """The content for metrics.json and evaluation.json: counts, and nothing about a single image."""
        return {
            "file": self.file,
            "hash": self.digest,
            "relabelled": dict(self.relabelled),
            "deleted": self.deleted,
            "repaired": self.repaired,
            "groups": self.groups,
            "rows": dict(self.rows),
            "outdated": len(self.outdated),
            "elsewhere": len(self.elsewhere),
            "disagreements": self.disagreements,
        }

    def text(self) -> str:
        """A sentence: `corrections.csv (1f2e3d4c) changed 12 labels (gender 7, age 5) and left out 3 images`."""
        counts = listing(f"{name} {count:,}" for name, count in self.relabelled.items() if count)
        labels = sum(self.relabelled.values())
        changed = f"changed {counted(labels, 'label')}{f' ({counts})' if counts else ''}"
        left_out = f" and left out {counted(self.deleted, 'image')}" if self.deleted else ""
        return f"{self.source} {changed}{left_out}"

    def details(self) -> list[str]:
        """Sentences on rows that changed nothing, and on what to look at again."""
        pending = sum(self.rows.get(action, 0) for action in PENDING)
        sentences = []
        if pending:
            sentences.append(f"{counted(pending, 'row')} without a decision (marked or unsure) changed nothing")
        if self.repaired:
            sentences.append(f"{counted(self.repaired, 'missing or invalid label')} got a valid one")
        if self.unused:
            sentences.append(f"{counted(self.unused, 'row')} for attributes that are not used changed nothing")
        if self.disagreements:
            about = counted(self.disagreements, "label")
            sentences.append(f"reviewers disagree about {about}; the latest row is used")
        if self.unusual:
            sentences.append(f"numbers that are far outside of those in the data: {listing(self.unusual, 3)}")
        if self.outdated:
            count = counted(len(self.outdated), "row")
            sentences.append(
                f"{count} of a review of other labels than the present ones, used all the same: "
                f"{listing(self.outdated, 3)}"
            )
        return sentences


def merged(records: Sequence[CorrectionRecord]) -> CorrectionRecord:
    """The record of several channels to which the same log was applied. A row elsewhere is one that no channel has."""
    first = records[0]
    keys = [{correction.key for correction in record.elsewhere} for record in records]
    nowhere = set.intersection(*keys)
    relabelled, rows = Counter[str](), Counter[str]()
    for record in records:
        relabelled.update(record.relabelled)
        rows.update(record.rows)
    return CorrectionRecord(
        file=first.file,
        digest=first.digest,
        relabelled=dict(relabelled),
        deleted=sum(record.deleted for record in records),
        repaired=sum(record.repaired for record in records),
        groups=sum(record.groups for record in records),
        rows=dict(rows),
        unused=max(record.unused for record in records),
        outdated=tuple(dict.fromkeys(text for record in records for text in record.outdated)),
        unusual=tuple(dict.fromkeys(text for record in records for text in record.unusual)),
        elsewhere=tuple(row for row in first.elsewhere if row.key in nowhere),
        paths=frozenset().union(*(record.paths for record in records)),
        disagreements=first.disagreements,
    )
