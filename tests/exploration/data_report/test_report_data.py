from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from exploration.data_report.report_data import NO_SPLIT, read_report_data, read_splits
from model.data.readers.image_names import is_image
from model.data.readers.shards import write_shards
from model.errors import InputError
from model.images.decode import read_image


def test_two_channels_are_one_table_whose_images_open(faulty, reading):
    data = read_report_data(reading, faulty / "train", faulty / "eval")
    assert len(data) == 24 * 7 - 1 + 12 * 7 + 5 and data.split_names == ["train", "eval"]
    assert data.in_channel.sum() == 24 * 7 - 1 and data.table.root == faulty.resolve()
    for row in (0, len(data) - 1):
        own = faulty / ("train" if row == 0 else "eval") / data.paths[row]
        assert data.table.locations[row].path == f"{own.relative_to(faulty)}"
        with_table = np.asarray(read_image(data.table.root, data.table.locations[row]))
        assert np.array_equal(with_table, np.asarray(read_image(own.parent, type(data.table.locations[row])(own.name))))
    # without labels and groups, each image of eval is its own group
    assert (data.table.labels.to_numpy()[~data.in_channel] == -1).all() and data.labelled_splits == [0]
    assert not data.has_group[~data.in_channel].any() and data.has_group[data.in_channel].all()


def test_unreadable_images_are_listed_with_channel_and_reason(faulty, reading):
    data = read_report_data(reading, faulty / "train", faulty / "eval")
    ((channel, path, reason),) = data.skipped
    assert channel == str(faulty / "train") and path not in data.paths and "truncated" in reason.lower()


def test_an_evaluation_channel_with_labels_is_read_by_the_same_scheme(draw, reading, tmp_path):
    train = draw(tmp_path / "a", {"ImageID": ["1.png", "2.png", "3.png"], "kind": ["x", "y", "z"]})
    other = draw(tmp_path / "b", {"ImageID": ["4.png", "5.png"], "kind": ["z", "x"]})
    settings = replace(reading, attributes={"kind": {}})
    data = read_report_data(settings, train, other)
    assert data.table.labels["kind"].tolist() == [0, 1, 2, 2, 0] and data.labelled_splits == [0, 1]


def test_groups_and_metadata_of_an_evaluation_channel_without_labels(draw, reading, tmp_path):
    train = draw(tmp_path / "a", {"ImageID": ["1.png", "2.png"], "label": ["x", "y"], "sender": ["p", "q"]})
    columns = {"ImageID": ["4.png", "5.png", "4.png"], "ans": [0, 0, 0], "sender": ["q", "r", "q"], "site": list("stu")}
    data = read_report_data(reading, train, draw(tmp_path / "b", columns))
    assert data.paths == ["1.png", "2.png", "4.png", "5.png"]  # the second row of 4.png is left out
    assert data.table.groups.tolist() == ["p", "q", "q", "r"]
    assert data.table.metadata["site"].tolist() == ["", "", "s", "t"]


def test_shards_are_found_from_the_common_folder(faces, reading, tmp_path):
    names = [f"{path.relative_to(faces / 'train')}" for path in sorted((faces / "train").rglob("*.*g"))]
    write_shards(faces / "train", tmp_path / "packed", names, is_image, 10**6)
    data = read_report_data(reading, tmp_path / "packed", faces / "eval")
    assert read_image(data.table.root, data.table.locations[0]).size == (36, 48)
    assert data.table.locations[0].shard is not None


def test_large_schemes_have_the_combinations_of_both_channels(hierarchy, reading):
    data = read_report_data(
        replace(reading, attributes=yaml.safe_load((hierarchy / "scheme.yaml").read_text())["attributes"]),
        hierarchy / "train",
        hierarchy / "validation",
    )
    frames = [pd.read_csv(hierarchy / name / f"{name}.csv") for name in ("train", "validation")]
    rows = pd.concat(frames)[["aisle", "product", "variety"]].drop_duplicates()
    assert data.table.scheme.num_classes == len(rows)


def test_splits_of_a_training(tmp_path):
    path = tmp_path / "split.csv"
    pd.DataFrame({"path": ["a", "b", "z"], "label": 1, "side": ["train", "validation", "train"]}).to_csv(path)
    assert read_splits(path, ["b", "a", "c"]).tolist() == ["validation", "train", NO_SPLIT]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "nearest: split.csv"),
        ("path,group\na,b\n", "no column side"),
        ("path,side\nq,train\n", "none of its 1 paths"),
        ("", "cannot be read"),
    ],
)
def test_a_wrong_split_csv_is_an_error_that_names_it(tmp_path, content, message):
    (tmp_path / "split.csv").write_text("path,side\n" if content is None else content)
    name = "split.cs" if content is None else "split.csv"
    with pytest.raises(InputError, match=message) as error:
        read_splits(tmp_path / name, ["a"])
    assert str(tmp_path / name) in str(error.value)


def test_the_splits_are_in_the_order_train_then_others_then_none_then_eval(draw, reading, tmp_path):
    names = [f"{row}.png" for row in range(4)]
    train = draw(tmp_path / "a", {"ImageID": names, "label": list("xyxy")})
    sides = pd.DataFrame({"path": names[:3], "side": ["validation", "train", "validation"]})
    sides.to_csv(tmp_path / "split.csv", index=False)
    data = read_report_data(reading, train, train, tmp_path / "split.csv")
    assert data.split_names == ["train", "validation", NO_SPLIT, "eval"]
    assert Counter(data.splits.tolist()) == {0: 1, 1: 2, 2: 1, 3: 4}


def test_a_missing_channel_names_the_nearest(faces, reading):
    with pytest.raises(InputError, match="nearest: eval"):
        read_report_data(reading, faces / "train", faces / "evla")
