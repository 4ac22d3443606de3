from __future__ import annotations

import logging
from pathlib import Path

import pytest

from model.data.channel import read_channel
from model.data.readers.channel_files import ChannelFiles
from model.data.readers.csv_table import read_csv_rows
from model.data.readers.table_options import TableOptions
from model.errors import Problems
from tests.model.data.conftest import problems_of, read, touch, write_csv

ADVICE = "save it as UTF-8, or set --encoding to its encoding (cp1252, cp949, ...)"


def test_csv_with_images_next_to_it_and_in_images(root: Path) -> None:
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


def test_row_numbers_are_correct_with_byte_order_mark_blank_lines_and_quotes(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    text = '\ufeffpath,note,label\r\n\r\na.jpg,"two\nlines",0\r\n,,\r\nb.jpg,,1\r\nc.jpg,,1\r\n'
    write_csv(root, text)
    problems = Problems("channel")
    table = read_channel(root, problems)
    assert table is not None
    assert len(table) == 2
    assert problems.kinds == {"missing file": ["train.csv row 7: c.jpg"]}  # as the lines of an editor are counted


def test_image_group_and_metadata_columns_by_name(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, "file,shop,price,label\na.jpg,s1,3,0\nb.jpg,s2,4,1\n", "t.csv")
    table = read(root, picture_column="file", group_column="shop", metadata_columns=["price"])
    assert table.grouped_by == "shop"
    assert table.groups.tolist() == ["s1", "s2"]
    assert list(table.metadata) == ["price"]
    there = "its columns are file, shop, price, label; nearest:"
    assert problems_of(root, picture_column="fiel", group_column="sohp", metadata_columns=["pricee", "shop"]) == {
        "missing image column": [f"t.csv has no column 'fiel'; {there} file"],
        "missing group column": [f"CSV t.csv has no column 'sohp'; {there} shop"],
        "missing metadata column": [f"CSV t.csv has no column 'pricee'; {there} price"],
    }


def test_damaged_tables_are_reported(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, "path,label\na.jpg,0\nb.jpg,1,2\nb.jpg\nb.jpg,1\n")
    assert problems_of(root) == {
        "row with too few or too many values": [
            "train.csv row 3: 3 values, the header has 2",
            "train.csv row 4: 1 values, the header has 2",
        ]
    }
    write_csv(root, "path,label\na.jpg,착용샷\n", encoding="cp949")
    assert problems_of(root) == {"table that is not UTF-8": [f"train.csv row 2: byte 0xc2; {ADVICE}"]}
    write_csv(root, 'path,label\na.jpg,0\n"b.jpg,1\n')
    assert list(problems_of(root)) == ["invalid CSV", "fewer than two classes"]
    write_csv(root, "path,label,label\na.jpg,0,0\nb.jpg,1,1\n")
    assert problems_of(root) == {"duplicate column": ["train.csv: label"]}
    write_csv(root, "path,label\n")
    assert list(problems_of(root)) == ["channel without images"]
    write_csv(root, "path,label\na.jpg,0\n,1\nb.jpg,1\n")
    assert problems_of(root) == {"empty image name": ["train.csv row 3: expected a path relative to the channel"]}
    write_csv(root, "\n\n")
    assert problems_of(root, layout="csv") == {"empty table": ["train.csv"]}


def test_the_advice_names_the_column_with_image_names(root: Path) -> None:
    touch(root, "images/a.jpg", "images/b.jpg")
    write_csv(root, "id,file,label\n1,gone,0\n2,b,1\n")
    kind = "missing image column"
    usual = "ImageID, image_name, path, filename and 6 more"
    message = f"train.csv has none of the columns {usual}; its columns are id, file, label"
    assert problems_of(root)[kind] == [f"{message}; column file contains image names: set --picture_column file"]
    assert problems_of(root, picture_column="fiel")[kind][0].endswith("; nearest: file")
    assert "column file contains image names" in problems_of(root, picture_column="photo")[kind][0]
    write_csv(root, "id,file,label\n1,x,0\n2,y,1\n")
    assert problems_of(root)[kind] == [f"{message}; set --picture_column to the column of image names"]


def test_images_of_a_table_in_a_subfolder_are_next_to_it_or_in_the_root(root: Path) -> None:
    touch(root, "data/a.jpg", "data/images/b.jpg", "c.jpg", "images/d.jpg", "a.jpg", "images/../e.jpg", "data/f.JPG")
    rows = ["a.jpg,0", "b.jpg,1", "c.jpg,0", "d.jpg,1", "../e.jpg,0", "f,1"]
    write_csv(root, "\n".join(["path,label", *rows]), "data/legend.csv")
    table = read(root, table="data/legend.csv")
    paths = ["data/a.jpg", "data/images/b.jpg", "c.jpg", "images/d.jpg", "e.jpg", "data/f.JPG"]
    assert table.locations.paths == paths and table.source == "CSV data/legend.csv"
    write_csv(root, "path,label\n../../x.jpg,0\ngone.jpg,1\n", "data/legend.csv")
    problems = problems_of(root, table="data/legend.csv")
    assert problems["path outside the channel"] == [
        "data/legend.csv row 2: '../../x.jpg', expected a path relative to the channel"
    ]
    assert problems["missing file"] == ["data/legend.csv row 3: images/gone.jpg"]


def test_missing_skip_skips_rows_without_an_image(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "a.jpg", "b.jpg", "c.jpg", "deep/d.jpg")
    write_csv(root, "path,label\na.jpg,0\nx.jpg,0\nb.jpg,1\n,1\n")
    with caplog.at_level(logging.INFO, "rarebird"):
        table = read(root, missing="skip")
    assert table.locations.paths == ["a.jpg", "b.jpg"] and table.classes().tolist() == [0, 1]
    assert caplog.messages[:2] == [
        "train.csv: skipped 2 rows without an image: train.csv row 3: x.jpg, train.csv row 5: expected a path relative "
        "to the channel",
        "train.csv: the table has no row for 1 image in its folders: c.jpg",
    ]
    assert problems_of(root).keys() == {"missing file", "empty image name"}
    write_csv(root, "path,label\nA.JPG,0\nx.jpg,0\n")
    assert problems_of(root, missing="skip")["no image found"] == [
        "train.csv: none of 2 images exists; train.csv row 2: A.JPG; nearest: a.jpg"
    ]


def test_images_of_unused_splits_need_not_exist(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "a.jpg", "b.jpg", "c.jpg")
    write_csv(root, "path,label,Split\na.jpg,0,train\nc,,test\nb.jpg,1,VALID\ngone.jpg,,Testing\n")
    with caplog.at_level(logging.INFO, "rarebird"):
        table = read(root, split_column="split")
    assert table.locations.paths == ["a.jpg", "b.jpg"]
    assert table.sides is not None and table.sides.tolist() == ["train", "validation"]
    assert caplog.messages[0] == "train.csv: skipped 2 rows whose Split is Testing, test"
    assert not any("has no row for" in message for message in caplog.messages)


def test_without_images_classes_are_not_reported(root: Path) -> None:
    write_csv(root, "path,kind\na.jpg,x\nb.jpg,y\n")
    problems = problems_of(root, attributes={"kind": {"column": "kind"}})
    assert list(problems) == ["missing file"]
    problems = problems_of(root, attributes={"kind": {"column": "kind"}}, missing="skip")
    assert list(problems) == ["no image found"]


@pytest.mark.parametrize("folder", ["unpacked", "data/photos/all"])
def test_images_are_found_in_the_only_folder_that_contains_them(root: Path, folder: str, caplog) -> None:
    caplog.set_level(logging.INFO)
    touch(root, f"{folder}/a.jpg", f"{folder}/b.JPG", "icons/logo.png")
    write_csv(root, "filename,label\na.jpg,x\nb.jpg,y\n")
    assert read(root).locations.paths == [f"{folder}/a.jpg", f"{folder}/b.JPG"]
    assert caplog.text.count(f"the images of the table are in {folder}, the only folder that contains them") == 1
    # A list without a header next to folders that could be classes
    write_csv(root, "a.jpg,x\nb,y\n")
    assert read(root).locations.paths == [f"{folder}/a.jpg", f"{folder}/b.JPG"]


def test_images_in_more_than_one_folder_are_not_guessed(root: Path) -> None:
    touch(root, "left/a.jpg", "right/a.jpg", "right/b.jpg")
    write_csv(root, "path,label\na.jpg,x\nb.jpg,y\n")
    assert problems_of(root).keys() == {"missing file"}
    # Thumbnails are not used for images that are missing in the folder of the others
    touch(root, "a.jpg")
    assert problems_of(root)["missing file"] == ["train.csv row 3: b.jpg"]


def test_the_folder_of_the_images_is_found_by_names_from_all_rows(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    # ids that are numbered through the class folders: the first rows alone are all in cats
    cats, dogs = range(1, 61), range(61, 121)
    touch(root, *(f"cats/{number}.jpg" for number in cats), *(f"dogs/{number}.jpg" for number in dogs))
    write_csv(root, "image_id,label\n" + "".join(f"{number},{number % 2}\n" for number in (*cats, *dogs)))
    assert read(root).source == "class folders"
    assert "train.csv not read" in caplog.text
    assert len(problems_of(root, table="train.csv")["missing file"]) == 120


def test_the_first_usual_column_with_existing_images_is_used(root: Path, caplog) -> None:
    caplog.set_level(logging.INFO)
    touch(root, "images/a.jpg", "images/b.jpg")
    write_csv(root, "filename,image_id,label\nIMG_1.HEIC,a,x\nIMG_2.HEIC,b,y\n")
    assert read(root).locations.paths == ["images/a.jpg", "images/b.jpg"]
    text = "train.csv: image names are read from column image_id, since the images in column filename do not exist"
    assert caplog.messages.count(text) == 1
    # a column that is set is the one
    assert problems_of(root, picture_column="filename").keys() == {"missing file"}
    # the same letters in other case
    write_csv(root, "Image,image,label\na,1,x\nb,2,y\n")
    assert read(root).locations.paths == ["images/a.jpg", "images/b.jpg"]


def test_the_folder_of_one_table_is_not_used_for_another(root: Path) -> None:
    touch(root, "photos/a.jpg", "photos/b.jpg", "crops/a.jpg", "crops/b.jpg", "crops/a_0.jpg")
    write_csv(root, "filename,label\na_0.jpg,x\n", "boxes.csv")
    write_csv(root, "filename,label\na.jpg,x\nb.jpg,y\n")
    files, problems = ChannelFiles(root), Problems("channel")
    assert read_csv_rows(files, "boxes.csv", TableOptions(), problems).paths == ["crops/a_0.jpg"]
    assert not problems
    assert not read_csv_rows(files, "train.csv", TableOptions(), problems).paths
    assert problems.kinds.keys() == {"missing file"}


def test_an_archive_next_to_a_table_without_images_is_reported(root: Path) -> None:
    touch(root, "Images.ZIP", "notes.txt")
    write_csv(root, "path,label\na.jpg,x\nb.jpg,y\n")
    expected = {"archives are not read": ["Images.ZIP: unpack the images into the channel"]}
    assert problems_of(root).items() >= expected.items()
    touch(root, "a.jpg")
    assert problems_of(root).keys() == {"missing file", "fewer than two classes"}


def test_an_unrelated_table_does_not_replace_class_folders(root: Path) -> None:
    touch(root, *(f"{name}/{number}.jpg" for name in ("cat", "dog") for number in range(3)))
    write_csv(root, "filename,width\n0.jpg,32\n7.jpg,32\n", "sizes.csv")
    assert read(root).scheme.class_names == ["cat", "dog"]
    write_csv(root, "filename,label\ncat/0.jpg,x\ndog/1.jpg,y\n", "sizes.csv")
    assert read(root).scheme.class_names == ["x", "y"]
