from __future__ import annotations

from pathlib import Path

from model.data.channel import read_channel
from model.errors import Problems
from tests.model.data.conftest import problems_of, read, touch, write_csv


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


def test_picture_group_and_metadata_columns_by_name(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, "file,shop,price,label\na.jpg,s1,3,0\nb.jpg,s2,4,1\n", "t.csv")
    table = read(root, picture_column="file", group_column="shop", metadata_columns=["price"])
    assert table.grouped_by == "shop"
    assert table.groups.tolist() == ["s1", "s2"]
    assert list(table.metadata) == ["price"]
    there = "there are file, shop, price, label; nearest:"
    assert problems_of(root, picture_column="fiel", group_column="sohp", metadata_columns=["pricee", "shop"]) == {
        "missing picture column": [f"t.csv has no column 'fiel'; {there} file"],
        "missing group column": [f"CSV t.csv has no column 'sohp'; {there} shop"],
        "missing metadata column": [f"CSV t.csv has no column 'pricee'; {there} price"],
    }


def test_damaged_tables_are_reported(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, "path,label\na.jpg,0\nb.jpg,1,2\nb.jpg\nb.jpg,1\n")
    assert problems_of(root) == {
        "row with too few or too many cells": [
            "train.csv row 3: 3 cells, the header has 2",
            "train.csv row 4: 1 cells, the header has 2",
        ]
    }
    write_csv(root, "path,label\na.jpg,착용샷\n", encoding="cp949")
    assert problems_of(root) == {"table that is not UTF-8": ["train.csv row 2: save it as UTF-8"]}
    write_csv(root, 'path,label\na.jpg,0\n"b.jpg,1\n')
    assert list(problems_of(root)) == ["table that is no CSV", "fewer than two classes"]
    write_csv(root, "path,label,label\na.jpg,0,0\nb.jpg,1,1\n")
    assert problems_of(root) == {"column that stands twice": ["train.csv: label"]}
    write_csv(root, "path,label\n")
    assert list(problems_of(root)) == ["channel without pictures"]
    write_csv(root, "path,label\na.jpg,0\n,1\nb.jpg,1\n")
    assert problems_of(root) == {"empty picture name": ["train.csv row 3: expected a path below the channel"]}
    write_csv(root, "\n\n")
    assert problems_of(root, layout="csv") == {"empty table": ["train.csv"]}
