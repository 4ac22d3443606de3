"""Settings of the channels of a training: what contradicts."""

from typing import Any

import pytest

from model.errors import InputError
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings


@pytest.mark.parametrize(
    "values, message",
    [
        ({"encoding": "cp125"}, "encoding 'cp125' is unknown.*nearest: cp12"),
        ({"group_pattern": "[a-z"}, "no regular expression"),
        ({"group_pattern": "([a-z]+)", "group_column": "who"}, "group_column and group_pattern both name the groups"),
        ({"split_column": "part", "folds": 3}, "split_column and folds both divide the images"),
        ({"folder_levels": "aisle product", "table": "a.csv"}, "folder_levels belongs to class folders, not a.csv"),
        ({"folder_levels": "all product"}, "folder_levels takes names that differ, or all alone, not all product"),
        ({"folder_levels": "a a"}, "not a a"),
    ],
)
def test_settings_of_a_channel_that_contradict_each_other_are_reported(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(TrainSettings, [Layer("{}", values)])


def test_levels_that_are_no_labels_may_be_repeated() -> None:
    assert build(TrainSettings, [Layer("{}", {"folder_levels": "_ label _"})]).folder_levels == ["_", "label", "_"]
