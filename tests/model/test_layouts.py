"""Every layout of a channel, read through read_channel from folders made here. The pictures are empty files: no reader
opens them."""

from __future__ import annotations

import json
import logging
import os
import unicodedata
from pathlib import Path

import pytest

from model.data.channel import read_channel
from model.data.table import Table
from model.errors import Problems

STEMS = ("incorrect_mask", "mask1", "mask2", "mask3", "mask4", "mask5", "normal")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder."""
    (tmp_path / "channel").mkdir()
    return tmp_path / "channel"


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def read(root: Path, **settings: object) -> Table:
    """The table of a channel without faults."""
    problems = Problems("channel")
    table = read_channel(root, problems, **settings)  # type: ignore[arg-type]
    assert not problems, str(problems)
    assert table is not None
    return table


def faults(root: Path, **settings: object) -> dict[str, list[str]]:
    problems = Problems("channel")
    read_channel(root, problems, **settings)  # type: ignore[arg-type]
    return problems.kinds


def profile(root: Path, name: str, suffix: str = ".jpg") -> None:
    touch(root, *(f"{name}/{stem}{suffix}" for stem in STEMS))


@pytest.mark.parametrize("base", ["", "images/"])
def test_profile_folders_are_the_mask_scheme(root: Path, base: str) -> None:
    profile(root, f"{base}000001_female_Asian_29")
    profile(root, f"{base}000002_male_Asian_60", ".PnG")
    (root / f"{base}000002_male_Asian_60/normal.PnG").rename(root / f"{base}000002_male_Asian_60/NORMAL.PnG")
    table = read(root)
    frame = table.frame().set_index("path")
    assert len(table) == 14
    assert table.source == "profile folders"
    assert table.grouped_by == "person"
    assert set(table.groups) == {"000001", "000002"}
    first = f"{base}000001_female_Asian_29"
    assert frame.loc[f"{first}/mask3.jpg", ["mask", "gender", "age"]].tolist() == ["worn", "female", "under 30"]
    assert frame.loc[f"{first}/incorrect_mask.jpg", "mask"] == "incorrect"
    assert frame.loc[f"{first}/normal.jpg", "mask"] == "none"
    assert frame.loc[f"{base}000002_male_Asian_60/mask1.PnG", "age"] == "60 and over"
    assert set(frame["age_number"]) == {29.0, 60.0}
    assert set(frame["race"]) == {"Asian"}
    # mask*6 + gender*3 + age: five worn, one incorrect, one none of each person
    assert {code: count for code, count in enumerate(table.class_counts()) if count} == {
        3: 5, 9: 1, 15: 1, 2: 5, 8: 1, 14: 1,
    }  # fmt: skip


def test_profile_folders_with_a_scheme_of_ones_own(root: Path) -> None:
    profile(root, "000001_female_Asian_45")
    profile(root, "000002_male_Asian_58")
    table = read(root, attributes={"age": {"cuts": [30, 58]}})
    assert table.scheme.names == ("age",)
    assert table.class_counts().tolist() == [0, 7, 7]
    assert sorted(table.metadata) == ["gender", "mask", "race"]
    assert read(root, age_cuts=[30, 58]).class_counts().sum() == 14
    assert read(root, age_cuts=[30, 58]).scheme.attribute("age").cuts == (30.0, 58.0)


def test_other_files_of_profiles_are_left_out_and_told_in_one_line(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    profile(root, "images/000001_female_Asian_45")
    touch(root, "images/000001_female_Asian_45/mask6.jpg", "images/000001_female_Asian_45/Thumbs.db")
    touch(root, "images/stray.png", "notes.txt")
    touch(root, "images/.DS_Store", "images/000001_female_Asian_45/._mask1.jpg", "images/.cache/mask1.jpg")
    with caplog.at_level(logging.WARNING, "rarebird"):
        table = read(root)
    assert len(table) == 7
    told = [message for message in caplog.messages if "left out" in message]
    assert len(told) == 1
    assert told[0].startswith("3 files left out")
    assert all(name in told[0] for name in ("mask6.jpg", "Thumbs.db", "stray.png"))
    assert "DS_Store" not in caplog.text


def test_faults_of_profile_folders(root: Path) -> None:
    for name in ("000001_female_Asian_45", "000002_femal_Asian_45", "000003_male_Asian_4O", "000004_male_45"):
        profile(root, f"images/{name}")
    (root / "images/000005_male_Asian_45").mkdir()
    problems = Problems("channel")
    table = read_channel(root, problems)
    assert problems.kinds == {
        "folder that is no profile": ["images/000004_male_45: expected <id>_<gender>_<race>_<age>"],
        "profile folder without pictures": [
            "images/000005_male_Asian_45: expected incorrect_mask, normal, mask1, mask2, mask3, mask4, mask5"
        ],
        "unknown label": [
            "images/000002_femal_Asian_45: gender = 'femal', expected male, female or 0 to 1; nearest: female"
        ],
        "unparsable number": [
            "images/000003_male_Asian_4O: age = '4O', expected a number or one of under 30, 30 to 59, 60 and over"
        ],
    }
    assert table is not None
    assert set(table.groups) == {"000001"}
    assert len(table.set_aside) == 21


def test_links_out_of_a_profile_channel_are_told(root: Path) -> None:
    profile(root, "000001_female_Asian_45")
    (root / "000001_female_Asian_45/mask1.jpg").unlink()
    os.symlink("/etc/mask1.jpg", root / "000001_female_Asian_45/mask1.jpg")
    os.symlink("/etc", root / "000002_female_Asian_45")
    found = faults(root)
    assert list(found) == ["path out of the channel"]
    names = [place.partition(":")[0] for place in found["path out of the channel"]]
    assert names == ["000001_female_Asian_45/mask1.jpg", "000002_female_Asian_45"]


def test_profile_folders_of_which_none_has_a_good_name(root: Path) -> None:
    profile(root, "images/one")
    assert faults(root, layout="profiles") == {
        "folder that is no profile": ["images/one: expected <id>_<gender>_<race>_<age>"]
    }


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
    assert faults(root, attributes=given) == {
        "unknown label": ["dgo: animal = 'dgo', expected dog, cat, bird or 0 to 2; nearest: dog"]
    }
    (root / "dgo/b.jpg").unlink()
    with caplog.at_level(logging.WARNING, "rarebird"):
        table = read(root, attributes=given)
    assert table.labels["animal"].tolist() == [1, 0]
    assert "no picture of 1 of 3 classes: bird" in caplog.text


def test_links_inside_a_channel_are_followed_once_and_out_of_it_never(root: Path) -> None:
    channel, elsewhere = root / "channel", root / "elsewhere"
    touch(channel, "dog/a.jpg", "cat/a.jpg")
    touch(elsewhere, "b.jpg", "deep/c.jpg")
    os.symlink(elsewhere / "b.jpg", channel / "dog/b.jpg")
    os.symlink(elsewhere / "deep", channel / "dog/deep")
    os.symlink(elsewhere, channel / "bird")
    os.symlink(channel, channel / "dog/around")
    os.symlink("a.jpg", channel / "dog/again.jpg")
    problems = Problems("channel")
    table = read_channel(channel, problems)
    assert problems.kinds == {
        "path out of the channel": [
            "bird: a link to ../elsewhere",
            "dog/b.jpg: a link to ../elsewhere/b.jpg",
            "dog/deep: a link to ../elsewhere/deep",
        ]
    }
    assert table is not None
    assert table.locations.paths == ["cat/a.jpg", "dog/a.jpg", "dog/again.jpg"]
    os.symlink(channel, root / "link")
    assert read_channel(root / "link", Problems("channel")) is not None


def write_csv(root: Path, text: str, name: str = "train.csv", encoding: str = "utf-8") -> None:
    (root / name).write_bytes(text.encode(encoding))


def test_csv_with_pictures_beside_it_and_in_images(root: Path) -> None:
    touch(root, "a.jpg", "images/b.jpg", "images/deep/c.png", "images/d.jpg")
    write_csv(
        root,
        "image_name,sender,shop,label\na.jpg,7,x,1\nb.jpg,7,y,0\ndeep/c.png,8,,1\nimages/d.jpg,,x,0\n",
    )
    table = read(root)
    assert table.source == "CSV train.csv"
    assert table.locations.paths == ["a.jpg", "images/b.jpg", "images/deep/c.png", "images/d.jpg"]
    assert table.locations.shards == [None] * 4
    assert table.locations.sizes.tolist() == [-1] * 4
    assert table.labels["label"].tolist() == [1, 0, 1, 0]
    assert table.grouped_by == "sender"
    assert table.groups.tolist() == ["7", "7", "8", "images/d.jpg"]
    assert table.metadata.to_dict("list") == {"shop": ["x", "y", "", "x"]}


def test_a_byte_order_mark_blank_lines_and_quoted_line_breaks_do_not_shift_the_rows(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    text = '\ufeffpath,note,label\r\n\r\na.jpg,"two\nlines",0\r\n,,\r\nb.jpg,,1\r\nc.jpg,,1\r\n'
    write_csv(root, text)
    problems = Problems("channel")
    table = read_channel(root, problems)
    assert table is not None
    assert len(table) == 2
    assert problems.kinds == {"missing file": ["train.csv row 7: c.jpg"]}  # as the lines of an editor are counted


@pytest.mark.parametrize(
    ("files", "settings", "source"),
    [
        (["train.csv", "other.csv"], {}, "CSV train.csv"),
        (["info.csv", "other.csv"], {}, "CSV info.csv"),
        (["other.csv"], {}, "CSV other.csv"),
        (["one.csv", "two.csv"], {"table": "two.csv"}, "CSV two.csv"),
    ],
)
def test_which_csv_is_read(root: Path, files: list[str], settings: dict, source: str) -> None:
    touch(root, "a.jpg", "b.jpg")
    for name in files:
        write_csv(root, "path,label\na.jpg,0\nb.jpg,1\n", name)
    assert read(root, **settings).source == source


def test_several_or_misnamed_tables_are_told(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    for name in ("one.csv", "two.csv"):
        write_csv(root, "path,label\na.jpg,0\nb.jpg,1\n", name)
    assert faults(root) == {"several tables": ["one.csv, two.csv; name one by table"]}
    assert faults(root, layout="lst") == {
        "missing table": [f"{root} holds none; there are a.jpg, b.jpg, one.csv, two.csv"]
    }
    assert faults(root, table="tow.csv") == {
        "missing table": ["there is no 'tow.csv'; there are a.jpg, b.jpg, one.csv, two.csv; nearest: two.csv"]
    }


def test_a_csv_wins_over_folders_where_it_names_pictures(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "dog/a.jpg", "cat/b.jpg")
    write_csv(root, "breed,weight\npoodle,3\n", "notes.csv")
    with caplog.at_level(logging.WARNING, "rarebird"):
        assert read(root).source == "class folders"
    assert "notes.csv not read" in caplog.text
    write_csv(root, "path,label\ndog/a.jpg,yes\ncat/b.jpg,no\n", "labels.csv")
    assert read(root).source == "CSV labels.csv"
    assert read(root, layout="classes").source == "class folders"


def test_picture_group_and_metadata_columns_by_name(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, "file,shop,price,label\na.jpg,s1,3,0\nb.jpg,s2,4,1\n", "t.csv")
    table = read(root, picture_column="file", group_column="shop", metadata_columns=["price"])
    assert table.grouped_by == "shop"
    assert table.groups.tolist() == ["s1", "s2"]
    assert list(table.metadata) == ["price"]
    there = "there are file, shop, price, label; nearest:"
    assert faults(root, picture_column="fiel", group_column="sohp", metadata_columns=["pricee", "shop"]) == {
        "missing picture column": [f"t.csv has no column 'fiel'; {there} file"],
        "missing group column": [f"CSV t.csv has no column 'sohp'; {there} shop"],
        "missing metadata column": [f"CSV t.csv has no column 'pricee'; {there} price"],
    }


def test_a_csv_with_mask_gender_and_age_is_the_mask_scheme_and_its_label_no_metadata(root: Path) -> None:
    profile(root, "images/000001_female_Asian_45")
    rows = "".join(f"000001_female_Asian_45/{stem}.jpg,59,female,{m},9,p1\n" for stem, m in zip(STEMS, "1000002"))
    write_csv(root, "path,age,gender,mask,label,people_path\n" + rows, "perfect_train.csv")
    table = read(root)
    assert table.scheme.names == ("mask", "gender", "age")
    assert table.classes().tolist() == [10, 4, 4, 4, 4, 4, 16]
    assert table.numbers["age"].tolist() == [59.0] * 7
    assert (table.grouped_by, set(table.groups)) == ("people_path", {"p1"})
    assert list(table.metadata) == []


def test_the_competitions_csv_names_profile_folders(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("000001_female_Asian_45", "000002_male_Asian_52"):
        profile(root, f"images/{name}")
    profile(root, "images/000009_male_Asian_20")  # not in the table
    touch(root, "images/000001_female_Asian_45/extra.jpg")
    write_csv(
        root,
        "id,gender,race,age,path\n000001,female,Asian,45,000001_female_Asian_45\n000002,female,Asian,61,000002_male_Asian_52\n",
    )
    with caplog.at_level(logging.WARNING, "rarebird"):
        table = read(root)
    assert len(table) == 14
    assert table.source == "CSV train.csv"
    assert (table.grouped_by, set(table.groups)) == ("person", {"000001", "000002"})
    assert list(table.metadata) == ["race"]
    second = table.frame()[table.groups == "000002"]
    assert set(second["gender"]) == {"female"}
    assert set(second["age_number"]) == {61.0}
    assert second["mask"].value_counts().to_dict() == {"worn": 5, "incorrect": 1, "none": 1}
    assert "2 places and wins: train.csv row 3 (gender female, folder male)" in caplog.text
    assert "1 file left out" in caplog.text


def test_faults_of_the_competitions_csv(root: Path) -> None:
    profile(root, "images/000001_female_Asian_45")
    profile(root, "images/000002_male_Asian_52")
    (root / "images/000003_male_Asian_30").mkdir()
    touch(root, "images/x.jpg")
    write_csv(
        root,
        "id,gender,race,age,path\n"
        "000001,female,Asian,45,000001_female_Asian_45\n"
        "000002,man,Asian,fifty,000002_male_Asian_52\n"
        "000003,male,Asian,30,000003_male_Asian_30\n"
        "000004,male,Asian,30,000004_male_Asian_30\n"
        "000001,female,Asian,45,images/000001_female_Asian_45\n"
        "000005,male,Asian,30,x.jpg\n",
    )
    found = faults(root)
    assert {kind: [place.partition(":")[0] for place in places] for kind, places in found.items()} == {
        "missing file": ["train.csv row 5"],
        "duplicate picture": ["train.csv row 6"],
        "profile folder without pictures": ["train.csv row 4"],
        "picture among profile folders": ["train.csv row 7"],
        "unknown label": ["train.csv row 3"],
        "unparsable number": ["train.csv row 3"],
    }


def test_names_are_found_in_the_other_unicode_form(root: Path) -> None:
    composed = "카페é.jpg"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    folder = unicodedata.normalize("NFD", "사진")
    touch(root, f"images/{decomposed}", f"images/{folder}/b.jpg")
    write_csv(root, f"path,label\n{composed},착용샷\n사진/b.jpg,{unicodedata.normalize('NFD', '미분류')}\n")
    table = read(root)
    assert table.locations.paths == [f"images/{decomposed}", f"images/{folder}/b.jpg"]
    assert all((root / path).exists() for path in table.locations.paths)
    assert table.scheme.class_names == ["미분류", "착용샷"]


def test_paths_that_leave_the_channel_are_faults(root: Path) -> None:
    channel = root / "channel"
    touch(channel, "a.jpg", "images/b.jpg", "deep/c.jpg")
    touch(root, "secret.jpg", "folder/d.jpg")
    os.symlink(root / "secret.jpg", channel / "images/link.jpg")
    os.symlink(root / "folder", channel / "out")
    names = [
        "a.jpg",
        "deep/../images/b.jpg",
        "../secret.jpg",
        f"{root}/secret.jpg",
        "link.jpg",
        "out/d.jpg",
        "C:\\d",
    ]
    write_csv(channel, "path,label\n" + "".join(f"{name},{row % 2}\n" for row, name in enumerate(names)))
    problems = Problems("channel")
    table = read_channel(channel, problems)
    assert table is not None
    assert table.locations.paths == ["a.jpg", "images/b.jpg"]
    assert not len(table.set_aside)
    assert problems.kinds == {
        "path out of the channel": [
            "train.csv row 4: '../secret.jpg', expected a path below the channel",
            f"train.csv row 5: '{root}/secret.jpg', expected a path below the channel",
            "train.csv row 6: 'link.jpg' leads to ../secret.jpg, expected a path below the channel",
            "train.csv row 7: 'out/d.jpg' leads to ../folder/d.jpg, expected a path below the channel",
            "train.csv row 8: 'C:\\\\d', expected a path below the channel",
        ]
    }


def test_damaged_tables_are_told(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, "path,label\na.jpg,0\nb.jpg,1,2\nb.jpg\nb.jpg,1\n")
    assert faults(root) == {
        "row with too few or too many cells": [
            "train.csv row 3: 3 cells, the header has 2",
            "train.csv row 4: 1 cells, the header has 2",
        ]
    }
    write_csv(root, "path,label\na.jpg,착용샷\n", encoding="cp949")
    assert faults(root) == {"table that is not UTF-8": ["train.csv row 2: save it as UTF-8"]}
    write_csv(root, 'path,label\na.jpg,0\n"b.jpg,1\n')
    assert list(faults(root)) == ["table that is no CSV", "fewer than two classes"]
    write_csv(root, "path,label,label\na.jpg,0,0\nb.jpg,1,1\n")
    assert faults(root) == {"column that stands twice": ["train.csv: label"]}
    write_csv(root, "path,label\n")
    assert list(faults(root)) == ["channel without pictures"]
    write_csv(root, "path,label\na.jpg,0\n,1\nb.jpg,1\n")
    assert faults(root) == {"empty picture name": ["train.csv row 3: expected a path below the channel"]}
    write_csv(root, "\n\n")
    assert faults(root, layout="csv") == {"empty table": ["train.csv"]}


def test_a_missing_file_tells_one_of_another_extension(root: Path) -> None:
    touch(root, "images/a.JPEG", "b.jpg")
    write_csv(root, "path,label\na.jpg,0\nb.jpg,1\n")
    assert faults(root)["missing file"] == ["train.csv row 2: images/a.jpg; nearest: images/a.JPEG"]


def test_sagemakers_lst(root: Path) -> None:
    """Form: SageMaker's built-in image classification, number, label, path, tabs between."""
    touch(root, "dir/dog1.jpg", "dir/cat1.jpg", "images/cat2.jpg")
    lines = ["5\t1\tdir/dog1.jpg", "1000\t0\tdir/cat1.jpg", "", "22\t2\tcat2.jpg"]
    (root / "train.lst").write_text("\n".join(lines) + "\n")
    table = read(root)
    assert table.source == "list train.lst"
    assert table.labels["label"].tolist() == [1, 0, 2]
    assert table.scheme.class_names == ["0", "1", "2"]
    assert list(table.metadata) == []
    named = read(root, attributes={"animal": ["cat", "dog", "bird"]})
    assert named.frame()["animal"].tolist() == ["dog", "cat", "bird"]
    (root / "train.lst").write_text("\n".join([*lines, "7\t1", "8\t1\tdir", "9\t1\tnone.jpg", "10\t0\tcat2.jpg"]))
    assert faults(root) == {
        "row with too few or too many cells": [
            "train.lst row 5: '7\\t1', expected 3 cells as in the first row, tabs between"
        ],
        "folder in place of a picture": ["train.lst row 6: dir"],
        "missing file": ["train.lst row 7: images/none.jpg"],
        "duplicate picture": ["train.lst row 8: images/cat2.jpg is named in train.lst row 4 already"],
    }


def test_an_lst_of_several_labels_is_so_many_attributes(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    (root / "train.lst").write_text("0\t1\t0\ta.jpg\n1\t0\t0\tb.jpg\n")
    table = read(root, attributes={"dress": ["no", "yes"], "hat": ["no", "yes"]})
    assert table.labels.to_dict("list") == {"dress": [1, 0], "hat": [0, 0]}
    assert list(faults(root)) == ["several label columns"]


def manifest(root: Path, *records: object) -> None:
    (root / "train.manifest").write_text("\n".join(json.dumps(record) for record in records))


def test_sagemakers_augmented_manifest(root: Path) -> None:
    """Form: Ground Truth's output for image classification."""
    touch(root, "images/deep/a.jpg", "images/deep/b.jpg", "images/c.jpg")
    metadata = {"confidence": 0.95, "type": "groundtruth/image-classification", "human-annotated": "yes"}
    manifest(
        root,
        *(
            {
                "source-ref": f"s3://bucket/data/train/images/{path}",
                "person": person,
                "animals": code,
                "animals-metadata": metadata | {"class-name": name},
            }
            for path, person, code, name in (
                ("deep/a.jpg", 4, 1, "dog"), ("deep/b.jpg", 4, 0, "cat"), ("c.jpg", 5, 1, "dog")
            )
        ),
    )  # fmt: skip
    table = read(root)
    assert table.source == "manifest train.manifest"
    assert table.locations.paths == ["images/deep/a.jpg", "images/deep/b.jpg", "images/c.jpg"]
    assert table.frame()["label"].tolist() == ["dog", "cat", "dog"]
    assert (table.grouped_by, table.groups.tolist()) == ("person", ["4", "4", "5"])
    assert read(root, attributes={"animals": ["dog", "cat"]}).labels["animals"].tolist() == [0, 1, 0]


def test_a_manifests_common_prefix_may_lie_inside_the_channel(root: Path) -> None:
    touch(root, "a/b/x.jpg", "a/b/y.jpg")
    manifest(
        root,
        {"source-ref": "s3://bucket/data/a/b/x.jpg", "class": "0"},
        {"source-ref": "s3://bucket/data/a/b/y.jpg", "class": "1"},
    )
    assert read(root).locations.paths == ["a/b/x.jpg", "a/b/y.jpg"]


def test_faults_of_a_manifest(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg", "c.jpg")
    lines = [
        '{"source-ref": "a.jpg", "class": "0"}',
        '{"source-ref": "b.jpg", "class": "1"}',
        '{"source-ref": "c.jpg", "class": [1, 0]}',
        '{"source-ref": "c.jpg"',
        '{"source": "text", "class": "1"}',
        '{"source-ref": "../c.jpg", "class": "1"}',
    ]
    (root / "x.jsonl").write_text("\n".join(lines))
    found = faults(root)
    assert found["several labels in one attribute"] == [
        "x.jsonl row 3: class = [1, 0], expected one label; make an attribute of each"
    ]
    assert [place.partition(":")[0] for place in found["row that is no manifest's"]] == [
        "x.jsonl row 4",
        "x.jsonl row 5",
    ]
    assert found["path out of the channel"] == ["x.jsonl row 6: '../c.jpg', expected a path below the channel"]
    assert len(found) == 3


def test_channels_of_no_layout_are_told(root: Path) -> None:
    missing = root / "none"
    assert faults(missing) == {"missing channel": [f"{missing}: there is no such folder"]}
    touch(root, "file")
    assert faults(root / "file") == {"missing channel": [f"{root}/file: a file, no folder"]}
    (root / "empty").mkdir()
    touch(root / "empty", ".DS_Store")
    assert faults(root / "empty") == {"empty channel": [f"{root}/empty: there is nothing in it"]}
    touch(root / "loose", "a.jpg", "images/b.jpg")
    assert list(faults(root / "loose")) == ["channel of no known layout"]
    assert "a.jpg, images" in faults(root / "loose")["channel of no known layout"][0]


def test_a_folder_that_may_not_be_read_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(root, "cat/a.jpg", "dog/b.jpg", "owl/c.jpg")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "owl":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert faults(root) == {"file or folder that cannot be read": ["owl: Permission denied"]}
