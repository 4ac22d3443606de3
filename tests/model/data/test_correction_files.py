"""Logs of one or two channels: where they are found, rows for other images, and images with the same path."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from model.data.checked_tables import read_tables
from model.data.correction_files import log_path, own_logs
from model.data.datasets import make_datasets
from model.data.table import Table
from model.errors import InputError
from model.settings.train import TrainSettings
from tests.model.data.conftest import csv_channel
from tests.model.data.test_checked_tables import image_channel
from tests.model.data.test_integrity import jpeg

HEADER = "path,group,attribute,action,value\n"


def two_channels(folder: Path) -> tuple[Path, Path]:
    """Class folders a and b with two images each, and with images of the same paths to validate on."""
    names = ("a/0.jpg", "a/1.jpg", "b/2.jpg", "b/3.jpg")
    train = image_channel(folder / "train", {name: jpeg(row) for row, name in enumerate(names)})
    return train, image_channel(folder / "val", {name: jpeg(10 + row) for row, name in enumerate(names[1:])})


def tables(folder: Path, log: str, validation: bool = True, name: str = "fixes.csv") -> list[Table]:
    """The tables of two_channels with this log, which lies outside of them."""
    (folder / name).write_text(HEADER + log)
    train, val = two_channels(folder)
    settings = TrainSettings(corrections=str(folder / name))
    own = read_tables(settings, train, val if validation else None, folder / "checked")
    return [table for table in own if table is not None]


def labels(table: Table) -> dict[str, int]:
    return dict(zip(table.locations.paths, table.labels.label.tolist()))


def test_rows_apply_to_the_channel_that_has_the_image(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = "a/0.jpg,,label,relabel,b\nval/a/1.jpg,,label,relabel,b\ntrain/b/2.jpg,,,delete,\n"
    train, val = tables(tmp_path, log)
    assert labels(train) == {"a/0.jpg": 1, "a/1.jpg": 0, "b/3.jpg": 1}
    assert labels(val) == {"a/1.jpg": 1, "b/2.jpg": 1, "b/3.jpg": 1}
    assert "changed 2 labels (label 2) and left out 1 image" in caplog.text
    assert "does not have" not in caplog.text  # each row is for an image of one of the channels
    (record,) = make_datasets(TrainSettings(allow_overlap=True), train, val).summary()["corrections"]
    assert (record["file"], record["relabelled"], record["deleted"]) == ("fixes.csv", {"label": 2}, 1)
    assert record["rows"] == {"relabel": 2, "delete": 1} and record["elsewhere"] == 0


def test_a_split_channel_is_counted_once(tmp_path: Path) -> None:
    (train,) = tables(tmp_path, "a/0.jpg,,label,relabel,b\n", validation=False)
    datasets = make_datasets(TrainSettings(validation=0.5), train, None)
    assert datasets.validation is not None
    assert [record["relabelled"] for record in datasets.summary()["corrections"]] == [{"label": 1}]
    uncorrected, _ = read_tables(TrainSettings(), tmp_path / "train", None, tmp_path / "checked")
    assert uncorrected.fingerprint() != train.fingerprint()  # a run is not resumed with other corrections


def test_a_path_that_is_in_both_channels_must_say_which(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        tables(tmp_path, "a/1.jpg,,label,relabel,b\nb/2.jpg,,label,keep,\n")
    message = str(error.value)
    assert "fixes.csv: a/1.jpg is in train, val; write which one, such as train/a/1.jpg" in message
    assert "b/2.jpg" not in message


def test_a_log_in_each_channel_applies_to_this_channel(tmp_path: Path) -> None:
    train, val = two_channels(tmp_path)
    settings = TrainSettings(corrections="corrections.csv")
    (train / "corrections.csv").write_text(HEADER + "a/1.jpg,,label,relabel,b\n")
    own = read_tables(settings, train, val, tmp_path / "checked")
    assert own[1] is not None
    assert (labels(own[0])["a/1.jpg"], labels(own[1])["a/1.jpg"]) == (1, 0)
    (val / "corrections.csv").write_text(HEADER + "b/2.jpg,,label,relabel,a\n")
    own = read_tables(settings, train, val, tmp_path / "checked")
    assert own[1] is not None
    assert (labels(own[0])["b/2.jpg"], labels(own[1])["b/2.jpg"]) == (1, 0)
    assert len(make_datasets(TrainSettings(allow_overlap=True), own[0], own[1]).summary()["corrections"]) == 2


def test_a_log_next_to_the_folders_of_the_splits_applies_to_both(tmp_path: Path) -> None:
    two_channels(tmp_path / "data")
    log = "train/a/1.jpg,,label,relabel,b\nval/b/2.jpg,,,delete,\n"
    (tmp_path / "data" / "corrections.csv").write_text(HEADER + log)
    settings = TrainSettings(corrections="corrections.csv")
    train, val = read_tables(settings, tmp_path / "data", None, tmp_path / "checked")
    assert val is not None
    assert (labels(train)["a/1.jpg"], labels(val)) == (1, {"a/1.jpg": 0, "b/3.jpg": 1})


def test_rows_for_other_images_are_a_warning_with_the_nearest_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = "a/0.jpg,,label,relabel,b\na/01.jpg,,label,relabel,b\nelse/3.jpg,,,delete,\n,p1,label,relabel,c\n"
    (train,) = tables(tmp_path, log, validation=False)
    assert labels(train)["a/0.jpg"] == 1
    assert "3 of 4 rows are for images or groups that the data does not have" in caplog.text
    assert "line 3: a/01.jpg; nearest: a/1.jpg, line 4: else/3.jpg; nearest: b/3.jpg, line 5: group p1" in caplog.text


def test_only_rows_for_other_images_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        tables(tmp_path, "a/00.jpg,,label,relabel,b\nx/1.jpg,,label,keep,\n", validation=False)
    assert "line 2: a/00.jpg; nearest: a/0.jpg" in str(error.value) and "line 3: x/1.jpg" in str(error.value)


def test_what_is_wrong_with_a_log_is_reported_once_with_the_problems_of_the_channels(tmp_path: Path) -> None:
    (tmp_path / "fixes.csv").write_text(HEADER + "a/0.jpg,,label,relable,b\n")
    train, val = two_channels(tmp_path)
    (train / "b" / "2.jpg").write_bytes(b"no image")
    settings = TrainSettings(corrections=str(tmp_path / "fixes.csv"))
    with pytest.raises(InputError) as error:
        read_tables(settings, train, val, tmp_path / "checked")
    assert str(error.value).count("'relable'") == 1 and "b/2.jpg" in str(error.value)


def test_a_deleted_image_is_not_checked(tmp_path: Path) -> None:
    train, _ = two_channels(tmp_path)
    (train / "b" / "2.jpg").write_bytes(b"no image")
    (tmp_path / "fixes.csv").write_text(HEADER + "b/2.jpg,,,delete,\n")
    own, _ = read_tables(TrainSettings(corrections=str(tmp_path / "fixes.csv")), train, None, tmp_path / "checked")
    assert len(own) == 3


def test_a_log_is_found_in_the_working_folder_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    csv_channel(root, "path,label\n0.jpg,a\n"), csv_channel(other, "path,label\n0.jpg,a\n")
    monkeypatch.chdir(tmp_path)
    assert log_path("fixes.csv", root) == Path("fixes.csv")
    assert own_logs("fixes.csv", [root, other]) == ["fixes.csv", None]  # reading it fails
    (other / "fixes.csv").touch()
    assert own_logs("fixes.csv", [root, other]) == [None, str(other / "fixes.csv")]
    (tmp_path / "fixes.csv").touch()
    assert own_logs("fixes.csv", [root, other]) == ["fixes.csv", "fixes.csv"]
    assert own_logs(None, [root]) == [None]
