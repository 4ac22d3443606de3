"""Queues of files and of rows."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from exploration.audit import AUDIT_COLUMNS, read_sample
from exploration.review.queues import GROUP, IMAGE, items_of_groups, items_of_rows, items_of_suspects
from exploration.review.row_labels import RowLabels
from model.cleaning.suspects import SUSPECT_COLUMNS, read_suspects
from model.errors import InputError, Problems


def write(path, rows, columns=SUSPECT_COLUMNS):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([columns, *rows])
    return path


def suspect(labels, row, level="image", attribute="mask", **others):
    neighbours = [[labels.paths[other], labels.text(other, "mask")] for other in (28, 34)]
    values = {
        "path": labels.paths[row],
        "group": labels.groups[row],
        "attribute": attribute,
        "level": level,
        "given": labels.text(row, "mask"),
        "suggested": "none",
        "score": "0.75",
        "reason": "Its neighbours have none.",
        "neighbours": json.dumps(neighbours),
    }
    return list((values | others).values())


def test_suspects_keep_their_order_and_evidence(labels, tmp_path):
    rows = [suspect(labels, 9, "group", "gender", given="male", suggested="female"), suspect(labels, 3)]
    group, image = items_of_suspects(labels, read_suspects(write(tmp_path / "suspects.csv", rows), labels.table))
    assert (group.id, group.level, group.group, group.attribute) == (0, GROUP, labels.groups[9], "gender")
    assert group.path == labels.paths[9] and list(group.images) == labels.rows_of[group.group]
    assert (image.id, image.level, image.images) == (1, IMAGE, (3,))
    assert (image.given, image.suggested, image.score, image.reason) == (
        labels.text(3, "mask"), "none", 0.75, "Its neighbours have none.",
    )  # fmt: skip
    assert image.neighbours == tuple((row, labels.text(row, "mask")) for row in (28, 34))


def test_invalid_suspects_are_reported_together(labels, tmp_path):
    path = labels.paths[3]
    rows = [
        suspect(labels, 3, path=path.replace("mask", "mask9")),
        suspect(labels, 3, attribute="maks"),
        suspect(labels, 3, level="imag"),
        suspect(labels, 3, score="nan"),
        suspect(labels, 3, score="high"),
        suspect(labels, 3, neighbours="none"),
        suspect(labels, 3, neighbours='[["gone.jpg", "worn"]]'),
        suspect(labels, 3, neighbours=""),
    ]
    with pytest.raises(InputError) as error:
        read_suspects(write(tmp_path / "suspects.csv", rows), labels.table)
    text = str(error.value)
    assert "6 problems" in text and f"nearest: {path}" in text and "must be made of the same channel" in text
    for expected in (
        "line 3: 'maks', expected one of mask, gender, age; nearest: mask",
        "line 4: 'imag', expected image or group; nearest: image",
        "line 5: 'nan'",
    ):
        assert expected in text
    assert "line 6: 'high', expected a number" in text and "line 7: 'none', expected a JSON list" in text
    valid = read_suspects(write(tmp_path / "suspects.csv", rows[6:]), labels.table)
    assert [item.neighbours for item in items_of_suspects(labels, valid)] == [(), ()]  # a missing one is left out


def test_files_that_are_missing_or_something_else(labels, tmp_path):
    with pytest.raises(InputError, match="no column attribute, level, given"):
        read_suspects(write(tmp_path / "audit.csv", [], AUDIT_COLUMNS), labels.table)
    with pytest.raises(InputError, match=r"audits.csv: No such file or directory; nearest: audit.csv"):
        write(tmp_path / "audit.csv", [], ("path",))
        read_sample(tmp_path / "audits.csv", labels.table, Problems(""))
    (tmp_path / "audits").mkdir()
    with pytest.raises(InputError, match=r"audits: Is a directory; python -m exploration noise writes it$"):
        read_suspects(tmp_path / "audits", labels.table)
    (tmp_path / "empty.csv").touch()
    with pytest.raises(InputError, match=r"expected path,group, found $"):
        read_sample(tmp_path / "empty.csv", labels.table, Problems(""))


def test_an_audit_lists_its_groups_in_order(labels, tmp_path):
    rows = [(labels.paths[row], labels.groups[row]) for group in ("000007", "000002") for row in labels.rows_of[group]]
    problems = Problems("")
    groups = read_sample(write(tmp_path / "audit.csv", rows, AUDIT_COLUMNS), labels.table, problems)
    items = items_of_groups(labels, groups)
    assert [(item.id, item.level, item.group) for item in items] == [(0, GROUP, "000007"), (1, GROUP, "000002")]
    assert list(items[0].images) == labels.rows_of["000007"] and not items[0].attribute and not problems
    read_sample(write(tmp_path / "audit.csv", [("gone.jpg", "")], AUDIT_COLUMNS), labels.table, problems)
    assert "line 2: 'gone.jpg'" in str(problems)
    alone = RowLabels(replace(labels.table, grouped_by="", groups=np.array(labels.paths, dtype=object)))
    assert [item.images for item in items_of_groups(alone, [labels.paths[9], labels.paths[3]])] == [(9,), (3,)]


def test_groups_and_images_of_rows(labels):
    images = items_of_rows(labels, [5, 4], IMAGE)
    assert [(item.id, item.images, item.path) for item in images] == [
        (0, (5,), labels.paths[5]),
        (1, (4,), labels.paths[4]),
    ]
    groups = items_of_rows(labels, [40, 5, 4], GROUP)
    assert [item.group for item in groups] == [labels.groups[40], labels.groups[5]]
    alone = RowLabels(replace(labels.table, grouped_by=""))
    items = items_of_rows(alone, [40, 5], GROUP)
    assert [(item.level, item.group, item.images) for item in items] == [(IMAGE, "", (40,)), (IMAGE, "", (5,))]
    assert items[0].given == f"mask {labels.text(40, 'mask')}, gender {labels.text(40, 'gender')}, age " + labels.text(
        40, "age"
    )
