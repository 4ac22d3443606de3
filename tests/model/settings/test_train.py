"""Settings of a training: what derives from them and what contradicts."""

from dataclasses import replace
from typing import Any

import pytest

from model.errors import InputError
from model.settings.decode import decode
from model.settings.fields import Layer, build
from model.settings.train import HeadSettings, TrainSettings


def train(**values: Any) -> TrainSettings:
    return build(TrainSettings, [Layer("{}", values)])


def test_a_heads_own_settings_win_over_the_common_ones() -> None:
    made = train(
        target="heads",
        loss="focal",
        loss_args={"gamma": 3},
        class_weights="effective",
        heads={"age": {"loss": "f1"}, "mask": {"loss-weight": "2", "loss_args": "gamma=1"}},
    )
    common = HeadSettings(1.0, "focal", {"gamma": 3}, "effective")
    assert made.head("gender") == common
    assert made.head("mask") == replace(common, loss_weight=2.0, loss_args={"gamma": 1})
    assert made.head("age") == replace(common, loss="f1", loss_args={})  # not those of another loss


@pytest.mark.parametrize(
    "values, said",
    [
        ({"sampler": "none", "sampler_strength": 0.5}, "sampler none has strength 0, not 0.5"),
        ({"class_weights": "given"}, "need each other"),
        ({"class_weight_values": "1 2"}, "need each other"),
        ({"input_size": "64 64 64"}, "height and width, not 3 numbers"),
        ({"channels": 2}, "3 .colour. or 1 .grey."),
        ({"normalisation": "given", "mean": "0.5", "std": "0.2 0.2 0.2"}, "needs mean with 3 numbers"),
        ({"mean": "0.5 0.5 0.5"}, "belong to normalisation given, not backbone"),
        ({"age_cuts": "60 30"}, "age_cuts must rise"),
        ({"age_cuts": "none"}, "age_cuts must rise"),
        ({"age_cuts": "30 58", "attributes": {"kind": ["a", "b"]}}, "age_cuts belongs to the mask scheme"),
        ({"heads": {"age": {"loss_weight": 2}}}, "heads belongs to target heads, not joint"),
        (
            {"target": "heads", "heads": {"age": {"los": "f1"}}},
            "heads: age: los: there is no such setting; nearest: loss",
        ),
        ({"target": "heads", "heads": {"age": 2}}, "age: expected a mapping"),
        ({"freeze_epochs": 3}, "freeze_epochs needs freeze"),
        ({"name": "a/b"}, "must be a folder's name"),
        ({"name": ".."}, "must be a folder's name"),
        ({"optimiser": "sgd"}, "no such setting; nearest: optimizer"),
        ({"loss": "focl"}, "expected one of focal, .*nearest: focal"),
        ({"validation": 1}, "at most 0.9"),
    ],
)
def test_settings_that_contradict_each_other_are_told(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        train(**values)


def test_the_classic_augmentation_is_read_from_text() -> None:
    text = '{"flip": {}, "random_resized_crop": {"scale": [0.7, 1.0]}}'
    assert train(augmentation=text) == TrainSettings()
    assert decode(dict[str, dict[str, Any]], text) == TrainSettings().augmentation
    assert train(augmentation="none").augmentation == {}
