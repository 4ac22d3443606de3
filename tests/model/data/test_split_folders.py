from __future__ import annotations

import logging
from pathlib import Path

import pytest

from model.data.channel import ChannelOptions
from model.data.readers.split_names import UNUSED
from model.data.split_folders import split_channels, split_of
from model.errors import InputError
from tests.model.data.conftest import touch, write_csv

OPTIONS = ChannelOptions()


def make(root: Path, *folders: str) -> None:
    """Folders with the class folders cat and dog in each."""
    touch(root, *(f"{folder}/{name}/0.jpg" for folder in folders for name in ("cat", "dog")))


def names(root: Path, *, validation: Path | None = None, options: ChannelOptions = OPTIONS) -> tuple[str, str | None]:
    train, held_out = split_channels(root, validation, options)
    return str(train.relative_to(root)), held_out and str(held_out.relative_to(root))


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("Training_Set", "train"),
        ("VAL", "validation"),
        ("valid", "validation"),
        ("dev", "validation"),
        ("Test Data", UNUSED),
        ("eval", UNUSED),
        ("trains", None),
        ("trainer", None),
        ("value", None),
        ("latest", None),
    ],
)
def test_names_of_splits(name: str, split: str | None) -> None:
    assert split_of(name) == split


@pytest.mark.parametrize(
    ("folders", "channels"),
    [
        (["train", "val", "test"], ("train", "val")),
        (["training_set", "test_set"], ("training_set", None)),
        (["Train", "Valid"], ("Train", "Valid")),
        (["train", "dev", "eval"], ("train", "dev")),
        (["train"], ("train", None)),
        (["images/train", "images/validation"], ("images/train", "images/validation")),
        (["bus", "car", "train"], (".", None)),
        (["bus", "test"], (".", None)),
        (["bus", "test", "val"], (".", None)),
        (["cat", "dog"], (".", None)),
    ],
)
def test_folders_of_splits_become_channels(root: Path, folders: list[str], channels: tuple[str, str | None]) -> None:
    make(root, *folders)
    (root / "docs").mkdir()
    touch(root, "docs/notes.txt")
    assert names(root) == channels


def test_the_log_has_one_line_with_the_equivalent_flags(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(root, "train", "val", "test")
    with caplog.at_level(logging.INFO, "rarebird"):
        split_channels(root, None, OPTIONS)
    flags = f"--train_dir {root}/train --validation_dir {root}/val"
    assert caplog.messages == [f"{root} contains a folder for each split, read as {flags}; not used: test"]


def test_a_validation_channel_and_a_split_in_the_settings_are_preferred(root: Path) -> None:
    make(root, "train", "val", "other")
    with pytest.raises(InputError, match="train, val look like splits, but the others do not: other"):
        names(root)
    make(root.parent / "two", "train", "val")
    train, validation = split_channels(root.parent / "two", root / "other", OPTIONS)
    assert (train, validation) == (root.parent / "two/train", root / "other")
    assert split_channels(root.parent / "two", None, OPTIONS, has_own_split=True)[1] is None


def test_folders_of_splits_next_to_other_folders_are_an_error(root: Path) -> None:
    make(root, "train", "val", "cat")
    with pytest.raises(
        InputError, match=f"--train_dir {root}/train --validation_dir {root}/val, or set --layout classes"
    ):
        names(root)
    assert names(root, options=ChannelOptions(layout="classes")) == (".", None)


def test_splits_without_train_or_with_duplicates_are_errors(root: Path) -> None:
    make(root, "test", "val")
    with pytest.raises(InputError, match=rf"no folder called train.*--train_dir {root}"):
        names(root)
    make(root, "train", "valid")
    with pytest.raises(
        InputError, match=f"val, valid are named after the same split; choose one with --validation_dir {root}"
    ):
        names(root)
    assert names(root, validation=root / "valid") == ("train", "valid")


def test_a_folder_of_splits_as_validation_channel_is_replaced_by_its_validation_folder(root: Path) -> None:
    make(root, "train", "val")
    assert names(root, validation=root) == ("train", "val")
    make(root / "vehicles", "bus", "train")
    make(root / "held", "train")  # validation has one class, called train
    assert split_channels(root / "vehicles", root / "held", OPTIONS) == (root / "vehicles", root / "held")
    make(root / "no", "train", "test")
    with pytest.raises(InputError, match=f"set one, as in --validation_dir {root}/no/test"):
        split_channels(root / "vehicles", root / "no", OPTIONS)


def test_tables_next_to_the_splits_are_logged(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(root, "train", "val")
    touch(root, "train.txt", "val.txt", "readme.txt")
    write_csv(root, "class,aisle\ncat,1\n", "classes.csv")
    with caplog.at_level(logging.INFO, "rarebird"):
        assert names(root) == ("train", "val")
    assert "classes.csv, train.txt, val.txt not read: the folders train, val are read as splits" in caplog.text
    write_csv(root, "path,label\ntrain/cat/0.jpg,a\n", "train.csv")
    with caplog.at_level(logging.INFO, "rarebird"):
        assert names(root) == (".", None)
    assert "train.csv is read, so the folders train, val are not read as splits" in caplog.text
    assert names(root, options=ChannelOptions(layout="classes")) == ("train", "val")
    assert names(root, options=ChannelOptions(folder_levels=["label"])) == ("train", "val")
