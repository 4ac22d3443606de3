"""Updating the model of an endpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from moto.sagemaker.models import sagemaker_backends

from jobs.aws.clients import Clients
from tests.jobs.commands.test_creation import fail, resource_names
from tests.jobs.conftest import ACCOUNT, BUCKET, keys, run_jobs, saved_model

FLAGS = (*ACCOUNT, "--model_dir", f"s3://{BUCKET}/m/model.tar.gz", "--job_name", "prod")
SCALED = ("--max_instances", "4", "--min_instances", "2")


@dataclass
class Updates:
    """The effect of UpdateEndpoint, which moto does not support.

    Attributes:
        requests: The requests that were sent.
        succeeds: Whether the endpoint gets the new configuration; otherwise SageMaker rolls back.
        status: Status of the endpoint when the update has ended.
        late: Number of descriptions that still show the endpoint before the update.
        interrupted: Whether Ctrl-C is pressed while the update is followed.
    """

    requests: list[dict[str, Any]] = field(default_factory=list)
    succeeds: bool = True
    status: str = "InService"
    late: int = 0
    interrupted: bool = False


@pytest.fixture
def updates(aws, monkeypatch) -> Updates:
    state = Updates()
    real = Clients("eu-west-1").sagemaker._make_api_call.__func__
    monkeypatch.setattr("jobs.commands.endpoint_update.LOOK_SECONDS", 0.0)

    def call(self: Any, name: str, request: Any) -> Any:
        if name == "UpdateEndpoint":
            state.requests.append(request)
            return {"EndpointArn": "arn:e"}
        if name == "DescribeEndpoint" and state.requests:
            if state.interrupted:
                raise KeyboardInterrupt
            endpoint = sagemaker_backends["123456789012"]["eu-west-1"].endpoints["prod"]
            state.late -= 1
            if state.late < 0 and state.succeeds:
                endpoint.endpoint_config_name = state.requests[-1]["EndpointConfigName"]
            if state.late < 0:
                endpoint.endpoint_status = state.status
        return real(self, name, request)

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", call)
    return state


def record() -> dict[str, Any]:
    return json.loads(Path("results/prod/job.json").read_text())["request"]


def test_a_successful_update_deletes_the_old_configuration_and_model(updates, aws, capsys):
    assert run_jobs("deploy", *FLAGS) == 0
    updates.late = 3
    assert run_jobs("deploy", *FLAGS, "--update") == 0
    name = updates.requests[0]["EndpointConfigName"]
    assert resource_names(aws) == {"models": [name], "configurations": [name], "endpoints": ["prod"]}
    assert "deleted: configuration prod, model prod" in capsys.readouterr().out
    assert record() == updates.requests[0] == {"EndpointName": "prod", "EndpointConfigName": name}

    assert run_jobs("deploy", *FLAGS, "--update") == 0  # again, starting from the names of the first update
    assert resource_names(aws)["models"] == [updates.requests[1]["EndpointConfigName"]] != [name]
    assert run_jobs("stop", "prod") == 0
    assert resource_names(aws) == {"models": [], "configurations": [], "endpoints": []}


def test_a_rollback_deletes_the_new_configuration_and_model(updates, aws, capsys):
    assert run_jobs("deploy", *FLAGS) == 0
    before = record()
    updates.succeeds = False
    assert run_jobs("deploy", *FLAGS, "--update", "--rollback_alarms", "errors", "--bake", "60") == 1
    out = capsys.readouterr().out
    assert "SageMaker rolled back to configuration prod; the old model serves requests" in out
    assert resource_names(aws) == {"models": ["prod"], "configurations": ["prod"], "endpoints": ["prod"]}
    assert record() == before
    deployment = updates.requests[0]["DeploymentConfig"]
    assert deployment["AutoRollbackConfiguration"]["Alarms"] == [{"AlarmName": "errors"}]
    assert deployment["BlueGreenUpdatePolicy"]["TerminationWaitInSeconds"] == 60


def test_a_failed_rollback_deletes_nothing(updates, aws, capsys):
    assert run_jobs("deploy", *FLAGS) == 0
    updates.succeeds, updates.status = False, "UpdateRollbackFailed"
    assert run_jobs("deploy", *FLAGS, "--update") == 1
    assert "either of them may be in use" in capsys.readouterr().out
    assert len(resource_names(aws)["models"]) == len(resource_names(aws)["configurations"]) == 2


def test_ctrl_c_leaves_the_update_running_and_lists_what_to_delete_later(updates, aws, capsys):
    assert run_jobs("deploy", *FLAGS) == 0
    updates.interrupted = True
    assert run_jobs("deploy", *FLAGS, "--update") == 130
    assert "delete what it replaces yourself afterwards: configuration prod, model prod" in capsys.readouterr().out
    assert len(resource_names(aws)["models"]) == 2


def test_a_refused_update_does_not_change_the_endpoint(aws, tmp_path, monkeypatch, capsys):
    assert run_jobs("deploy", *FLAGS) == 0
    before = record()
    fail(monkeypatch, "UpdateEndpoint")
    local = ("--model_dir", str(saved_model(tmp_path / "model")))
    assert run_jobs("deploy", *ACCOUNT, *local, "--job_name", "prod", "--update") == 2
    assert "undone, deleted: configuration prod-2" in capsys.readouterr().out
    assert resource_names(aws) == {"models": ["prod"], "configurations": ["prod"], "endpoints": ["prod"]}
    assert record() == before and keys("rarebird/prod-") == []


def test_a_missing_or_busy_endpoint_is_not_updated(updates, aws, capsys):
    assert run_jobs("deploy", *FLAGS) == 0
    flags = (*FLAGS[:-1], "prot", "--update")
    assert run_jobs("deploy", *flags) == 2
    assert "no endpoint prot; nearest: prod" in capsys.readouterr().err
    sagemaker_backends["123456789012"]["eu-west-1"].endpoints["prod"].endpoint_status = "Updating"
    assert run_jobs("deploy", *FLAGS, "--update") == 2
    assert "endpoint prod is Updating" in capsys.readouterr().err
    assert run_jobs("deploy", *FLAGS[:-2], "--update") == 2
    assert "update: set job_name to the name of the endpoint" in capsys.readouterr().err
    assert resource_names(aws)["models"] == ["prod"] and not updates.requests


def test_an_update_keeps_the_number_of_machines_that_scaling_has_set(updates, aws, capsys):
    assert run_jobs("deploy", *FLAGS, *SCALED) == 0
    assert run_jobs("deploy", *FLAGS, "--update") == 0
    assert updates.requests[0]["RetainAllVariantProperties"] is True
    other = (*FLAGS, "--update", "--instance", "ml.c5.xlarge")
    assert run_jobs("deploy", *other) == 2
    assert "scales between 2 and 4 machines of ml.m5.xlarge" in capsys.readouterr().err and len(updates.requests) == 1

    assert run_jobs("deploy", *other, "--max_instances", "6") == 0
    assert "RetainAllVariantProperties" not in updates.requests[1]
    (target,) = aws("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")[
        "ScalableTargets"
    ]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 6)


def test_a_refused_update_restores_the_scaling(aws, monkeypatch):
    assert run_jobs("deploy", *FLAGS, *SCALED) == 0
    done = fail(monkeypatch, "UpdateEndpoint")
    assert run_jobs("deploy", *FLAGS, "--update", "--instance", "ml.c5.xlarge", *SCALED) == 2
    assert "DeregisterScalableTarget" in done  # SageMaker requires this before the instance type changes
    (target,) = aws("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")[
        "ScalableTargets"
    ]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 4)
