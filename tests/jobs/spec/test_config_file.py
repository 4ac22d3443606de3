"""Settings that are too long or too many for a request, sent as a file in the input `config`."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from container import settings_layers
from container.job_types import EVALUATION, INFERENCE, TRAIN
from container.opt_ml import OptMl
from jobs.backends.hosts import job_below, write_host_folder
from jobs.requests.validation import operation
from jobs.spec import config_file
from jobs.spec.config_file import move_long_settings
from jobs.spec.hyperparameters import read_settings, split_settings
from jobs.spec.inputs import Input
from jobs.spec.job_from_flags import read_job
from tests.jobs.examples import EVALUATION_JOB, HOST, LOCAL_JOB

NAMES = [f"class {number:03} 착용" for number in range(300)]
LONG = ["--attributes", json.dumps({"kind": {"column": "종류", "values": NAMES}}), "--loss_args", "{gamma: 1.0e-05}"]


def test_the_limits_are_those_of_botocore():
    hyperparameters = operation("create_training_job").input_shape.members["HyperParameters"]
    arguments = operation("create_processing_job").input_shape.members["AppSpecification"].members["ContainerArguments"]
    assert hyperparameters.value.metadata["max"] == config_file.VALUE_LENGTH
    assert hyperparameters.metadata["max"] > config_file.MOST_HYPERPARAMETERS
    assert arguments.member.metadata["max"] == config_file.ARGUMENT_LENGTH
    assert arguments.metadata["max"] > 2 * config_file.MOST_ARGUMENTS


def test_only_settings_that_are_too_long_are_moved_to_the_file():
    split = split_settings(TRAIN, read_settings(TRAIN, [*LONG, "--epochs", "3"]))
    texts, file = move_long_settings(TRAIN, split.texts, split.values)
    assert texts == {"loss_args": split.texts["loss_args"], "epochs": "3"}
    assert file is not None and (file.name, file.source, file.is_remote, file.problem) == (
        *("config", "config.yaml", False, None),
    )
    assert yaml.safe_load(file.text) == {"attributes": split.values["attributes"]} and "착용" in file.text
    assert move_long_settings(TRAIN, {"epochs": "3"}, {"epochs": 3}) == ({"epochs": "3"}, None)


def test_too_many_settings_are_all_moved_to_the_file(monkeypatch):
    monkeypatch.setattr(config_file, "MOST_HYPERPARAMETERS", 2)
    split = split_settings(
        TRAIN, read_settings(TRAIN, ["--epochs", "3", "--lr", "1e-5", "--loss_args", "{gamma: 1.0e-5}"])
    )
    texts, file = move_long_settings(TRAIN, split.texts, split.values)
    assert texts == {} and file is not None
    assert yaml.safe_load(file.text) == {"loss_args": {"gamma": 1e-5}, "epochs": 3, "lr": 1e-5}


@pytest.mark.parametrize("command", ["train", "tune", "pipeline"])
def test_a_long_label_scheme_is_sent_as_a_channel(command, valid_requests, dry_run):
    flags = "--data s3://b/t " + shlex.join(LONG)
    flags += {"tune": " --ranges '{lr: [0.001, 0.1]}'", "pipeline": " --eval_data s3://b/e --truth s3://b/g"}.get(
        command, ""
    )
    method = {"train": "create_training_job", "tune": "create_hyper_parameter_tuning_job"}.get(
        command, "create_pipeline"
    )
    request = valid_requests(command, flags, method)[method]
    if command == "tune":
        request = request["TrainingJobDefinition"]
        request["HyperParameters"] = request["StaticHyperParameters"]
    elif command == "pipeline":
        request = json.loads(request["PipelineDefinition"])["Steps"][0]["Arguments"]
    assert request["HyperParameters"] == {"loss_args": '{"gamma": 1e-05}'}
    sources = {each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"] for each in request["InputDataConfig"]}
    assert set(sources) == {"train", "config"} and sources["config"].endswith("/")
    assert "sent as a file (input config): attributes\n" in dry_run(command, *shlex.split(flags))[2]


def test_long_arguments_of_a_processing_job_are_sent_as_an_input(valid_requests):
    flags = (
        f"--ground_truth_dir s3://b/g --output_data_dir s3://b/a --resamples 9 --gmean_classes '{json.dumps(NAMES)}'"
    )
    request = valid_requests("evaluation", flags, "create_processing_job")["create_processing_job"]
    assert request["AppSpecification"]["ContainerArguments"] == ["evaluation", "--resamples", "9"]
    (file,) = [each for each in request["ProcessingInputs"] if each["InputName"] == "config"]
    assert file["S3Input"]["LocalPath"] == "/opt/ml/processing/input/config"


@pytest.mark.parametrize(("job", "job_type"), [(LOCAL_JOB, TRAIN), (EVALUATION_JOB, EVALUATION)])
def test_a_local_host_reads_the_file(job, job_type, tmp_path, monkeypatch):
    content = {"attributes": {"kind": NAMES}} if job_type is TRAIN else {"gmean_classes": NAMES}
    job = replace(job, settings={}, inputs=(Input("config", "config.yaml", content=content),))
    opt_ml = OptMl(tmp_path / "ml")
    write_host_folder(opt_ml, job_below(job, opt_ml.base), HOST)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(opt_ml.base))
    settings = settings_layers.read(job_type, [], "")[0]
    name = next(iter(content))
    assert getattr(settings, name) == content[name]


def test_paths_in_the_file_are_those_of_the_host(tmp_path):
    for name in "abcdefg":
        (tmp_path / name).mkdir()
    models = [f"{tmp_path}/{name}:0.5" for name in "abcdefg"]
    job = read_job("inference", ["--data", str(tmp_path), "--models", *models], "").job
    assert job.settings == {}
    opt_ml = OptMl(tmp_path / "ml")
    write_host_folder(opt_ml, job_below(job, opt_ml.base), HOST)
    content = yaml.safe_load((opt_ml.processing_input("config") / "config.yaml").read_text())
    assert content["models"][6] == f"{opt_ml.base}/processing/input/models-7:0.5"
    assert job.inputs[-1].content["models"][0] == "/opt/ml/processing/input/models-1:0.5"
    assert job.type is INFERENCE and Path("config.yaml").exists() is False
