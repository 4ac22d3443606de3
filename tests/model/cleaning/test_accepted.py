"""Suspects that are accepted without a reviewer: rule, cap, groups, and everything that does not fit the channel."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.cleaning.accepted import Acceptance, AcceptanceRule, SuspectsFile, accept, is_suspects_file, read_accepted
from model.cleaning.agreement import CAPPED, DROPPED, KEPT, RELABELLED, UNKNOWN
from model.cleaning.suspects import GROUP, IMAGE, Suspect, write_suspects
from model.data.corrected_labels import apply_corrections
from model.data.corrections import Correction
from model.data.table import Table
from model.errors import InputError, Problems
from tests.model.cleaning.conftest import make_table

OPEN = AcceptanceRule(cap=1)


def one(row: int, suggested: str = "v1", score: float = 0.9, attribute: str = "tag", given: str = "v0") -> Suspect:
    return Suspect((row,), IMAGE, attribute, given, suggested, score, "")


def accepted(table: Table, *suspects: Suspect, rule: AcceptanceRule = OPEN, joint: bool = False) -> Acceptance:
    return accept(table, SuspectsFile("", table, suspects), rule, joint)


def cleaned(table: Table, result: Acceptance) -> Table:
    problems = Problems("")
    changed = apply_corrections(table, result.corrections(), problems)
    assert not problems
    return changed


@pytest.fixture
def tags() -> Table:
    return make_table({"tag": [0] * 10 + [1] * 10}, [f"g{row}" for row in range(20)])


def test_high_scores_are_relabelled_or_dropped_and_low_ones_kept(tags):
    result = accepted(tags, one(3), one(4, ""), one(5, score=0.59), one(6, score=0.6))
    assert result.actions[3:8, 0].tolist() == [RELABELLED, DROPPED, KEPT, RELABELLED, KEPT]
    assert result.counts() == {"tag": {"judged": 4, "relabelled": 2, "dropped": 1, "capped": 0, "unknown": 0}}
    changed = cleaned(tags, result)
    assert result.left_out == 1 and len(changed) == 19
    labels = dict(zip(changed.locations.paths, changed.labels["tag"]))
    expected = {path: 1 if row in (3, 6) else int(row > 9) for row, path in enumerate(tags.locations.paths) if row != 4}
    assert labels == expected


@pytest.mark.parametrize("cap, changes", [(0.3, 3), (0.29, 2), (1, 9), (0, 0)])
def test_the_cap_is_a_share_of_the_images_highest_scores_first_and_no_class_is_emptied(tags, cap, changes):
    scores = np.random.default_rng(0).permutation(np.linspace(0.7, 0.99, 10))
    suspects = [one(row, "" if row % 2 else "v1", score) for row, score in enumerate(scores)]
    result = accepted(tags, *suspects, rule=AcceptanceRule(cap=cap))
    highest = set(np.argsort(-scores)[:changes].tolist())
    assert {row for row in range(20) if result.actions[row, 0] in (RELABELLED, DROPPED)} == highest
    assert (result.actions[:, 0] == CAPPED).sum() == 10 - changes


def test_the_cap_holds_for_the_other_attributes_of_dropped_images_and_for_joint_classes():
    table = make_table({"tag": [0] * 10, "size": [0] * 9 + [1]}, [f"g{row}" for row in range(10)])
    assert accepted(table, one(9, "")).actions[9, 0] == CAPPED  # the only image of size v1
    assert accepted(table, one(9)).actions[9, 0] == RELABELLED
    assert accepted(table, one(9), joint=True).actions[9, 0] == CAPPED
    # an image that is dropped because of one label and relabelled in the other is lost once
    twice = accepted(
        table, one(0, ""), one(0, "v1", 0.8, "size"), one(1, "v1", 0.7, "size"), rule=AcceptanceRule(cap=0.23)
    )
    assert twice.actions[:2].tolist() == [[DROPPED, RELABELLED], [KEPT, RELABELLED]]


def test_random_suspects_never_exceed_the_cap():
    generator = np.random.default_rng(1)
    for _ in range(20):
        codes, groups = generator.integers(0, 3, 60), [f"g{group}" for group in generator.integers(0, 20, 60)]
        table, cap = make_table({"tag": [*codes, 2]}, [*groups, "last"]), float(generator.uniform(0, 1))
        chosen = generator.permutation(60)[:50]
        suspects = [
            one(int(row), generator.choice(["", "v0", "v1", "v2"]), generator.uniform(), given=f"v{codes[row]}")
            for row in chosen
        ]
        changed = cleaned(table, accepted(table, *suspects, rule=AcceptanceRule(0.2, cap)))
        after = dict(zip(changed.locations.paths, changed.labels["tag"]))
        before = dict(zip(table.locations.paths, table.labels["tag"]))
        lost = Counter(code for path, code in before.items() if after.get(path) != code)
        counts = Counter(before.values())
        assert all(lost[code] <= cap * count + 1e-9 and lost[code] < count for code, count in counts.items())


def test_suspects_of_groups_apply_to_their_images_and_those_of_other_images_are_ignored():
    table = make_table({"tag": [0, 0, 0, 1, 1, 0]}, ["a", "a", "a", "b", "b", "c"])
    group = Suspect((1, 0, 2), GROUP, "tag", "v0", "v1", 0.9, "")
    result = accepted(table, group)
    (correction,) = result.corrections()
    assert (correction.path, correction.group, correction.value) == ("", "a", "v1")
    assert cleaned(table, result).labels["tag"].tolist() == [1, 1, 1, 1, 1, 0]
    part = accept(table.take([3, 2, 5]), SuspectsFile("", table, [group, one(0)]), OPEN, False)
    assert part.actions[:, 0].tolist() == [KEPT, RELABELLED, KEPT]
    assert accepted(table, group, rule=AcceptanceRule(cap=0.7)).actions[:3, 0].tolist() == [CAPPED] * 3


def test_numbers_are_kept_and_do_not_count_within_a_band():
    table = make_table({"age": [0] * 4 + [1]}, list("abcde"), {"age": [20, 21, 22, 23, 60]})
    suspects = [one(0, "44", attribute="age", given="20"), one(1, "70", attribute="age", given="21")]
    result = accepted(table, *suspects, rule=AcceptanceRule(cap=0.25))
    changed = cleaned(table, result)
    assert changed.numbers["age"].tolist() == [44, 70, 22, 23, 60] and changed.labels["age"].tolist() == [0, 1, 0, 0, 1]


def test_a_combination_that_does_not_occur_is_kept():
    table = make_table({"tag": [0, 0, 1, 0], "size": [0, 1, 1, 0]}, list("abcd"))
    large = replace(table.scheme, combinations=(0, 1, 3))  # without tag v1 of size v0
    result = accepted(replace(table, scheme=large), one(0), one(1))
    assert result.actions[:, 0].tolist() == [UNKNOWN, RELABELLED, KEPT, KEPT] and len(result.corrections()) == 1
    table = replace(table, scheme=large, groups=np.array(["a", "a", "c", "d"]))
    result = accepted(table, Suspect((0, 1), GROUP, "tag", "v0", "v1", 0.9, ""))
    (correction,) = result.corrections()
    assert correction.path == table.locations.paths[1] and result.actions[:2, 0].tolist() == [UNKNOWN, RELABELLED]


def test_everything_that_does_not_fit_the_channel_is_reported_at_once(tags, tmp_path):
    path = tmp_path / "suspects.csv"
    write_suspects(path, tags, [one(0), one(1), one(2, "v11"), one(3), one(4), one(4, "")])
    text = path.read_text().replace("g0/00000.jpg,g0", "g0/0000.jpg,g0").replace("g1,tag", "g1,tagg")
    path.write_text(text.replace("g3,tag,image,v0", "g3,tag,image,v1"))
    with pytest.raises(InputError) as error:
        read_accepted(path, tags)
    message = str(error.value)
    assert "5 problems" in message and "line 2: 'images/g0/0000.jpg'; nearest: images/g0/00000.jpg" in message
    assert "line 3: 'tagg', expected one of tag; nearest: tag" in message
    assert "line 4: " in message and "'v11'" in message and "nearest: v1" in message
    assert "line 5: 'images/g3/00003.jpg', tag v1 in the file, v0 in the channel" in message
    assert "line 7: 'images/g4/00004.jpg', tag, as in line 6" in message


def test_labels_of_whole_groups_and_numbers_are_compared(tmp_path):
    table = make_table({"age": [0, 0, 1]}, list("aab"), {"age": [20, 21, 60]})
    path = tmp_path / "suspects.csv"
    write_suspects(path, table, [Suspect((1, 0), GROUP, "age", "21", "70", 0.9, ""), one(2, "20", 0.9, "age", "60")])
    assert len(read_accepted(path, table).suspects) == 2
    path.write_text(path.read_text().replace("image,60", "image,61").replace("group,21", "group,22"))
    with pytest.raises(InputError, match=r"age 22 in the file, 21 in the channel(.|\n)*age 61 in the file, 60 in the"):
        read_accepted(path, table)
    table = make_table({"tag": [0, 0, 0, 1]}, list("aaab"))
    write_suspects(path, table, [Suspect((0, 1, 2), GROUP, "tag", "v0", "v1", 0.9, "")])
    table.labels.loc[1, "tag"] = 1
    with pytest.raises(InputError, match="tag v0 in the file, v1 in the channel"):
        read_accepted(path, table)


def test_decisions_of_reviewers_stay(tags, tmp_path):
    path = tmp_path / "suspects.csv"
    write_suspects(path, tags, [one(row) for row in range(5)])
    paths = tags.locations.paths
    log = [
        Correction(paths[0], "", "tag", "keep"),
        Correction(paths[1], "", "tag", "relabel", "v1"),
        Correction(paths[2], "", "", "delete"),
        Correction(paths[3], "", "tag", "unsure"),
    ]
    channel = apply_corrections(tags, log, Problems(""))
    suspects = read_accepted(path, channel, log).suspects
    assert [channel.locations.paths[suspect.rows[0]] for suspect in suspects] == [paths[3], paths[4]]
    with pytest.raises(InputError, match="images that are not in the channel"):
        read_accepted(path, channel)


def test_a_list_of_suspects_is_known_by_its_header(tags, tmp_path):
    write_suspects(tmp_path / "suspects.csv", tags, [])
    assert is_suspects_file(tmp_path / "suspects.csv")
    (tmp_path / "probabilities.csv").write_text("path,score,attribute_b\na.png,0.5,0.5\n")
    (tmp_path / "empty.csv").write_text("")
    for name in ("probabilities.csv", "empty.csv", "missing.csv", "."):
        assert not is_suspects_file(tmp_path / Path(name))


def test_wrong_arguments_are_an_error():
    assert AcceptanceRule.of({"relabel_at": 0.4}) == AcceptanceRule(0.4, 0.3)
    with pytest.raises(InputError, match=r"'drop_below', expected relabel_at, cap\nclean_args: cap = 2, expected a"):
        AcceptanceRule.of({"drop_below": 0.1, "cap": 2})
