from __future__ import annotations

import pytest

from model.errors import InputError
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.separate import attribute_settings, settings_by_attribute


def settings_of(**values: object) -> TrainSettings:
    return build(TrainSettings, [Layer("--{}", values)])


def test_an_attributes_own_settings_override_the_common_ones_except_those_of_the_joint_class():
    settings = settings_of(
        target="separate",
        lr=0.1,
        folds=3,
        num_classes=18,
        decision_args={"temperature": 2.0},
        separate={"Age": {"LR": 0.5, "input-size": [32, 24]}},
    )
    age, mask = settings_by_attribute(settings, ["age", "mask"]).values()
    assert (age.target, age.lr, age.input_size) == ("age", 0.5, [32, 24])
    assert (mask.target, mask.lr, mask.input_size) == ("mask", 0.1, [])
    assert (age.folds, age.num_classes, age.decision_args, age.separate) == (0, 0, {}, {})


def test_a_single_model_has_the_settings_but_no_folds():
    assert settings_by_attribute(settings_of(lr=0.1, folds=3), ["age"]) == {"": settings_of(lr=0.1)}


def test_all_problems_are_listed():
    settings = settings_of(target="separate", separate={"age": {"name": "x"}, "mask": {"lr": -1}, "gendr": {}})
    with pytest.raises(InputError) as error:
        settings_by_attribute(settings, ["mask", "gender", "age"])
    for message in ("'gendr' is not an attribute", "age: name cannot be set per attribute", "separate: mask: lr = -1"):
        assert message in str(error.value)
    with pytest.raises(InputError, match="expected settings by name, not 'fast'"):
        attribute_settings(settings, "age", "fast")
