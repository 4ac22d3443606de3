import logging
from pathlib import Path

import pytest

from tests.model.data.conftest import problems_of, read, touch, write_csv


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("/train/a b.jpg, 3, 0\n/train/c.jpg, 4, 1\n", [["3", "4"], ["0", "1"]]),
        ("train/a b.jpg 3 0\ntrain/c.jpg\t4   1\n", [["3", "4"], ["0", "1"]]),
        ("train/a b.jpg;cat\r\ntrain/c.jpg;dog\r\n", [["cat", "dog"]]),
        ("train/a b.jpg\tcat, grey\ntrain/c.jpg\tdog, black\n", [["cat, grey", "dog, black"]]),
        ('"train/a b.jpg","cat, grey"\n"train/c.jpg","dog"\n', [["cat, grey", "dog"]]),
        ('train/a b.jpg;5" disk\ntrain/c.jpg; "say ""x"""\n', [['5" disk', 'say "x"']]),
        ("train/a b cat\ntrain/c dog\n", [["cat", "dog"]]),
        ("path,label\ntrain/a b.jpg,cat\ntrain/c.jpg,dog\n", [["cat", "dog"]]),
    ],
)
def test_a_list_of_paths_and_labels_is_read(root: Path, text: str, labels: list[list[str]]):
    touch(root, "train/a b.jpg", "train/c.jpg", "README.txt")
    write_csv(root, text, "train.txt")
    names = ["label", "label_2"][: len(labels)]
    attributes = {name: {"column": name, "values": values} for name, values in zip(names, labels)}
    for options in ({"table": "train.txt"}, {"layout": "list"}):
        table = read(root, attributes=attributes, **options)
        assert table.locations.paths == ["train/a b.jpg", "train/c.jpg"]
        assert [table.labels[name].tolist() for name in names] == [[0, 1]] * len(labels)


def test_a_comma_in_a_path_is_not_a_delimiter(root: Path):
    touch(root, "Smith, A 1.jpg", "Smith, B 2.jpg")
    write_csv(root, "Smith, A 1.jpg x\nSmith, B 2.jpg y\n", "train.txt")
    table = read(root, table="train.txt")
    assert table.locations.paths == ["Smith, A 1.jpg", "Smith, B 2.jpg"] and table.scheme.class_names == ["x", "y"]
    assert table.source == "list train.txt"
    touch(root, "SmithC 3.jpg")
    write_csv(root, "Smith, A 1 x\nSmithC 3 y\n", "train.txt")
    assert read(root, table="train.txt").locations.paths == ["Smith, A 1.jpg", "SmithC 3.jpg"]


def test_a_csv_without_a_header_is_a_list_too(root: Path):
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, "a.jpg,cat\nb.jpg,dog\n")
    for options in ({"layout": "list"}, {}, {"table": "train.csv"}):
        table = read(root, **options)
        assert table.scheme.class_names == ["cat", "dog"] and table.source == "list train.csv"
    expected = (
        "train.csv has none of the columns ImageID, image_name, path, filename and 6 more; its columns are a.jpg, cat; "
        "its first row contains an image name"
    )
    assert problems_of(root, layout="csv")["missing image column"][0].startswith(expected)


def test_a_csv_of_paths_and_labels_between_spaces_is_a_list(root: Path, caplog: pytest.LogCaptureFixture):
    touch(root, "images/cell 1.png", "images/cell 2.png")
    write_csv(root, "images/cell 1.png  1.0     mono\nimages/cell 2.png  0.3333  poly\n", "labels.csv")
    with caplog.at_level(logging.INFO, "rarebird"):
        table = read(root, attributes={"defect": {"column": "label"}, "kind": {"column": "label_2"}})
    assert [table.labels[name].tolist() for name in ("defect", "kind")] == [[1, 0], [0, 1]]
    assert "labels.csv: the first row contains an image name, so it is read as a list without a header" in caplog.text
    (details,) = problems_of(root)["more than one label column"]
    assert details.endswith("choose the columns to learn, as in --attributes '{label: {}, label_2: {}}'")
    assert "missing image column" in problems_of(root, picture_column="image")


def test_problems_of_a_list_are_reported_with_their_lines(root: Path):
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, "a.jpg, 1\n\nb.jpg, 2, 3\nc.jpg, 1\nb.jpg, 2\n", "train.txt")
    assert problems_of(root, table="train.txt") == {
        "row with too few or too many fields": ["train.txt row 3: 'b.jpg, 2, 3' has 3 fields, the first row has 2"],
        "missing file": ["train.txt row 4: c.jpg"],
    }
    write_csv(root, "a.jpg\nb.jpg\n", "train.txt")
    assert "train.txt: expected a path and a label" in problems_of(root, table="train.txt")["list without labels"][0]
    write_csv(root, "\n", "train.txt")
    assert problems_of(root, table="train.txt") == {"empty table": ["train.txt"]}
