"""Requests of tuning jobs."""

from __future__ import annotations

import json
import shlex

import pytest
from botocore.validate import ParamValidator

from jobs.requests.tuning import parameter_ranges
from jobs.requests.validation import check_request, operation
from model.errors import InputError


def test_ranges_come_from_the_settings():
    ranges = {
        "lr": [1e-5, 0.1],
        "epochs": [3, 30],
        "loss": ["focal", "cross_entropy"],
        "input_size": [[32, 24], [64, 48]],
    }
    assert parameter_ranges(ranges) == {
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
    ("ranges", "message"),
    [
        ({}, "name the settings to vary"),
        ({"lrr": [1, 2]}, "nearest: lr"),
        ({"lr": 0.1}, r"expected \[low, high\]"),
        ({"lr": [0.1, 0.01]}, "0.1 must be less than 0.01"),
        ({"loss": ["focal", "focul"]}, "nearest: focal"),
        ({"epochs": [1, 2.5]}, "expected a whole number"),
        ({"lr": [-1, 0.1]}, "expected at least 0"),
    ],
)
def test_invalid_ranges_are_errors(ranges, message):
    with pytest.raises(InputError, match=message):
        parameter_ranges(ranges)


TUNE = "--data s3://b/t --ranges '{lr: [0.0001, 0.01], loss: [focal, cross_entropy]}'"


@pytest.mark.parametrize(
    "flags",
    [
        "",
        "--trainings 50 --at_once 5 --strategy Random --stop_early --seed 7 --spot --objective val_loss",
        "--strategy Hyperband --kms_key alias/k",
        "--lr 0.5 --epochs 4 --instances 2",
    ],
)
def test_tuning_requests_are_valid(flags, dry_run):
    code, out, err = dry_run("tune", *shlex.split(f"{TUNE} {flags}"))
    assert code == 0, err
    request = json.loads(out)
    method = "create_hyper_parameter_tuning_job"
    assert not ParamValidator().validate(request, operation(method).input_shape).has_errors()
    assert check_request(method, request) == []
    assert {"lr", "loss"}.isdisjoint(request["TrainingJobDefinition"]["StaticHyperParameters"])
    assert "CheckpointConfig" not in request["TrainingJobDefinition"]  # otherwise trainings would share it
    assert ("keep no checkpoints" in err) is ("--spot" in flags)
    assert len(request["HyperParameterTuningJobName"]) <= 32


@pytest.mark.parametrize(
    ("flags", "is_logged"),
    [
        ("", False),
        ("--best_criterion gmean", True),
        ("--ranges '{best_criterion: [gmean, f1]}'", False),
        ("--best_criterion f1 --ranges '{best_criterion: [gmean, gmean]}'", True),
    ],
)
def test_an_optional_objective_requires_the_setting_that_logs_it(dry_run, flags, is_logged):
    code, _, err = dry_run("tune", *shlex.split(f"{TUNE} --objective val_gmean {flags}"))
    assert (code == 0) is is_logged
    assert ("--objective val_gmean: training only logs it with --best_criterion gmean" in err) is not is_logged


def test_an_unknown_objective_is_an_error(dry_run):
    code, _, err = dry_run("tune", *shlex.split(f"{TUNE} --objective val_ff1"))
    assert code == 2 and "nearest: val_f1" in err


def test_the_request_of_a_grid_is_valid(dry_run):
    flags = "--data s3://b/t --strategy Grid --ranges '{lr: [0.1, 0.01, 0.001], loss: [focal, cross_entropy]}'"
    code, out, err = dry_run("tune", *shlex.split(flags))
    assert code == 0, err
    assert check_request("create_hyper_parameter_tuning_job", json.loads(out)) == []


def test_all_invalid_ranges_are_in_one_message():
    with pytest.raises(InputError) as raised:
        parameter_ranges({"lrr": [1, 2], "lr": [0.1, 0.01], "loss": ["focul", "focus"]})
    assert len(str(raised.value).splitlines()) == 1 + 4


def test_limits_of_a_search_are_in_its_request(dry_run):
    flags = "--max_hours 1.5 --stop_after 5 --target_score 0.9"
    code, out, err = dry_run("tune", *shlex.split(f"{TUNE} {flags}"))
    assert code == 0, err
    request = json.loads(out)
    assert check_request("create_hyper_parameter_tuning_job", request) == []
    config = request["HyperParameterTuningJobConfig"]
    assert config["ResourceLimits"] == {
        "MaxNumberOfTrainingJobs": 20,
        "MaxParallelTrainingJobs": 2,
        "MaxRuntimeInSeconds": 5400,
    }
    assert config["TuningJobCompletionCriteria"] == {
        "BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 5},
        "TargetObjectiveMetricValue": 0.9,
    }


def test_a_search_has_no_limits_by_default(dry_run):
    config = json.loads(dry_run("tune", *shlex.split(TUNE))[1])["HyperParameterTuningJobConfig"]
    assert "TuningJobCompletionCriteria" not in config and "MaxRuntimeInSeconds" not in config["ResourceLimits"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--stop_after 2", "(--stop_after): 2 is below 3"),
        ("--max_hours 0.01", "(--max_hours): 36 is below 120"),
        ("--max_hours 5000", "(--max_hours): 18000000 is above 15768000"),
    ],
)
def test_limits_that_sagemaker_refuses_are_errors(flags, message, dry_run):
    code, _, err = dry_run("tune", *shlex.split(f"{TUNE} {flags}"))
    assert code == 2 and message in err
