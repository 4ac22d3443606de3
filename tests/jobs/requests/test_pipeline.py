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
    steps = json.loads(request["PipelineDefinition"])["Steps"]
    train, answer, evaluate, gate = steps
    names = [step["Name"] for step in [*steps, *gate["Arguments"]["IfSteps"]]]
    assert names == ["Train", "Answer", "Evaluate", "Gate", "Register"]
    assert [method for method, _ in step_requests(steps)] == [
        *("create_training_job", "create_processing_job", "create_processing_job", "create_model_package")
    ]
    assert "TrainingJobName" not in train["Arguments"] and train["Arguments"]["HyperParameters"] == {"epochs": "2"}
    sources = {entry["InputName"]: entry["S3Input"]["S3Uri"] for entry in answer["Arguments"]["ProcessingInputs"]}
    assert sources == {"eval": "s3://b/e/", "model": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}}
    answers = answer["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    assert evaluate["Arguments"]["ProcessingInputs"][1]["S3Input"]["S3Uri"] == answers
    assert evaluate["DependsOn"] == ["Answer"]  # the URI of its answers is a text, which makes no dependency
    assert [condition["RightValue"] for condition in gate["Arguments"]["Conditions"]] == [0.5, 0.45]


def defined_steps(dry_run: Callable[..., tuple[int, str, str]], flags: str) -> dict[str, dict[str, Any]]:
    """A definition's steps by name, those behind the gate too."""
    code, out, err = dry_run("pipeline", *shlex.split(f"{CHAIN} {flags}"))
    assert code == 0, err
    steps = json.loads(json.loads(out)["PipelineDefinition"])["Steps"]
    return {step["Name"]: step for step in [*steps, *steps[-1]["Arguments"]["IfSteps"]]}


def test_without_a_gate_for_the_interval_its_lower_end_is_not_asked_for(dry_run):
    conditions = defined_steps(dry_run, "--gate 0.5")["Gate"]["Arguments"]["Conditions"]
    assert [condition["LeftValue"]["Std:JsonGet"]["Path"] for condition in conditions] == ["rarebird.macro_f1.value"]


def test_only_the_training_takes_several_machines(dry_run):
    steps = defined_steps(dry_run, "--instances 4")
    assert steps["Train"]["Arguments"]["ResourceConfig"]["InstanceCount"] == 4
    for name in ("Answer", "Evaluate"):
        assert steps[name]["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 1


@pytest.mark.parametrize("flags", ["", "--spot"])
def test_each_run_of_a_pipeline_has_checkpoints_of_its_own(flags, dry_run):
    uri = defined_steps(dry_run, flags)["Train"]["Arguments"]["CheckpointConfig"]["S3Uri"]
    values = uri["Std:Join"]["Values"]
    assert {"Get": "Execution.PipelineExecutionId"} in values and values[-2:] == ["checkpoints", ""]
    flags += " --checkpoints s3://b/kept"
    assert defined_steps(dry_run, flags)["Train"]["Arguments"]["CheckpointConfig"]["S3Uri"] == "s3://b/kept/"


def test_tags_reach_the_pipeline_and_its_steps(dry_run):
    steps = defined_steps(dry_run, "--tags '{team: vision}'")
    for name in ("Train", "Answer", "Evaluate"):
        assert steps[name]["Arguments"]["Tags"] == [{"Key": "team", "Value": "vision"}]
    assert "Tags" not in steps["Register"]["Arguments"]  # AWS: a version has its group's
