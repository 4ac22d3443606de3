from __future__ import annotations

import logging
from pathlib import Path

import pytest

from model.data.channel import ChannelOptions, read_channel
from model.data.groups import groups_of_paths
from model.errors import Problems
from tests.model.data.conftest import csv_channel, problems_of, read, touch, write_csv


@pytest.mark.parametrize("pattern", ["([^/]+)_[0-9]+", "(images)/(?P<group>.+?)_"])
def test_groups_by_a_pattern_of_the_paths(root: Path, pattern: str, caplog: pytest.LogCaptureFixture) -> None:
    touch(root, "images/Tiger_Woods_0001.jpg", "images/Tiger_Woods_0002.jpg", "images/Ann_1.jpg", "images/b.jpg")
    rows = ["Tiger_Woods_0001.jpg,0,x", "Tiger_Woods_0002.jpg,1,y", "Ann_1.jpg,0,x"]
    write_csv(root, "\n".join(["path,label,person", *rows]))
    with caplog.at_level(logging.INFO, "rarebird"):
        table = read(root, group_pattern=pattern)
    woods = "Tiger_Woods" if "+)_" in pattern else "Tiger"
    assert table.groups.tolist() == [woods, woods, "Ann"] and table.grouped_by == "group"
    assert f"CSV train.csv: images are grouped by group_pattern {pattern}" in caplog.messages
    assert list(table.metadata) == ["person"]
    write_csv(root, "\n".join(["path,label,person", *rows, "b.jpg,1,z"]))
    assert problems_of(root, group_pattern=pattern) == {
        "path without a group": [f"images/b.jpg does not match group_pattern {pattern!r}"]
    }


def test_group_pattern_does_not_replace_a_column_called_group(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = "path,Group,label\n0.jpg,red,x\n1.jpg,blue,y\n2.jpg,red,x\n"
    csv_channel(root, rows)
    with caplog.at_level(logging.INFO, "rarebird"):
        table = read(root, group_pattern="([0-9]).jpg", metadata_columns=["Group"])
    assert table.groups.tolist() == ["0", "1", "2"] and table.metadata["Group"].tolist() == ["red", "blue", "red"]
    assert "CSV train.csv: groups are found by group_pattern, not read from column Group" in caplog.messages
    learnt = read(
        csv_channel(root, rows.replace("Group", "group")), group_pattern="([0-9]).jpg", attributes={"group": {}}
    )
    assert learnt.scheme.class_names == ["blue", "red"] and learnt.labels["group"].tolist() == [1, 0, 1]
    assert learnt.grouped_by == "group by pattern"


def test_groups_by_a_pattern_of_class_folders(root: Path) -> None:
    touch(root, "cat/p1-a.jpg", "dog/p1-b.jpg", "dog/p2-c.jpg")
    assert read(root, group_pattern="(p[0-9])-").groups.tolist() == ["p1", "p1", "p2"]


def test_a_label_column_is_not_used_as_group(root: Path) -> None:
    """Otherwise all images of a class would be on one side."""
    csv_channel(root, "path,Person,sender\n0.jpg,yes,a\n1.jpg,no,a\n2.jpg,yes,b\n")
    for attributes in ({"person": {}}, {"who": {"column": "person"}}):
        table = read(root, attributes=attributes)
        assert table.grouped_by == "sender" and table.groups.tolist() == ["a", "a", "b"]
        assert read(root, scheme=table.scheme).grouped_by == "sender"
    assert read(root, attributes={"person": {}}, group_column="person").groups.tolist() == ["yes", "no", "yes"]
    csv_channel(root, "path,group\n0.jpg,x\n1.jpg,y\n")
    table = read(root, attributes={"group": {}}, group_pattern="([0-9])")
    assert table.groups.tolist() == ["0", "1"] and table.scheme.class_names == ["x", "y"]


def test_the_column_or_pattern_of_groups_is_logged(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "rarebird"):
        read(csv_channel(root, "path,label,Sender\n0.jpg,0,a\n1.jpg,1,b\n"))
        read(csv_channel(root, "path,label,Shop\n0.jpg,0,a\n1.jpg,1,b\n"))
        touch(root / "folders", "cat/0.jpg", "dog/1.jpg")
        read(root / "folders")
        touch(root / "senders", "a/cat/0.jpg", "b/dog/1.jpg")
        read(root / "senders", folder_levels=["sender", "label"])
    messages = [message for message in caplog.messages if "group" in message]
    assert messages == [
        "CSV train.csv: images are grouped by column Sender",
        "CSV train.csv: no column group or person or sender or people_path, so each image is a group of its own; "
        "set group_column or group_pattern if all images of a group, such as a person, must stay on the same side of a "
        "split",
        "class folders: each image is a group of its own; set group_pattern if all images of a group, such "
        "as a person, must stay on the same side of a split",
        "class folders: images are grouped by column sender",
    ]


def test_the_advice_on_groups_is_not_repeated_for_the_validation_channel(root: Path, caplog) -> None:
    touch(root, "cat/0.jpg", "dog/1.jpg")
    scheme = read(root).scheme
    with caplog.at_level(logging.INFO, "rarebird"):
        read_channel(root, Problems("validation"), scheme=scheme)
        assert "a group of its own" not in caplog.text
        read_channel(root, Problems("validation"), ChannelOptions(group_pattern="(.)/"), scheme)
    assert "class folders: images are grouped by group_pattern (.)/" in caplog.messages


def test_the_group_is_empty_if_a_path_does_not_match() -> None:
    assert groups_of_paths(["a_1.png", "b/c_2.png", "none"], r"([a-z]+)_") == ["a", "c", ""]
    assert groups_of_paths(["x7y8"], r"x([0-9])y(?P<group>[0-9])") == ["8"]
