from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.model.data.conftest import problems_of, read, touch


def test_class_folders(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "dog/a.jpg", "dog/deep/er/b.PNG", "cat/a.webp", "착용샷/x.tiff", "cat/readme.txt", ".git/c.jpg")
    (root / "nothing").mkdir()
    with caplog.at_level(logging.WARNING, "rarebird"):
        table = read(root)
    assert table.source == "class folders"
    assert table.scheme.attributes[0].name == "label"
    assert table.scheme.attributes[0].values == ("cat", "dog", "착용샷")
    assert table.locations.paths == ["cat/a.webp", "dog/a.jpg", "dog/deep/er/b.PNG", "착용샷/x.tiff"]
    assert table.frame()["label"].tolist() == ["cat", "dog", "dog", "착용샷"]
    assert table.grouped_by == ""
    assert table.groups.tolist() == table.locations.paths
    assert "cat/readme.txt" in caplog.text
    assert "nothing" in caplog.text


def test_class_folders_below_images_or_beside_other_folders(root: Path) -> None:
    touch(root, "images/dog/a.jpg", "images/cat/a.jpg", "docs/readme.txt")
    assert read(root).scheme.class_names == ["cat", "dog"]


def test_numbered_class_folders_are_in_the_order_of_their_numbers(root: Path) -> None:
    touch(root, *(f"{code}/a.jpg" for code in range(12)))
    table = read(root)
    assert table.scheme.class_names == [str(code) for code in range(12)]
    assert table.frame().set_index("path")["label"]["10/a.jpg"] == "10"


def test_class_folders_with_given_values(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "dog/a.jpg", "cat/a.jpg", "dgo/b.jpg")
    given = {"animal": ["dog", "cat", "bird"]}
    assert problems_of(root, attributes=given) == {
        "unknown label": ["dgo: animal = 'dgo', expected dog, cat, bird; nearest: dog"]
    }
    (root / "dgo/b.jpg").unlink()
    with caplog.at_level(logging.WARNING, "rarebird"):
        table = read(root, attributes=given)
    assert table.labels["animal"].tolist() == [1, 0]
    assert "no picture of 1 of 3 classes: bird" in caplog.text
