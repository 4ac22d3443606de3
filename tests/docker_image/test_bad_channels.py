"""Channels with every kind of bad data: all problems are reported at once, in the failure file too; exit code 2."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.image


def break_profiles(channel: Path) -> dict[str, str]:
    """Every problem of a channel of profile folders; where each is reported."""
    first, second, third, *_ = sorted(path for path in (channel / "images").iterdir())
    pictures = sorted(first.iterdir())
    whole = pictures[0].read_bytes()
    pictures[0].write_bytes(whole[: len(whole) // 2])
    pictures[1].write_bytes(b"")
    pictures[2].write_text("no image")
    second.rename(second.with_name("900001_male_Asian_fifty"))
    third.rename(third.with_name("900002_woman_Asian_20"))
    (channel / "images" / "900003_male_Asian_30").mkdir()
    shutil.copytree(first, channel / "images" / "nobody")
    return {
        "invalid number": "900001_male_Asian_fifty",
        "unknown label": "900002_woman_Asian_20",
        "profile folder without images": "900003_male_Asian_30",
        "not a profile folder": "nobody",
        "unreadable image, truncated": pictures[0].name,
        "unreadable image, empty file": pictures[1].name,
        "unreadable image, cannot be identified as an image": pictures[2].name,
    }


def break_csv(channel: Path) -> dict[str, str]:
    """Every problem of a channel with a table; where each is reported."""
    picture = next((channel / "images").rglob("*.jpg")).read_bytes()
    shutil.rmtree(channel / "images")
    (channel / "images").mkdir()
    for number in range(6):
        (channel / "images" / f"{number}.jpg").write_bytes(picture)
    (channel / "images" / "3.jpg").write_bytes(b"")
    rows = ["0.jpg,a0,1,top,20", "absent.jpg,a0,1,top,20", "0.jpg,a0,1,bottom,20", "2.jpg,a0,1,topp,20"]
    rows += ["3.jpg,a0,1,,20", "../4.jpg,a0,1,top,20", "5.jpg,a0,1,bottom,old"]
    (channel / "train.csv").write_text("\n".join(["image_name,category_1,sender,kind,years", *rows, ""]))
    return {
        "missing file": "images/absent.jpg",
        "duplicate image": "images/0.jpg is already in train.csv row 2",
        "path outside the channel": "'../4.jpg'",
        "missing metadata column": "nearest: category_1",
        "unknown label": "'topp'",
        "empty label": "train.csv row 6",
        "invalid number": "'old'",
        "unreadable image, empty file": "images/3.jpg",
    }


METADATA = ["category_1", "categry_2"]
ATTRIBUTES = {"kind": ["top", "bottom"], "age": {"cuts": [30], "column": "years"}}
CHANNELS = {
    "profiles": (break_profiles, {}),
    "csv": (
        break_csv,
        {"group_column": "sender", "metadata_columns": ["category_1", "categry_2"], "attributes": ATTRIBUTES},
    ),
}


@pytest.mark.parametrize("kind", CHANNELS)
def test_every_problem_of_a_channel_is_reported(engine, make_tree, settings, channels, people, tmp_path, kind):
    break_it, more = CHANNELS[kind]
    shutil.copytree(people / "train", tmp_path / "train")
    faults = break_it(tmp_path / "train")
    plain = {**settings, "config": "configs/mask-resnet18.yaml"} | more
    tree = make_tree(tmp_path / "ml", {**channels, "train": tmp_path / "train"}, plain)
    log = engine.start("train", options=tree.mounts).ends_with(2)
    failure = tree.output("failure")
    assert failure is not None and len(failure) <= 1024 and tree.output("success") is None
    assert re.match(r"channel train \(/opt/ml/input/data/train\): \d+ problems\n", failure)
    for fault, place in faults.items():
        assert fault in log and place in log, fault
        assert fault in failure, f"{fault} is not in\n{failure}"
    assert "Traceback" not in log and not any(tree.model.iterdir())
