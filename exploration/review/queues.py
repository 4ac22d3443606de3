"""Queues: what is reviewed, in order. The suspects of a file, the sample of an audit, or images and groups."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import InputError, Problems, did_you_mean, listing, nearest_path

if TYPE_CHECKING:
    from exploration.review.row_labels import RowLabels

IMAGE, GROUP = LEVELS = ("image", "group")
SUSPECTS, AUDIT = "suspects", "audit"
SUSPECT_COLUMNS = ("path", "group", "attribute", "level", "given", "suggested", "score", "reason", "neighbours")
AUDIT_COLUMNS = ("path", "group")


@dataclass(frozen=True)
class Item:
    """One step of a review.

    Attributes:
        id: Its position in the queue.
        level: IMAGE or GROUP: what is decided on.
        path: The image; of a group, the image that is shown first.
        group: The group; empty if the channel has none.
        attribute: The attribute in doubt; empty: all.
        given: Its label.
        suggested: The label that is probably right, empty if there is none.
        score: How suspicious it is, 0 to 1; None without a score.
        reason: Why, as a sentence.
        images: Rows of the images to show: one, or all of the group in the order of their paths.
        neighbours: Rows of similar images with their labels.
    """

    id: int
    level: str
    path: str
    group: str
    attribute: str = ""
    given: str = ""
    suggested: str = ""
    score: float | None = None
    reason: str = ""
    images: tuple[int, ...] = ()
    neighbours: tuple[tuple[int, str], ...] = ()


def items_of_rows(labels: RowLabels, rows: Iterable[int], level: str) -> list[Item]:
    """A queue of images, or of the groups that contain them.

    Args:
        labels: The channel.
        rows: Rows of the images in order.
        level: IMAGE or GROUP; without groups, each image is an item.
    """
    items: list[Item] = []
    if level == GROUP and labels.is_grouped:
        for group in dict.fromkeys(labels.groups[row] for row in rows):
            images = tuple(labels.rows_of[group])
            given = labels.shared(images, "")
            items.append(Item(len(items), GROUP, labels.paths[images[0]], group, given=given, images=images))
        return items
    for row in rows:
        given = labels.shared([row], "")
        items.append(Item(len(items), IMAGE, labels.paths[row], labels.groups[row], given=given, images=(row,)))
    return items


def read_suspects(path: Path, labels: RowLabels, problems: Problems) -> list[Item]:
    """The queue of a suspects.csv. Images that the channel lacks are problems.

    Args:
        path: The file.
        labels: The channel.
        problems: Collects invalid rows.
    """
    items: list[Item] = []
    for line, values in _read_rows(path, SUSPECT_COLUMNS):
        item = _suspect(len(items), line, values, labels, problems)
        if item is not None:
            items.append(item)
    return items


def _suspect(id: int, line: int, values: Mapping[str, str], labels: RowLabels, problems: Problems) -> Item | None:
    """The item of one row of suspects.csv; None and a problem if it is invalid."""
    row = _known_row(line, values["path"], labels, problems)
    attribute, level = values["attribute"], values["level"]
    names = labels.table.scheme.names
    if attribute not in names:
        expected = f"expected one of {listing(names)}{did_you_mean(attribute, names)}"
        problems.add("unknown attribute", f"row {line}: {attribute!r}, {expected}")
    if level not in LEVELS:
        problems.add("invalid level", f"row {line}: {level!r}, expected image or group{did_you_mean(level, LEVELS)}")
    try:
        score = float(values["score"])
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        problems.add("invalid score", f"row {line}: {values['score']!r}, expected a number from 0 to 1")
    neighbours = _neighbours(line, values["neighbours"], labels, problems)
    if row is None or attribute not in names or level not in LEVELS or not math.isfinite(score):
        return None
    is_group = level == GROUP and labels.is_grouped
    return Item(
        id=id,
        level=GROUP if is_group else IMAGE,
        path=values["path"],
        group=labels.groups[row],
        attribute=attribute,
        given=values["given"],
        suggested=values["suggested"],
        score=score,
        reason=values["reason"],
        images=tuple(labels.rows_of[labels.groups[row]]) if is_group else (row,),
        neighbours=neighbours,
    )


def _neighbours(line: int, text: str, labels: RowLabels, problems: Problems) -> tuple[tuple[int, str], ...]:
    """The rows and labels of a JSON list of [path, label]. Images that the channel lacks are left out."""
    try:
        pairs = json.loads(text or "[]")
        named = [(str(path), str(value)) for path, value in pairs]
    except (ValueError, TypeError):
        problems.add("invalid neighbours", f"row {line}: {text[:80]!r}, expected a JSON list of [path, label]")
        return ()
    return tuple((labels.row_of[path], value) for path, value in named if path in labels.row_of)


def read_audit(path: Path, labels: RowLabels, problems: Problems) -> list[Item]:
    """The queue of an audit.csv: its groups, or its images without groups, in the order of the file."""
    known = (_known_row(line, values["path"], labels, problems) for line, values in _read_rows(path, AUDIT_COLUMNS))
    return items_of_rows(labels, [row for row in known if row is not None], GROUP)


def _known_row(line: int, path: str, labels: RowLabels, problems: Problems) -> int | None:
    row = labels.row_of.get(path)
    if row is None:
        kind = "images that the channel does not contain"
        # the nearest name is slow to find among many paths
        near = did_you_mean(path, labels.paths) if problems.shows_next(kind) and len(labels.paths) < 10_000 else ""
        problems.add(kind, f"row {line}: {path!r}{near}", "The file must be made of the same channel.")
    return row


def _read_rows(path: Path, columns: Sequence[str]) -> Iterable[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with their numbers. InputError if it is missing or lacks a column."""
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file, restval="")
            present = reader.fieldnames or ()
            missing = [name for name in columns if name not in present]
            if missing:
                raise InputError(
                    f"{path}: no column {listing(missing)}; expected {','.join(columns)}, found {listing(present)}"
                )
            return [(number, {name: row[name] for name in columns}) for number, row in enumerate(reader, start=2)]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}{nearest_path(path)}") from None
    except csv.Error as error:
        raise InputError(f"{path}: no valid CSV: {error}") from None


def item_json(item: Item) -> dict[str, Any]:
    """An item as the page reads it."""
    return {
        "id": item.id,
        "level": item.level,
        "path": item.path,
        "group": item.group,
        "attribute": item.attribute,
        "given": item.given,
        "suggested": item.suggested,
        "score": item.score,
        "reason": item.reason,
        "images": item.images,
        "neighbours": item.neighbours,
    }
