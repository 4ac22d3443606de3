"""Progress of a review: items that have a decision, decisions per minute, disagreements and the audit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from exploration.review.queues import GROUP, Item
from exploration.review.review_data import ReviewData
from model.cleaning.audit import Audit
from model.data.corrections import UNDO, Correction, disagreements, effective

RATE_SECONDS = 600.0  # decisions of the last 10 minutes give the rate

Target = tuple[str, str]  # path and group, one of which is empty


class ReviewProgress:
    """Computes the progress of a review; again only if there are new decisions.

    Args:
        data: The review.
        audit: The audit whose estimates the page shows, if there is one.
    """

    def __init__(self, data: ReviewData, audit: Audit | None = None) -> None:
        self.data, self.audit = data, audit
        self._computed: tuple[tuple[int, int], dict[str, Any]] | None = None

    def to_dict(self, decisions: Sequence[Correction], version: tuple[int, int], now: float) -> dict[str, Any]:
        """The content for JSON.

        Args:
            decisions: All decisions in order.
            version: Differs if the decisions differ.
            now: The time in seconds since 1970.
        """
        if self._computed is None or self._computed[0] != version:
            progress = item_progress(self.data.items, effective(decisions).values())
            differing = disagreements(decisions).values()
            progress["disagreements"] = [[self.data.decision_json(row) for row in rows] for rows in differing]
            progress["audit"] = self.audit.result(decisions).to_dict() if self.audit else None
            self._computed = version, progress
        return {**self._computed[1], "per_minute": per_minute(decisions, now)}


def settling(item: Item, decisions: Mapping[Target, Mapping[str, Correction]]) -> Correction | None:
    """The decision on an item: on its attribute or on all attributes; on any attribute if the item is about all. A
    decision on the image itself comes before one on its group; of several, the latest counts.

    Args:
        item: The item.
        decisions: The decisions in force by target and attribute.
    """
    targets = [(item.path, "")] if item.level != GROUP else []
    targets += [("", item.group)] if item.group else []
    for target in targets:
        own = [
            decision
            for attribute, decision in decisions.get(target, {}).items()
            if attribute in ("", item.attribute) or not item.attribute
        ]
        if own:
            return max(own, key=lambda decision: decision.line)
    return None


def by_target(in_force: Iterable[Correction]) -> dict[Target, dict[str, Correction]]:
    """The decisions in force by target and attribute."""
    targets: dict[Target, dict[str, Correction]] = {}
    for decision in in_force:
        path, group, attribute = decision.key
        targets.setdefault((path, group), {})[attribute] = decision
    return targets


def item_progress(items: Sequence[Item], in_force: Iterable[Correction]) -> dict[str, Any]:
    """How many items have a decision, also by action.

    Args:
        items: The queue.
        in_force: The decisions in force.
    """
    targets = by_target(in_force)
    decisions = (settling(item, targets) for item in items)
    actions = Counter(decision.action for decision in decisions if decision is not None)
    return {"reviewed": sum(actions.values()), "total": len(items), "by_action": dict(sorted(actions.items()))}


def per_minute(decisions: Sequence[Correction], now: float) -> float:
    """Decisions per minute of all reviewers in the last 10 minutes, or since the first decision in them.

    Args:
        decisions: All decisions in order.
        now: The time in seconds since 1970.
    """
    times = []
    for decision in reversed(decisions):
        seconds = _seconds(decision.time)
        if seconds is not None and seconds < now - RATE_SECONDS:
            break
        if seconds is not None and decision.action != UNDO:
            times.append(seconds)
    if not times:
        return 0.0
    minutes = max(now - min(times), 60.0) / 60
    return round(len(times) / minutes, 1)


def _seconds(time: str) -> float | None:
    """An ISO 8601 time in seconds since 1970; None if it cannot be read."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return None
