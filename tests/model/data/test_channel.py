from __future__ import annotations

import logging
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from model.data.channel import ChannelOptions, read_channel
from model.data.integrity import check_images
from model.data.prediction_input import read_info
from model.errors import InputError, Problems
from model.settings.train import TrainSettings
from tests.model.data.conftest import ATTRIBUTES, MIXED, csv_channel, read, touch


def test_attributes_are_parsed_by_name_number_and_band(root: Path) -> None:
    table = read(csv_channel(root, MIXED), attributes=ATTRIBUTES)
    assert table.labels.to_dict("list") == {"kind": [0, 1, 0, 1], "age": [1, 2, 0, 0]}
    assert table.labels.dtypes.tolist() == [np.dtype("int64")] * 2
    assert table.numbers["age"].tolist()[0::2] == [31.0, 29.5]
    assert np.isnan(table.numbers["age"][1])
    assert table.classes().tolist() == [1, 5, 0, 3]  # kind*3 + age
    assert table.class_counts().tolist() == [1, 1, 0, 1, 0, 1]
    assert table.groups.tolist() == ["a", "a", "b", "images/3.jpg"]
    assert table.metadata.columns.tolist() == ["shop"]
    frame = table.frame()
    assert frame.columns.tolist() == ["path", "group", "kind", "age", "age_number", "shop"]
    assert frame.loc[1, ["kind", "age", "shop"]].tolist() == ["bottom", "60 and over", "y"]


def test_columns_with_only_band_names_have_no_numbers(root: Path) -> None:
    table = read(
        csv_channel(root, "path,age\n0.jpg,under 30\n1.jpg,60 and over\n"), attributes={"age": {"cuts": [30, 60]}}
    )
    assert list(table.numbers) == []
    assert len(table.numbers) == 2


def test_a_validation_channel_is_read_with_the_scheme_of_training(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    train = read(csv_channel(root / "train", "path,label\n0.jpg,cat\n1.jpg,dog\n2.jpg,owl\n"))
    with caplog.at_level(logging.WARNING, "rarebird"):
        validation = read(csv_channel(root / "val", "path,ans\n0.jpg,owl\n1.jpg,cat\n"), scheme=train.scheme)
    assert validation.scheme is train.scheme
    assert validation.classes().tolist() == [2, 0]
    assert "1 of 3 classes have no image: dog" in caplog.text
    touch(root / "folders", "owl/a.jpg", "dog/b.jpg")
    assert read(root / "folders", scheme=train.scheme).classes().tolist() == [1, 2]
    problems = Problems("channel")
    read_channel(csv_channel(root / "bad", "path,label\n0.jpg,cow\n1.jpg,cat\n"), problems, scheme=train.scheme)
    assert problems.kinds == {"unknown label": ["train.csv row 2: label = 'cow', expected cat, dog, owl; nearest: owl"]}


def real_jpeg(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8)
    Image.fromarray(noise).save(path, quality=90)
    return path.read_bytes()


def test_all_problems_of_a_folder_channel_are_reported_together(root: Path) -> None:
    stems = ("incorrect_mask", "mask1", "mask2", "mask3", "mask4", "mask5", "normal")
    for name in ("000001_female_Asian_45", "000002_male_Asian_fifty", "000003_woman_Asian_20", "nobody"):
        for stem in stems:
            content = real_jpeg(root / f"images/{name}/{stem}.jpg")
    good, bad_age = root / "images/000001_female_Asian_45", root / "images/000002_male_Asian_fifty"
    (good / "mask1.jpg").write_bytes(content[: len(content) // 2])
    (good / "mask2.jpg").write_bytes(b"")
    (good / "mask3.jpg").write_text("no image")
    (bad_age / "normal.jpg").write_bytes(b"")
    (root / "images/000004_male_Asian_30").mkdir()
    problems = Problems("channel train")
    table = read_channel(root, problems)
    assert table is not None
    assert check_images(table, problems, "decode", None, 2).read == 28
    reported = {
        kind: [location.partition(":")[0] for location in locations] for kind, locations in problems.kinds.items()
    }
    assert reported == {
        "invalid number": ["images/000002_male_Asian_fifty"],
        "unknown label": ["images/000003_woman_Asian_20"],
        "profile folder without images": ["images/000004_male_Asian_30"],
        "not a profile folder": ["images/nobody"],
        "unreadable image, truncated": ["images/000001_female_Asian_45/mask1.jpg"],
        "unreadable image, empty file": [
            "images/000001_female_Asian_45/mask2.jpg",
            "images/000002_male_Asian_fifty/normal.jpg",  # although its row has a problem already
        ],
        "unreadable image, cannot be identified as an image": ["images/000001_female_Asian_45/mask3.jpg"],
    }
    with pytest.raises(InputError) as error:
        problems.raise_if_any()
    message = str(error.value)
    assert message.startswith("channel train: 8 problems\n")
    assert "age = 'fifty', expected a number" in message
    assert "gender = 'woman', expected male, female" in message


def test_all_problems_of_a_csv_channel_are_reported_together(root: Path) -> None:
    for number in range(6):
        real_jpeg(root / f"images/{number}.jpg")
    (root / "images/3.jpg").write_bytes(b"")
    (root / "train.csv").write_text(
        "image_name,category_1,sender,kind,years\n"
        "0.jpg,a0,1,top,20\n"
        "absent.jpg,a0,1,top,20\n"
        "0.jpg,a0,1,bottom,20\n"
        "2.jpg,a0,1,topp,20\n"
        "3.jpg,a0,1,,20\n"
        "../4.jpg,a0,1,top,20\n"
        "5.jpg,a0,1,bottom,old\n"
    )
    problems = Problems("channel train")
    table = read_channel(
        root,
        problems,
        ChannelOptions(
            picture_column="image_name",
            group_column="sender",
            metadata_columns=["category_1", "categry_2"],
            attributes={"kind": ["top", "bottom"], "age": {"cuts": [30], "column": "years"}},
        ),
    )
    assert table is not None
    assert table.locations.paths == ["images/0.jpg"]
    assert check_images(table, problems, "decode", None, 2).read == 4
    assert problems.kinds == {
        "missing file": ["train.csv row 3: images/absent.jpg"],
        "duplicate image": ["train.csv row 4: images/0.jpg is already in train.csv row 2"],
        "path outside the channel": ["train.csv row 7: '../4.jpg', expected a path relative to the channel"],
        "missing metadata column": [
            "CSV train.csv has no column 'categry_2'; its columns are category_1, sender, kind, years; nearest: "
            "category_1"
        ],
        "unknown label": ["train.csv row 5: kind = 'topp', expected top, bottom or 0 to 1; nearest: top"],
        "empty label": [
            "train.csv row 6: kind = '', expected top, bottom; in `attributes`, `drop: [\"\"]` skips such "
            "rows and `optional: true` keeps them without a label"
        ],
        "invalid number": ["train.csv row 8: age = 'old', expected a number or one of under 30, 30 and over"],
        "unreadable image, empty file": ["images/3.jpg"],
    }


def test_the_real_channels_are_read(shared: Path) -> None:
    faces = read(shared / "data/faces/train")
    assert (len(faces), len(set(faces.groups)), faces.grouped_by) == (4900, 700, "person")
    assert faces.class_counts().min() > 0
    by_person = faces.frame().groupby("group")["mask"].value_counts().unstack()
    assert (by_person == [1, 1, 5]).all(axis=None)  # incorrect, none, worn
    tagging = read(shared / "data/tagging/train")
    assert (len(tagging), tagging.grouped_by) == (2324, "sender")
    assert max(pd.Series(tagging.groups).value_counts()) == 617
    assert list(tagging.metadata) == [f"category_{level}" for level in range(1, 5)]
    inputs = read_info(shared / "data/faces/eval")
    assert (len(inputs), inputs.name_column, set(inputs.rows["ans"])) == (2800, "ImageID", {"0"})
    assert all((shared / "data/faces/eval" / path).is_file() for path in inputs.locations.paths[:20])


def test_options_are_the_settings_with_the_same_names() -> None:
    values = {
        "layout": "csv",
        "table": "t.csv",
        "picture_column": "file",
        "group_column": "sender",
        "metadata_columns": ["shop"],
        "attributes": ATTRIBUTES,
        "age_cuts": [20.0],
        "num_classes": 5,
        "encoding": "cp949",
        "missing": "skip",
        "split_column": "split",
        "weight_column": "trust",
        "group_pattern": "(.)",
        "folder_levels": ["label"],
        "follow_links": True,
        "duplicates": "skip",
        "corrections": "corrections.csv",
    }
    assert values.keys() == {field.name for field in fields(ChannelOptions)}
    assert ChannelOptions.from_settings(replace(TrainSettings(), **values)) == ChannelOptions(**values)
