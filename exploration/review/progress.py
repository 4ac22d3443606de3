"""Progress of a review: items reviewed, decisions per minute, and disagreements of reviewers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from exploration.review.decisions import KEEP, MARKED, UNDO, UNSURE, Decision, Key
from exploration.review.queues import GROUP, Item

RATE_SECONDS = 600.0  # decisions of the last 10 minutes give the rate
SHOWN_DISAGREEMENTS = 200

Target = tuple[str, str]  # path and group, one of which is empty


def settling(item: Item, standing: Mapping[Target, Mapping[str, Decision]]) -> Decision | None:
    """The latest decision on an item: on its attribute or on all attributes, on its image or on its whole group. If
    the item is about all attributes, a decision on any attribute.

    Args:
        item: The item.
        standing: The valid decisions by target and attribute.
    """
    targets = [("", item.group)] if item.group else []
    targets += [(item.path, "")] if item.level != GROUP else []
    decisions = [
        decision
        for target in targets
        for attribute, decision in standing.get(target, {}).items()
        if attribute in ("", item.attribute) or not item.attribute
    ]
    return max(decisions, key=lambda decision: decision.sequence, default=None)


def by_target(standing: Iterable[Decision]) -> dict[Target, dict[str, Decision]]:
    """The valid decisions by target and attribute."""
    targets: dict[Target, dict[str, Decision]] = {}
    for decision in standing:
        path, group, attribute = decision.key
        targets.setdefault((path, group), {})[attribute] = decision
    return targets


def item_progress(items: Sequence[Item], standing: Iterable[Decision]) -> dict[str, Any]:
    """How many items have a decision, also by action.

    Args:
        items: The queue.
        standing: The valid decisions.
    """
    targets = by_target(standing)
    decisions = (settling(item, targets) for item in items)
    actions = Counter(decision.action for decision in decisions if decision is not None)
    return {"reviewed": sum(actions.values()), "total": len(items), "by_action": dict(sorted(actions.items()))}


def per_minute(decisions: Sequence[Decision], now: float) -> float:
    """Decisions per minute of all reviewers in the last 10 minutes, or since the first decision in them.

    Args:
        decisions: All decisions in order.
        now: The time in seconds since 1970.
    """
    times = []
    for decision in reversed(decisions):
        seconds = decision.seconds()
        if seconds is not None and seconds < now - RATE_SECONDS:
            break
        if seconds is not None and decision.action != UNDO:
            times.append(seconds)
    if not times:
        return 0.0
    minutes = max(now - min(times), 60.0) / 60
    return round(len(times) / minutes, 1)


def disagreements(by_reviewer: Mapping[Key, Sequence[Decision]]) -> list[list[Decision]]:
    """The last decisions of the reviewers for each key on which they disagree.

    `unsure` disagrees with nothing, `marked` (the label is wrong) only with `keep`.

    Args:
        by_reviewer: The last decision of each reviewer, of keys with several reviewers.
    """
    return [list(rows) for rows in by_reviewer.values() if _disagree(rows)]


def _disagree(rows: Sequence[Decision]) -> bool:
    verdicts = {row.verdict for row in rows if row.action != UNSURE}
    labels = {verdict for verdict in verdicts if verdict[0] != MARKED}
    is_marked = len(labels) < len(verdicts)
    return len(labels) > 1 or (is_marked and any(action == KEEP for action, _ in labels))
