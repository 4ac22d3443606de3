"""Conditions and searches against plain loops over the labels."""

from __future__ import annotations

import pytest

from exploration.review.filters import filter_rows, search_rows
from model.errors import InputError


def ages(labels, rows):
    return {float(labels.text(row, "age")) for row in rows}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["mask=incorrect"], lambda mask, gender, age, group: mask == "incorrect"),
        (["mask=incorrect", "mask=none"], lambda mask, gender, age, group: mask != "worn"),
        (["gender=male", "age=60+"], lambda mask, gender, age, group: gender == "male" and age >= 60),
        (["age=30-59"], lambda mask, gender, age, group: 30 <= age <= 59),
        (["age=-29"], lambda mask, gender, age, group: age <= 29),
        (["age=60 and over"], lambda mask, gender, age, group: age >= 60),
        (["age=64"], lambda mask, gender, age, group: age == 64),
        (["group=000003"], lambda mask, gender, age, group: group == "000003"),
        (["race=drawn"], lambda mask, gender, age, group: True),
        (["path=/normal", "gender=female"], lambda mask, gender, age, group: mask == "none" and gender == "female"),
        ([], lambda mask, gender, age, group: True),
    ],
)
def test_conditions(labels, conditions, expected):
    rows = []
    for row in range(len(labels.paths)):
        own = labels.labels(row)
        if expected(own["mask"], own["gender"], float(own["age"]), labels.groups[row]):
            rows.append(row)
    assert filter_rows(labels, conditions) == rows and rows


def test_invalid_conditions_are_listed_together(labels):
    with pytest.raises(InputError) as raised:
        filter_rows(labels, ["maks=worn", "gender=mal", "age=60-", "mask", "age=old", "age=1+2", "age=1.2.3+"])
    lines = str(raised.value).splitlines()
    assert len(lines) == 8
    assert "nearest: mask" in lines[1] and "expected NAME=VALUE with mask, gender, age, race, group, path" in lines[1]
    assert "expected male, female; nearest: male" in lines[2]
    assert "'age=60-', expected under 30, 30 to 59, 60 and over, or a number or range such as 25, 60+" in lines[3]


def test_a_search_finds_all_words_in_any_letter_case(labels):
    found = search_rows(labels, "NORMAL 000002")
    assert found == [row for row in labels.rows_of["000002"] if "normal" in labels.paths[row]] and len(found) == 1
    assert len(search_rows(labels, "incorrect")) == 24
    assert search_rows(labels, " ") == search_rows(labels, "nowhere") == []
