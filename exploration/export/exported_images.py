"""ExportedImages: the images of a table as texts, with the suspicions about their labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from model.cleaning.suspects import Suspect, label_texts
from model.data.table import Table


@dataclass(frozen=True)
class ExportedImage:
    """An image with its labels as texts.

    Attributes:
        path: Path relative to the channel.
        group: Its group; "" without groups.
        joint: Name of its joint class; "" if a label is missing.
        labels: Value of each attribute, the number if the attribute has numbers; "" for a missing label.
        suspicions: What is suspect about it, by attribute.
    """

    path: str
    group: str
    joint: str
    labels: Mapping[str, str]
    suspicions: Mapping[str, Suspect]

    def fields(self) -> dict[str, Any]:
        """Group and suspicions, for tools that show fields of an image."""
        fields: dict[str, Any] = {"group": self.group} if self.group else {}
        for name, suspicion in self.suspicions.items():
            fields[f"{name}_suspicion"], fields[f"{name}_suggested"] = suspicion.score, suspicion.suggested
        return fields


@dataclass(frozen=True)
class ExportedImages:
    """The images of a table.

    Attributes:
        table: The table.
        suspicions: By row, what is suspect by attribute (suspicions_by_row).
        image_url: What precedes a path in a URL.
    """

    table: Table
    suspicions: Mapping[int, Mapping[str, Suspect]]
    image_url: str = ""

    @cached_property
    def suspected(self) -> list[str]:
        """The attributes with suspicions, in the order of the scheme."""
        names = {name for own in self.suspicions.values() for name in own}
        return [name for name in self.table.scheme.names if name in names]

    def __iter__(self) -> Iterator[ExportedImage]:
        table = self.table
        texts = {name: label_texts(table, name) for name in table.scheme.names}
        classes, names = table.classes().tolist(), table.scheme.class_names
        groups = table.groups.tolist() if table.grouped_by else [""] * len(table)
        for row, path in enumerate(table.locations.paths):
            joint = names[classes[row]] if classes[row] >= 0 else ""
            labels = {name: own[row] for name, own in texts.items()}
            yield ExportedImage(path, groups[row], joint, labels, self.suspicions.get(row, {}))


def suspicions_by_row(suspects: Iterable[Suspect]) -> dict[int, dict[str, Suspect]]:
    """The suspects by row of the table and attribute; a suspect group is one of each of its images."""
    suspicions: dict[int, dict[str, Suspect]] = {}
    for suspect in suspects:
        for row in suspect.rows:
            suspicions.setdefault(row, {})[suspect.attribute] = suspect
    return suspicions
