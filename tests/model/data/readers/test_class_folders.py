from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.model.data.conftest import fill, problems_of, read, touch


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


def test_class_folders_in_images_or_next_to_other_folders(root: Path) -> None:
    touch(root, "images/dog/a.jpg", "images/cat/a.jpg", "docs/readme.txt")
    assert read(root).scheme.class_names == ["cat", "dog"]


def test_numbered_class_folders_are_sorted_by_number(root: Path) -> None:
    touch(root, *(f"{code}/a.jpg" for code in range(12)))
    table = read(root)
    assert table.scheme.class_names == [str(code) for code in range(12)]
    assert table.frame().set_index("path")["label"]["10/a.jpg"] == "10"


def test_class_folders_with_listed_values(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "dog/a.jpg", "cat/a.jpg", "dgo/b.jpg")
    attributes = {"animal": ["dog", "cat", "bird"]}
    assert problems_of(root, attributes=attributes) == {
        "unknown label": ["dgo: animal = 'dgo', expected dog, cat, bird; nearest: dog"]
    }
    (root / "dgo/b.jpg").unlink()
    with caplog.at_level(logging.WARNING, "rarebird"):
        table = read(root, attributes=attributes)
    assert table.labels["animal"].tolist() == [1, 0]
    assert "1 of 3 classes have no image: bird" in caplog.text


GROCERIES = ("Fruit/Apple/Golden", "Fruit/Apple/Pink-Lady", "Fruit/Avocado", "Vegetables/Carrot", "Vegetables/Leek")


def test_nested_class_folders_are_named_by_their_paths(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(root, 2, *GROCERIES)
    with caplog.at_level(logging.INFO, "rarebird"):
        table = read(root)
    assert table.scheme.class_names == list(GROCERIES)
    assert table.frame()["label"].tolist() == [name for name in GROCERIES for _ in range(2)]
    assert (
        "5 classes are paths of nested folders, such as Fruit/Apple/Golden. With --folder_levels label" in caplog.text
    )
    fill(root.parent / "held", 1, "Fruit/Avocado", "Vegetables/Leek")
    caplog.clear()
    assert read(root.parent / "held", scheme=table.scheme).classes().tolist() == [2, 4]
    assert "nested folders" not in caplog.text


def test_levels_of_folders_become_attributes(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(root, 2, *GROCERIES)
    with caplog.at_level(logging.INFO, "rarebird"):
        table = read(root, folder_levels=["aisle", "product", "variety"])
    assert table.scheme.names == ("aisle", "product", "variety")
    rows = table.frame()[["aisle", "product", "variety"]].drop_duplicates().to_numpy().tolist()
    assert rows == [
        ["Fruit", "Apple", "Golden"],
        ["Fruit", "Apple", "Pink-Lady"],
        ["Fruit", "Avocado", "Avocado"],
        ["Vegetables", "Carrot", "Carrot"],
        ["Vegetables", "Leek", "Leek"],
    ]
    assert "6 images are in fewer than 3 nested folders" in caplog.text
    assert read(root, folder_levels=["aisle", "product"]).scheme.attribute("product").values[0] == "Apple"


@pytest.mark.parametrize(
    ("levels", "classes"),
    [
        (["label"], ["Fruit", "Vegetables"]),
        (["_", "kind"], ["Apple", "Avocado", "Carrot", "Leek"]),
        (["all"], list(GROCERIES)),
    ],
)
def test_folder_levels_choose_how_folders_are_read(root: Path, levels: list[str], classes: list[str]) -> None:
    fill(root, 2, *GROCERIES)
    assert read(root, folder_levels=levels).scheme.class_names == classes


def test_a_level_of_persons_is_a_group_not_an_attribute(root: Path) -> None:
    fill(root, 2, "live/p1", "live/p2", "spoof/p1", "spoof")
    table = read(root, folder_levels=["label", "person"])
    assert table.scheme.names == ("label",) and table.scheme.class_names == ["live", "spoof"]
    assert table.grouped_by == "person"
    assert set(table.groups) == {"p1", "p2", "spoof/0.jpg", "spoof/1.jpg"}
    assert read(root, folder_levels=["label", "who"], group_column="who").scheme.names == ("label",)
    assert "label scheme" in problems_of(root, folder_levels=["_", "person"])


def test_a_single_folder_in_each_class_folder_does_not_change_the_classes(root: Path) -> None:
    fill(root, 3, "cat/images", "dog/images")
    assert read(root).scheme.class_names == ["cat", "dog"]


def test_images_in_subfolders_have_the_class_of_the_folder_above(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(root, 2, "cat", "cat/more", "dog/sit", "dog/run")
    with caplog.at_level(logging.INFO, "rarebird"):
        assert read(root).scheme.class_names == ["cat", "dog/run", "dog/sit"]
    assert (
        "2 images are in a subfolder of a class folder and have the class of that folder, such as cat/more/0.jpg"
        in caplog.text
    )
