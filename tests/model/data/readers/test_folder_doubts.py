from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.model.data.conftest import fill, problems_of, read, touch, write_csv

LETTERS = "fghijklmno"


@pytest.mark.parametrize(
    ("folders", "images", "reason"),
    [
        (["cat/001", "cat/002", "dog/001"], 9, "are numbered, such as cat/001"),
        (["cat/part 1", "cat/part 2", "dog/part 3", "dog/part 4"], 9, "are numbered"),
        (["male/Kim", "male/Lee", "female/Park", "female/Choi"], 1, "most of the 4 folders .* contain one image"),
        (
            [f"{'ab'[last < 'k']}/{last}{first}" for first in LETTERS for last in LETTERS],
            3,
            "100 folders .* contain 3.0",
        ),
        (
            ["left/cat", "left/dog", "right/cat", "right/dog"],
            9,
            "left, right contain folders of the same names, cat, dog",
        ),
    ],
)
def test_nested_folders_that_may_not_be_classes_are_an_error(
    root: Path, folders: list[str], images: int, reason: str
) -> None:
    fill(root, images, *folders)
    (kind,), (details,) = problems_of(root).keys(), problems_of(root).values()
    assert kind == "folders that are probably not the classes"
    assert re.search(reason, details[0])
    assert all(f"set --folder_levels {levels}." in details[0] for levels in ("label", "_ label", "all"))
    tops = sorted({folder.partition("/")[0] for folder in folders})
    assert read(root, folder_levels=["label"]).scheme.class_names == tops
    assert read(root, attributes={"label": tops}).scheme.class_names == tops
    assert len(read(root, folder_levels=["all"]).scheme.class_names) == len(folders)


def test_the_error_for_a_folder_that_is_too_high_names_the_deeper_one(root: Path) -> None:
    fill(root, 3, "animals/pets/cat", "animals/pets/dog")
    assert problems_of(root) == {
        "folders that are probably not the classes": [
            "animals is the only folder with images, so --train_dir is one level too high: "
            f"set --train_dir {root}/animals/pets, which contains cat, dog"
        ]
    }
    assert read(root / "animals/pets").scheme.class_names == ["cat", "dog"]


@pytest.mark.parametrize("folders", [["photos"], ["photos/summer", "photos/winter"]])
def test_a_table_of_the_images_in_the_only_folder_is_named_with_its_column(root: Path, folders: list[str], caplog):
    fill(root, 2, *folders)
    write_csv(root, "photo,kind\n0.jpg,hat\n1.jpg,shirt\n", "clothes.csv")
    (details,) = problems_of(root)["folders that are probably not the classes"]
    assert "to read the labels from clothes.csv, set --picture_column photo, and --attributes unless" in details
    assert details.endswith(f"are the classes, set --train_dir {root}/photos") == (len(folders) > 1)
    (warning,) = [message for message in caplog.messages if "clothes.csv" in message]  # named once
    assert warning.endswith("a column of labels; to read it, set --picture_column photo, whose values are images")
    if len(folders) == 1:
        assert read(root, picture_column="photo", attributes={"kind": {}}).scheme.class_names == ["hat", "shirt"]


def test_folders_of_images_and_annotations_are_not_classes(root: Path) -> None:
    fill(root, 3, "images/cat", "images/dog")
    touch(root, "masks/cat/0.png", "labels/0.png")
    (details,) = problems_of(root).values()
    assert details == [
        "the folders images, labels, masks do not look like classes: "
        f"to use the folders in images as classes, set --train_dir {root}/images"
    ]
    fill(root / "flat", 3, "JPEGImages", "annotations")
    assert "in a table next to it" in problems_of(root / "flat")["folders that are probably not the classes"][0]
    fill(root / "media", 3, "images", "videos")
    assert read(root / "media").scheme.class_names == ["images", "videos"]


def test_folders_of_a_repository_are_not_classes(root: Path) -> None:
    fill(root, 3, "doc/images", "src/data/cells")
    fill(root, 1, "src/data/more")
    assert read(root).scheme.class_names == ["doc/images", "src/data/cells", "src/data/more"]  # no repository
    touch(root, "README.md", "src/data/labels.csv")
    assert problems_of(root) == {
        "folders that are probably not the classes": [
            "doc, src next to README.md look like folders of a code repository; most images are in src/data. Set "
            "--train_dir to the folder that contains the class folders, or --table to one of src/data/labels.csv. "
            "If the classes are doc, src, set --folder_levels label"
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
    assert details[0].endswith(f"of the folders, set {flags}")
    fill(root / "sides", 3, "left/cat", "left/dog", "right/cat", "right/dog")
    (details,) = problems_of(root / "sides").values()
    assert details[0].endswith(f"of the folders, set --train_dir {root}/sides/left")
