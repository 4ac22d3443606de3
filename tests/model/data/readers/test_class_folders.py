from __future__ import annotations

import logging
import re
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


def fill(root: Path, images: int, *folders: str) -> None:
    touch(root, *(f"{folder}/{number}.jpg" for folder in folders for number in range(images)))


GROCERIES = ("Fruit/Apple/Golden", "Fruit/Apple/Pink-Lady", "Fruit/Avocado", "Vegetables/Carrot", "Vegetables/Leek")


def test_nested_class_folders_are_classes_by_their_paths(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(root, 2, *GROCERIES)
    with caplog.at_level(logging.INFO, "rarebird"):
        table = read(root)
    assert table.scheme.class_names == list(GROCERIES)
    assert table.frame()["label"].tolist() == [name for name in GROCERIES for _ in range(2)]
    assert "5 classes are paths of nested folders, such as Fruit/Apple/Golden; --folder_levels label" in caplog.text
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
    assert "6 pictures lie below fewer than 3 folders" in caplog.text
    assert read(root, folder_levels=["aisle", "product"]).scheme.attribute("product").values[0] == "Apple"


@pytest.mark.parametrize(
    ("levels", "classes"),
    [
        (["label"], ["Fruit", "Vegetables"]),
        (["_", "kind"], ["Apple", "Avocado", "Carrot", "Leek"]),
        (["all"], list(GROCERIES)),
    ],
)
def test_each_reading_can_be_set(root: Path, levels: list[str], classes: list[str]) -> None:
    fill(root, 2, *GROCERIES)
    assert read(root, folder_levels=levels).scheme.class_names == classes


def test_a_level_of_persons_is_a_group_and_no_attribute(root: Path) -> None:
    fill(root, 2, "live/p1", "live/p2", "spoof/p1", "spoof")
    table = read(root, folder_levels=["label", "person"])
    assert table.scheme.names == ("label",) and table.scheme.class_names == ["live", "spoof"]
    assert table.grouped_by == "person"
    assert set(table.groups) == {"p1", "p2", "spoof/0.jpg", "spoof/1.jpg"}
    assert read(root, folder_levels=["label", "who"], group_column="who").scheme.names == ("label",)
    assert "label scheme" in problems_of(root, folder_levels=["_", "person"])


LETTERS = "fghijklmno"


@pytest.mark.parametrize(
    ("folders", "images", "reason"),
    [
        (["cat/001", "cat/002", "dog/001"], 9, "are numbered, such as cat/001"),
        (["cat/part 1", "cat/part 2", "dog/part 3", "dog/part 4"], 9, "are numbered"),
        (["male/Kim", "male/Lee", "female/Park", "female/Choi"], 1, "most of the 4 folders .* hold one picture"),
        ([f"{'ab'[last < 'k']}/{last}{first}" for first in LETTERS for last in LETTERS], 3, "100 folders .* hold 3.0"),
        (["left/cat", "left/dog", "right/cat", "right/dog"], 9, "left, right hold folders of the same names, cat, dog"),
    ],
)
def test_folders_in_class_folders_that_may_be_no_classes_are_an_error(
    root: Path, folders: list[str], images: int, reason: str
) -> None:
    fill(root, images, *folders)
    (kind,), (details,) = problems_of(root).keys(), problems_of(root).values()
    assert kind == "folders that may not be the classes"
    assert re.search(reason, details[0])
    assert all(f"--folder_levels {words}: " in details[0] for words in ("label", "_ label", "all"))
    tops = sorted({folder.partition("/")[0] for folder in folders})
    assert read(root, folder_levels=["label"]).scheme.class_names == tops
    assert read(root, attributes={"label": tops}).scheme.class_names == tops
    assert len(read(root, folder_levels=["all"]).scheme.class_names) == len(folders)


def test_one_folder_too_high_names_the_deeper_one(root: Path) -> None:
    fill(root, 3, "animals/pets/cat", "animals/pets/dog")
    assert problems_of(root) == {
        "folders that may not be the classes": [
            f"animals is the only folder with pictures; one folder too high for --train_dir {root}/animals/pets, "
            "with cat, dog"
        ]
    }
    assert read(root / "animals/pets").scheme.class_names == ["cat", "dog"]


def test_images_beside_annotations_are_no_classes(root: Path) -> None:
    fill(root, 3, "images/cat", "images/dog")
    touch(root, "masks/cat/0.png", "labels/0.png")
    (details,) = problems_of(root).values()
    assert details == [
        "images, labels, masks lie beside each other and are no classes: "
        f"--train_dir {root}/images takes the folders in images as classes"
    ]
    fill(root / "flat", 3, "JPEGImages", "annotations")
    assert "from a table beside it" in problems_of(root / "flat")["folders that may not be the classes"][0]
    fill(root / "media", 3, "images", "videos")
    assert read(root / "media").scheme.class_names == ["images", "videos"]


def test_folders_of_a_repository_are_no_classes(root: Path) -> None:
    fill(root, 3, "doc/images", "src/data/cells")
    fill(root, 1, "src/data/more")
    assert read(root).scheme.class_names == ["doc/images", "src/data/cells", "src/data/more"]  # no repository
    touch(root, "README.md", "src/data/labels.csv")
    assert problems_of(root) == {
        "folders that may not be the classes": [
            "doc, src beside README.md look like folders of a repository; most pictures lie in src/data. Name the "
            "folder above the class folders by --train_dir, or a table by --table: src/data/labels.csv; "
            "--folder_levels label: the classes are doc, src"
        ]
    }
    assert read(root, folder_levels=["label"]).scheme.class_names == ["doc", "src"]
    fill(root / "plain", 3, "cat", "dog")
    touch(root / "plain", "README.md", "LICENSE")
    assert read(root / "plain").scheme.class_names == ["cat", "dog"]


def test_the_error_names_folders_of_splits_with_longer_names(root: Path) -> None:
    fill(root, 3, *(f"Final_{split}/Images/{name}" for split in ("Training", "Test") for name in ("stop", "go")))
    (details,) = problems_of(root).values()
    flags = f"--train_dir {root}/Final_Training/Images --validation_dir {root}/Final_Test/Images"
    assert details[0].endswith(f"as in {flags}")
    fill(root / "sides", 3, "left/cat", "left/dog", "right/cat", "right/dog")
    (details,) = problems_of(root / "sides").values()
    assert details[0].endswith(f"as in --train_dir {root}/sides/left")


def test_one_folder_in_each_class_folder_changes_no_class(root: Path) -> None:
    fill(root, 3, "cat/images", "dog/images")
    assert read(root).scheme.class_names == ["cat", "dog"]


def test_images_further_down_belong_to_their_class_and_that_is_logged(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(root, 2, "cat", "cat/more", "dog/sit", "dog/run")
    with caplog.at_level(logging.INFO, "rarebird"):
        assert read(root).scheme.class_names == ["cat", "dog/run", "dog/sit"]
    assert "2 pictures lie in folders inside a class folder and belong to it, such as cat/more/0.jpg" in caplog.text
