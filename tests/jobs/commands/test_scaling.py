"""Scaling endpoints."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from jobs.aws.clients import Clients
from jobs.commands.scaling import end_scaling, scaled_variants, set_scaling
from jobs.requests.scaling import Scaling
from model.errors import InputError
from tests.jobs.conftest import ACCOUNT, BUCKET, run_jobs

FLAGS = (*ACCOUNT, "--model_dir", f"s3://{BUCKET}/m/model.tar.gz", "--job_name", "e-1")


def alarms(aws: Any) -> list[Any]:
    """Returns our alarms, without those that Application Auto Scaling creates for target tracking."""
    answer = aws("cloudwatch").describe_alarms()["MetricAlarms"]
    return [alarm for alarm in answer if not alarm["AlarmName"].startswith("TargetTracking")]


def test_an_endpoint_scales_to_zero_and_stop_removes_the_scaling(aws, capsys):
    flags = ("--kind", "async", "--min_instances", "0", "--max_instances", "3")
    assert run_jobs("deploy", *FLAGS, *flags) == 0
    assert "e-1 scales between 0 and 3 machines with its load" in capsys.readouterr().out
    (target,) = aws("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")[
        "ScalableTargets"
    ]
    assert (target["ResourceId"], target["MinCapacity"], target["MaxCapacity"]) == ("endpoint/e-1/variant/all", 0, 3)
    policies = aws("application-autoscaling").describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    step = next(policy for policy in policies if policy["PolicyType"] == "StepScaling")
    (alarm,) = alarms(aws)
    assert alarm["AlarmActions"] == [step["PolicyARN"]] and alarm["MetricName"] == "HasBacklogWithoutCapacity"
    assert len(policies) == 2 and scaled_variants(Clients("eu-west-1"), "e-1", ["all", "other"]) == {"all": (0, 3)}

    assert run_jobs("stop", "e-1") == 0
    assert "e-1 is deleted: endpoint, configuration, model\n" in capsys.readouterr().out
    assert not aws("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert alarms(aws) == []


def test_removing_the_scaling_of_an_unscaled_endpoint_does_nothing(aws):
    assert run_jobs("deploy", *FLAGS) == 0
    assert scaled_variants(Clients("eu-west-1"), "e-1", ["all"]) == {}
    assert end_scaling(Clients("eu-west-1"), "e-1", ["all"]) == []


def test_an_endpoint_is_deleted_without_permission_to_remove_its_scaling(aws, monkeypatch, capsys):
    assert run_jobs("deploy", *FLAGS) == 0
    real = Clients("eu-west-1").sagemaker._make_api_call.__func__

    def call(self: Any, name: str, request: Any) -> Any:
        if name == "DeregisterScalableTarget":
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, name)
        return real(self, name, request)

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", call)
    assert run_jobs("stop", "e-1") == 0
    assert "not deleted: scaling of e-1: access denied" in capsys.readouterr().out
    assert aws("sagemaker").list_endpoints()["Endpoints"] == []


def test_a_refused_scaling_is_an_error_that_names_the_endpoint(aws, monkeypatch):
    real = Clients("eu-west-1").sagemaker._make_api_call.__func__

    def call(self: Any, name: str, request: Any) -> Any:
        if name == "RegisterScalableTarget":
            raise ClientError({"Error": {"Code": "ValidationException", "Message": "no such endpoint"}}, name)
        return real(self, name, request)

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", call)
    with pytest.raises(
        InputError, match=r"e-1 is in service, but scaling is not set: register_scalable_target: no such endpoint"
    ):
        set_scaling(Clients("eu-west-1"), Scaling("e-1", "all", False, 1, 2))
