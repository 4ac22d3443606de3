from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from model.data.content_index import ContentIndex
from model.data.leaks import check_channels, warn_of_duplicates
from model.data.table import Table
from model.errors import InputError
from tests.model.data.conftest import ATTRIBUTES, csv_channel, read


def table_of(root, name: str, keys: list[int], groups: list[str]) -> Table:
    folder = root / name
    rows = [f"{row}.jpg,{group},1,top" for row, group in enumerate(groups)]
    table = read(
        csv_channel(folder, "\n".join(["path,person,age,kind", *rows]), images=len(rows)), attributes=ATTRIBUTES
    )
    hashes = np.column_stack([np.array(keys, np.uint64)] * 2)
    return replace(table, contents=ContentIndex(hashes, np.zeros(len(keys), bool)))


def test_the_same_image_in_both_channels_is_an_error_with_counts_and_examples(tmp_path) -> None:
    train = table_of(tmp_path, "train", [7, 5, 6, 7], ["a", "b", "c", "d"])
    validation = table_of(tmp_path, "validation", [8, 7, 5], ["x", "y", "z"])
    with pytest.raises(InputError) as error:
        check_channels(train, validation, False)
    message = str(error.value)
    assert "the same image in both (2)" in message and "--allow_overlap true" in message
    assert "images/1.jpg: images/0.jpg in train" in message and "images/2.jpg: images/1.jpg in train" in message


def test_the_same_group_in_both_channels_is_an_error(tmp_path) -> None:
    train = table_of(tmp_path, "train", [1, 2, 3], ["a", "b", ""])
    validation = table_of(tmp_path, "validation", [4, 5, 6, 9], ["c", "b", "b", ""])
    with pytest.raises(InputError, match=r"the same group in both \(1\):\s+person b: 2 validation images"):
        check_channels(train, validation, False)
    # images without a group are called by their path, which both channels may use
    check_channels(train, validation.take([0, 3]), False)
    assert train.groups[2] == "images/2.jpg"
    shared_path = replace(validation.take([3]), groups=np.array(["images/3.jpg"], object))
    check_channels(replace(train, groups=np.array(["a", "b", "images/3.jpg"], object)), shared_path, False)


def test_an_overlap_that_is_allowed_is_a_warning(tmp_path, caplog) -> None:
    train = table_of(tmp_path, "train", [1, 2], ["a", "b"])
    with caplog.at_level(logging.WARNING, "rarebird"):
        check_channels(train, train, True)
    assert "the same image in both (2), the same group in both (2)" in caplog.text


def test_images_that_were_not_hashed_do_not_overlap(tmp_path, caplog) -> None:
    train = table_of(tmp_path, "train", [0, 0, 3], ["a", "b", "c"])
    validation = table_of(tmp_path, "validation", [0, 4], ["x", "y"])
    check_channels(train, validation, False)
    check_channels(replace(train, contents=None), replace(validation, contents=None), False)
    with caplog.at_level(logging.WARNING, "rarebird"):
        warn_of_duplicates(train, np.array([0, 1, 1]))
    assert "copies" not in caplog.text and "overlap" not in caplog.text


def test_copies_on_both_sides_of_a_split_are_counted(tmp_path, caplog) -> None:
    table = table_of(tmp_path, "train", [4, 5, 4, 4, 6, 5, 7, 7], list("abcdefgh"))
    with caplog.at_level(logging.WARNING, "rarebird"):
        warn_of_duplicates(table, np.array([0, 0, 1, 0, 1, 0, 1, 1]))
    assert caplog.text.count("copies on the other side") == 1 and "1 image has copies" in caplog.text
    assert "images/2.jpg = images/0.jpg" in caplog.text and "images/5.jpg" not in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "rarebird"):
        warn_of_duplicates(table, np.array([0, 1, 2, 1, 1, 2, 3, 4]))
    assert "3 images have copies" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "rarebird"):
        warn_of_duplicates(table, np.array([1, 0, 0, 0, 0, 0, 0, 0]))
    assert "1 image has copies" in caplog.text and ": images/0.jpg = images/2.jpg;" in caplog.text
