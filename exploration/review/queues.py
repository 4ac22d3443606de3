"""Queues: what is reviewed, in order. Suspects, the groups of an audit, or images and groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exploration.review.row_labels import RowLabels
    from model.cleaning.suspects import Suspect

IMAGE, GROUP = "image", "group"  # levels, as in suspects.csv
SUSPECTS, AUDIT = "suspects", "audit"


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


def items_of_groups(labels: RowLabels, groups: Iterable[str]) -> list[Item]:
    """A queue of groups, in this order. A channel without groups has one per image, named by its path."""
    rows = [row for group in groups for row in (labels.rows_of[group] if labels.is_grouped else [labels.row_of[group]])]
    return items_of_rows(labels, rows, GROUP)


def items_of_suspects(labels: RowLabels, suspects: Iterable[Suspect]) -> list[Item]:
    """A queue of suspects, in this order."""
    return [_item_of_suspect(id, suspect, labels) for id, suspect in enumerate(suspects)]


def _item_of_suspect(id: int, suspect: Suspect, labels: RowLabels) -> Item:
    first = suspect.rows[0]
    is_group = suspect.level == GROUP and labels.is_grouped
    return Item(
        id=id,
        level=GROUP if is_group else IMAGE,
        path=labels.paths[first],
        group=labels.groups[first],
        attribute=suspect.attribute,
        given=suspect.given,
        suggested=suspect.suggested,
        score=suspect.score,
        reason=suspect.reason,
        images=tuple(labels.rows_of[labels.groups[first]]) if is_group else (first,),
        neighbours=tuple((row, labels.text(row, suspect.attribute)) for row in suspect.neighbours),
    )


def item_json(item: Item) -> dict[str, Any]:
    """An item as the page reads it: its fields."""
    return dict(vars(item))
