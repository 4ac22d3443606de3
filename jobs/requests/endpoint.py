"""The requests that create and update an endpoint: real-time, serverless, asynchronous, or of several models."""

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
ASYNC_SECONDS = 3600  # of a request, AWS's limit
ASYNC_VARIABLES = {  # of the server, whose own limits are those of a real-time endpoint
    "SERVE_MAX_PAYLOAD_MB": "1024",
    "SERVE_MAX_PENDING_MB": "2048",
    "SERVE_TIMEOUT": str(ASYNC_SECONDS),
    "SERVE_BODY_TIMEOUT": "300",
}
UPDATE_SECONDS = 3600  # of the time in which new machines must serve, beside that in which alarms are watched


@dataclass(frozen=True)
class Endpoint:
    """The settings of an endpoint.

    Attributes:
        name: Of the endpoint.
        kind: One of ENDPOINT_KINDS.
        memory_mb, concurrency: Memory and requests at once of a serverless endpoint.
        startup: Seconds until the server must answer /ping.
        ami_version: auto, none or the name of an AMI.
        capture: Percentage of the requests and answers that are kept in the bucket.
        at_once: Requests at once to a machine of an asynchronous endpoint.
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
    """Variables of the server that an endpoint of this kind needs beside those that the user gives."""
    return dict(ASYNC_VARIABLES) if kind == ASYNC else {}


def endpoint_config_request(hosted: HostedModel, endpoint: Endpoint) -> Request:
    """CreateEndpointConfig, with one variant."""
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
    """CreateEndpoint."""
    return {
        "EndpointName": endpoint.name,
        "EndpointConfigName": hosted.name,
        **without_empty(Tags=tags(hosted.account)),
    }


def update_request(
    hosted: HostedModel, endpoint: Endpoint, alarms: Sequence[str], bake: int, keep_count: bool
) -> Request:
    """UpdateEndpoint, blue/green: new machines serve before the former ones end.

    Args:
        alarms: CloudWatch alarms that bring the former machines back; with none SageMaker does so only where the new
            machines do not start.
        bake: Seconds for which the alarms are watched with all traffic on the new machines.
        keep_count: Keep the number of machines, which scaling has set.
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
