from __future__ import annotations

import logging
from pathlib import Path

import pytest

from model.data.readers.channel_files import ChannelFiles
from model.data.readers.detect import FILE_LAYOUTS, FOLDER_LAYOUTS, FileLayout
from model.data.readers.rows import Rows
from model.errors import Problems
from model.settings.train import LAYOUTS
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
def test_which_csv_is_read(root: Path, files: list[str], settings: dict, source: str) -> None:
    touch(root, "a.jpg", "b.jpg")
    for name in files:
        write_csv(root, "path,label\na.jpg,0\nb.jpg,1\n", name)
    assert read(root, **settings).source == source


def test_several_or_misnamed_tables_are_reported(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    for name in ("one.csv", "two.csv"):
        write_csv(root, "path,label\na.jpg,0\nb.jpg,1\n", name)
    assert problems_of(root) == {"several tables": ["one.csv, two.csv; name one by table"]}
    assert problems_of(root, layout="lst") == {
        "missing table": [f"{root} holds none; there are a.jpg, b.jpg, one.csv, two.csv"]
    }
    assert problems_of(root, table="tow.csv") == {
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


def test_channels_of_no_layout_are_reported(root: Path) -> None:
    missing = root / "none"
    assert problems_of(missing) == {"missing channel": [f"{missing}: there is no such folder"]}
    touch(root, "file")
    assert problems_of(root / "file") == {"missing channel": [f"{root}/file: a file, no folder"]}
    (root / "empty").mkdir()
    touch(root / "empty", ".DS_Store")
    assert problems_of(root / "empty") == {"empty channel": [f"{root}/empty: there is nothing in it"]}
    touch(root / "loose", "a.jpg", "images/b.jpg")
    assert list(problems_of(root / "loose")) == ["channel without labels"]
    touch(root / "texts", "deep/notes.txt")
    assert list(problems_of(root / "texts")) == ["channel of no known layout"]
    assert "holds deep;" in problems_of(root / "texts")["channel of no known layout"][0]


def test_the_setting_names_every_layout() -> None:
    assert sorted(LAYOUTS) == sorted(["auto", *FILE_LAYOUTS, *FOLDER_LAYOUTS])


def test_a_layout_in_the_table_is_detected_and_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new layout needs its reader and an entry, nothing else."""

    def read_pairs(files: ChannelFiles, name: str, picture_column: str | None, problems: Problems) -> Rows:
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
