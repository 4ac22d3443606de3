"""The requests that create and update an endpoint: real-time, serverless, asynchronous or multi-model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.requests.ami import AUTO, inference_ami
from jobs.requests.common import Request, tags, volume_key, without_empty
from jobs.requests.hosted_model import HostedModel

VARIANT = "all"  # name of the only variant
REALTIME, SERVERLESS, ASYNC, MULTI_MODEL = "realtime", "serverless", "async", "multi_model"
ENDPOINT_KINDS = (REALTIME, SERVERLESS, ASYNC, MULTI_MODEL)
MIB = 2**20
PAYLOAD_BYTES = {REALTIME: 25 * MIB, MULTI_MODEL: 25 * MIB, SERVERLESS: 4 * MIB, ASYNC: 1024 * MIB}  # AWS's limits
ASYNC_SECONDS = 3600  # longest time of an asynchronous request, AWS's limit
ASYNC_VARIABLES = {  # raise the server's limits, whose defaults are for real-time endpoints
    "SERVE_MAX_PAYLOAD_MB": "1024",
    "SERVE_MAX_PENDING_MB": "2048",
    "SERVE_TIMEOUT": str(ASYNC_SECONDS),
    "SERVE_BODY_TIMEOUT": "300",
}
UPDATE_SECONDS = 3600  # longest time until new machines serve, in addition to the time that alarms are watched


@dataclass(frozen=True)
class Endpoint:
    """The settings of an endpoint.

    Attributes:
        name: Name of the endpoint.
        kind: One of ENDPOINT_KINDS.
        memory_mb, concurrency: Memory and number of simultaneous requests of a serverless endpoint.
        startup: Longest time until the server answers /ping, s.
        ami_version: auto, none or the name of an AMI.
        capture: Percentage of requests and answers that are stored in the bucket.
        at_once: Number of simultaneous requests to a machine of an asynchronous endpoint.
    """

    name: str
    kind: str = REALTIME
    memory_mb: int = 4096
    concurrency: int = 5
    startup: int = 600
    ami_version: str = AUTO
    capture: int = 0
    at_once: int = 4


def server_variables(kind: str) -> dict[str, str]:
    """Returns environment variables that the server needs for this kind of endpoint, in addition to the user's."""
    return dict(ASYNC_VARIABLES) if kind == ASYNC else {}


def endpoint_config_request(hosted: HostedModel, endpoint: Endpoint) -> Request:
    """Returns the CreateEndpointConfig request, with one variant."""
    account, machine = hosted.account, hosted.machine
    variant: Request = {"VariantName": VARIANT, "ModelName": hosted.name}
    if endpoint.kind == SERVERLESS:
        variant["ServerlessConfig"] = {"MemorySizeInMB": endpoint.memory_mb, "MaxConcurrency": endpoint.concurrency}
    else:
        variant |= {
            "InstanceType": machine.instance,
            "InitialInstanceCount": machine.count,
            "InitialVariantWeight": 1.0,
            "ContainerStartupHealthCheckTimeoutInSeconds": endpoint.startup,
            **without_empty(InferenceAmiVersion=inference_ami(machine.instance, endpoint.ami_version)),
        }
    request: Request = {
        "EndpointConfigName": hosted.name,
        "ProductionVariants": [variant],
        **without_empty(Tags=tags(account)),
    }
    if endpoint.kind != SERVERLESS:
        request |= without_empty(KmsKeyId=volume_key(account, machine.instance))
    folder = f"{account.root}/{endpoint.name}"
    if endpoint.kind == ASYNC:
        request["AsyncInferenceConfig"] = {
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": endpoint.at_once},
            "OutputConfig": {
                "S3OutputPath": f"{folder}/async",
                "S3FailurePath": f"{folder}/async-failed",
                **without_empty(KmsKeyId=account.kms_key),
            },
        }
    if endpoint.capture:
        request["DataCaptureConfig"] = {
            "EnableCapture": True,
            "InitialSamplingPercentage": endpoint.capture,
            "DestinationS3Uri": f"{folder}/capture",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},  # as text; images as base64
            **without_empty(KmsKeyId=account.kms_key),
        }
    return request


def endpoint_request(hosted: HostedModel, endpoint: Endpoint) -> Request:
    """Returns the CreateEndpoint request."""
    return {
        "EndpointName": endpoint.name,
        "EndpointConfigName": hosted.name,
        **without_empty(Tags=tags(hosted.account)),
    }


def update_request(
    hosted: HostedModel, endpoint: Endpoint, alarms: Sequence[str], bake: int, keep_count: bool
) -> Request:
    """Returns the UpdateEndpoint request of a blue/green update: new machines serve before the old ones are removed.

    Args:
        hosted: The new model.
        endpoint: The endpoint.
        alarms: CloudWatch alarms that roll back to the old machines. Without alarms SageMaker only rolls back if the
            new machines do not start.
        bake: Time that the alarms are watched with all traffic on the new machines, s.
        keep_count: Whether to keep the current number of machines, which scaling has set.
    """
    policy = {
        "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
        "TerminationWaitInSeconds": bake,
        "MaximumExecutionTimeoutInSeconds": bake + UPDATE_SECONDS,
    }
    deployment = {
        "BlueGreenUpdatePolicy": policy,
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]},
    }
    return {
        "EndpointName": endpoint.name,
        "EndpointConfigName": hosted.name,
        **without_empty(RetainAllVariantProperties=keep_count, DeploymentConfig=deployment if alarms else None),
    }
