"""Items that have a decision, and the rate."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from exploration.review.progress import by_target, item_progress, per_minute, settling
from exploration.review.queues import GROUP, IMAGE, Item
from model.data.corrections import Correction

GENDER = Item(0, IMAGE, "a.jpg", "7", "gender", images=(0,))
ALL = Item(1, IMAGE, "a.jpg", "7", images=(0,))
PERSON = Item(2, GROUP, "a.jpg", "7", "gender", images=(0, 1))


def decided(path, group, attribute, action="keep", line=2):
    return Correction(path, group, attribute, action, reviewer="ann", line=line)


@pytest.mark.parametrize(
    ("decision", "settled"),
    [
        (decided("a.jpg", "7", "gender"), {0, 1}),
        (decided("a.jpg", "", "mask"), {1}),
        (decided("a.jpg", "7", "", "delete"), {0, 1}),
        (decided("", "7", "gender"), {0, 1, 2}),
        (decided("", "7", ""), {0, 1, 2}),
        (decided("", "7", "mask"), {1}),
        (decided("b.jpg", "7", "gender"), set()),
        (decided("", "8", ""), set()),
    ],
)
def test_what_a_decision_settles(decision, settled):
    decisions = by_target([decision])
    assert {item.id for item in (GENDER, ALL, PERSON) if settling(item, decisions)} == settled


def test_an_images_own_decision_comes_before_its_groups_and_the_latest_counts():
    of_group = decided("", "7", "gender", "delete", line=9)
    own, other = decided("a.jpg", "7", "gender", line=3), decided("a.jpg", "7", "", "unsure", line=4)
    decisions = by_target([of_group, own, other])
    assert settling(GENDER, decisions) == other and settling(PERSON, decisions) == of_group
    progress = item_progress([GENDER, ALL, PERSON], [of_group, own, other])
    assert progress == {"reviewed": 3, "total": 3, "by_action": {"delete": 1, "unsure": 2}}


def test_an_item_without_a_group_is_not_settled_by_others_without():
    alone = Item(0, IMAGE, "a.jpg", "", "gender", images=(0,))
    assert settling(alone, by_target([decided("b.jpg", "", "gender")])) is None


def test_the_rate_is_that_of_the_last_ten_minutes():
    now = 1_800_000_000.0

    def at(*seconds_ago, action="keep"):
        times = [datetime.fromtimestamp(now - seconds, UTC).isoformat() for seconds in seconds_ago]
        return [Correction("a", "", "", action, time=time) for time in times]

    assert per_minute([], now) == 0
    assert per_minute(at(900, 700), now) == 0
    assert per_minute(at(900, 600, 300, 100), now) == 0.3  # 3 in 10 minutes
    assert per_minute(at(120, 60, 30, 0), now) == 2  # 4 in 2 minutes
    assert per_minute(at(20, 10), now) == 2  # at least a minute
    assert per_minute([*at(120, 60), *at(50, action="undo")], now) == 1
    assert per_minute([Correction("a", "", "", "keep", time="yesterday"), *at(120)], now) == 0.5
