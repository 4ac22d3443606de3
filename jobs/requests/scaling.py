"""The requests that scale an endpoint with its load; an asynchronous endpoint can scale down to 0 machines.

Real-time endpoints scale with the requests per minute and machine, asynchronous ones with the waiting requests per
machine. This number is undefined for 0 machines: a step policy adds the first machine when HasBacklogWithoutCapacity is
1 (SageMaker Developer Guide, Autoscale an asynchronous endpoint).
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
    """The scaling of an endpoint.

    Attributes:
        endpoint, variant: Names of the endpoint and its variant.
        is_async: Whether the endpoint is asynchronous.
        low, high: Smallest and largest number of machines; low may be 0 only for an asynchronous endpoint.
        target: Requests per minute, or waiting requests, per machine; 0 for the default.
    """

    endpoint: str
    variant: str
    is_async: bool
    low: int
    high: int
    target: float = 0.0

    @property
    def resource(self) -> Request:
        """The fields that name the variant."""
        return scaled_resource(self.endpoint, self.variant)


def scaled_resource(endpoint: str, variant: str) -> Request:
    """Returns the fields that name a variant of an endpoint in requests to Application Auto Scaling."""
    return {
        "ServiceNamespace": NAMESPACE,
        "ResourceId": f"endpoint/{endpoint}/variant/{variant}",
        "ScalableDimension": DIMENSION,
    }


def scaling_requests(scaling: Scaling) -> list[tuple[str, Request]]:
    """Returns boto3's methods and their requests, in sending order."""
    requests = [("register_scalable_target", target_request(scaling)), ("put_scaling_policy", policy_request(scaling))]
    if not scaling.low:
        requests += [
            ("put_scaling_policy", first_machine_request(scaling)),
            ("put_metric_alarm", first_machine_alarm(scaling.endpoint)),
        ]
    return requests


def target_request(scaling: Scaling) -> Request:
    """Returns the RegisterScalableTarget request."""
    return {**scaling.resource, "MinCapacity": scaling.low, "MaxCapacity": scaling.high}


def policy_request(scaling: Scaling) -> Request:
    """Returns a PutScalingPolicy request that keeps the load per machine at the target. AWS creates its alarms."""
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
    """Returns a PutScalingPolicy request that adds the first machine."""
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
    """Returns a PutMetricAlarm request: the alarm is on while requests wait and there is no machine. Its action, the
    ARN of the step policy, is added once the policy exists."""
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
