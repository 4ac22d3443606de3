from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.model.data.conftest import problems_of, read, touch, write_csv

KIND = {"kind": {"pattern": r"([a-z]+)\d*\.\w+$", "values": ["glass", "paper"]}}


def test_images_without_a_table_or_class_folders(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "glass2.jpg", "images/glass1.PNG", "images/deep/paper1.jpg", ".hidden/paper3.jpg", "notes.txt")
    with caplog.at_level(logging.WARNING, "rarebird"):
        table = read(root, attributes=KIND, layout="files")
    assert table.source == "images without a table"
    assert table.locations.paths == ["glass2.jpg", "images/deep/paper1.jpg", "images/glass1.PNG"]
    assert table.labels["kind"].tolist() == [0, 1, 0]
    assert table.groups.tolist() == table.locations.paths
    assert "notes.txt" in caplog.text


@pytest.mark.parametrize("folder", ["", "images/"])
def test_a_folder_of_images_is_recognised(root: Path, folder: str) -> None:
    touch(root, f"{folder}glass1.jpg", f"{folder}paper1.jpg")
    assert read(root, attributes=KIND).labels["kind"].tolist() == [0, 1]


def test_class_folders_are_preferred_to_images_next_to_them(root: Path) -> None:
    touch(root, "dog/a.jpg", "cat/a.jpg", "b.jpg")
    assert read(root).source == "class folders"


def test_a_table_next_to_images_is_read_even_if_its_columns_are_unknown(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, "file,label\na.jpg,0\nb.jpg,1\n")
    assert list(problems_of(root)) == ["missing image column"]


def test_without_patterns_labels_are_reported_as_missing(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    (message,) = problems_of(root)["channel without labels"]
    assert message.startswith("2 images without a table; expected a table, one folder per class, or `attributes`")
