"""The label columns of a channel: rules of the setting `attributes`, indices, and grouped errors."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given

from model.data.channel import ChannelOptions, read_channel
from model.data.default_scheme import default_scheme
from model.data.label_columns import label_columns, origins_text, read_label_column
from model.data.readers.rows import Rows
from model.errors import Problems
from model.labels import Scheme, mask_scheme
from tests.model.data.conftest import csv_channel, problems_of, read, touch, write_csv
from tests.model.test_label_values import LABEL_SETS


def labels_csv(root: Path, *labels: str, column: str = "label") -> Path:
    """A channel with one image per label."""
    text = f"path,{column}\n" + "".join(f'{row}.jpg,"{label}"\n' for row, label in enumerate(labels))
    return csv_channel(root, text, len(labels))


def named(table: object) -> list[str]:
    return [table.scheme.class_names[code] for code in table.classes()]  # type: ignore[attr-defined]


def test_label_columns_of_a_list_keep_their_order(root: Path) -> None:
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, "a.jpg x 1\nb.jpg y 2\n", "train.txt")

    def columns(*attributes: str) -> dict[str, list[str]]:
        forms = dict(pair.split("=") for pair in attributes)
        table = read(root, layout="list", attributes={name: {"column": column} for name, column in forms.items()})
        return table.frame()[list(forms)].to_dict("list")

    assert columns("kind=kind", "number=number") == {"kind": ["x", "y"], "number": ["1", "2"]}
    assert columns("label=label", "number=number") == {"label": ["x", "y"], "number": ["1", "2"]}
    assert columns("number=label_2", "kind=label") == {"number": ["1", "2"], "kind": ["x", "y"]}
    # a column that is there by name, but at the place of another attribute
    problems = problems_of(root, layout="list", attributes={"kind": {}, "label": {}})
    assert problems["missing label column"] == ["list train.txt has no column 'kind'; its columns are label, label_2"]


@given(LABEL_SETS)
def test_a_channel_keeps_the_labels_of_its_rows(labels: list[str]) -> None:
    paths = [f"{row}.jpg" for row in range(len(labels))]
    rows = Rows("table", paths, [f"t row {row}" for row in range(len(labels))], {"label": labels})
    problems = Problems("channel")
    scheme = default_scheme(rows, (30, 60), 0, problems)
    if scheme is None:
        assert list(problems.kinds) == ["fewer than two classes"]
        return
    (column,) = label_columns(rows, scheme.attributes, problems)
    read_back = read_label_column(scheme.attributes[0], rows, column, False, problems)
    assert not problems
    # Two rows have the same class exactly if they had the same label, or equal numbers
    lookup = scheme.attributes[0].lookup
    assert read_back.codes.tolist() == [lookup.code(label) for label in labels]
    # The saved scheme reads them alike
    saved = Scheme.from_dict(scheme.to_dict())
    assert read_label_column(saved.attributes[0], rows, column, False, problems).codes.tolist() == list(read_back.codes)


def test_class_folders_are_read_as_names_not_indices(root: Path) -> None:
    touch(root / "train", "90/a.jpg", "180/b.jpg", "270/c.jpg")
    touch(root / "validation", "90/a.jpg", "0/b.jpg", "0/c.jpg")
    train = read(root / "train")
    assert train.scheme.class_names == ["90", "180", "270"]
    problems = Problems("validation")
    read_channel(root / "validation", problems, scheme=train.scheme)
    assert problems.kinds == {"unknown label": ["0: label = '0', expected 90, 180, 270; nearest: 90"]}
    assert list(problems_of(root / "validation", attributes={"label": ["a", "b"]})) == ["unknown label"]


def test_a_validation_table_may_not_have_indices_of_collected_names(root: Path) -> None:
    train = read(labels_csv(root / "train", "cat", "dog"))
    problems = Problems("validation")
    read_channel(labels_csv(root / "val", "0", "1"), problems, scheme=train.scheme)
    assert "label = '0', expected cat, dog" in str(problems)
    subset = read(labels_csv(root / "subset", "dog"), scheme=train.scheme)
    assert subset.classes().tolist() == [1]


def test_a_table_may_have_indices_of_listed_names(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "rarebird"):
        table = read(labels_csv(root / "train", "1", "0", "1.0"), attributes={"label": ["top", "bottom"]})
    assert named(table) == ["bottom", "top", "bottom"]
    assert "label contains class indices: 0 top, 1 bottom" in caplog.text
    mixed = problems_of(labels_csv(root / "mixed", "top", "1", "top"), attributes={"label": ["top", "bottom"]})
    assert mixed == {
        "unknown label": [
            "train.csv row 3: label = '1', expected top, bottom or 0 to 1; a column must contain either names or "
            "indices"
        ]
    }


def test_tables_of_the_mask_scheme_have_indices_or_names(root: Path) -> None:
    text = "path,mask,gender,age\n0.jpg,0,male,20\n1.jpg,2,female,70\n"
    table = read(csv_channel(root, text))
    assert table.scheme == mask_scheme() and table.classes().tolist() == [0, 17]


def test_listed_names_that_are_numbers_are_read_as_names(root: Path) -> None:
    table = read(labels_csv(root, "1.0", "4", "02"), attributes={"label": [1, 2, 3, 4, 5]})
    assert table.labels["label"].tolist() == [0, 3, 1]


@pytest.mark.parametrize(
    ("labels", "num_classes", "names"),
    [
        (["1", "2", "1"], 0, ["1", "2"]),
        (["1", "2", "1"], 4, ["0", "1", "2", "3"]),
        (["01", "02", "01"], 4, ["0", "01", "02", "3"]),
        (["1", "2", "1"], 2, ["1", "2"]),  # as many as there are
        (["1", "4", "1"], 4, ["1", "4"]),  # not 0 to 3; the number of classes is checked later
        (["a", "b", "a"], 4, ["a", "b"]),
        (["-1", "1", "-1"], 4, ["-1", "1"]),
    ],
)
def test_classes_are_counted_from_0_if_num_classes_is_set(
    root: Path, labels: list[str], num_classes: int, names: list[str]
) -> None:
    assert read(labels_csv(root, *labels), num_classes=num_classes).scheme.class_names == names


def test_spellings_of_a_number_and_similar_names_are_logged(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    read(labels_csv(root / "numbers", "1", "01", "01", "2"))
    assert "spellings of the same number are one class: 01, 1 as 01" in caplog.text
    caplog.clear()
    read(labels_csv(root / "cases", "sad", "SAD", "joy", "not sure", "not  sure"))
    assert "these classes differ only in letter case or white space: SAD, sad; not  sure, not sure" in caplog.text
    assert "attributes: {label: {column: label, fold_case: true}}" in caplog.text
    caplog.clear()
    touch(root / "padded", "cat/a.jpg", "cat /a.jpg", "dog/a.jpg")
    assert read(root / "padded").scheme.class_names == ["cat", "dog"]
    assert "leading or trailing white space are one class: 'cat ', 'cat'" in caplog.text
    caplog.clear()
    table = read(root / "cases", attributes={"label": {"fold_case": True}})
    assert table.scheme.class_names == ["joy", "not sure", "sad"]
    assert "letter case" not in caplog.text


def test_values_are_collected_from_the_column_with_rules(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    labels = ["Polo", "Pants", "Undershirt", "Not sure", "Skip", "", "PANTS", "Skip"]
    form = {"column": "fine", "drop": ["Not sure", "Skip", "", "Skp"], "merge": {"T-Shirt": ["Polo", "Undershirt"]}}
    with caplog.at_level(logging.INFO, "rarebird"):
        table = read(
            labels_csv(root / "train", *labels, column="fine"), attributes={"kind": form | {"fold_case": True}}
        )
    assert named(table) == ["T-Shirt", "Pants", "T-Shirt", "Pants"]
    assert table.locations.paths == ["images/0.jpg", "images/1.jpg", "images/2.jpg", "images/6.jpg"]
    assert len(table.set_aside) == 0
    assert "fine: `drop` skipped 4 rows: Skip (2)" in caplog.text
    assert "'Skp' is in drop or merge, but not in column fine; nearest: Skip" in caplog.text
    # The saved scheme applies them to a validation channel
    saved = Scheme.from_dict(table.scheme.to_dict())
    validation = read(labels_csv(root / "val", "undershirt", "Skip", "pants", column="fine"), scheme=saved)
    assert named(validation) == ["T-Shirt", "Pants"]


def test_listed_values_may_have_rules(root: Path) -> None:
    form = {"values": ["top", "bottom"], "merge": {"top": ["shirt"]}, "drop": ["?"]}
    table = read(labels_csv(root, "shirt", "bottom", "?"), attributes={"label": form})
    assert named(table) == ["top", "bottom"]


def test_collecting_values_requires_the_column_and_two_labels(root: Path) -> None:
    labels_csv(root, "a", "a", column="fine")
    assert problems_of(root, attributes={"kind": {"column": "fine"}}) == {
        "fewer than two classes": ["CSV train.csv: attribute 'kind': column fine contains only a"]
    }
    assert problems_of(root, attributes={"kind": {"column": "fin"}}) == {
        "missing label column": ["CSV train.csv has no column 'fin'; its columns are fine; nearest: fine"]
    }


def test_unknown_labels_are_reported_by_label(root: Path) -> None:
    labels = ["Not sure" if row % 3 == 0 else "a" if row % 3 == 1 else "b" for row in range(30)] + ["aa", "", ""]
    problems = problems_of(labels_csv(root, *labels), attributes={"label": ["a", "b"]})
    assert problems == {
        "unknown label": [
            "train.csv rows 2, 5, 8, 11, 14 and 5 more (10 in total): label = 'Not sure', expected a, b or 0 to 1",
            "train.csv row 32: label = 'aa', expected a, b or 0 to 1; nearest: a",
        ],
        "empty label": [
            "train.csv rows 33, 34: label = '', expected a, b; in `attributes`, `drop: [\"\"]` skips such "
            "rows and `optional: true` keeps them without a label"
        ],
    }


def test_origins() -> None:
    assert origins_text(["t.csv row 3"]) == "t.csv row 3"
    assert origins_text(["t.csv row 3", "t.csv row 8"]) == "t.csv rows 3, 8"
    assert origins_text(["a/b", "a/c"]) == "a/b, a/c"
    assert origins_text(["a.lst row 1", "b.lst row 1"]) == "a.lst row 1, b.lst row 1"


def test_the_channel_is_logged_if_no_label_is_dropped(root: Path) -> None:
    problems = Problems("channel")
    table = read_channel(labels_csv(root, "a", "b"), problems, ChannelOptions(attributes={"label": {"drop": ["c"]}}))
    assert table is not None and len(table) == 2 and not problems
