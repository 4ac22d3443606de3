"""The definition of a pipeline."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from jobs.requests.pipeline import step_requests
from jobs.requests.validation import check_request

CHAIN = "--data s3://b/t --eval_data s3://b/e --truth s3://b/g --job_name p-1"


def test_the_definition_is_a_pipeline_of_four_steps(dry_run: Callable[..., tuple[int, str, str]]):
    flags = "--data s3://b/t --eval_data s3://b/e --truth s3://b/g --gate 0.5 --low_gate 0.45 --epochs 2 --job_name p-1"
    code, out, err = dry_run("pipeline", *shlex.split(flags))
    assert code == 0, err
    request = json.loads(out)
    assert check_request("create_pipeline", request) == []
    definition = json.loads(request["PipelineDefinition"])
    steps = definition["Steps"]
    train, answer, evaluate, gate = steps
    names = [step["Name"] for step in [*steps, *gate["Arguments"]["IfSteps"]]]
    assert names == ["Train", "Answer", "Evaluate", "Gate", "Register"]
    assert [method for method, _ in step_requests(definition)] == [
        *("create_training_job", "create_processing_job", "create_processing_job", "create_model_package")
    ]
    assert "TrainingJobName" not in train["Arguments"] and train["Arguments"]["HyperParameters"] == {"epochs": "2"}
    sources = {entry["InputName"]: entry["S3Input"]["S3Uri"] for entry in answer["Arguments"]["ProcessingInputs"]}
    model = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
    assert sources == {"eval": {"Get": "Parameters.EvalData"}, "model": model}
    answers = {
        "Get": "Steps.Answer.ProcessingOutputConfig.Outputs['output'].S3Output.S3Uri"
    }  # creates a dependency between the steps
    assert evaluate["Arguments"]["ProcessingInputs"][1]["S3Input"]["S3Uri"] == answers
    scores = "Steps.Evaluate.ProcessingOutputConfig.Outputs['evaluation'].S3Output.S3Uri"
    registered = gate["Arguments"]["IfSteps"][0]["Arguments"]["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    assert registered["Std:Join"]["Values"] == [{"Get": scores}, "evaluation.json"]
    conditions = gate["Arguments"]["Conditions"]
    assert [condition["RightValue"]["Get"] for condition in conditions] == ["Parameters.Gate", "Parameters.LowGate"]


def defined(dry_run: Callable[..., tuple[int, str, str]], flags: str) -> dict[str, Any]:
    """Returns the definition of a pipeline."""
    code, out, err = dry_run("pipeline", *shlex.split(f"{CHAIN} {flags}"))
    assert code == 0, err
    definition: dict[str, Any] = json.loads(json.loads(out)["PipelineDefinition"])
    return definition


def defined_steps(dry_run: Callable[..., tuple[int, str, str]], flags: str) -> dict[str, dict[str, Any]]:
    """Returns the steps of a definition by name, including those after the gate."""
    steps = defined(dry_run, flags)["Steps"]
    return {step["Name"]: step for step in [*steps, *steps[-1]["Arguments"]["IfSteps"]]}


def test_without_low_gate_the_interval_is_not_checked(dry_run):
    conditions = defined_steps(dry_run, "--gate 0.5")["Gate"]["Arguments"]["Conditions"]
    assert [condition["LeftValue"]["Std:JsonGet"]["Path"] for condition in conditions] == ["rarebird.macro_f1.value"]


def test_only_the_training_step_uses_several_machines(dry_run):
    train, *others, _ = step_requests(defined(dry_run, "--instances 4"))
    assert train[1]["ResourceConfig"]["InstanceCount"] == 4
    assert [other["ProcessingResources"]["ClusterConfig"]["InstanceCount"] for _, other in others] == [1, 1]


def test_data_machines_and_gates_are_parameters_of_an_execution(dry_run):
    definition = defined(dry_run, "--instance ml.g5.xlarge --instances 2 --gate 0.5 --low_gate 0.25")
    assert definition["Parameters"] == [
        {"Name": "TrainData", "Type": "String", "DefaultValue": "s3://b/t/"},
        {"Name": "EvalData", "Type": "String", "DefaultValue": "s3://b/e/"},
        {"Name": "Truth", "Type": "String", "DefaultValue": "s3://b/g/"},
        {"Name": "InstanceType", "Type": "String", "DefaultValue": "ml.g5.xlarge"},
        {"Name": "InstanceCount", "Type": "Integer", "DefaultValue": 2},
        {"Name": "Gate", "Type": "Float", "DefaultValue": 0.5},
        {"Name": "LowGate", "Type": "Float", "DefaultValue": 0.25},
    ]
    text = json.dumps(definition["Steps"])
    for parameter in definition["Parameters"]:
        assert f'{{"Get": "Parameters.{parameter["Name"]}"}}' in text
    train, answer, evaluate, _ = (request for _, request in step_requests(definition))
    assert train["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://b/t/"
    assert answer["ProcessingInputs"][0]["S3Input"]["S3Uri"] == "s3://b/e/"
    assert evaluate["ProcessingInputs"][0]["S3Input"]["S3Uri"] == "s3://b/g/"
    assert evaluate["ProcessingResources"]["ClusterConfig"]["InstanceType"] == "ml.g5.xlarge"


def test_results_of_earlier_executions_are_reused_with_cache_days(dry_run):
    steps = defined_steps(dry_run, "--cache_days 30")
    cached = [name for name, step in steps.items() if "CacheConfig" in step]
    assert cached == ["Train", "Answer", "Evaluate"]
    assert steps["Train"]["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P30D"}
    assert not any("CacheConfig" in step for step in defined_steps(dry_run, "").values())


@pytest.mark.parametrize("flags", ["", "--spot --checkpoints s3://b/kept/"])
def test_cache_keys_of_steps_are_the_same_in_each_execution(flags, dry_run):
    """AWS compares these arguments (Developer Guide, "Default cache key attributes by pipeline step type")."""
    steps = defined_steps(dry_run, f"--cache_days 7 {flags}")
    keys = ("AlgorithmSpecification", "CheckpointConfig", "Environment", "HyperParameters", "InputDataConfig")
    compared = [{key: steps["Train"]["Arguments"].get(key) for key in keys}]
    compared += [
        {key: steps[name]["Arguments"].get(key) for key in ("AppSpecification", "Environment", "ProcessingInputs")}
        for name in ("Answer", "Evaluate")
    ]
    assert "Execution." not in json.dumps(compared)


def test_cache_days_and_spot_without_fixed_checkpoints_is_an_error(dry_run):
    code, _, err = dry_run("pipeline", *shlex.split(f"{CHAIN} --cache_days 7 --spot"))
    assert code == 2 and "cache_days and spot" in err


@pytest.mark.parametrize("flags", ["", "--spot"])
def test_each_execution_has_its_own_checkpoints(flags, dry_run):
    uri = defined_steps(dry_run, flags)["Train"]["Arguments"]["CheckpointConfig"]["S3Uri"]
    values = uri["Std:Join"]["Values"]
    assert {"Get": "Execution.PipelineExecutionId"} in values and values[-2:] == ["checkpoints", ""]
    flags += " --checkpoints s3://b/kept"
    assert defined_steps(dry_run, flags)["Train"]["Arguments"]["CheckpointConfig"]["S3Uri"] == "s3://b/kept/"


def test_tags_reach_the_pipeline_and_its_steps(dry_run):
    steps = defined_steps(dry_run, "--tags '{team: vision}'")
    for name in ("Train", "Answer", "Evaluate"):
        assert steps[name]["Arguments"]["Tags"] == [{"Key": "team", "Value": "vision"}]
    assert "Tags" not in steps["Register"]["Arguments"]  # AWS: a version has the tags of its group
