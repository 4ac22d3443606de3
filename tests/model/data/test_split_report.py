import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from wcwidth import wcswidth

from model.data.split_report import report_split
from model.data.splits import assign, split
from tests.model.data.test_splits import skewed_table


def test_a_report_counts_what_pandas_counts() -> None:
    groups, classes = skewed_table(2)
    sides = assign(groups, classes, [0.6, 0.3, 0.1], 0)
    report = report_split(groups, classes, sides, list("abcdef"), ["train", "validation", "test"], "person")
    table = pd.DataFrame({"group": groups, "class": classes, "side": sides})
    assert report.class_counts == pd.crosstab(table["side"], table["class"]).to_numpy().tolist()
    assert report.images == table["side"].value_counts().sort_index().tolist()
    assert report.groups == table.groupby("side")["group"].nunique().tolist()
    assert report.warnings == []
    saved = json.loads(json.dumps(report.to_dict()))
    assert saved["grouped_by"] == "person"
    assert saved["sides"]["validation"]["classes"]["b"] == ((sides == 1) & (classes == 1)).sum()
    assert sum(side["share"] for side in saved["sides"].values()) == pytest.approx(1)


def test_columns_are_aligned_with_korean_names() -> None:
    groups, classes = skewed_table(0, num_classes=3)
    sides = assign(groups, classes, [0.8, 0.2], 0)
    text = report_split(
        groups, classes, sides, ["착용샷", "top", "신발 모자"], ["train", "validation"], "sender"
    ).text()
    lines = text.splitlines()
    assert len({wcswidth(line) for line in lines}) == 1
    assert [line.split("  ")[0] for line in lines[2:]] == ["images", "groups (sender)", "착용샷", "top", "신발 모자"]
    assert lines[2].split()[1:] == [f"{(sides == 0).sum():,}", "80.0", f"{(sides == 1).sum():,}", "20.0"]


def test_of_many_classes_the_most_and_least_frequent_are_listed() -> None:
    classes = np.repeat(np.arange(100), np.arange(1, 101))
    groups = np.arange(len(classes)).astype(str)
    names = [f"class{c}" for c in range(100)]
    report = report_split(groups, classes, np.zeros(len(classes), int), names, ["train"], None)
    names_shown = [line.split()[0] for line in report.text().splitlines()[3:]]
    assert names_shown == [f"class{c}" for c in range(99, 89, -1)] + ["..."] + [f"class{c}" for c in range(9, -1, -1)]
    assert "... and 80 more classes of 11 to 90 images" in report.text()
    assert len(report.to_dict()["sides"]["train"]["classes"]) == 100
    even = report_split(np.arange(200).astype(str), np.arange(200) % 100, np.zeros(200, int), names, ["train"], None)
    assert "... and 80 more classes of 2 images" in even.text()


def test_problems_of_a_split_are_warnings() -> None:
    groups = np.array(["big"] * 60 + ["a"] * 25 + ["b"] * 15)
    classes = np.array([0] * 60 + [1] * 25 + [2] * 15)
    sides = np.array([0] * 85 + [1] * 15)
    names, both = ["x", "y", "z", "w"], ["train", "validation"]
    report = report_split(groups, classes, sides, names, both, "sender", [0.8, 0.2])
    assert report.warnings == [
        "sender big has 60 of 100 images (60.0 %), more than the 20 requested for validation; all of them are in train",
        "sender a has 25 of 100 images (25.0 %), more than the 20 requested for validation; all of them are in train",
        "train has no image of 2 classes z, w; all outputs still include every class",
        "validation has no image of 3 classes x, y, w; all outputs still include every class",
    ]
    assert report.text().endswith("warning: " + report.warnings[-1])
    assert not any("sender" in text for text in report_split(groups, classes, sides, names, both, "sender").warnings)

    divided = report_split(groups, classes, np.arange(100) % 2, names[:3], both, "person", [0.5, 0.5])
    assert divided.warnings[0].startswith(
        "3 groups (person) on both sides of the split, which makes scores too high: a, b, big"
    )
    alone = report_split(groups, classes, np.zeros(100, int), names, both, None)
    assert alone.warnings[-1] == "validation has no image"


def test_many_large_groups_are_counted() -> None:
    groups = np.repeat([f"g{i}" for i in range(9)], 10)
    report = report_split(
        groups, np.zeros(90, int), np.zeros(90, int), ["x"], ["train", "validation"], "id", [0.9, 0.1]
    )
    assert report.warnings[3] == "6 more groups have more images than the 9 requested for validation"


def test_a_sender_with_a_quarter_of_the_images_is_a_warning(shared: Path) -> None:
    table = pd.read_csv(shared / "data/tagging/train/train.csv", dtype=str)
    groups, classes = table["sender"].to_numpy(), table["label"].astype(int).to_numpy()
    _, held_out = split(groups, classes, 0.2, 0)
    sides = np.zeros(len(groups), int)
    sides[held_out] = 1
    report = report_split(groups, classes, sides, list("01234"), ["train", "validation"], "sender", [0.8, 0.2])
    assert report.warnings == [
        "sender 204 has 617 of 2,324 images (26.5 %), more than the 465 requested for validation; all of them are in "
        "train"
    ]
    assert len(held_out) / len(groups) == pytest.approx(0.2, abs=0.01)
    shares = np.array(report.class_counts[1]) / np.bincount(classes)
    assert shares == pytest.approx(np.full(5, 0.2), abs=0.02)


def test_labelled_images_are_counted_if_labels_are_missing() -> None:
    kind, size = np.array([0, 1, 0, -1, 1]), np.array([-1, 0, 0, 0, -1])
    classes = np.where((kind >= 0) & (size >= 0), kind, -1)
    arguments = (
        np.arange(5).astype(str),
        classes,
        np.array([0, 0, 0, 0, 1]),
        ["a", "b"],
        ["train", "validation"],
        None,
    )
    report = report_split(*arguments, labels={"kind": kind, "size": size})
    assert report.labelled == {"kind": [3, 1], "size": [3, 0]}
    assert [line.split()[:-1] for line in report.text().splitlines()[2:6]] == [
        ["images", "4", "80.0", "1"],
        ["with", "a", "label", "of", "kind", "3", "75.0", "1"],
        ["with", "a", "label", "of", "size", "3", "100.0", "0"],
        ["with", "every", "label", "2", "100.0", "0"],
    ]
    assert report.to_dict()["sides"]["train"]["labelled"] == {"kind": 3, "size": 3}
    assert "validation has no image with every label" in report.warnings
    complete = report_split(arguments[0], np.zeros(5, int), *arguments[2:], labels={"kind": kind, "size": size})
    assert complete.labelled == {} and "labelled" not in complete.to_dict()["sides"]["train"]
