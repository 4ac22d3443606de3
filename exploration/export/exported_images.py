"""ExportedImages: the images of a table as texts, with the suspicions about their labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from model.cleaning.suspects import label_texts, read_suspects
from model.data.table import Table


@dataclass(frozen=True)
class Suspicion:
    """A doubt about one label of an image. score: from 0 to 1; suggested: the label that is probably right."""

    score: float
    suggested: str


@dataclass(frozen=True)
class ExportedImage:
    """An image with its labels as texts.

    Attributes:
        path: Path relative to the channel.
        group: Its group; "" without groups.
        joint: Name of its joint class; "" if a label is missing.
        labels: Value of each attribute, the number if the attribute has numbers; "" for a missing label.
        suspicions: Suspicions by attribute.
    """

    path: str
    group: str
    joint: str
    labels: Mapping[str, str]
    suspicions: Mapping[str, Suspicion]

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
        suspicions: By row, the suspicions by attribute.
        image_url: What precedes a path in a URL.
    """

    table: Table
    suspicions: Mapping[int, Mapping[str, Suspicion]]
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


def read_suspicions(path: Path, table: Table) -> dict[int, dict[str, Suspicion]]:
    """Reads suspects.csv: the suspicions by row of the table and attribute.

    Rows for images that the table does not have are ignored: corrections may have deleted them.

    Args:
        path: The file.
        table: The images.

    Raises:
        InputError: The file is missing or invalid; lists all problems.
    """
    suspicions: dict[int, dict[str, Suspicion]] = {}
    for suspect in read_suspects(path, table, skip_missing=True):
        for row in suspect.rows:
            suspicions.setdefault(row, {})[suspect.attribute] = Suspicion(suspect.score, suspect.suggested)
    return suspicions
