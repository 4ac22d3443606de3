from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from model.data.channel import read_channel
from model.data.integrity import check_images
from model.data.locations import ImageLocations
from model.data.prediction_input import PredictionInput, read_info
from model.data.table import Table
from model.errors import InputError, Problems
from model.images.decode import UnreadablePicture, read_picture
from model.images.location import ImageLocation


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
    problems = Problems("channel")
    table = read_channel(root, problems, **settings)  # type: ignore[arg-type]
    assert not problems, str(problems)
    assert table is not None
    return table


def csv_channel(root: Path, text: str, pictures: int = 4) -> Path:
    touch(root, *(f"images/{number}.jpg" for number in range(pictures)))
    (root / "train.csv").write_text(text, encoding="utf-8")
    return root


MIXED = "path,sender,shop,age,kind\n0.jpg,a,x,31,top\n1.jpg,a,y,60 and over,bottom\n2.jpg,b,x,29.5,top\n3.jpg,,x,2,1\n"
ATTRIBUTES = {"kind": ["top", "bottom"], "age": {"cuts": [30, 60]}}


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


def test_no_numbers_where_only_bands_are_given(root: Path) -> None:
    table = read(
        csv_channel(root, "path,age\n0.jpg,under 30\n1.jpg,60 and over\n"), attributes={"age": {"cuts": [30, 60]}}
    )
    assert list(table.numbers) == []
    assert len(table.numbers) == 2


def test_take_keeps_everything_aligned(root: Path) -> None:
    table = read(csv_channel(root, MIXED), attributes=ATTRIBUTES)
    part = table.take([3, 0])
    assert len(part) == 2
    assert part.frame().equals(table.frame().iloc[[3, 0]].reset_index(drop=True))
    assert part.groups.tolist() == ["images/3.jpg", "a"]
    assert part.locations.shards == [None, None]
    for frame in (part.labels, part.numbers, part.metadata):
        assert frame.index.equals(pd.RangeIndex(2))
    assert len(table.take(np.array([], dtype=np.int64))) == 0


def test_a_metadata_column_may_have_a_name_that_is_taken(root: Path) -> None:
    text = "path,sender,group,kind\n0.jpg,s,g,top\n1.jpg,s,g,bottom\n"
    frame = read(csv_channel(root, text), group_column="sender", attributes={"kind": ["top", "bottom"]}).frame()
    assert frame["group"].tolist() == ["s", "s"]
    assert frame["metadata_group"].tolist() == ["g", "g"]


def test_the_fingerprint_is_of_the_content_not_of_the_place(root: Path) -> None:
    first = read(csv_channel(root / "one", MIXED), attributes=ATTRIBUTES)
    same = read(csv_channel(root / "two", MIXED), attributes=ATTRIBUTES)
    assert first.fingerprint() == same.fingerprint()
    others = {first.fingerprint(), first.take([1, 0, 2, 3]).fingerprint(), first.take([0, 1, 2]).fingerprint()}
    for number, text in enumerate((MIXED.replace("0.jpg,a", "0.jpg,b"), MIXED.replace("29.5", "30"))):
        others.add(read(csv_channel(root / f"other{number}", text), attributes=ATTRIBUTES).fingerprint())
    touch(root / "two", "0.jpg")  # found beside the table now
    others.add(read(root / "two", attributes=ATTRIBUTES).fingerprint())
    path = first.locations[1].path
    moved = [first.locations[0], ImageLocation(path, None, 5), *list(first.locations)[2:]]
    others.add(replace(first, locations=ImageLocations(moved)).fingerprint())
    assert len(others) == 7


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["0", "2", "2", "1"], ["0", "1", "2"]),
        (["3", "1", "1", "3"], ["0", "1", "2", "3"]),
        (["1.0", "0.0", "0", "1"], ["0", "1"]),
        (["b", "a", "B", "a"], ["B", "a", "b"]),
        (["1", "a", "2", "10"], ["1", "10", "2", "a"]),
        (["-1", "1", "-1", "1"], ["-1", "1"]),
        (["7", "99999999", "7", "7"], ["7", "99999999"]),
        (["nan", "inf", "nan", "inf"], ["inf", "nan"]),
    ],
)
@pytest.mark.parametrize("column", ["label", "class", "ans", "y_pred", "Label"])
def test_the_scheme_of_a_label_column(root: Path, cells: list[str], names: list[str], column: str) -> None:
    text = f"path,{column}\n" + "".join(f"{row}.jpg,{cell}\n" for row, cell in enumerate(cells))
    table = read(csv_channel(root, text))
    assert table.scheme.names == ("label",)
    assert table.scheme.class_names == names
    found = [table.scheme.class_names[code] for code in table.classes()]
    assert [float(a) if a[-1].isdigit() else a for a in found] == [float(b) if b[-1].isdigit() else b for b in cells]


def test_columns_that_could_be_no_labels_are_told(root: Path) -> None:
    problems = Problems("channel")
    unlabelled = read_channel(csv_channel(root, "path,kind\n0.jpg,a\n1.jpg,b\n"), problems)
    assert len(unlabelled) == 0 and unlabelled.set_aside.paths == ["images/0.jpg", "images/1.jpg"]
    assert "neither mask, gender, age nor one of label, class, ans, y_pred; there are kind" in str(problems)
    problems = Problems("channel")
    assert len(read_channel(csv_channel(root, "path,ans\n0.jpg,0\n1.jpg,0\n"), problems)) == 0
    assert problems.kinds == {"fewer than two classes": ["CSV train.csv: ans holds 0 only"]}
    problems = Problems("channel")
    table = read_channel(csv_channel(root, "path,kinds\n0.jpg,a\n1.jpg,b\n"), problems, attributes={"kind": ["a", "b"]})
    assert problems.kinds == {
        "missing label column": ["CSV train.csv has no column 'kind'; there are kinds; nearest: kinds"]
    }
    assert table is not None
    assert (len(table), table.set_aside.paths) == (0, ["images/0.jpg", "images/1.jpg"])
    problems = Problems("channel")
    assert read_channel(root, problems, attributes={"kind": ["a"]}) is None
    assert "at least two values" in str(problems)


def test_a_validation_channel_has_the_training_channels_scheme(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    train = read(csv_channel(root / "train", "path,label\n0.jpg,cat\n1.jpg,dog\n2.jpg,owl\n"))
    with caplog.at_level(logging.WARNING, "rarebird"):
        validation = read(csv_channel(root / "val", "path,ans\n0.jpg,owl\n1.jpg,cat\n"), scheme=train.scheme)
    assert validation.scheme is train.scheme
    assert validation.classes().tolist() == [2, 0]
    assert "no picture of 1 of 3 classes: dog" in caplog.text
    touch(root / "folders", "owl/a.jpg", "dog/b.jpg")
    assert read(root / "folders", scheme=train.scheme).classes().tolist() == [1, 2]
    problems = Problems("channel")
    read_channel(csv_channel(root / "bad", "path,label\n0.jpg,cow\n1.jpg,cat\n"), problems, scheme=train.scheme)
    assert problems.kinds == {
        "unknown label": ["train.csv row 2: label = 'cow', expected cat, dog, owl or 0 to 2; nearest: owl"]
    }


def test_info_keeps_every_row_and_column_in_order(root: Path) -> None:
    touch(root, "a.jpg", "images/b.jpg", "secret.jpg")
    outside = root.parent / "outside.jpg"
    os.symlink(outside, root / "images/link.jpg")
    names = ["images/b.jpg", "b.jpg", "a.jpg", "none.jpg", "a.jpg", "../x.jpg", "link.jpg", ""]
    text = "\ufeffshop,ImageID,ans\r\n" + "".join(f"00{row},{name},\r\n" for row, name in enumerate(names))
    (root / "info.csv").write_text(text, encoding="utf-8")
    (root / "other.csv").write_text("x\n1\n")
    inputs = read_info(root)
    assert inputs.name_column == "ImageID" and len(inputs) == len(names)
    frame, paths = inputs.rows, inputs.locations.paths
    assert frame.columns.tolist() == ["shop", "ImageID", "ans"]
    assert frame["ImageID"].tolist() == names
    assert frame["shop"].tolist() == [f"00{row}" for row in range(8)]
    assert frame["ans"].tolist() == [""] * 8
    assert paths[:6] == ["images/b.jpg", "images/b.jpg", "a.jpg", "images/none.jpg", "a.jpg", "../x.jpg"]
    for row, reason in (
        (3, "no such file"),
        (5, "out of the channel"),
        (6, "out of the channel"),
        (7, "no picture is"),
    ):
        with pytest.raises(UnreadablePicture, match=reason):
            read_picture(root, inputs.locations[row])


def named(inputs: PredictionInput) -> tuple[str, list[str]]:
    return inputs.name_column, inputs.locations.paths


def test_info_by_other_names(root: Path) -> None:
    touch(root, "a.jpg")
    (root / "rows.csv").write_text("file,image_name\na.jpg,none.jpg\n")
    assert named(read_info(root)) == ("image_name", ["none.jpg"])
    assert named(read_info(root, picture_column="file")) == ("file", ["a.jpg"])
    (root / "info2.csv").write_text("path\na.jpg\n")
    assert named(read_info(root, table="info2.csv")) == ("path", ["a.jpg"])
    with pytest.raises(InputError, match=r"info2\.csv, rows\.csv; name one by table"):
        read_info(root)
    with pytest.raises(InputError, match="nearest: file"):
        read_info(root, table="rows.csv", picture_column="flie")
    with pytest.raises(InputError, match=r"nearest: info2\.csv"):
        read_info(root, table="info3.csv")


def test_info_without_a_table_is_every_picture(root: Path) -> None:
    touch(root, "b/x.PNG", "a.jpg", "b/.hidden.jpg", "notes.txt", ".git/y.jpg", "b.jpg")
    os.symlink("/etc/none.jpg", root / "c.jpg")
    inputs = read_info(root)
    assert inputs.name_column == "ImageID"
    assert inputs.rows["ImageID"].tolist() == ["a.jpg", "b.jpg", "b/x.PNG", "c.jpg"]
    assert inputs.locations.paths[:3] == ["a.jpg", "b.jpg", "b/x.PNG"]
    with pytest.raises(UnreadablePicture, match="out of the channel"):
        read_picture(root, inputs.locations[3])


def test_info_that_cannot_be_read_is_told(root: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder"):
        read_info(root / "none")
    with pytest.raises(InputError, match="there is nothing in it"):
        read_info(root)
    touch(root, "notes.txt")
    with pytest.raises(InputError, match="neither a CSV nor a picture"):
        read_info(root)
    (root / "info.csv").write_text("ImageID,x\na.jpg\n")
    with pytest.raises(InputError, match=r"info\.csv row 2: 1 cells, the header has 2"):
        read_info(root)
    (root / "info.csv").write_text("ImageID,x\n")
    with pytest.raises(InputError, match="table without rows"):
        read_info(root)
    (root / "info.csv").write_text("Image,x\na.jpg,1\n")
    with pytest.raises(InputError, match="none of ImageID, image_name, path; there are Image, x"):
        read_info(root)


def real_jpeg(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8)
    Image.fromarray(noise).save(path, quality=90)
    return path.read_bytes()


def test_a_folder_channel_with_every_fault_is_told_at_once(root: Path) -> None:
    stems = ("incorrect_mask", "mask1", "mask2", "mask3", "mask4", "mask5", "normal")
    for name in ("000001_female_Asian_45", "000002_male_Asian_fifty", "000003_woman_Asian_20", "nobody"):
        for stem in stems:
            content = real_jpeg(root / f"images/{name}/{stem}.jpg")
    good, bad_age = root / "images/000001_female_Asian_45", root / "images/000002_male_Asian_fifty"
    (good / "mask1.jpg").write_bytes(content[: len(content) // 2])
    (good / "mask2.jpg").write_bytes(b"")
    (good / "mask3.jpg").write_text("no picture")
    (bad_age / "normal.jpg").write_bytes(b"")
    (root / "images/000004_male_Asian_30").mkdir()
    problems = Problems("channel train")
    table = read_channel(root, problems)
    assert table is not None
    assert check_images(table, problems, "decode", None, 2) == 28
    places = {kind: [place.partition(":")[0] for place in told] for kind, told in problems.kinds.items()}
    assert places == {
        "unparsable number": ["images/000002_male_Asian_fifty"],
        "unknown label": ["images/000003_woman_Asian_20"],
        "profile folder without pictures": ["images/000004_male_Asian_30"],
        "folder that is no profile": ["images/nobody"],
        "unreadable picture, truncated": ["images/000001_female_Asian_45/mask1.jpg"],
        "unreadable picture, empty file": [
            "images/000001_female_Asian_45/mask2.jpg",
            "images/000002_male_Asian_fifty/normal.jpg",  # told although its row is a fault already
        ],
        "unreadable picture, cannot be identified as a picture": ["images/000001_female_Asian_45/mask3.jpg"],
    }
    with pytest.raises(InputError) as told:
        problems.raise_if_any()
    message = str(told.value)
    assert message.startswith("channel train: 8 problems\n")
    assert "age = 'fifty', expected a number" in message
    assert "gender = 'woman', expected male, female" in message


def test_a_csv_channel_with_every_fault_is_told_at_once(root: Path) -> None:
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
        picture_column="image_name",
        group_column="sender",
        metadata_columns=["category_1", "categry_2"],
        attributes={"kind": ["top", "bottom"], "age": {"cuts": [30], "column": "years"}},
    )
    assert table is not None
    assert table.locations.paths == ["images/0.jpg"]
    assert check_images(table, problems, "decode", None, 2) == 4
    assert problems.kinds == {
        "missing file": ["train.csv row 3: images/absent.jpg"],
        "duplicate picture": ["train.csv row 4: images/0.jpg is named in train.csv row 2 already"],
        "path out of the channel": ["train.csv row 7: '../4.jpg', expected a path below the channel"],
        "missing metadata column": [
            "CSV train.csv has no column 'categry_2'; there are category_1, sender, kind, years; nearest: category_1"
        ],
        "unknown label": ["train.csv row 5: kind = 'topp', expected top, bottom or 0 to 1; nearest: top"],
        "empty label": ["train.csv row 6: kind = '', expected top, bottom or 0 to 1"],
        "unparsable number": ["train.csv row 8: age = 'old', expected a number or one of under 30, 30 and over"],
        "unreadable picture, empty file": ["images/3.jpg"],
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
