from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from exploration.data_report.sentences import groups_sentence, subject
from exploration.data_report.summary import group_counts, mixed_groups, split_counts, target_counts
from model.evaluation.report.sentences import JOINT_TITLE


@pytest.fixture(scope="module")
def data(make_table, make_data):
    """400 images of 60 groups with missing labels, and three splits."""
    generator = np.random.default_rng(0)
    labels = {
        "kind": generator.choice(["a", "b", "c", "d", ""], 400, p=[0.6, 0.25, 0.09, 0.01, 0.05]),
        "colour": generator.choice(["red", "blue"], 400),
    }
    sides = generator.choice(np.array(["train", "validation", "eval"], dtype=object), 400)
    table = make_table({name: own.tolist() for name, own in labels.items()}, generator.integers(60, size=400))
    object.__setattr__(table, "sides", sides)
    return make_data(table, ["train", "validation", "eval"])


def rows_of(data):
    """(split, group, kind, colour) of each image, as texts."""
    scheme = data.table.scheme
    values = [
        [(*attribute.values, "")[code] for code in data.table.labels[attribute.name]] for attribute in scheme.attributes
    ]
    return list(zip(data.table.sides, data.table.groups, *values))


def test_counts_are_those_of_a_plain_count(data):
    joint, kind, colour = target_counts(data)
    for target, text in (
        (kind, lambda row: row[2]),
        (colour, lambda row: row[3]),
        (joint, lambda row: f"{row[2]}/{row[3]}" if row[2] and row[3] else ""),
    ):
        images, groups, inside = Counter(), defaultdict(set), defaultdict(set)
        for row in rows_of(data):
            images[row[0], text(row)] += 1
            groups[row[0], text(row)].add(row[1])
            if row[0] != "eval":
                inside[text(row)].add(row[1])
        for one in target.classes:
            assert one.images == [images[name, one.name] for name in data.split_names]
            assert one.groups == [len(groups[name, one.name]) for name in data.split_names]
            assert one.channel_images == images["train", one.name] + images["validation", one.name]
            assert one.channel_groups == len(inside[one.name])
        assert target.missing == [images[name, ""] for name in data.split_names]
        assert [one.name for one in target.few] == sorted(
            (name for name in inside if name and len(inside[name]) < 10),
            key=lambda name: (len(inside[name]), images["train", name] + images["validation", name]),
        )
    assert joint.name == JOINT_TITLE and sum(joint.missing) == sum(kind.missing) > 0 and kind.few


def test_splits_and_sizes_of_groups_are_those_of_a_plain_count(data):
    rows = rows_of(data)
    for name, images, groups in split_counts(data):
        own = [row for row in rows if row[0] == name]
        assert (images, groups) == (len(own), len({row[1] for row in own}))
    sizes = Counter(row[1] for row in rows if row[0] != "eval")
    counted = group_counts(data)
    assert counted is not None and counted.count == len(sizes)
    assert counted.sizes == dict(sorted(Counter(sizes.values()).items()))
    assert counted.largest[0][1] == max(sizes.values()) and len(counted.largest) == 10
    assert counted.median == np.median(list(sizes.values()))


def test_an_only_attribute_has_no_joint_class_and_absent_classes_are_named(make_table, make_data):
    table = make_table({"kind": ["a", "a", "b"]})
    object.__setattr__(table, "sides", np.array(["train", "train", "eval"], dtype=object))
    (target,) = target_counts(make_data(table, ["train", "eval"]))
    assert target.name == "kind" and target.absent == ["b"] and group_counts(make_data(table)) is None


def test_a_group_with_two_values_is_found_where_groups_have_one_value(make_table, make_data):
    groups = np.repeat(np.arange(30), 4)
    gender = ["m" if group % 2 else "f" for group in groups]
    gender[5] = "f"  # of group 1
    mask = ["worn", "none"] * 60  # differs within each group
    data = make_data(make_table({"gender": gender, "mask": mask}, groups))
    (mixed,) = mixed_groups(data)
    assert (mixed.attribute, mixed.group, mixed.values) == ("gender", "1", {"m": 3, "f": 1})
    assert mixed.rows == [4, 5, 6, 7]
    gender[5] = "m"
    assert mixed_groups(make_data(make_table({"gender": gender, "mask": mask}, groups))) == []


def test_images_without_a_group_are_no_group_of_their_split(make_table, make_data):
    table = make_table({"kind": ["a", "b", "a"]}, ["p", "p", "0002.jpg"])
    data = make_data(table)
    assert split_counts(data) == [("train", 3, 1)]
    counts = group_counts(data)
    assert counts is not None and (counts.count, counts.largest, counts.ungrouped) == (1, [("p", 2)], 1)
    assert groups_sentence(counts, "persons") == "1 person, by the column person, each with 2 images. 1 image has none."
    assert subject(data).startswith("3 images of 1 person, 2 classes")
    assert group_counts(make_data(make_table({"kind": ["a", "b"]}, ["0000.jpg", "0001.jpg"]))) is None
    object.__setattr__(table, "sides", np.array(["train", "train", "eval"], dtype=object))
    data = make_data(table, ["train", "eval"])
    assert split_counts(data) == [("train", 2, 1), ("eval", 1, 0)]
    counts = group_counts(data)
    assert counts is not None and counts.ungrouped == 0  # of the channel
