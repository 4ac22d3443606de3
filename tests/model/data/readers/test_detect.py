from __future__ import annotations

import logging
from pathlib import Path

import pytest

from model.data.readers.channel_files import ChannelFiles
from model.data.readers.detect import FILE_LAYOUTS, FOLDER_LAYOUTS, FileLayout
from model.data.readers.rows import Rows
from model.data.readers.table_options import TableOptions
from model.errors import Problems
from model.settings.choices import LAYOUTS
from tests.model.data.conftest import problems_of, read, touch, write_csv


@pytest.mark.parametrize(
    ("files", "settings", "source"),
    [
        (["train.csv", "other.csv"], {}, "CSV train.csv"),
        (["info.csv", "other.csv"], {}, "CSV info.csv"),
        (["other.csv"], {}, "CSV other.csv"),
        (["one.csv", "two.csv"], {"table": "two.csv"}, "CSV two.csv"),
    ],
)
def test_which_csv_is_read(root: Path, files: list[str], settings: dict, source: str, caplog) -> None:
    caplog.set_level(logging.INFO)
    touch(root, "a.jpg", "b.jpg")
    for name in files:
        write_csv(root, "path,label\na.jpg,0\nb.jpg,1\n", name)
    assert read(root, **settings).source == source
    others = [name for name in files if name not in source]
    assert not others or settings or f"reading table {source[4:]}, not {others[0]}; " in caplog.text


def test_ambiguous_or_misspelled_tables_are_reported(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    for name in ("one.csv", "two.csv"):
        write_csv(root, "path,label\na.jpg,0\nb.jpg,1\n", name)
    assert problems_of(root) == {"more than one table": ["one.csv, two.csv; choose one with --table NAME"]}
    assert problems_of(root, layout="lst") == {
        "missing table": [f"{root} contains no table; it contains a.jpg, b.jpg, one.csv, two.csv"]
    }
    assert problems_of(root, table="tow.csv") == {
        "missing table": ["no file 'tow.csv'; the tables are one.csv, two.csv; nearest: two.csv"]
    }


def test_a_csv_with_image_names_is_preferred_to_folders(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "dog/a.jpg", "cat/b.jpg")
    write_csv(root, "breed,weight\npoodle,3\n", "notes.csv")
    with caplog.at_level(logging.WARNING, "rarebird"):
        assert read(root).source == "class folders"
    assert "notes.csv not read" in caplog.text
    write_csv(root, "path,label\ndog/a.jpg,yes\ncat/b.jpg,no\n", "labels.csv")
    assert read(root).source == "CSV labels.csv"
    assert read(root, layout="classes").source == "class folders"
    assert read(root, folder_levels=["label"]).source == "class folders"


def test_a_table_about_the_images_of_class_folders_does_not_replace_them(root: Path, caplog) -> None:
    touch(root, "dog/a.jpg", "dog/c.jpg", "cat/b.jpg")
    write_csv(
        root, "file_name,width,breed\ndog/a.jpg,3,poodle\ndog/c.jpg,3,boxer\ncat/b.jpg,5,siamese\n", "metadata.csv"
    )
    with caplog.at_level(logging.WARNING, "rarebird"):
        assert read(root).source == "class folders"
    assert "metadata.csv not read: a table needs a column" in caplog.text
    # unless it has the labels
    assert read(root, attributes={"breed": {}}).source == "CSV metadata.csv"
    assert read(root, attributes={"kind": {"column": "Breed"}}).source == "CSV metadata.csv"
    assert read(root, table="metadata.csv", attributes={"breed": {}}).source == "CSV metadata.csv"
    write_csv(root, "file_name,label\ndog/a.jpg,x\ndog/c.jpg,y\ncat/b.jpg,y\n", "metadata.csv")
    assert read(root).source == "CSV metadata.csv"


def test_the_error_for_an_unknown_layout_names_extensions_and_tables(root: Path) -> None:
    touch(root, "images/0.jpg", "images/1.jpg", "README.md", "data/notes.txt")
    write_csv(root / "data", "image,emotion\n0.jpg,happy\n", "legend.csv")
    (detail,) = problems_of(root)["unknown layout"]
    assert "README.md, data, images" in detail and ".jpg 2" in detail and ".txt 1" in detail
    assert "--table data/legend.csv reads the table" in detail
    touch(root / "raw", "scan.dcm", "more/scan.dcm")
    assert ".dcm 2" in problems_of(root / "raw")["unknown layout"][0]
    write_csv(root / "data", "image,label\n0.jpg,happy\n1.jpg,sad\n", "legend.csv")
    table = read(root, table="data/legend.csv", picture_column="image")
    assert table.locations.paths == ["images/0.jpg", "images/1.jpg"]
    assert problems_of(root, table="data/legends.csv")["missing table"] == [
        "no file 'data/legends.csv'; the tables are data/legend.csv, data/notes.txt; nearest: data/legend.csv"
    ]
    assert problems_of(root / "raw", table="a.csv")["missing table"] == ["no file 'a.csv'; the channel has no tables"]
    touch(root / "own", "data/0.jpg", "data/legend.csv")
    assert problems_of(root / "own")["folders that are probably not the classes"] == [
        f"data is the only folder with images and contains a table: set --train_dir {root}/own/data"
    ]
    touch(root / "loose", "0.jpg", "meta/train.csv")
    assert "--table meta/train.csv reads the table" in problems_of(root / "loose")["unknown layout"][0]


def test_links_out_of_the_channel_are_reported_instead_of_the_layout(root: Path) -> None:
    touch(root, "store/cat/a.jpg", "store/dog/b.jpg")
    (root / "subset").mkdir()
    for name in ("cat", "dog"):
        (root / "subset" / name).symlink_to(root / "store" / name)
    assert list(problems_of(root / "subset")) == ["links out of the channel"]
    assert read(root / "subset", follow_links=True).scheme.class_names == ["cat", "dog"]
    write_csv(root / "store", "path,label\ncat/a.jpg,x\ndog/b.jpg,y\n")
    touch(root / "real", "cat/a.jpg", "dog/b.jpg")
    (root / "real/train.csv").symlink_to(root / "store/train.csv")  # is not passed over for the folders
    assert list(problems_of(root / "real")) == ["links out of the channel"]
    assert read(root / "real", follow_links=True).scheme.class_names == ["x", "y"]


def test_every_layout_is_a_choice_of_the_setting() -> None:
    assert sorted(LAYOUTS) == sorted(["auto", *FILE_LAYOUTS, *FOLDER_LAYOUTS])


def test_a_layout_added_to_the_registry_is_detected_and_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new layout only needs a reader and an entry in the registry."""

    def read_pairs(files: ChannelFiles, name: str, options: TableOptions, problems: Problems) -> Rows:
        rows = Rows(f"pairs {name}", columns={"label": []}, label_columns=("label",))
        for line in (files.root / name).read_text().split():
            path, label = line.split("=")
            rows.add(path, name, {"label": label})
        return rows

    monkeypatch.setitem(FILE_LAYOUTS, "pairs", FileLayout((".pairs",), read_pairs))
    touch(root, "a.jpg", "b.jpg")
    (root / "my.pairs").write_text("a.jpg=cat b.jpg=dog")
    for options in ({}, {"layout": "pairs"}, {"table": "my.pairs"}):
        table = read(root, **options)
        assert (table.source, table.classes().tolist()) == ("pairs my.pairs", [0, 1])


def test_a_table_in_a_subfolder_is_set_by_its_path(root: Path) -> None:
    touch(root, "data/a.jpg", "README.md")
    write_csv(root, "image,label\na.jpg,0\n", "data/legend.csv")
    missing = "no file {}; the tables are data/legend.csv; nearest: data/legend.csv"
    for name in ("data/legned.csv", "legend.csv"):
        assert problems_of(root, table=name)["missing table"] == [missing.format(repr(name))]


@pytest.mark.parametrize(
    "content", ["filename,label\na.jpg,0\nb.jpg,1\nb.jpg\n", "a.jpg,0\nb.jpg,1\nb.jpg\n"], ids=["table", "list"]
)
def test_a_table_that_detection_reads_is_not_read_again(root: Path, content: str, monkeypatch) -> None:
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, content)
    reads, read_bytes = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.append(path.name) or read_bytes(path))
    (row,) = [detail for details in problems_of(root).values() for detail in details]
    assert row.startswith("train.csv row ") and reads == ["train.csv"]


def test_outputs_of_rarebird_are_only_read_if_set(root: Path) -> None:
    touch(root, "cat/a.jpg", "dog/b.jpg")
    for name in ("output.csv", "split.csv"):
        write_csv(root, "path,label\ncat/a.jpg,1\ndog/b.jpg,0\n", name)
    write_csv(root, "path,attribute,action,value\ncat/a.jpg,label,relabel,dog\n", "review of ann.csv")
    assert read(root).source == "class folders"
    assert read(root, table="split.csv").source == "CSV split.csv"
