"""Rows of logs of corrections, and the status of each label that follows from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from model.attributes import Attribute, banded
from model.cleaning.verdicts import NOT_REVIEWED, RIGHT, UNSURE, WRONG, LabelJudge, is_of_group
from model.data.corrections import Correction
from model.data.image_locations import ImageLocations
from model.data.table import Table
from model.images.image_location import ImageLocation
from model.labels import Scheme

N, R, W, U = NOT_REVIEWED, RIGHT, WRONG, UNSURE


def people(persons: int = 3, images: int = 2, grouped_by: str = "person") -> Table:
    """Images `a/0`, `a/1`, `b/0`, ... of the persons a, b, ...: a mask per image, a gender and an age per person."""
    names = np.repeat([chr(ord("a") + number) for number in range(persons)], images)
    paths = [f"{name}/{row % images}" for row, name in enumerate(names)]
    scheme = Scheme(
        (Attribute("mask", ("worn", "none")), Attribute("gender", ("male", "female")), banded("age", (30,)))
    )
    person = np.repeat(np.arange(persons), images)
    numbers = pd.DataFrame({"age": 20.0 + 15 * person})
    labels = {"mask": np.arange(len(names)) % 2, "gender": person % 2, "age": (numbers["age"] >= 30).astype(np.int64)}
    locations = ImageLocations(ImageLocation(path) for path in paths)
    groups = names if grouped_by else np.array(paths)
    metadata = pd.DataFrame(index=numbers.index)
    return Table(Path(), scheme, locations, groups, grouped_by, pd.DataFrame(labels), numbers, metadata, "drawn")


def row(
    where: str, attribute: str, action: str, value: str = "", source: str = "audit", reviewer: str = "A"
) -> Correction:
    path, group = (where, "") if "/" in where else ("", where)
    return Correction(path, group, attribute, action, value, reviewer=reviewer, source=source)


def status(*rows: Correction) -> list[list[int]]:
    """Status of mask, gender and age of the images a/0, a/1, b/0, b/1."""
    return LabelJudge(people(2)).judge(rows).status.tolist()


def test_rows_for_images_and_attributes_take_precedence_over_general_ones():
    suspects = {"source": "suspects"}
    rows = [row("a/0", "mask", "relabel", "none", **suspects), row("a", "", "keep", **suspects)]
    assert status(*rows) == [[W, R, R], [R, R, R], [N, N, N], [N, N, N]]
    assert status(row("a", "gender", "marked", **suspects)) == [[N, W, N], [N, W, N], [N, N, N], [N, N, N]]
    assert status(row("b/1", "", "delete", **suspects))[3] == [W, W, W]
    assert status(row("b", "age", "unsure", **suspects))[2:] == [[N, N, U], [N, N, U]]


def test_a_relabel_to_the_same_label_or_number_finds_nothing_wrong():
    suspects = {"source": "suspects"}
    assert status(row("a", "gender", "relabel", "male", **suspects))[0] == [N, R, N]
    assert status(row("b", "age", "relabel", "35", **suspects))[2] == [N, N, R]
    assert status(row("b", "age", "relabel", "36", **suspects))[2] == [N, N, W]
    # as training reads them: another spelling of the number, and the name of its band
    assert status(row("b", "age", "relabel", "35.0", **suspects))[2] == [N, N, R]
    assert status(row("b", "age", "relabel", "30 and over", **suspects))[2] == [N, N, R]
    assert status(row("b", "age", "relabel", "under 30", **suspects))[2] == [N, N, W]


def test_what_the_audit_looked_at_without_a_word_is_right_and_a_single_keep_judges_one_attribute():
    assert status(row("a/0", "mask", "relabel", "none")) == [[W, R, R], [R, R, R], [N, N, N], [N, N, N]]
    assert status(row("a", "gender", "keep")) == [[N, R, N], [N, R, N], [N, N, N], [N, N, N]]


def test_the_last_row_decides_and_undo_withdraws():
    rows = [row("a", "", "keep"), row("a", "", "undo")]
    judged = LabelJudge(people(2)).judge(rows)
    assert (judged.status == N).all() and not judged.in_audit.any() and not judged.looked_at.any()
    rows = [
        row("a", "gender", "marked", source="suspects"),
        row("a", "gender", "keep", source="suspects", reviewer="B"),
    ]
    assert status(*rows)[0] == [N, R, N]


def test_the_census_is_what_other_reviews_have_seen():
    rows = [
        row("a", "gender", "keep", source="suspects"),
        row("a", "", "keep"),
        row("b/0", "mask", "marked", source="all"),
    ]
    judged = LabelJudge(people(2)).judge(rows)
    assert judged.census.tolist() == [[False, True, False]] * 2 + [[True, False, False], [False] * 3]
    assert judged.in_audit.tolist() == [[True] * 3] * 2 + [[False] * 3] * 2


def test_groups_before_the_last_reviewed_one_count_if_another_review_judged_them():
    judge = LabelJudge(people(4))
    rows = [row("a", "", "keep", source="suspects"), row("c", "", "keep"), row("d", "", "keep", source="suspects")]
    audited = judge.judge(rows).audited(np.array([0, 1, 2, 3]), judge.group_of_row)
    assert audited.tolist() == [[True] * 3, [False] * 3, [True] * 3, [False] * 3]


def test_rows_of_other_channels_are_ignored_and_named():
    rows = [row("a/0", "mask", "keep"), row("z/9", "mask", "keep"), row("z", "", "delete"), row("b", "", "keep")]
    assert LabelJudge(people(2)).elsewhere(rows) == rows[1:3]
    assert np.all(LabelJudge(people(2)).judge([row("z", "", "keep"), row("z/0", "", "keep")]).status == N)


def test_attributes_whose_labels_agree_within_groups_are_those_of_the_group():
    table = people(40)
    assert [is_of_group(table, name) for name in table.scheme.names] == [False, True, True]
    table.labels.loc[0, "gender"] = 1  # one wrong image does not change what the attribute is
    assert is_of_group(table, "gender")
    assert not is_of_group(people(grouped_by=""), "gender") and not is_of_group(people(images=1), "gender")
