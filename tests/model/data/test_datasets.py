"""The images that a run trains and validates on, for small tables. tests/test_train.py tests that a split is kept."""

from __future__ import annotations

import json
import logging
import string
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model.data.checked_tables import read_tables
from model.data.datasets import Datasets, hold_out, labelled_for, make_datasets
from model.data.table import Table
from model.errors import InputError
from model.settings.train import TrainSettings
from tests.model.data.conftest import ATTRIBUTES, csv_channel, read, touch, write_csv

PERSONS = 10
SETTINGS = TrainSettings(attributes=ATTRIBUTES, validation=0.3, check="headers")


@pytest.fixture
def table(root: Path) -> Table:
    """Two images of each of ten persons."""
    rows = [f"{row}.jpg,p{row // 2},{10 * (row % 7)},{'top' if row % 3 else 'bottom'}" for row in range(2 * PERSONS)]
    return read(
        csv_channel(root, "\n".join(["path,person,age,kind", *rows]), images=2 * PERSONS), attributes=ATTRIBUTES
    )


def write_list(folder: Path, *names: str) -> str:
    path = folder / f"{names[0]}.txt"
    path.write_text("\n".join(names) + "\n")
    return str(path)


def groups(datasets: Datasets) -> tuple[set[str], set[str]]:
    assert datasets.validation is not None
    return set(datasets.train.groups), set(datasets.validation.groups)


def test_validation_is_split_off_by_groups(table: Table) -> None:
    datasets = make_datasets(SETTINGS, table, None)
    train, validation = groups(datasets)
    assert not train & validation and len(train | validation) == PERSONS
    assert datasets.validation is not None and len(datasets.validation) == 6
    assert datasets.report is not None and datasets.report.images == [14, 6]
    assert make_datasets(replace(SETTINGS, validation=0.0), table, None).validation is None


def test_datasets_have_the_labels_of_the_target(table: Table) -> None:
    datasets = make_datasets(replace(SETTINGS, target="age", allow_overlap=True), table, table)
    assert datasets.train.scheme.names == ("age",)
    assert datasets.validation is not None and datasets.validation.scheme.names == ("age",)
    narrowed = make_datasets(SETTINGS, table, None).narrowed("kind")
    assert narrowed.validation is not None
    assert narrowed.train.scheme.names == narrowed.validation.scheme.names == ("kind",)


def test_rows_without_a_label_are_skipped_only_by_targets_that_need_it(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    csv_channel(root, "path,kind,age\n0.jpg,top,1\n1.jpg,,40\n2.jpg,bottom,\n3.jpg,,70\n")
    optional = {"kind": {"values": ["top", "bottom"], "optional": True}, "age": {"cuts": [30, 60], "optional": True}}
    table = read(root, attributes=optional)
    caplog.clear()
    assert len(labelled_for(table, "heads")) == 4 and caplog.text == ""
    with pytest.raises(
        InputError, match=r"every label of an image, and 3 images have missing labels \(kind 2, age 1\); --target heads"
    ):
        labelled_for(table, "joint")
    with caplog.at_level(logging.INFO, "rarebird"):
        assert labelled_for(table, "kind").locations.paths == ["images/0.jpg", "images/2.jpg"]
    assert caplog.messages == ["skipped 2 images without a label of kind"]
    assert labelled_for(table, "age").labels["age"].tolist() == [0, 1, 2]
    assert len(labelled_for(table.take([0]), "joint")) == 1


def test_a_single_group_has_no_validation(table: Table, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "rarebird"):
        datasets = make_datasets(SETTINGS, table.take([0, 1]), None)
    assert datasets.validation is None and "all images are in one group, p0," in caplog.text


def test_with_a_list_of_validation_groups_all_others_are_for_training(table: Table, tmp_path: Path) -> None:
    settings = replace(SETTINGS, validation_groups=write_list(tmp_path, "p3", "", "p1", "p3"))
    train, validation = groups(make_datasets(settings, table, None))
    assert validation == {"p1", "p3"} and train == {f"p{n}" for n in range(PERSONS)} - {"p1", "p3"}


def test_groups_in_neither_list_are_skipped(table: Table, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lists = {"train_groups": write_list(tmp_path, "p0", "p2"), "validation_groups": write_list(tmp_path, "p1")}
    with caplog.at_level(logging.INFO, "rarebird"):
        datasets = make_datasets(replace(SETTINGS, **lists), table, None)
    assert groups(datasets) == ({"p0", "p2"}, {"p1"})
    assert "skipped 14 images whose group is in neither list" in caplog.text


def test_a_list_of_train_groups_splits_validation_off_them(table: Table, tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(6)]
    settings = replace(SETTINGS, train_groups=write_list(tmp_path, *names))
    train, validation = groups(make_datasets(settings, table, None))
    assert train | validation == set(names) and validation and not train & validation
    with_channel = make_datasets(replace(settings, allow_overlap=True), table, table)
    assert groups(with_channel) == (set(names), set(table.groups))


def test_two_channels_are_counted_without_a_warning_about_large_groups(table: Table) -> None:
    one = table.take(np.flatnonzero(table.groups == "p0"))
    rest = table.take(np.flatnonzero(table.groups != "p0"))
    report = make_datasets(SETTINGS, rest, one).report
    assert report and report.images == [len(rest), len(one)] and report.groups == [PERSONS - 1, 1]
    assert report.class_counts[1] == one.class_counts().tolist()
    assert all("no image of" in warning for warning in report.warnings)
    ungrouped = replace(one, grouped_by="", groups=np.array(one.locations.paths, dtype=object))
    report = make_datasets(SETTINGS, rest, ungrouped).report
    assert report and report.grouped_by is None and report.groups == report.images
    overlapping = make_datasets(replace(SETTINGS, allow_overlap=True), table, one).report
    assert overlapping and overlapping.warnings[0].startswith(
        "1 group (person) on both sides of the split, which makes scores too high: p0"
    )


def test_large_groups_are_a_warning_only_for_requested_shares(table: Table) -> None:
    reports = [hold_out(table, [0, 1], share).report for share in (0.05, 0.1, None)]
    warnings = [[warning for warning in report.warnings if "more than" in warning] for report in reports if report]
    assert [len(texts) for texts in warnings] == [3, 0, 0]
    assert "person p0 has 2 of 20 images (10.0 %), more than the 1 requested for validation" in warnings[0][0]


def test_groups_may_be_listed_by_the_folder_of_their_images(table: Table, tmp_path: Path) -> None:
    settings = replace(SETTINGS, train_groups=write_list(tmp_path, "images"), validation=0.0)
    assert len(make_datasets(settings, table, None).train) == len(table)


def test_a_list_may_spell_a_group_in_the_other_unicode_form(root: Path, tmp_path: Path) -> None:
    """As in a list that was written on macOS."""
    names = [unicodedata.normalize(form, "김") for form in ("NFC", "NFD")]
    table = read(csv_channel(root, f"path,person,label\n0.jpg,{names[0]},0\n1.jpg,b,1\n2.jpg,b,0\n"))
    settings = TrainSettings(validation_groups=write_list(tmp_path, names[1]))
    assert groups(make_datasets(settings, table, None)) == ({"b"}, {names[0]})


@pytest.mark.parametrize(
    ("train", "validation", "message"),
    [
        (["p0", "p1"], ["p1"], "share 1 group: p1"),
        (None, [f"p{number}" for number in range(PERSONS)], "lists every group"),
        (None, ["p1", "p11"], "line 2: 'p11'; nearest: p1"),
        (None, [""], "the file lists no group"),
    ],
)
def test_invalid_lists_of_groups_are_errors(
    table: Table, tmp_path: Path, train: list[str] | None, validation: list[str], message: str
) -> None:
    lists = {"validation_groups": write_list(tmp_path, *validation)}
    if train:
        lists["train_groups"] = write_list(tmp_path, *train)
    with pytest.raises(InputError, match=message):
        make_datasets(replace(SETTINGS, **lists), table, None)


def test_the_nearest_group_is_looked_up_only_for_listed_problems(table: Table, tmp_path: Path) -> None:
    listed = write_list(tmp_path, *(f"p1{letter}" for letter in string.ascii_lowercase))
    with pytest.raises(InputError) as raised:
        make_datasets(replace(SETTINGS, train_groups=listed), table, None)
    assert raised.value.details.count("nearest: p1") == 20 and "'p1z'" in raised.value.details


def test_a_list_requires_a_file_and_no_validation_channel(table: Table, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt: cannot be read"):
        make_datasets(replace(SETTINGS, train_groups="none.txt"), table, None)
    with pytest.raises(InputError, match="both define the validation images"):
        make_datasets(replace(SETTINGS, validation_groups=write_list(tmp_path, "p1")), table, table)


def test_identity_and_summary_describe_both_tables(table: Table) -> None:
    datasets = hold_out(table, [0, 1], 0.1)
    identity = datasets.identity()
    assert identity["training pictures"] == 18 and identity["validation pictures"] == 2
    assert identity["training data"] == datasets.train.fingerprint() != identity["validation data"]
    assert Datasets(table, None).identity().keys() == {"training data", "training pictures", "label values"}
    summary = datasets.summary()
    assert summary["train"] == {
        "pictures": 18,
        "groups": 9,
        "class_counts": datasets.train.class_counts().tolist(),
    }
    assert summary["validation"]["pictures"] == 2 and summary["split"]["sides"].keys() == {"train", "validation"}
    assert Datasets(table, None).summary()["validation"] is None


def test_content_ids_are_of_all_images_however_they_are_split(table: Table) -> None:
    whole = Datasets(table, None).content_ids()
    assert whole.keys() == {"age", "kind"} and {len(text) for text in whole.values()} == {16}
    assert hold_out(table, [0, 1], 0.1).content_ids() == hold_out(table, [7, 3], 0.1).content_ids() == whole
    assert hold_out(table, [0, 1], 0.1).summary()["ids"] == whole
    backwards = table.take(np.arange(len(table))[::-1])
    assert list(backwards.locations.paths) != list(table.locations.paths)
    assert Datasets(backwards, None).content_ids() == whole
    fewer = Datasets(table.take(np.arange(len(table) - 1)), None).content_ids()
    assert all(fewer[name] != whole[name] for name in whole)


def test_the_content_id_of_an_attribute_is_that_of_its_own_labels(table: Table) -> None:
    whole = Datasets(table, None).content_ids()
    labels = table.labels.copy()
    labels.loc[[0, 1], "kind"] = labels.loc[[1, 0], "kind"].to_numpy()
    swapped = Datasets(replace(table, labels=labels), None).content_ids()
    assert swapped["age"] == whole["age"] and swapped["kind"] != whole["kind"]
    assert hold_out(table, [0, 1], 0.1).narrowed("age").content_ids() == {"age": whole["age"]}


def test_the_identity_depends_on_the_data_not_on_how_it_was_read(root: Path) -> None:
    touch(root, *(f"{row}.jpg" for row in range(4)))
    rows = "path,label\n" + "".join(f"{row}.jpg,{('blau', 'grün')[row % 2]}\n" for row in range(4))
    write_csv(root, rows, "a.csv", "cp1252")
    write_csv(root, rows.replace(",", ";") + "absent.jpg;blau\n", "b.csv", "utf-8")

    def identity(**options: Any) -> dict[str, Any]:
        return Datasets(read(root, **options), None).identity()

    first = identity(table="a.csv", encoding="cp1252")
    assert identity(table="b.csv", missing="skip", layout="csv", picture_column="path") == first
    other = identity(table="a.csv", encoding="cp1251")  # the same rows and codes, but another name of a class
    assert {name for name in first if first[name] != other[name]} == {"label values"}
    assert (
        identity(table="a.csv", encoding="cp1252", group_pattern="(.).jpg")["training data"] != first["training data"]
    )


def test_a_split_is_saved_with_every_image(table: Table, tmp_path: Path) -> None:
    hold_out(table, [4, 5], 0.1).save_split(tmp_path)
    rows = pd.read_csv(tmp_path / "split.csv")
    assert sorted(rows["path"]) == sorted(table.locations.paths)
    assert rows.loc[rows["side"] == "validation", "path"].tolist() == ["images/4.jpg", "images/5.jpg"]
    assert json.loads((tmp_path / "split.json").read_text())["sides"]["validation"]["pictures"] == 2
    Datasets(table, None).save_split(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def split_table(root: Path, sides: str) -> Table:
    """Two images of each person p0, p1, ...; sides: the split of each image, by its first letter."""
    names = {"t": "train", "v": "val", "x": "test"}
    rows = [f"{row}.jpg,p{row // 2},{row % 2},{names[side]}" for row, side in enumerate(sides)]
    text = "\n".join(["path,person,label,set", *rows])
    return read(csv_channel(root, text, images=len(sides)), split_column="set")


def test_a_split_column_sets_the_sides_and_may_not_divide_groups(root: Path) -> None:
    settings = TrainSettings(split_column="set")
    datasets = make_datasets(settings, split_table(root, "ttxxvvxttt"[:6] + "tt"), None)
    assert groups(datasets) == ({"p0", "p3"}, {"p2"})
    assert datasets.report is not None and datasets.report.images == [4, 2] and not datasets.report.warnings
    both = "train and validation of split_column set share 1 group: p1; --allow_overlap true"
    with pytest.raises(InputError, match=both):
        make_datasets(settings, split_table(root, "tttvvv"), None)
    insisted = make_datasets(replace(settings, allow_overlap=True), split_table(root, "tttvvv"), None)
    assert groups(insisted) == ({"p0", "p1"}, {"p1", "p2"})
    with pytest.raises(InputError, match="split_column set: no image has the split train"):
        make_datasets(settings, split_table(root, "vvvv"), None)


def test_without_rows_for_validation_train_is_split(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "rarebird"):
        datasets = make_datasets(TrainSettings(split_column="set", validation=0.5), split_table(root, "ttttxx"), None)
    assert datasets.validation is not None and len(datasets.validation) == 2
    assert "split_column set: no image has the split validation" in caplog.messages


def test_a_split_column_with_a_validation_channel_is_an_error(root: Path, tmp_path: Path) -> None:
    split_table(root, "ttvv")
    with pytest.raises(InputError, match="split_column and a validation channel"):
        read_tables(TrainSettings(split_column="set"), root, root, tmp_path / "checked")
