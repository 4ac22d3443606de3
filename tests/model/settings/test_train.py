"""Settings of a training: what derives from them and what contradicts."""

from typing import Any

import pytest

from model.errors import InputError
from model.settings.decode import decode
from model.settings.fields import Layer, as_dict, build
from model.settings.train import TrainSettings


def train(**values: Any) -> TrainSettings:
    return build(TrainSettings, [Layer("{}", values)])


def test_the_sampler_names_its_strength() -> None:
    assert train(sampler="imbalanced").sampler_power == 1.0
    assert train().sampler_power == train(sampler="sqrt").sampler_power == 0.5
    assert train(sampler="none").sampler_power == 0.0
    assert train(sampler_strength="0.3").sampler_power == 0.3
    assert train(sampler_strength=0).sampler_power == 0.0


def test_what_cannot_change_the_result_may_differ_between_runs() -> None:
    same = set(as_dict(TrainSettings())) - set(as_dict(TrainSettings(), only_result=True))
    assert {"num_workers", "log_interval", "checkpoint_seconds", "resume", "name", "train_dir"} <= same
    assert not {"seed", "lr", "batch_size", "accumulate", "precision", "validation", "augmentation"} & same


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
