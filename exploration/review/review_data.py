"""ReviewData: what one review is about, and the content of its session, which the page loads first."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from exploration.review.queues import GROUP, Item, item_json
from exploration.review.row_labels import RowLabels
from model.data.corrections import Correction, Key


@dataclass(frozen=True)
class ReviewData:
    """What does not change during a review.

    Attributes:
        labels: The channel.
        items: The queue.
        source: Name of the queue, which each decision repeats.
        corrections: The file of the decisions, as the page shows it.
        reviewer: Who reviews, unless the page names somebody else.
    """

    labels: RowLabels
    items: Sequence[Item]
    source: str
    corrections: str
    reviewer: str

    @cached_property
    def item_ids(self) -> Mapping[Key, int]:
        """The first item with each key of decisions."""
        ids: dict[Key, int] = {}
        for item in self.items:
            key = ("", item.group, item.attribute) if item.level == GROUP else (item.path, "", item.attribute)
            ids.setdefault(key, item.id)
        return ids

    @cached_property
    def version(self) -> str:
        """Differs if the rows are other images: a page of an earlier server at the same port must not decide on them,
        nor may the browser show images that it has kept."""
        table = self.labels.table
        digest = hashlib.blake2b(os.fsencode("\0".join([str(table.root.resolve()), *self.labels.paths])), digest_size=8)
        if table.contents is not None:
            digest.update(table.contents.keys.tobytes())
        return digest.hexdigest()

    @cached_property
    def session(self) -> dict[str, Any]:
        """The parts of the session that do not change."""
        table = self.labels.table
        return {
            "title": f"Review of {table.root.resolve().name}",
            "source": self.source,
            "channel": str(table.root),
            "corrections": self.corrections,
            "reviewer": self.reviewer,
            "grouped_by": table.grouped_by,
            "attributes": [
                {
                    "name": attribute.name,
                    "values": list(attribute.values),
                    "number": bool(attribute.cuts),
                    "unit": "years" if attribute.name == "age" and attribute.cuts else "",
                    "cuts": list(attribute.cuts),
                }
                for attribute in table.scheme.attributes
            ],
            "items": [{**item_json(item), "row": self.labels.row_of[item.path]} for item in self.items],
            "images": {"count": len(table), "version": self.version},
        }

    def decision_json(self, decision: Correction) -> dict[str, Any]:
        """A decision as the page reads it."""
        path, group, attribute = decision.key
        candidates = [(path, group, attribute), (path, group, "")]
        if path:
            row = self.labels.row_of.get(path)
            own_group = decision.group if row is None else self.labels.groups[row]
            candidates += [("", own_group, attribute), ("", own_group, "")] if own_group else []
        item = next((self.item_ids[key] for key in candidates if key in self.item_ids), None)
        return {
            "sequence": decision.line,
            "item": item,
            "row": self.labels.row_of.get(path) if path else None,
            "path": path,
            "group": decision.group,
            "attribute": attribute,
            "action": decision.action,
            "value": decision.value,
            "reviewer": decision.reviewer,
            "time": decision.time,
            "source": decision.source,
        }
