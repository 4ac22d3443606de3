"""Labels as the page shows them and as corrections.csv has them."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from exploration.channels import ExploredChannel, read_labelled
from exploration.review.row_labels import RowLabels


def test_labels_are_names_of_classes_and_numbers(labels):
    row = next(row for row, path in enumerate(labels.paths) if "incorrect_mask" in path)
    number, gender, _, age = labels.paths[row].split("/")[1].split("_")
    assert labels.labels(row) == {"mask": "incorrect", "gender": gender, "age": age}
    assert labels.groups[row] == number and labels.metadata(row) == {"race": "drawn"}
    assert labels.row_of[labels.paths[row]] == row


def test_groups_have_their_rows_in_the_order_of_paths(labels):
    assert len(labels.rows_of) == 24
    for group, rows in labels.rows_of.items():
        paths = [labels.paths[row] for row in rows]
        assert len(rows) == 7 and paths == sorted(paths) and {labels.groups[row] for row in rows} == {group}


def test_shared_labels(labels):
    rows = labels.rows_of["000001"]
    _, gender, _, age = labels.paths[rows[0]].split("/")[1].split("_")
    assert labels.shared(rows, "gender") == gender and labels.shared(rows, "mask") == ""
    assert labels.shared(rows, "") == f"gender {gender}, age {age}"
    worn = [row for row in rows if labels.text(row, "mask") == "worn"]
    assert labels.shared(worn, "") == f"mask worn, gender {gender}, age {age}"


def test_a_channel_without_groups_and_with_missing_labels(tmp_path: Path):
    for name in "ab":
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png")
    (tmp_path / "labels.csv").write_text("image_name,kind,age\na.png,cat,2.50\nb.png,,7\n")
    attributes = {"kind": {"values": ["cat", "dog"], "optional": True}, "age": {"cuts": [5]}}
    settings = ExploredChannel(cache=str(tmp_path.parent / "cache"), attributes=attributes)
    labels = RowLabels(read_labelled(settings, tmp_path))
    assert [labels.labels(row) for row in range(2)] == [{"kind": "cat", "age": "2.5"}, {"kind": "", "age": "7"}]
    assert labels.groups == ["", ""] and labels.rows_of == {} and labels.shared([1], "") == "age 7"
