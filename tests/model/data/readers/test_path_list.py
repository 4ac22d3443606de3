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


def test_a_comma_in_a_path_separates_nothing(root: Path):
    touch(root, "Smith, A 1.jpg", "Smith, B 2.jpg")
    write_csv(root, "Smith, A 1.jpg x\nSmith, B 2.jpg y\n", "train.txt")
    table = read(root, table="train.txt")
    assert table.locations.paths == ["Smith, A 1.jpg", "Smith, B 2.jpg"] and table.scheme.class_names == ["x", "y"]
    assert table.source == "list train.txt"


def test_a_csv_without_a_header_is_a_list_too(root: Path):
    touch(root, "a.jpg", "b.jpg")
    write_csv(root, "a.jpg,cat\nb.jpg,dog\n")
    assert read(root, layout="list").scheme.class_names == ["cat", "dog"]
    expected = "train.csv has none of ImageID, image_name, path; there are a.jpg, cat; its first row names a picture"
    assert problems_of(root)["missing picture column"][0].startswith(expected)


def test_what_is_wrong_with_a_list_is_reported_with_its_line(root: Path):
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
