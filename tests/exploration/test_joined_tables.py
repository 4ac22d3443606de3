"""Two channels in one table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from exploration.joined_tables import joined_tables
from model.attributes import MISSING
from model.data.channel import ChannelOptions, read_channel
from model.data.table import Table
from model.errors import Problems
from model.images.decode import read_image


def read(channel: Path) -> Table:
    table = read_channel(channel, Problems(""), ChannelOptions())
    assert table is not None
    return table


def test_rows_of_all_channels_keep_image_label_and_group(faces: Path) -> None:
    train, other = read(faces / "train"), read(faces / "train").take([3, 5])
    other = replace(other, root=faces / "train" / "images" / "..")
    eval_locations = read(faces / "train").take([0])
    moved = replace(eval_locations, root=faces / "train", grouped_by="", groups=np.array(["images/x.jpg"]))
    joined, splits = joined_tables({"train": train, "again": other, "eval": moved})
    assert len(joined) == len(train) + 3 and splits == ["train"] * len(train) + ["again"] * 2 + ["eval"]
    again = len(train)
    assert joined.labels.iloc[again : again + 2].values.tolist() == train.labels.iloc[[3, 5]].values.tolist()
    assert joined.groups[again] == train.groups[3] and joined.contents is None
    expected = read_image(train.root, train.locations[3])
    assert read_image(joined.root, joined.locations[again]).tobytes() == expected.tobytes()


def test_the_root_contains_all_channels_and_ungrouped_paths_do_not_collide(faces: Path) -> None:
    train = read(faces / "train").take([0, 1])
    ungrouped = replace(train, grouped_by="", groups=np.array(train.locations.paths))
    elsewhere = replace(ungrouped, root=faces / "eval", labels=train.labels.drop(columns="age"))
    joined, _ = joined_tables({"train": ungrouped, "eval": elsewhere})
    assert joined.root == faces.resolve()
    assert joined.locations[0].path == f"train/{train.locations[0].path}"
    assert joined.locations[2].path == f"eval/{train.locations[0].path}"
    assert len(set(joined.groups)) == 4
    assert joined.labels["age"].tolist()[2:] == [MISSING, MISSING]
    assert not joined.has_all_labels()[2:].any() and joined.has_all_labels()[:2].all()


def test_an_image_without_a_group_among_groups_is_named_by_its_path_in_the_joined_table(faces: Path) -> None:
    train = read(faces / "train").take([0, 1])
    first = replace(train, groups=np.array([train.locations[0].path, "p"], dtype=object))
    joined, _ = joined_tables({"train": first, "eval": replace(first, root=faces / "eval")})
    path = train.locations[0].path
    assert joined.groups.tolist() == [f"train/{path}", "p", f"eval/{path}", "p"]


def test_one_table_stays_as_it_is(faces: Path) -> None:
    train = read(faces / "train")
    assert joined_tables({"train": train}) == (train, ["train"] * len(train))
