"""Names of other systems, as docs/coming-from.md lists them."""

import pytest
import yaml

from container import job_types, settings_layers
from model.errors import InputError
from model.settings.aliases import ALIASES, aliases_of, translate
from model.settings.inference import InferenceSettings
from model.settings.train import TrainSettings

TRAIN, INFERENCE = "train.py", "inference.py"

THEIRS = """
seed: 42
data_dir: {channel}
train_profile: {train}
valid_profile: {valid}
num_classes: 18
train_batch_size: 64
valid_batch_size: 128
epochs: 3
log_interval: 20
model_dir: runs
name: exp
best_criterion: f1
dataset: CustomDatasetSplitByProfile
dataset_args: {output: class}
augmentation: flip
augmentation_args: {p: 0.3}
model: SEResNet26d_32x4d
model_args: {pretrained: false, drop_rate: 0.2}
criterion: focal
criterion_args: {gamma: 1.5}
optimizer: MADGRAD
lr: 0.001
weight_decay: 0.01
scheduler: StepLR
scheduler_args: {step_size: 2}
infer_data_dir: data/eval
"""


def read(text: str, tmp_path, monkeypatch, *flags: str) -> TrainSettings:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    return settings_layers.read(job_types.TRAIN, flags, "")[0]


def test_a_config_of_the_config_driven_system_is_read_unchanged(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "rarebird")
    text = THEIRS.replace("{channel}", "data").replace("{train}", "train.txt").replace("{valid}", "valid.txt")
    settings = read(text, tmp_path, monkeypatch)
    assert (settings.train_dir, settings.train_groups, settings.validation_groups) == ("data", "train.txt", "valid.txt")
    assert (settings.batch_size, settings.num_classes, settings.layout, settings.target) == (
        64,
        18,
        "profiles",
        "joint",
    )
    assert settings.augmentation == {"flip": {"p": 0.3}} and settings.model == "SEResNet26d_32x4d"
    assert (settings.pretrained, settings.dropout, settings.model_args) == (False, 0.2, {})
    assert (settings.loss, settings.focal_gamma, settings.optimizer, settings.scheduler) == (
        "focal",
        1.5,
        "MADGRAD",
        "StepLR",
    )
    assert (settings.eval_dir, settings.config) == ("data/eval", "config.yaml")
    assert caplog.text.count("settings from ./config.yaml") == 1
    for name in ("data_dir", "dataset_args", "criterion", "infer_data_dir"):
        assert caplog.text.count(f"config.yaml: {name} is read as `") == 1, name
    assert caplog.text.count("config.yaml: valid_batch_size is not needed: validation uses `batch_size`") == 1


def test_every_name_of_that_config_is_a_setting_or_an_alias():
    theirs = set(yaml.safe_load(THEIRS.replace("{channel}", "a").replace("{train}", "b").replace("{valid}", "c")))
    from model.settings.fields import as_dict

    assert theirs <= {*as_dict(TrainSettings()), *aliases_of(TRAIN)}


def test_with_another_config_the_one_in_the_working_folder_is_ignored(tmp_path, monkeypatch):
    (tmp_path / "other.yaml").write_text("epochs: 2", encoding="utf-8")
    settings = read("epochs: 7\nlr: 0.5", tmp_path, monkeypatch, "--config", "other.yaml")
    assert (settings.epochs, settings.lr) == (2, 1e-3)


def test_flags_override_aliases_in_a_config(tmp_path, monkeypatch):
    assert read("train_batch_size: 8", tmp_path, monkeypatch, "--batch_size", "16").batch_size == 16
    assert read("batch_size: 8", tmp_path, monkeypatch, "--train-batch-size", "16").batch_size == 16


@pytest.mark.parametrize(
    ("job", "values", "expected"),
    [
        (TRAIN, {"dataset_args": {"output": "all"}}, {"target": "heads"}),
        (TRAIN, {"dataset_args": "{'output': 'age'}"}, {"target": "age"}),
        (TRAIN, {"criterion": "BCELoss"}, {"loss": "bce"}),
        (TRAIN, {"criterion_args": {"smoothing": 0.2}}, {"label_smoothing": 0.2}),
        (TRAIN, {"criterion_args": {"weight": [1, 2]}}, {"class_weights": "given", "class_weight_values": [1, 2]}),
        (TRAIN, {"model_args": {"act_layer": "silu"}}, {"model_args": {"act_layer": "silu"}}),
        (TRAIN, {"cv": "True"}, {"folds": 5}),
        (TRAIN, {"cv": "False"}, {}),
        (TRAIN, {"multi": "true"}, {"target": "separate"}),
        (TRAIN, {"pretrain": "true", "num_epoch": "0"}, {"pretrained": "true", "epochs": "0"}),
        (INFERENCE, {"pth_name": "best", "output_name": "first"}, {"output": "first.csv"}),
        (INFERENCE, {"split": "test_val", "num_tta": 8}, {"table": "test_val.csv", "num_tta": 8}),
        (INFERENCE, {"ensemble": "True", "ensemble_model_dir": "a b"}, {"models": "a b"}),
    ],
)
def test_an_alias_is_translated(job, values, expected):
    settings, sentences = translate(job, "--{}", values)
    assert settings == expected
    assert len(sentences) == len([key for key in values if key in aliases_of(job) and key != "model_args"])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"model-args": {"drop-rate": 0.2, "act-layer": 1}}, {"dropout": 0.2, "model_args": {"act_layer": 1}}),
        ({"criterion-args": {"label-smoothing": 0.2}}, {"label_smoothing": 0.2}),
        ({"augmentation": "random-crop", "augmentation-args": {"a": 1}}, {"augmentation": {"random-crop": {"a": 1}}}),
    ],
)
def test_arguments_in_an_alias_may_have_any_spelling(values, expected):
    assert translate(TRAIN, "--{}", values)[0] == expected


@pytest.mark.parametrize(
    ("job", "values", "message"),
    [
        (TRAIN, {"dataset": "MyDataset"}, "`layout` sets it"),
        (TRAIN, {"dataset_args": {"size": 3}}, "size is not supported"),
        (TRAIN, {"criterion": "focall"}, "nearest: focal"),
        (TRAIN, {"criterion_args": {"gama": 2}}, "nearest: gamma"),
        (TRAIN, {"augmentation_args": {"p": 1}}, "`augmentation` must be a name"),
        (TRAIN, {"lr": 1, "learning_rate": 2}, "it is an alias of lr, which is set too"),
        (INFERENCE, {"ensemble": "true"}, "set the models"),
    ],
)
def test_an_unsupported_value_is_an_error_with_advice(job, values, message):
    with pytest.raises(InputError, match=message):
        translate(job, "--{}", values)


def test_an_alias_of_another_job_is_ignored_in_a_shared_env(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("SM_HP_OUTPUT_NAME=a\nSM_HP_LEARNING_RATE=0.2\n")
    assert settings_layers.read(job_types.TRAIN, [], "")[0].lr == 0.2
    assert settings_layers.read(job_types.INFERENCE, [], "")[0].output == "a.csv"


def test_no_alias_but_model_args_is_the_name_of_a_setting():
    from model.settings.fields import as_dict

    for alias in ALIASES:
        names = as_dict(TrainSettings() if alias.job == TRAIN else InferenceSettings())
        assert alias.name == "model_args" or alias.name not in names
