"""Requests that scale endpoints."""

from __future__ import annotations

import json

import pytest

from jobs.requests.scaling import Scaling, policy_request, scaling_requests
from jobs.requests.validation import check_request


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize("low", [0, 1])
def test_scaling_requests_are_valid(is_async, low):
    requests = scaling_requests(Scaling("e-1", "all", is_async, low, 4))
    assert [check_request(method, request) for method, request in requests] == [[]] * len(requests)
    assert requests[0][1] == {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/e-1/variant/all",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "MinCapacity": low,
        "MaxCapacity": 4,
    }
    assert ("put_metric_alarm" in dict(requests)) is (low == 0)


def test_a_step_policy_and_its_alarm_add_the_first_machine():
    _, _, (_, step), (_, alarm) = scaling_requests(Scaling("e-1", "all", True, 0, 4))
    adjustments = step["StepScalingPolicyConfiguration"]["StepAdjustments"]
    assert step["PolicyType"] == "StepScaling" and adjustments == [
        {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}
    ]
    assert (alarm["MetricName"], alarm["Threshold"]) == ("HasBacklogWithoutCapacity", 1.0)
    assert alarm["Dimensions"] == [{"Name": "EndpointName", "Value": "e-1"}]


@pytest.mark.parametrize(
    ("is_async", "target", "value"), [(False, 0, 120), (True, 0, 5), (False, 7, 7), (True, 2.5, 2.5)]
)
def test_the_scaling_metric_depends_on_the_kind_of_endpoint(is_async, target, value):
    policy = policy_request(Scaling("e-1", "all", is_async, 1, 4, target))["TargetTrackingScalingPolicyConfiguration"]
    assert policy["TargetValue"] == value
    assert ("ApproximateBacklogSizePerInstance" in json.dumps(policy)) is is_async
    assert ("SageMakerVariantInvocationsPerInstance" in json.dumps(policy)) is not is_async


def test_a_dry_run_prints_the_requests_to_all_services(dry_run):
    flags = ("--model_dir", "s3://b/m", "--kind", "async", "--min_instances", "0", "--max_instances", "3")
    code, out, _ = dry_run("deploy", *flags, "--job_name", "e-1")
    requests = json.loads(out)
    assert code == 0 and len(requests["put-scaling-policy"]) == 2
    assert requests["register-scalable-target"]["MaxCapacity"] == 3
    assert requests["put-metric-alarm"]["AlarmName"] == "e-1-backlog-without-capacity"
