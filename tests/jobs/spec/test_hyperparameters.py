"""Settings as hyperparameters."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from container.job_types import EVALUATION, TRAIN
from jobs.spec.hyperparameters import path_in_job, read_settings, split_settings, to_text
from jobs.spec.inputs import Input
from model.settings.fields import Layer, as_dict, build
from model.settings.train import TrainSettings


def test_hyperparameters_are_the_settings_that_differ(dry_run):
    code, out, _ = dry_run(
        "train", "--data", "s3://b/t", "--epochs", "10", "--lr", "0.01", "--input_size", "64", "--augmentation", "none"
    )
    assert code == 0
    assert json.loads(out)["HyperParameters"] == {"lr": "0.01", "input_size": "[64]", "augmentation": "{}"}


def changed() -> dict[str, object]:
    """Every setting of training with a value that is not its default."""
    choices = {field.name: field.metadata["choices"] for field in dataclasses.fields(TrainSettings)}
    values: dict[str, object] = {}
    for name, value in as_dict(TrainSettings()).items():
        if choices[name]:
            values[name] = next((choice for choice in choices[name] if choice != value), value)  # of one choice, that
        elif isinstance(value, bool):
            values[name] = not value
        elif isinstance(value, int):
            values[name] = value + 1 if name != "channels" else 1
        elif isinstance(value, float):
            values[name] = value / 2 + 0.125
        elif name == "sampler_strength":
            values[name] = 0.25
        elif name in ("mean", "std"):
            values[name] = [0.1]
        elif name == "pixel_range":
            values[name] = [0.0, 4095.0]
        elif isinstance(value, list):
            values[name] = [24, 40] if name in ("input_size", "hidden_layers", "age_cuts") else ["1", "2"]
        elif isinstance(value, dict):
            values[name] = {"a": {"column": "종류", "values": ['x "y"', "z"]}} if name == "attributes" else {"flip": {}}
        else:
            values[name] = 'a "quoted", odd\nvalue'
    return values


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(TrainSettings)])
def test_a_setting_as_text_is_read_back(name):
    settings = dataclasses.replace(TrainSettings(), **{name: changed()[name]})
    if list(settings.contradictions()):
        pytest.skip("the value needs another one beside it")
    text = to_text(getattr(settings, name))
    assert "\n" not in text
    assert getattr(build(TrainSettings, [Layer("{}", {name: text})]), name) == getattr(settings, name)


def test_local_files_come_along_as_channels(tmp_path):
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"x")
    settings = read_settings(TRAIN, ["--weights", str(weights), "--train_dir", "s3://b/t", "--model_dir", "elsewhere"])
    texts, inputs, not_sent = split_settings(TRAIN, settings)
    assert texts == {"weights": "/opt/ml/input/data/weights/w.safetensors"}
    assert {each.name: each.source for each in inputs} == {"train": "s3://b/t", "weights": str(weights)}
    assert not_sent == ["model_dir"]


def test_inference_TTA_sends_only_what_differs_from_its_own_defaults(dry_run):
    flags = ("--data", "s3://b/e", "--model_dir", "s3://b/m")
    _, out, _ = dry_run("inference_TTA", *flags)
    assert json.loads(out)["AppSpecification"]["ContainerArguments"] == ["inference_TTA"]
    _, out, _ = dry_run("inference_TTA", *flags, "--num_tta", "1")
    assert json.loads(out)["AppSpecification"]["ContainerArguments"] == ["inference_TTA", "--num_tta", "1"]


def test_a_file_is_found_in_its_inputs_folder_and_a_folder_is_that_folder(tmp_path):
    (tmp_path / "labels.json").touch()
    labels = path_in_job(EVALUATION, Input("labels", str(tmp_path / "labels.json")))
    assert labels == Path("/opt/ml/processing/input/labels/labels.json")
    assert path_in_job(TRAIN, Input("weights", str(tmp_path))) == Path("/opt/ml/input/data/weights")
