"""Work that is divided into parts."""

from __future__ import annotations

import pytest

from model.runtime.division import ALONE, Team, shared_by, team


def part(text: str, number: int, parts: int) -> str:
    return f"{text}, {number} of {parts}"


def test_without_a_team_there_is_one_part():
    assert team() is ALONE and (team().parts, team().on_machine) == (1, 1)
    assert team().run(part, "abc") == ["abc, 0 of 1"]


def test_a_team_shares_work_until_the_end_of_its_block_even_after_an_error():
    others = Team(2, 1, lambda task, *arguments: [task(*arguments, number, 2) for number in range(2)])
    with pytest.raises(ValueError), shared_by(others):
        assert team().run(part, "abc") == ["abc, 0 of 2", "abc, 1 of 2"]
        raise ValueError
    assert team() is ALONE
