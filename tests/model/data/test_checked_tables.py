"""The channels of a training run: common error of both, unreadable images, leaks, pixel range."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from model.data.checked_tables import read_tables
from model.data.datasets import Datasets, make_datasets
from model.data.readers import shards
from model.data.readers.image_names import is_image
from model.data.readers.shards import read_inner_index, write_shards
from model.errors import InputError
from model.settings.train import TrainSettings
from tests.model.data.conftest import ATTRIBUTES, csv_channel
from tests.model.data.test_integrity import jpeg

SETTINGS = TrainSettings(attributes=ATTRIBUTES, validation=0.3, check="headers")


def test_problems_of_both_channels_are_one_error(tmp_path: Path) -> None:
    csv_channel(tmp_path / "train", "path,kind,age\n0.jpg,topp,1\n1.jpg,top,1\n", images=2)
    csv_channel(tmp_path / "validation", "path,kind,age\nnone.jpg,top,1\n", images=1)
    with pytest.raises(InputError) as error:
        read_tables(SETTINGS, tmp_path / "train", tmp_path / "validation", tmp_path / "checked")
    message = str(error.value)
    assert "unknown label (1)" in message and "missing file (1)" in message
    assert "unreadable image, empty file (2)" in message  # that of the row with a problem too
    assert message.index("channel train") < message.index("channel validation")
    with pytest.raises(InputError, match="unknown label"):  # reported before the target, which is not in the channel
        read_tables(replace(SETTINGS, target="agee"), tmp_path / "train", None, tmp_path / "checked")


def test_attributes_in_settings_are_checked_before_the_images(tmp_path: Path) -> None:
    root = csv_channel(tmp_path / "train", "path,kind,age\n0.jpg,bottom,1\n1.jpg,top,1\n", images=2)  # empty files
    for settings in (replace(SETTINGS, target="agee"), replace(SETTINGS, heads={"agee": {"loss": "ce"}})):
        with pytest.raises(InputError, match="agee"):
            read_tables(settings, root, None, tmp_path / "checked")
    with pytest.raises(InputError, match="empty file"):
        read_tables(replace(SETTINGS, target="separate"), root, None, tmp_path / "checked")


def test_a_validation_channel_has_the_classes_of_training(tmp_path: Path) -> None:
    train = image_channel(tmp_path / "train", {f"{name}/0.jpg": jpeg(row) for row, name in enumerate("abc")})
    validation = image_channel(tmp_path / "validation", {f"{name}/1.jpg": jpeg(9) for name in "bc"})
    settings = TrainSettings(check_only=True)
    tables = read_tables(settings, train, validation, tmp_path / "checked")
    assert [table and table.classes().tolist() for table in tables] == [[0, 1, 2], [1, 2]]
    assert not (tmp_path / "checked").exists()  # check_only writes nothing


def test_a_split_column_is_preferred_to_folders_of_splits(tmp_path: Path) -> None:
    """Otherwise the validation rows in train/ would be trained on."""
    image_channel(tmp_path, {f"{name}/{row}.jpg": jpeg(row) for name in ("train", "val") for row in range(4)})
    rows = [f"{row}.jpg,{row % 2},{'val' if row > 1 else 'train'}" for row in range(4)]
    (tmp_path / "train" / "train.csv").write_text("\n".join(["path,label,set", *rows]))
    train, validation = read_tables(
        TrainSettings(split_column="set", check="headers"), tmp_path, None, tmp_path / "checked"
    )
    assert validation is None and train.sides is not None
    assert train.root == tmp_path / "train" and train.sides.tolist() == ["train"] * 2 + ["validation"] * 2


def test_the_index_of_each_shard_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for images of rows with problems, which are checked with the others."""
    csv_channel(tmp_path / "train", "path,kind,age\n0.jpg,topp,1\n1.jpg,top,1\n", images=2)
    for image in (tmp_path / "train" / "images").iterdir():
        image.write_text("no image")
    write_shards(tmp_path / "train", tmp_path / "shards", ["images/0.jpg", "images/1.jpg", "train.csv"], is_image, 9)
    opened: list[str] = []
    monkeypatch.setattr(shards, "read_inner_index", lambda path: opened.append(path.name) or read_inner_index(path))
    with pytest.raises(InputError, match=r"cannot be identified as an image \(2\)"):
        read_tables(SETTINGS, tmp_path / "shards", None, tmp_path / "checked")
    assert opened == ["shard-00000.tar", "shard-00001.tar"]


def image_channel(root: Path, contents: dict[str, bytes]) -> Path:
    for name, content in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_unreadable_images_are_skipped_and_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = {f"a/{row}.jpg": jpeg(row)[:-200] for row in range(30)} | {"b/none.jpg": b""}
    good = {f"{kind}/good{row}.jpg": jpeg(100 + row) for row in range(10) for kind in "ab"}
    root = image_channel(tmp_path / "train", broken | good)
    settings = TrainSettings(unreadable="skip")
    with caplog.at_level(logging.WARNING, "rarebird"):
        train, _ = read_tables(settings, root, None, tmp_path / "checked")
    assert len(train) == 20 and all("good" in path for path in train.locations.paths)
    assert "skipped 31 of 51 images, which cannot be read: 30 truncated, 1 empty file" in caplog.text
    assert caplog.messages[-1].endswith("1 empty file")
    with caplog.at_level(logging.WARNING, "rarebird"):
        read_tables(replace(settings, check_only=True), root, None, tmp_path / "checked")
    assert re.search(r"1 empty file; a/0\.jpg, .* and 26 more", caplog.text)
    with caplog.at_level(logging.INFO, "rarebird"):
        make_datasets(settings, train, None).save_split(tmp_path / "out")
    assert f"list of the unreadable images: {tmp_path / 'out' / 'unreadable.csv'}" in caplog.messages
    rows = pd.read_csv(tmp_path / "out" / "unreadable.csv")
    assert rows["path"].tolist() == sorted(broken) and rows["channel"].unique().tolist() == [str(root)]
    assert rows["error"].iloc[0].startswith("truncated: ")
    with pytest.raises(InputError) as error:
        read_tables(TrainSettings(), root, None, tmp_path / "checked")
    assert "unreadable image, truncated (30)" in str(error.value) and "a/9.jpg" in error.value.details


def test_an_unknown_class_of_validation_is_explained_by_its_empty_folder_in_train(tmp_path: Path) -> None:
    train = image_channel(
        tmp_path / "train", {f"{kind}/{row}.jpg": jpeg(row) for row in range(2) for kind in ("a", "b/x", "b/y")}
    )
    validation = image_channel(tmp_path / "val", {f"{kind}/9.jpg": jpeg(9) for kind in ("shoes", "hats", "b/z")})
    (train / "shoes").mkdir()
    with pytest.raises(InputError) as error:
        read_tables(TrainSettings(), train, validation, tmp_path / "checked")
    assert "unknown label (3)" in str(error.value)
    advice = f"  {train / 'shoes'} has no images: add some, or remove {validation / 'shoes'}"
    assert str(error.value).splitlines()[-1] == advice and str(error.value).count("has no images") == 1


def test_a_channel_with_only_unreadable_images_is_an_error(tmp_path: Path) -> None:
    root = image_channel(tmp_path / "train", {"a/1.jpg": b"", "b/2.jpg": b"text"})
    with pytest.raises(InputError, match=r"no readable image \(1\):\s+1 (empty file|cannot be identified)"):
        read_tables(TrainSettings(unreadable="skip"), root, None, tmp_path / "checked")


@pytest.mark.parametrize("check", ["decode", "headers"])
def test_the_same_image_in_two_channels_is_found_with_every_kind_of_check(tmp_path: Path, check: str) -> None:
    images = {f"{kind}/{row}.jpg": jpeg(row + 9 * (kind == "b")) for row in range(4) for kind in "ab"}
    train = image_channel(tmp_path / "train", images)
    validation = image_channel(tmp_path / "validation", {"a/copy.jpg": images["a/2.jpg"], "b/new.jpg": jpeg(50)})
    settings = TrainSettings(check=check)
    tables = read_tables(settings, train, validation, tmp_path / "checked")
    with pytest.raises(InputError, match=r"the same image in both \(1\):\s+a/copy.jpg: a/2.jpg in train"):
        make_datasets(settings, *tables)
    assert make_datasets(replace(settings, allow_overlap=True), *tables).validation is not None


def test_copies_on_both_sides_of_a_split_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    images = {f"{kind}/{row}{copy}.jpg": jpeg(row) for row in range(20) for kind, copy in (("a", "x"), ("b", "y"))}
    train, _ = read_tables(TrainSettings(), image_channel(tmp_path, images), None, tmp_path / "checked")
    with caplog.at_level(logging.WARNING, "rarebird"):
        make_datasets(TrainSettings(validation=0.5), train, None)
    assert "images have copies on the other side of the split" in caplog.text


def test_the_pixel_range_is_part_of_the_identity_of_deep_data(tmp_path: Path) -> None:
    for row in range(4):
        (tmp_path / "train" / "ab"[row % 2]).mkdir(parents=True, exist_ok=True)
        values = np.linspace(0, 4000, 900).reshape(30, 30).astype(np.uint16) + row
        Image.fromarray(values).save(tmp_path / "train" / "ab"[row % 2] / f"{row}.png")
    train, _ = read_tables(TrainSettings(), tmp_path / "train", None, tmp_path / "checked")
    assert Datasets(train, None).identity()["pixel values"] == [0.0, 4095.0]
    eight_bits = image_channel(tmp_path / "jpegs", {"a/1.jpg": jpeg(1), "b/2.jpg": jpeg(2)})
    train, _ = read_tables(TrainSettings(), eight_bits, None, tmp_path / "checked")
    assert "pixel values" not in Datasets(train, None).identity()
