from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from model.data.image_locations import ImageLocations
from model.images.image_location import ImageLocation
from tests.model.data.conftest import ATTRIBUTES, MIXED, csv_channel, pack_with_one_index, read, touch, write_csv


def test_take_keeps_everything_aligned(root: Path) -> None:
    table = read(csv_channel(root, MIXED), attributes=ATTRIBUTES)
    part = table.take([3, 0])
    assert len(part) == 2
    assert part.frame().equals(table.frame().iloc[[3, 0]].reset_index(drop=True))
    assert part.groups.tolist() == ["images/3.jpg", "a"]
    assert part.locations.shards == [None, None]
    for frame in (part.labels, part.numbers, part.metadata):
        assert frame.index.equals(pd.RangeIndex(2))
    assert len(table.take(np.array([], dtype=np.int64))) == 0


def test_a_metadata_column_with_a_reserved_name_is_renamed(root: Path) -> None:
    text = "path,sender,group,kind\n0.jpg,s,g,top\n1.jpg,s,g,bottom\n"
    frame = read(csv_channel(root, text), group_column="sender", attributes={"kind": ["top", "bottom"]}).frame()
    assert frame["group"].tolist() == ["s", "s"]
    assert frame["metadata_group"].tolist() == ["g", "g"]


def test_an_attribute_with_a_reserved_name_is_renamed(root: Path) -> None:
    """`side` is a column of split.csv."""
    text = "path,sender,group,side\n0.jpg,a,top,left\n1.jpg,b,bottom,right\n"
    attributes = {"group": ["top", "bottom"]}
    frame = read(csv_channel(root, text), group_column="sender", attributes=attributes).frame()
    assert frame["group"].tolist() == ["a", "b"] and frame["attribute_group"].tolist() == ["top", "bottom"]
    assert frame["metadata_side"].tolist() == ["left", "right"] and "side" not in frame


def test_the_fingerprint_depends_on_the_content_not_on_the_folder(root: Path) -> None:
    first = read(csv_channel(root / "one", MIXED), attributes=ATTRIBUTES)
    same = read(csv_channel(root / "two", MIXED), attributes=ATTRIBUTES)
    assert first.fingerprint() == same.fingerprint()
    others = {first.fingerprint(), first.take([1, 0, 2, 3]).fingerprint(), first.take([0, 1, 2]).fingerprint()}
    for number, text in enumerate((MIXED.replace("0.jpg,a", "0.jpg,b"), MIXED.replace("29.5", "30"))):
        others.add(read(csv_channel(root / f"other{number}", text), attributes=ATTRIBUTES).fingerprint())
    touch(root / "two", "0.jpg")  # now found next to the table
    others.add(read(root / "two", attributes=ATTRIBUTES).fingerprint())
    path = first.locations[1].path
    moved = [first.locations[0], ImageLocation(path, None, 5), *list(first.locations)[2:]]
    others.add(replace(first, locations=ImageLocations(moved)).fingerprint())
    assert len(others) == 7


def test_fingerprints_are_the_same_as_in_earlier_versions(root: Path) -> None:
    """A run is resumed if the fingerprint equals that in its checkpoint; the expected ones are from version 0.1.0."""
    for number in range(4):
        touch(root, f"images/{number}.jpg")
        (root / f"images/{number}.jpg").write_bytes(b"x" * (600 * number + 1))
    write_csv(root, MIXED)
    table = read(root, attributes=ATTRIBUTES)
    assert table.fingerprint() == "9caf71b67fbfb855c8832f20bb9d013d"
    assert table.take([2, 0]).fingerprint() == "4fc1077f13515d30d16d6b129a26f8ca"
    images = [f"images/{number}.jpg" for number in range(4)]
    pack_with_one_index(root, root.with_name("shards"), [images[:3], images[3:]], ["train.csv"])
    in_shards = read(root.with_name("shards"), attributes=ATTRIBUTES)
    assert in_shards.locations.shards == ["shard-00000.tar"] * 3 + ["shard-00001.tar"]
    assert in_shards.fingerprint() == "8392177c28829c7ee1b55dbad735ab32"


def test_a_row_with_a_missing_label_has_no_joint_class_but_a_stratum(root: Path) -> None:
    text = "path,kind,size\n0.jpg,a,\n1.jpg,b,s\n2.jpg,a,l\n3.jpg,b,\n"
    table = read(csv_channel(root, text), attributes={"kind": ["a", "b"], "size": {"optional": True}})
    assert table.labels.to_dict("list") == {"kind": [0, 1, 0, 1], "size": [-1, 1, 0, -1]}
    assert table.classes().tolist() == [-1, 3, 0, -1] and table.class_counts().tolist() == [1, 0, 0, 1]
    strata = table.strata()
    assert len(strata) == 4 and len(set(strata.rows)) == 4
    for name in ("kind", "size"):
        assert strata.codes[name][strata.rows].tolist() == table.labels[name].tolist()
    assert table.frame()["size"].tolist() == ["", "s", "l", ""]
    whole = table.take([1, 2])
    assert whole.strata().rows.tolist() == whole.classes().tolist() == [3, 0] and len(whole.strata()) == 4
