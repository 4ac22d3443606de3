"""Weights of images from a column of the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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
