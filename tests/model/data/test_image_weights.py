"""Weights of images from a column of the table."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from model.data.channel import ChannelOptions, read_channel
from model.data.image_weights import normalised
from model.errors import Problems
from tests.model.data.conftest import csv_channel, read

TEXT = "path,sender,kind,Trust,shop\n0.jpg,a,top,2,x\n1.jpg,a,bottom,0,x\n2.jpg,b,top, 0.5 ,y\n3.jpg,b,bottom,1e1,y\n"


def test_weights_are_those_of_the_column_and_follow_the_rows(root: Path) -> None:
    table = read(csv_channel(root, TEXT), group_column="sender", attributes={"kind": {}}, weight_column="trust")
    assert table.weights is not None and table.weights.tolist() == [2, 0, 0.5, 10]
    assert table.metadata.columns.tolist() == ["shop"]
    part = table.take([3, 0])
    assert part.weights is not None and part.weights.tolist() == [10, 2]
    assert part.frame()["weight"].tolist() == [10, 2] and "weight" not in read(root, attributes={"kind": {}}).frame()


def test_other_weights_are_other_data(root: Path) -> None:
    options = {"attributes": {"kind": {}}}
    without = read(csv_channel(root, TEXT), **options)
    first = read(root, weight_column="Trust", **options)
    second = read(csv_channel(root, TEXT.replace("1e1", "9")), weight_column="Trust", **options)
    assert len({table.fingerprint() for table in (without, first, second)}) == 3


def test_all_invalid_weights_are_reported_with_their_rows(root: Path) -> None:
    text = TEXT.replace("top,2", "top,-1").replace("bottom,0", "bottom,").replace("1e1", "inf").replace(" 0.5 ", "much")
    problems = Problems("channel")
    options = ChannelOptions(attributes={"kind": {}}, weight_column="Trust")
    read_channel(csv_channel(root, text), problems, options)
    for row, value in enumerate(("-1", "", "much", "inf"), 2):
        assert f"train.csv row {row}: Trust = {value!r}, expected a number of at least 0" in str(problems)


def test_the_training_channel_must_have_the_column_and_a_validation_channel_need_not(root: Path) -> None:
    options = ChannelOptions(attributes={"kind": {}}, weight_column="thrust")
    problems = Problems("channel")
    read_channel(csv_channel(root, TEXT), problems, options)
    assert "missing weight column" in str(problems) and "nearest: Trust" in str(problems)
    scheme = read(root, attributes={"kind": {}}).scheme
    validation = read(root, scheme, weight_column="thrust")
    assert validation.weights is None


@pytest.mark.parametrize("labelled", [[True] * 4, [True, True, False, True]])
def test_their_mean_over_labelled_images_is_1(labelled: list[bool]) -> None:
    weights = np.array([1.0, 0.0, 5.0, 3.0])
    scaled = normalised(weights, np.array(labelled))
    assert scaled.dtype == np.float32 and scaled[labelled].mean() == pytest.approx(1)
    np.testing.assert_allclose(scaled / scaled[0], weights)
    assert normalised(np.zeros(4), np.array(labelled)).tolist() == [0] * 4


def test_a_training_uses_them_with_every_setting_of_the_channel(faces: Path, run_train, tmp_path: Path) -> None:
    """The column is read, follows the split, and changes the model; here with a loss that has a state."""
    channel = tmp_path / "channel"
    shutil.copytree(faces / "train" / "images", channel / "images")
    paths = sorted(path.relative_to(channel).as_posix() for path in channel.rglob("*.jpg"))
    kinds = ["none" if "normal" in path else "worn" for path in paths]
    table = pd.DataFrame({"path": paths, "kind": kinds, "trust": np.arange(len(paths)) % 3})
    table.to_csv(channel / "train.csv", index=False)
    flags = ["--attributes", "{kind: {}}", "--loss", "elr", "--validation", "0.3"]
    run = run_train(channel, *flags, "--weight_column", "trust")
    split = pd.read_csv(run / "split.csv").set_index("path")
    assert (split["weight"] == table.set_index("path")["trust"].reindex(split.index)).all()
    assert "metadata_trust" not in split and "trust" not in split
    plain = run_train(channel, *flags, name="plain")
    a, b = (load_file(folder / "model.safetensors") for folder in (run, plain))
    assert any(not torch.equal(a[name], b[name]) for name in a)
