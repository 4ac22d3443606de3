"""Requests of tuning and of models at work."""

import json
import shlex

import pytest
from botocore.validate import ParamValidator

from jobs.commands.tune import short_name
from jobs.requests.tuning import parameter_ranges
from jobs.requests.validation import check_request, operation
from model.errors import InputError


def test_ranges_come_from_the_settings():
    asked = {
        "lr": [1e-5, 0.1],
        "epochs": [3, 30],
        "loss": ["focal", "cross_entropy"],
        "input_size": [[32, 24], [64, 48]],
    }
    assert parameter_ranges(asked) == {
        "IntegerParameterRanges": [{"Name": "epochs", "MinValue": "3", "MaxValue": "30", "ScalingType": "Auto"}],
        "ContinuousParameterRanges": [
            {"Name": "lr", "MinValue": "1e-05", "MaxValue": "0.1", "ScalingType": "Logarithmic"}
        ],
        "CategoricalParameterRanges": [
            {"Name": "loss", "Values": ["focal", "cross_entropy"]},
            {"Name": "input_size", "Values": ["[32, 24]", "[64, 48]"]},
        ],
    }


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "name what to vary"),
        ({"lrr": [1, 2]}, "nearest: lr"),
        ({"lr": 0.1}, r"expected \[low, high\]"),
        ({"lr": [0.1, 0.01]}, "0.1 is not below 0.01"),
        ({"loss": ["focal", "focul"]}, "nearest: focal"),
        ({"epochs": [1, 2.5]}, "expected a whole number"),
        ({"lr": [-1, 0.1]}, "expected at least 0"),
    ],
)
def test_wrong_ranges_are_told(asked, told):
    with pytest.raises(InputError, match=told):
        parameter_ranges(asked)


TUNE = "--data s3://b/t --ranges '{lr: [0.0001, 0.01], loss: [focal, cross_entropy]}'"


@pytest.mark.parametrize(
    "flags",
    [
        "",
        "--trainings 50 --at_once 5 --strategy Random --stop_early --seed 7 --spot --objective val_loss",
        "--strategy Hyperband --kms_key alias/k",
        "--lr 0.5 --epochs 4 --instances 2 --keep_alive 60",
    ],
)
def test_a_search_passes_the_check(flags, dry_run):
    code, out, err = dry_run("tune", *shlex.split(f"{TUNE} {flags}"))
    assert code == 0, err
    request = json.loads(out)
    method = "create_hyper_parameter_tuning_job"
    assert not ParamValidator().validate(request, operation(method).input_shape).has_errors()
    assert check_request(method, request) == []
    assert {"lr", "loss"}.isdisjoint(request["TrainingJobDefinition"]["StaticHyperParameters"])
    assert "CheckpointConfig" not in request["TrainingJobDefinition"]  # trainings would share the place
    assert ("keep no checkpoints" in err) is ("--spot" in flags)
    assert len(request["HyperParameterTuningJobName"]) <= 32


def test_names_of_searches_are_short():
    assert len(short_name("a-very-long-name-of-an-experiment")) <= 32
    assert short_name("exp").startswith("exp-")


def test_an_objective_that_is_no_metric_is_told(dry_run):
    code, _, err = dry_run("tune", *shlex.split(f"{TUNE} --objective val_ff1"))
    assert code == 2 and "nearest: val_f1" in err


HOSTED = {
    "transform": (
        "transform",
        "--data s3://b/e --accept 'application/json;verbose' --concurrent 4 --max_payload_mb 9",
    ),
    "real-time": ("deploy", "--instance ml.m5.xlarge --instances 2 --kms_key alias/k --environment '{num_tta: 4}'"),
    "async": ("deploy", "--kind async --isolated --subnets s-1 --security_groups g-1"),
    "registry": ("register", "--evaluation s3://b/evaluation.json --group faces --approval Approved --tags '{a: b}'"),
}


@pytest.mark.parametrize("model", ["s3://b/m/model.tar.gz", "s3://b/m"])
@pytest.mark.parametrize("named", HOSTED)
def test_models_at_work_pass_the_check(named, model, dry_run):
    verb, flags = HOSTED[named]
    code, out, err = dry_run(verb, "--model_dir", model, *shlex.split(flags))
    assert code == 0, err
    requests = json.loads(out)
    for command, request in requests.items():
        method = command.replace("-", "_")
        assert not ParamValidator().validate(request, operation(method).input_shape).has_errors()
        assert check_request(method, request) == []


def test_a_serverless_endpoint_passes_the_check(dry_run):
    flags = "--model_dir s3://b/m/model.tar.gz --kind serverless --memory_mb 6144 --concurrency 10"
    code, out, err = dry_run("deploy", *shlex.split(flags))
    assert code == 0, err
    for command, request in json.loads(out).items():
        assert check_request(command.replace("-", "_"), request) == []


@pytest.mark.parametrize(("instance", "keys"), [("ml.m5.xlarge", 1), ("ml.g5.xlarge", 0), ("ml.p4d.24xlarge", 0)])
def test_a_local_disk_has_no_key_of_ours(instance, keys, dry_run):
    """AWS refuses VolumeKmsKeyId (of endpoints KmsKeyId) for machines with local disks; outputs keep the key."""
    flags = ("--kms_key", "alias/k", "--instance", instance)
    model = ("--model_dir", "s3://b/m/model.tar.gz")
    outputs = {
        "train": (1, "--data", "s3://b/t"),
        "inference": (1, "--data", "s3://b/e", *model),
        "tune": (1, *shlex.split(TUNE)),
        "transform": (1, "--data", "s3://b/e", *model),
        "deploy": (0, *model),
    }
    for verb, (own, *words) in outputs.items():
        code, out, err = dry_run(verb, *flags, *words)
        assert code == 0, err
        assert out.count("alias/k") == own + keys, verb


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--strategy Grid", "--strategy Grid takes values to choose from"),
        ("--strategy Hyperband --stop_early", "Hyperband ends trainings itself"),
        ("--checkpoints s3://b/kept", "would share them"),
        ("--on docker", "expected one of sagemaker"),
        ("--script_mode --isolated", "installs from the network"),
    ],
)
def test_a_search_that_cannot_be_is_refused(flags, told, dry_run):
    code, out, err = dry_run("tune", *shlex.split(f"{TUNE} {flags}"))
    assert (code, out) == (2, "")
    assert told in err


def test_a_grid_of_values_passes_the_check(dry_run):
    flags = "--data s3://b/t --strategy Grid --ranges '{lr: [0.1, 0.01, 0.001], loss: [focal, cross_entropy]}'"
    code, out, err = dry_run("tune", *shlex.split(flags))
    assert code == 0, err
    assert check_request("create_hyper_parameter_tuning_job", json.loads(out)) == []


@pytest.mark.parametrize(
    ("verb", "flags", "told"),
    [
        ("transform", "--data s3://b/e --max_payload_mb 50 --concurrent 4", "MaxConcurrentTransforms (--concurrent)"),
        ("transform", "", "--data: name the pictures'"),
        ("transform", "--data s3://b/e --accept 'a\tb' --job_name a_b", "TransformJobName (--job_name)"),
        ("deploy", "--kind serverless --memory_mb 5000", "memory_mb is a multiple of 1024"),
        ("deploy", "--kind serverless --memory_mb 7168", "MemorySizeInMB (--memory_mb): 7168 is above 6144"),
        ("deploy", "--kind serverless --concurrency 500", "MaxConcurrency"),
        ("deploy", "--kind serverless --subnets s-1 --security_groups g-1", "cannot be in a VPC"),
        ("deploy", "--kind serverless --isolated", "no network isolation"),
        ("deploy", "--kind serverless --model_dir s3://b/m", "takes model.tar.gz, no prefix"),
        ("deploy", "--on here", "expected one of sagemaker"),
        ("deploy", "--startup 10", "ContainerStartupHealthCheckTimeoutInSeconds"),
        ("register", "--group a_b", "ModelPackageGroupName"),
        ("register", "--evaluation nowhere.json", "nowhere.json"),
    ],
)
def test_wrong_descriptions_of_models_at_work_are_refused(verb, flags, told, dry_run):
    code, out, err = dry_run(verb, "--model_dir", "s3://b/m/model.tar.gz", *shlex.split(flags))
    assert (code, out) == (2, "")
    assert told in err
