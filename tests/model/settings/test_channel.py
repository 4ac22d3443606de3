"""Settings of the channels of a training: contradictions."""

from typing import Any

import pytest

from model.errors import InputError
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings


@pytest.mark.parametrize(
    "values, message",
    [
        ({"encoding": "cp125"}, "encoding 'cp125' is unknown.*nearest: cp12"),
        ({"group_pattern": "[a-z"}, "not a valid regular expression"),
        ({"group_pattern": "([a-z]+)", "group_column": "who"}, "group_column and group_pattern both define the groups"),
        ({"split_column": "part", "folds": 3}, "split_column and folds both split the images"),
        ({"folder_levels": "aisle product", "table": "a.csv"}, "folder_levels is for class folders, not for a.csv"),
        ({"folder_levels": "all product"}, "folder_levels must be different names, or only all, not all product"),
        ({"folder_levels": "a a"}, "not a a"),
        ({"folder_levels": "a b", "layout": "profiles"}, "not for layout profiles"),
    ],
)
def test_settings_of_a_channel_that_contradict_each_other_are_errors(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(TrainSettings, [Layer("{}", values)])


def test_ignored_levels_may_be_repeated() -> None:
    assert build(TrainSettings, [Layer("{}", {"folder_levels": "_ label _"})]).folder_levels == ["_", "label", "_"]
