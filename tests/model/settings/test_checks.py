"""Checks of single values."""

import pytest

from model.errors import InputError
from model.settings.checks import invalid_group_pattern, unknown_encoding
from model.settings.evaluation import EvaluationSettings
from model.settings.fields import Layer, build
from model.settings.inference import InferenceSettings
from model.settings.train import TrainSettings


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-16-LE", "cp949", "cp1252", "latin-1"])
def test_encodings_of_text_are_accepted(encoding: str):
    assert not list(unknown_encoding(encoding))


@pytest.mark.parametrize(("encoding", "near"), [("cp9499", "; nearest: cp949"), ("hex", "; nearest: "), ("", "")])
def test_an_unknown_encoding_is_reported_with_the_nearest(encoding: str, near: str):
    (sentence,) = unknown_encoding(encoding)
    assert sentence.startswith(f"encoding {encoding!r} is unknown") and near in sentence


def test_a_pattern_needs_a_group():
    assert not list(invalid_group_pattern("([a-z]+)_")) and not list(invalid_group_pattern("(?P<group>[a-z]+)_"))
    assert "not a valid regular expression: missing )" in next(invalid_group_pattern("(a"))
    expected = "has no group; put the part of the pattern that matches the group's name in parentheses"
    assert expected in next(invalid_group_pattern("[a-z]+_"))


@pytest.mark.parametrize("cls", [TrainSettings, InferenceSettings, EvaluationSettings])
def test_every_job_checks_its_encoding(cls: type):
    with pytest.raises(InputError, match="encoding 'utf-9' is unknown"):
        build(cls, [Layer("{}", {"encoding": "utf-9"})])


@pytest.mark.parametrize(
    "values",
    [
        {"group_pattern": "(a)", "group_column": "b"},
        {"split_column": "s", "folds": 3},
        {"split_column": "s", "train_groups": "a.txt"},
        {"split_column": "s", "validation_groups": "a.txt"},
    ],
)
def test_only_one_setting_may_define_the_groups_or_the_split(values: dict[str, object]):
    with pytest.raises(InputError, match="set only one of them"):
        build(TrainSettings, [Layer("{}", values)])
