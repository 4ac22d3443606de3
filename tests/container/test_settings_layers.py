"""Settings from flags, hyperparameters.json, SM_HP_* variables, .env and experiment files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from container import settings_layers
from container.environment import Environment
from container.job_types import EVALUATION, INFERENCE, INFERENCE_TTA, SERVE, TRAIN
from container.locations import Locations
from container.sm_variables import sm_variables
from model.errors import InputError
from model.settings.cli import HELP
from model.settings.train import TrainSettings
from tests.container.conftest import write_config


def read(*argv: str) -> TrainSettings:
    return settings_layers.read(TRAIN, argv, "usage")[0]


def test_flags_override_hyperparameters_override_variables_override_the_experiment_file(tree, tmp_path, monkeypatch):
    config = tmp_path / "a.yaml"
    config.write_text("epochs: 1\nlr: 0.1\nbatch_size: 2\nseed: 3\n")
    monkeypatch.setenv("SM_HP_LR", "0.2")
    monkeypatch.setenv("SM_HP_BATCH-SIZE", "4")
    monkeypatch.setenv("SM_HP_SEED", "5")
    write_config(tree, "hyperparameters.json", {"batch_size": "8", "seed": "7", "config": str(config)})
    settings = read("--seed", "9")
    assert (settings.epochs, settings.lr, settings.batch_size, settings.seed) == (1, 0.2, 8, 9)


def test_values_from_python_are_flags_without_dashes(monkeypatch):
    monkeypatch.setenv("SM_HP_LR", "0.2")
    settings = settings_layers.read(TRAIN, {"lr": 0.1, "input_size": (128, 96), "data_dir": "train"}, "")[0]
    assert (settings.lr, settings.input_size, settings.train_dir) == (0.1, [128, 96], "train")
    with pytest.raises(InputError, match=r"\n  lrr: there is no such setting; nearest: lr"):
        settings_layers.read(TRAIN, {"lrr": 1}, "")


@pytest.mark.parametrize("encode", [str, json.dumps])
def test_the_path_of_the_experiment_file_may_be_encoded_twice(tree, tmp_path, encode):
    (tmp_path / "a.yaml").write_text("epochs: 3\n")
    write_config(tree, "hyperparameters.json", {"config": encode(str(tmp_path / "a.yaml"))})
    assert read().epochs == 3


def test_the_environment_overrides_dotenv(monkeypatch):
    Path(".env").write_text("SM_HP_LR=0.5\nSM_HP_EPOCHS=4\nSM_MODEL_DIR=from-file\n")
    monkeypatch.setenv("SM_HP_EPOCHS", "6")
    settings, env = settings_layers.read(TRAIN, [], "usage")
    assert (settings.lr, settings.epochs) == (0.5, 6)
    assert Locations(env).models_dir(None) == Path("from-file")


def test_hyperparameters_of_sagemakers_clients_are_ignored(tree, monkeypatch):
    monkeypatch.setenv("SM_HP_SAGEMAKER_PROGRAM", "train.py")
    write_config(
        tree,
        "hyperparameters.json",
        {"sagemaker_program": '"train.py"', "_tuning_objective_metric": "val_f1", "epochs": '"4"'},
    )
    assert read().epochs == 4


def test_problems_of_all_sources_are_reported_together(tree, monkeypatch):
    monkeypatch.setenv("SM_HP_BATCHSIZE", "8")
    write_config(tree, "hyperparameters.json", {"epochs": "many", "los": "focal"})
    with pytest.raises(InputError) as caught:
        read("--lr", "-1", "--sampler", "imbalance")
    text = str(caught.value)
    assert "variable SM_HP_batchsize: there is no such setting; nearest: batch_size" in text
    assert "hyperparameter epochs = 'many': expected a whole number" in text
    assert "hyperparameter los: there is no such setting; nearest: loss" in text
    assert "--lr = '-1': expected at least 0" in text
    assert "--sampler = 'imbalance': expected one of imbalanced, sqrt, none; nearest: imbalanced" in text


def test_one_dotenv_serves_all_jobs(monkeypatch):
    monkeypatch.setenv("SM_HP_EPOCHS", "3")
    monkeypatch.setenv("SM_HP_NUM_TTA", "8")
    assert settings_layers.read(INFERENCE, [], "")[0].num_tta == 8
    assert settings_layers.read(TRAIN, [], "")[0].epochs == 3
    settings_layers.read(EVALUATION, [], "")


def test_every_source_overrides_the_default_of_a_script(monkeypatch):
    assert settings_layers.read(INFERENCE_TTA, [], "")[0].num_tta == 4
    assert settings_layers.read(INFERENCE_TTA, ["--num-tta", "2"], "")[0].num_tta == 2
    monkeypatch.setenv("SM_HP_NUM_TTA", "8")
    assert settings_layers.read(INFERENCE_TTA, [], "")[0].num_tta == 8


@pytest.mark.parametrize("flag", ["--help", "--help-all"])
def test_help_prints_the_default_of_the_script_and_ends(flag, capsys):
    with pytest.raises(SystemExit) as ended:
        settings_layers.read(INFERENCE_TTA, [flag], "Predicts.\n\nExamples:\n  a b\n\nDetails.")
    assert ended.value.code == 0
    out, is_all = capsys.readouterr().out, flag == "--help-all"
    start = "usage: python inference_TTA.py [IMAGE ...] [--SETTING VALUE ...]\n\nPredicts.\n\nExamples:\n  a b\n\n"
    assert out.startswith(f"{start}Details.\n\nInputs and outputs:\n" if is_all else f"{start}Common settings:\n")
    assert "--num_tta N" in out and "default: 4" in out and ("--tta_mode" in out) is is_all
    assert ("settings: python inference_TTA.py --help-all\n" in out) is not is_all
    assert "SM_HP_NAME" in out and out.endswith(f"{settings_layers.EXIT_CODES}\n")


def test_the_servers_help_names_its_own_variables():
    text = settings_layers.text_of(SERVE, HELP, "Serves.")
    assert text.startswith("usage: python -m container.serve [--SETTING") and "SERVE_NAME" in text
    assert "SM_HP_NAME" not in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "No such file"),
        ("- a\n", "expected settings by name, not list"),
        ("a: [", "invalid YAML"),
        ("epocs: 3\n", "a.yaml: epocs: there is no such setting; nearest: epochs"),
    ],
)
def test_an_invalid_experiment_file_is_an_error(tmp_path, text, expected):
    config = tmp_path / "a.yaml"
    if text is not None:
        config.write_text(text)
    with pytest.raises(InputError, match=expected):
        read("--config", str(config))


def test_a_missing_experiment_file_names_the_nearest_one(tmp_path):
    (tmp_path / "mask-resnet18.yaml").write_text("")
    with pytest.raises(InputError, match=r"nearest: mask-resnet18\.yaml"):
        read("--config", str(tmp_path / "mask-resnet.yaml"))


@pytest.mark.parametrize(("text", "expected"), [("{", "not JSON"), ("[]", "expected a JSON object, not list")])
def test_a_damaged_config_file_is_named(tree, text, expected):
    (tree / "input" / "config" / "hyperparameters.json").write_text(text)
    with pytest.raises(InputError, match=rf"hyperparameters\.json: {expected}"):
        read()


SETTINGS: dict[str, Any] = {
    "pretrained": False,
    "compile": True,
    "epochs": 3,
    "lr": 0.00012,
    "model": "resnet34",
    "table": "train.csv",
    "sampler_strength": 0.75,
    "input_size": [128, 96],
    "age_cuts": [29.0, 58.5],
    "freeze": ["layer1", "layer2"],
    "optimizer_args": {"momentum": 0.9, "nesterov": True},
    "augmentation": {"flip": {"p": 0.25}, "erasing": {}},
}


SENDERS: dict[str, Callable[[Any], str]] = {
    "SDK 2, any image": str,
    "SDK 2, script mode": json.dumps,
    "SDK 3": lambda value: value if isinstance(value, str) else json.dumps(value),
    "the tuner": lambda value: json.dumps(str(value)),
    "by hand": lambda value: (
        {True: "on", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    ),
}


@pytest.mark.parametrize("sender", SENDERS)
def test_every_kind_of_setting_is_read_in_the_encoding_of_every_sender(tree, monkeypatch, sender):
    """As hyperparameters, and as the variables that the toolkit makes of them."""
    hyperparameters = {name.replace("_", "-"): SENDERS[sender](value) for name, value in SETTINGS.items()}
    write_config(tree, "hyperparameters.json", hyperparameters)
    variables = {name: value for name, value in sm_variables(Environment()).items() if name.startswith("SM_HP_")}
    assert len(variables) == len(SETTINGS)
    for settings in (read(), None):
        if settings is None:
            write_config(tree, "hyperparameters.json", {})
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            settings = read()
        for name, value in SETTINGS.items():
            assert getattr(settings, name) == value and type(getattr(settings, name)) is type(value), (sender, name)


def test_a_problem_is_reported_once_for_a_hyperparameter_that_is_a_variable_too(tree, monkeypatch):
    write_config(tree, "hyperparameters.json", {"epocs": "3"})
    monkeypatch.setenv("SM_HP_EPOCS", "3")
    with pytest.raises(InputError) as caught:
        read()
    assert str(caught.value).count("epocs") == 1


def config_channel(base: Path, *names: str, text: str = "epochs: 7\nlr: 0.5\n") -> Path:
    """The channel `config` of a training with files of these names."""
    folder = base / "input" / "data" / "config"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("name", ["config.yaml", "mine.yml", "settings.json"])
def test_a_channel_config_is_an_experiment_file(name, tree):
    file = config_channel(tree, name, "README.txt") / name
    if name.endswith("json"):
        file.write_text('{"epochs": 7, "lr": 0.5}')
    write_config(tree, "hyperparameters.json", {"lr": "0.25"})
    settings = read("--seed", "3")
    assert (settings.epochs, settings.lr, settings.seed, settings.config) == (7, 0.25, 3, str(file))


def test_jobs_without_the_setting_config_read_the_input_config(tmp_path, monkeypatch):
    folder = tmp_path / "processing" / "input" / "config"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("gmean_classes: [a, b]\nresamples: 5\n")
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    settings = settings_layers.read(EVALUATION, ["--resamples", "9"], "")[0]
    assert (settings.gmean_classes, settings.resamples) == (["a", "b"], 9)
    (folder / "config.yaml").write_text("gmean_clases: [a, b]\n")
    with pytest.raises(InputError, match=r"input/config/config\.yaml: gmean_clases: .*nearest: gmean_classes"):
        settings_layers.read(EVALUATION, [], "")
    monkeypatch.delenv("SAGEMAKER_BASE_DIR")
    (folder / "config.yaml").write_text("resamples: 6\n")
    monkeypatch.setenv("SM_CHANNEL_CONFIG", str(folder))
    assert settings_layers.read(EVALUATION, [], "")[0].resamples == 6


def test_of_several_files_in_the_channel_config_the_setting_chooses_one(tree):
    folder = config_channel(tree, "a.yaml", "b.yaml")
    with pytest.raises(InputError, match=r"expected one experiment file .*a\.yaml, b\.yaml; choose one by the setting"):
        read()
    (folder / "b.yaml").write_text("epochs: 8\n")
    assert read("--config", "b.yaml").epochs == read("--config", str(folder / "b.yaml")).epochs == 8
    with pytest.raises(InputError, match=r"config c\.yaml: it is not in the channel"):
        read("--config", "c.yaml")


def test_a_config_outside_the_channel_and_an_empty_channel_are_errors(tree, tmp_path):
    (tmp_path / "c.yaml").write_text("epochs: 3\n")
    folder = config_channel(tree, "a.yaml")
    with pytest.raises(InputError, match=r"c\.yaml: it is not in the channel `config`, .* remove the setting or"):
        read("--config", str(tmp_path / "c.yaml"))
    (folder / "a.yaml").unlink()
    with pytest.raises(InputError, match=r"expected one experiment file \(YAML\); it contains none"):
        read()
