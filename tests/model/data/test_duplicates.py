"""Rows with the same image."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from model.data.duplicates import refuse_duplicates, unambiguous_rows
from model.data.readers.rows import Rows
from model.errors import Problems
from tests.model.data.conftest import problems_of, read, touch, write_csv

TABLE = "path,user,label\n0.jpg,a,happy\n1.jpg,a,sad\n0.jpg,b,happy\n2.jpg,a,happy\n1.jpg,b,happy\n3.jpg,c,sad\n"


def test_duplicates_are_errors_by_default(root: Path) -> None:
    touch(root, *(f"{number}.jpg" for number in range(4)))
    write_csv(root, TABLE)
    assert problems_of(root) == {
        "duplicate image": [
            "train.csv row 4: 0.jpg is already in train.csv row 2",
            "train.csv row 6: 1.jpg is already in train.csv row 3",
        ]
    }


def test_skip_keeps_the_first_of_equal_rows_and_no_contradicting_rows(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(root, *(f"{number}.jpg" for number in range(4)))
    write_csv(root, TABLE)
    with caplog.at_level(logging.INFO, "rarebird"):
        table = read(root, duplicates="skip")
    assert table.locations.paths == ["0.jpg", "2.jpg", "3.jpg"]
    assert table.frame()["label"].tolist() == ["happy", "happy", "sad"]
    assert table.metadata["user"].tolist() == ["a", "a", "c"]
    assert "skipped 1 duplicate row with equal labels" in caplog.text
    assert "skipped 1 image whose rows have different labels: 1.jpg" in caplog.text


def test_duplicate_rows_in_two_splits_have_the_side_of_the_first(root: Path) -> None:
    touch(root, "0.jpg", "1.jpg")
    write_csv(root, "path,label,set\n0.jpg,a,train\n1.jpg,b,val\n0.jpg,a,val\n")
    table = read(root, duplicates="skip", split_column="set")
    assert table.sides is not None and table.sides.tolist() == ["train", "validation"]


def test_a_channel_without_remaining_rows_is_a_problem(root: Path) -> None:
    touch(root, "0.jpg", "1.jpg")
    write_csv(root, "path,label\n0.jpg,a\n1.jpg,b\n0.jpg,b\n1.jpg,a\n")
    expected = {"no images to train on": ["CSV train.csv: none of its 4 rows is used"]}
    assert problems_of(root, duplicates="skip") == expected


def test_duplicate_rows_are_equal_if_all_attributes_are_equal() -> None:
    paths = ["a", "a", "a", "b", "b", "c"]
    labels = {"kind": np.array([0, 0, 0, 1, 1, 2]), "age": np.array([1, 1, 1, 0, 2, 0])}
    assert unambiguous_rows(paths, labels).tolist() == [True, False, False, False, False, True]


def test_an_image_with_two_equal_rows_and_a_different_one_is_skipped() -> None:
    assert unambiguous_rows(["a", "a", "a"], {"kind": np.array([0, 0, 1])}).tolist() == [False] * 3


def test_rows_without_duplicates_are_returned_unchanged() -> None:
    rows, problems = Rows("test", ["a", "b"], ["row 1", "row 2"]), Problems("x")
    assert refuse_duplicates(rows, problems) is rows and not problems
    assert unambiguous_rows(rows.paths, {}).tolist() == [True, True]
