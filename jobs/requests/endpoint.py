"""The requests that create an endpoint: real-time, serverless or asynchronous."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.requests.common import Request, tags, volume_key, without_empty
from jobs.requests.hosted_model import HostedModel


@dataclass(frozen=True)
class Endpoint:
    """The settings of an endpoint.

    Attributes:
        kind: realtime, serverless or async.
        memory_mb, concurrency: Memory and requests at once of a serverless endpoint.
        startup: Seconds until the server must answer /ping.
        at_once: Requests at once to a machine of an asynchronous endpoint.
    """

    kind: str = "realtime"
    memory_mb: int = 4096
    concurrency: int = 5
    startup: int = 600
    at_once: int = 4


def endpoint_config_request(hosted: HostedModel, endpoint: Endpoint) -> Request:
    """CreateEndpointConfig, with one variant."""
    account, machine = hosted.account, hosted.machine
    variant: Request = {"VariantName": "all", "ModelName": hosted.name}
    if endpoint.kind == "serverless":
        variant["ServerlessConfig"] = {"MemorySizeInMB": endpoint.memory_mb, "MaxConcurrency": endpoint.concurrency}
    else:
        variant |= {
            "InstanceType": machine.instance,
            "InitialInstanceCount": machine.count,
            "InitialVariantWeight": 1.0,
            "ContainerStartupHealthCheckTimeoutInSeconds": endpoint.startup,
        }
    request: Request = {
        "EndpointConfigName": hosted.name,
        "ProductionVariants": [variant],
        **without_empty(Tags=tags(account)),
    }
    if endpoint.kind != "serverless":
        request |= without_empty(KmsKeyId=volume_key(account, machine.instance))
    if endpoint.kind == "async":
        folder = f"{account.root}/{hosted.name}/async"
        request["AsyncInferenceConfig"] = {
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": endpoint.at_once},
            "OutputConfig": {
                "S3OutputPath": folder,
                "S3FailurePath": f"{folder}-failed",
                **without_empty(KmsKeyId=account.kms_key),
            },
        }
    return request


def endpoint_request(hosted: HostedModel) -> Request:
    """CreateEndpoint."""
    return {
        "EndpointName": hosted.name,
        "EndpointConfigName": hosted.name,
        **without_empty(Tags=tags(hosted.account)),
    }
