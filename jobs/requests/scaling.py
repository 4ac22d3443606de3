"""The requests that scale an endpoint with its load, down to no machine at all for an asynchronous one.

Real-time endpoints follow the number of requests per minute and machine, asynchronous ones the requests that wait per
machine. Without a machine there is no such number: a step policy adds the first one when HasBacklogWithoutCapacity is 1
(SageMaker Developer Guide, Autoscale an asynchronous endpoint).
"""

from __future__ import annotations

from dataclasses import dataclass

from jobs.requests.common import Request

NAMESPACE = "sagemaker"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
REQUESTS_PER_MINUTE, BACKLOG = 120.0, 5.0  # targets per machine of a real-time and an asynchronous endpoint
SCALE_OUT_SECONDS, SCALE_IN_SECONDS = 300, 600  # pauses after machines are added or removed


@dataclass(frozen=True)
class Scaling:
    """How the number of an endpoint's machines changes.

    Attributes:
        endpoint, variant: Names.
        is_async: Whether the endpoint is asynchronous.
        low, high: Number of machines; low is 0 only for an asynchronous endpoint.
        target: Requests per minute, or requests that wait, per machine; 0 for the default.
    """

    endpoint: str
    variant: str
    is_async: bool
    low: int
    high: int
    target: float = 0.0

    @property
    def resource(self) -> Request:
        """The fields that name what is scaled."""
        return scaled_resource(self.endpoint, self.variant)


def scaled_resource(endpoint: str, variant: str) -> Request:
    """The fields that name a variant of an endpoint in requests to Application Auto Scaling."""
    return {
        "ServiceNamespace": NAMESPACE,
        "ResourceId": f"endpoint/{endpoint}/variant/{variant}",
        "ScalableDimension": DIMENSION,
    }


def scaling_requests(scaling: Scaling) -> list[tuple[str, Request]]:
    """Methods of boto3 and their requests, in the order in which they are sent."""
    requests = [("register_scalable_target", target_request(scaling)), ("put_scaling_policy", policy_request(scaling))]
    if not scaling.low:
        requests += [
            ("put_scaling_policy", first_machine_request(scaling)),
            ("put_metric_alarm", first_machine_alarm(scaling.endpoint)),
        ]
    return requests


def target_request(scaling: Scaling) -> Request:
    """RegisterScalableTarget."""
    return {**scaling.resource, "MinCapacity": scaling.low, "MaxCapacity": scaling.high}


def policy_request(scaling: Scaling) -> Request:
    """PutScalingPolicy that keeps the load of each machine at the target. Its alarms are Application Auto Scaling's."""
    if scaling.is_async:
        metric: Request = {
            "CustomizedMetricSpecification": {
                "MetricName": "ApproximateBacklogSizePerInstance",
                "Namespace": "AWS/SageMaker",
                "Dimensions": [{"Name": "EndpointName", "Value": scaling.endpoint}],
                "Statistic": "Average",
            }
        }
    else:
        metric = {
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        }
    return {
        "PolicyName": f"{scaling.endpoint}-load",
        **scaling.resource,
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": float(scaling.target or (BACKLOG if scaling.is_async else REQUESTS_PER_MINUTE)),
            **metric,
            "ScaleOutCooldown": SCALE_OUT_SECONDS,
            "ScaleInCooldown": SCALE_IN_SECONDS,
        },
    }


def first_machine_request(scaling: Scaling) -> Request:
    """PutScalingPolicy that adds a machine where there is none."""
    return {
        "PolicyName": f"{scaling.endpoint}-first-machine",
        **scaling.resource,
        "PolicyType": "StepScaling",
        "StepScalingPolicyConfiguration": {
            "AdjustmentType": "ChangeInCapacity",
            "MetricAggregationType": "Average",
            "Cooldown": SCALE_OUT_SECONDS,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
        },
    }


def first_machine_alarm(endpoint: str) -> Request:
    """PutMetricAlarm: requests wait and there is no machine. Its action is the ARN of the step policy, which is known
    once that exists."""
    return {
        "AlarmName": first_machine_alarm_name(endpoint),
        "MetricName": "HasBacklogWithoutCapacity",
        "Namespace": "AWS/SageMaker",
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint}],
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 2,
        "DatapointsToAlarm": 2,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "missing",
    }


def first_machine_alarm_name(endpoint: str) -> str:
    return f"{endpoint}-backlog-without-capacity"
