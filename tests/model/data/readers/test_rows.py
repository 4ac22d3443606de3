import logging
from pathlib import Path

import pytest

from model.data.readers.channel_files import ChannelFiles
from model.data.readers.rows import ImageFinder, Rows, warn_unused_files
from model.errors import Problems
from tests.model.data.conftest import touch


def test_a_row_has_a_value_in_every_column():
    rows = Rows("test", columns={"mask": [], "age": []})
    rows.add("a.jpg", "train.csv row 2", {"age": "30", "mask": "worn", "other": "x"})
    rows.add("b.jpg", "train.csv row 3", {"age": "", "mask": "none"})
    assert (rows.paths, rows.origins) == (["a.jpg", "b.jpg"], ["train.csv row 2", "train.csv row 3"])
    assert rows.columns == {"mask": ["worn", "none"], "age": ["30", ""]}
    with pytest.raises(KeyError):
        rows.add("c.jpg", "train.csv row 4", {"mask": "worn"})


def test_rows_are_taken_in_order():
    rows = Rows("test", ["a.jpg", "b.jpg", "c.jpg"], ["row 1", "row 2", "row 3"], {"age": ["1", "2", "3"]}, ("age",))
    taken = rows.take([2, 0])
    assert (taken.paths, taken.origins, taken.columns) == (["c.jpg", "a.jpg"], ["row 3", "row 1"], {"age": ["3", "1"]})
    assert (taken.source, taken.label_columns) == ("test", ("age",))


def test_a_finder_reports_unusable_names_and_duplicate_folders(root: Path):
    touch(root, "images/a.jpg", "folder/b.jpg")
    problems = Problems("x")
    finder = ImageFinder(ChannelFiles(root), problems)
    assert finder.find(" a.jpg ", "row 1") == ("file", "images/a.jpg")
    assert finder.find("folder", "row 2") == ("folder", "folder")
    assert finder.find("images/a.jpg", "row 3") == ("file", "images/a.jpg")
    for row, name in enumerate(("", "none.jpg", "../a.jpg", "folder"), 4):
        assert finder.find(name, f"row {row}") is None
    assert problems.kinds == {
        "duplicate image": ["row 7: folder is already in row 2"],
        "empty image name": ["row 4: expected a path relative to the channel"],
        "missing file": ["row 5: images/none.jpg"],
        "path outside the channel": ["row 6: '../a.jpg', expected a path relative to the channel"],
    }


def test_find_file_reports_folders(root: Path):
    touch(root, "a.jpg", "folder/b.jpg")
    problems = Problems("x")
    finder = ImageFinder(ChannelFiles(root), problems)
    assert finder.find_file("a.jpg", "row 1") == "a.jpg"
    assert finder.find_file("folder", "row 2") is None and finder.find_file("none.jpg", "row 3") is None
    assert problems.kinds == {"folder instead of an image": ["row 2: folder"], "missing file": ["row 3: none.jpg"]}


def test_skipped_files_are_logged_in_one_line(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, "rarebird"):
        warn_unused_files([], "no reason")
        warn_unused_files(["a"], "hidden")
        warn_unused_files([str(number) for number in range(1200)], "hidden")
    assert caplog.messages == [
        "skipped 1 file (hidden): a",
        "skipped 1,200 files (hidden): 0, 1, 2, 3, 4 and 1,195 more",
    ]


def test_a_finder_accepts_other_spellings_and_counts_them(root: Path, caplog: pytest.LogCaptureFixture):
    touch(root, "images/a.jpg", "images/b.JPG", "images/c.png", "images/c.jpg", "d.jpg", "images/d.jpg")
    problems = Problems("x")
    finder = ImageFinder(ChannelFiles(root), problems, "t.csv")
    names = ("a", "images\\b.jpg", "d", "./a.jpg", "c")
    results = [finder.find(name, f"t.csv row {row}") for row, name in enumerate(names, 2)]
    assert results == [
        ("file", "images/a.jpg"),
        ("file", "images/b.JPG"),
        ("file", "d.jpg"),
        ("file", "images/a.jpg"),
        None,
    ]
    assert problems.kinds == {
        "ambiguous image name": [
            "t.csv row 6: there is no file 'c', but images/c.jpg, images/c.png; write the exact file name"
        ],
    }
    with caplog.at_level(logging.INFO, "rarebird"):
        finder.finish()
    assert caplog.messages == [
        "t.csv: 3 image names are spelled differently from the files, such as t.csv row 2: 'a' is images/a.jpg",
        "t.csv: the table has no row for 3 images in its folders: images/c.jpg, images/c.png, images/d.jpg",
    ]
