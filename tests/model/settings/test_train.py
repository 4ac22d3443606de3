"""Settings of a training: those of each head, and contradictions."""

from dataclasses import replace
from typing import Any

import pytest

from model.errors import InputError
from model.settings.decode import decode
from model.settings.fields import Layer, build
from model.settings.loss import HeadSettings
from model.settings.train import TrainSettings


def train(**values: Any) -> TrainSettings:
    return build(TrainSettings, [Layer("{}", values)])


def test_settings_of_a_head_override_those_of_the_training() -> None:
    settings = train(
        target="heads",
        loss="focal",
        loss_args={"gamma": 3},
        class_weights="effective",
        heads={"age": {"loss": "f1"}, "mask": {"loss-weight": "2", "loss_args": "gamma=1"}},
    )
    common = HeadSettings(1.0, "focal", {"gamma": 3}, "effective")
    assert settings.head("gender") == common
    assert settings.head("mask") == replace(common, loss_weight=2.0, loss_args={"gamma": 1})
    assert settings.head("age") == replace(common, loss="f1", loss_args={})  # not those of another loss


@pytest.mark.parametrize(
    "values, message",
    [
        ({"sampler": "none", "sampler_strength": 0.5}, "sampler none requires sampler_strength 0, not 0.5"),
        ({"class_weights": "given"}, "--class_weights given requires class_weight_values"),
        ({"class_weight_values": "1 2"}, "class_weight_values is used only with --class_weights given, not inverse"),
        ({"input_size": "64 64 64"}, "height and width, not 3 numbers"),
        ({"channels": 2}, "channels must be 3 .colour., 1 .grey. or 4 .four channels., not 2"),
        (
            {"normalisation": "given", "mean": "0.5", "std": "0.2 0.2 0.2"},
            "--normalisation given requires mean with 3 numbers, not 1",
        ),
        ({"mean": "0.5 0.5 0.5"}, "mean and std are used only with --normalisation given, not backbone"),
        ({"age_cuts": "60 30"}, "age_cuts must be increasing numbers"),
        ({"age_cuts": "none"}, "age_cuts must be increasing numbers"),
        ({"age_cuts": "30 58", "attributes": {"kind": ["a", "b"]}}, "age_cuts is used only with the mask scheme"),
        ({"heads": {"age": {"loss_weight": 2}}}, "heads is used only with --target heads, not joint"),
        (
            {"target": "heads", "heads": {"age": {"los": "f1"}}},
            "heads: age: los: there is no such setting; nearest: loss",
        ),
        ({"target": "heads", "heads": {"age": 2}}, "age: expected a mapping"),
        ({"freeze_epochs": 3}, "freeze_epochs requires freeze"),
        ({"name": "a/b"}, "must be the name of a folder"),
        ({"name": ".."}, "must be the name of a folder"),
        ({"optimiser": "sgd"}, "no such setting; nearest: optimizer"),
        ({"loss": "focl"}, "expected one of focal, .*nearest: focal"),
        ({"validation": 1}, "at most 0.9"),
        ({"pixel_range": "9 3"}, "pixel_range must be two increasing numbers"),
        ({"folds": 1}, "folds must be 0 .one model. or at least 2, not 1"),
        ({"folds": 3, "validation_groups": "a.txt"}, "set only one of them"),
        ({"separate": {"age": {}}}, "separate is used only with --target separate, not joint"),
    ],
)
def test_settings_that_contradict_each_other_are_errors(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(**values)


def test_the_classic_augmentation_is_read_from_text() -> None:
    text = '{"flip": {}, "random_resized_crop": {"scale": [0.7, 1.0]}}'
    assert train(augmentation=text) == TrainSettings()
    assert decode(dict[str, dict[str, Any]], text) == TrainSettings().augmentation
    assert train(augmentation="none").augmentation == {}
