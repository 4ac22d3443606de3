import time

import pytest
from safetensors.torch import save_file

from model.errors import InputError
from model.settings.fields import Layer, build
from model.settings.train import TrainSettings
from model.training.early_checks import check_early
from tests.model.training.conftest import tiny_network
from tests.model.weights.test_classifier_rows import heads_of


def settings_of(**values: object) -> TrainSettings:
    return build(TrainSettings, [Layer("--{}", {"model": "resnet10t", "input_size": [32, 24], **values})])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "resnet10x"}, "no such backbone; nearest: resnet10t"),
        ({"weights": "no/such.pth"}, r"weights no/such\.pth: there is no such file"),
        ({"optimizer": "adamx"}, "timm has no such optimiser; nearest: adamax"),
        ({"optimizer_args": {"betaz": 1}}, "optimizer 'adamw' with"),
        ({"scheduler": "cosime"}, "there is no such schedule; nearest: cosine"),
        ({"scheduler": "StepLR", "scheduler_args": {"stepsize": 1}}, "scheduler 'StepLR' with"),
        ({"loss": "focal", "loss_args": {"gama": 1}}, "loss focal has no argument 'gama'; nearest: gamma"),
        ({"target": "heads", "heads": {"age": {"loss_args": {"gama": 1}}}}, "loss focal has no argument 'gama'"),
        ({"adapter": "lora"}, "adapter lora: needs a vision transformer of timm"),
        ({"freeze": ["layer1", "stages:7"]}, "'stages:7' must be stages:N with N from 0 .only the stem. to 4"),
        ({"decision_args": {"tau": -1}}, "decision_args: tau: must be at least 0, not -1"),
        ({"decision_args": {"tau": "high"}}, "decision_args: tau: 'high'"),
        ({"augmentation": {"flipp": {}}}, "flipp: there is no such augmentation; nearest: flip"),
        ({"augmentation": {"mixup": {"alpha": -1}}}, "mixup: alpha = -1; expected a number above 0"),
    ],
)
def test_a_wrong_name_or_argument_is_an_error(values, message):
    with pytest.raises(InputError, match=message):
        check_early(settings_of(**values))


@pytest.mark.parametrize(
    ("own", "messages"),
    [
        ({"optimizer": "adamx"}, ["separate: age: optimizer 'adamx': timm has no such optimiser; nearest: adamax"]),
        ({"augmentation": {"flipp": {}}}, ["separate: age: augmentation:"]),
        ({"weights": "no/such.pth"}, ["separate: age: weights no/such.pth: there is no such file"]),
        ({"epochs": "many"}, ["separate: age: epochs = 'many'"]),
        ({"folds": 3, "optimiser": "sgd"}, ["separate: age: folds cannot be set per attribute", "nearest: optimizer"]),
        (3, ["separate: age: expected settings by name, not 3"]),
    ],
)
def test_settings_of_each_attributes_model_are_checked(own, messages):
    with pytest.raises(InputError) as error:
        check_early(settings_of(target="separate", separate={"mask": {"epochs": 2}, "age": own}))
    assert all(message in str(error.value) for message in messages) and "mask" not in str(error.value)


def test_a_problem_of_the_common_settings_is_not_listed_for_each_attribute():
    with pytest.raises(InputError) as error:
        check_early(settings_of(target="separate", optimizer="adamx", separate={"mask": {"lr": 0.1}, "age": {}}))
    assert str(error.value).count("adamx") == 1 and "separate" not in str(error.value)


def test_all_problems_are_listed_once():
    with pytest.raises(InputError) as error:
        check_early(settings_of(model="resnet10x", optimizer="adamx", scheduler="cosime", augmentation={"flipp": {}}))
    lines = str(error.value).splitlines()
    assert len([line for line in lines if not line.startswith(" ")]) == 4 and str(error.value).count("flipp") == 1


@pytest.mark.parametrize(
    "values",
    [
        {"scheduler": "OneCycleLR"},
        {"scheduler": "OneCycleLR", "layer_decay": 0.5, "pooling": "attention", "freeze": ["stages:2"]},
        {"adapter": "adaptformer", "model": "test_vit", "input_size": [32, 32]},
        {"scheduler": "ReduceLROnPlateau", "best_criterion": "loss"},
        {"scheduler": "none", "optimizer": "sgd", "optimizer_args": {"momentum": 0.9}},
        {"loss": "cross_entropy", "class_weights": "given", "class_weight_values": [1, 2, 3]},
        {"target": "heads", "heads": {"gender": {"loss": "bce"}, "age": {"loss": "f1"}}},
        {
            "augmentation": {"randaugment": {}, "cutmix": {}},
            "channels": 1,
            "normalisation": "given",
            "mean": [0.5],
            "std": [0.5],
        },
    ],
)
def test_valid_settings_pass(values, tmp_path):
    save_file(tiny_network(heads_of(kind=("a", "b")))[0].state_dict(), tmp_path / "w.safetensors")
    settings = settings_of(**values, weights=str(tmp_path / "w.safetensors"))
    check_early(settings)  # imports
    start = time.process_time()
    check_early(settings)
    assert time.process_time() - start < 0.5
