"""Pure functions from descriptions to boto3's requests of models at work: transform, endpoints, registered models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jobs.requests.train_and_process import Request, folder_prefix, given, tags, volume_key, vpc
from jobs.spec.job import Account, Machine
from model.settings.choices import ACCEPTS

CONTENT_TYPES = ("image/jpeg", "image/png", "image/webp", "application/x-image", "application/json")
GROUP_NAME_LENGTH = 63


@dataclass(frozen=True)
class Hosted:
    """A model that answers. name: of the model, and of the job or endpoint made with it; model: s3://.../model.tar.gz
    or a prefix that holds a saved model; environment: what the server reads."""

    name: str
    model: str
    account: Account
    machine: Machine
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Transform:
    """source: s3://... prefix of pictures; payload_mb: largest of a picture; concurrent: requests at once."""

    source: str
    accept: str = "application/json"
    content_type: str = "application/x-image"
    payload_mb: int = 6
    concurrent: int = 0
    timeout: int = 60
    retries: int = 1


@dataclass(frozen=True)
class Endpoint:
    """kind: realtime, serverless or async; memory_mb, concurrency: of serverless; startup: seconds until /ping must
    answer; at_once: requests to an instance of async."""

    kind: str = "realtime"
    memory_mb: int = 4096
    concurrency: int = 5
    startup: int = 600
    at_once: int = 4


def container(hosted: Hosted) -> Request:
    """ContainerDefinition; an archive is unpacked by SageMaker, a prefix is taken as it lies."""
    found: Request = {"Image": hosted.account.image}
    if hosted.model.endswith(".tar.gz"):
        found["ModelDataUrl"] = hosted.model
    else:
        source = {"S3Uri": hosted.model.rstrip("/") + "/", "S3DataType": "S3Prefix", "CompressionType": "None"}
        found["ModelDataSource"] = {"S3DataSource": source}
    return {**found, **given(Environment=dict(hosted.environment))}


def model_request(hosted: Hosted) -> Request:
    """CreateModel."""
    account = hosted.account
    return {
        "ModelName": hosted.name,
        "PrimaryContainer": container(hosted),
        "ExecutionRoleArn": account.role,
        **vpc(account),
        **given(EnableNetworkIsolation=account.isolated, Tags=tags(account)),
    }


def transform_request(hosted: Hosted, transform: Transform) -> Request:
    """CreateTransformJob: one object, one picture, one answer OBJECT.out beside the job's."""
    account, machine = hosted.account, hosted.machine
    return {
        "TransformJobName": hosted.name,
        "ModelName": hosted.name,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": folder_prefix(transform.source)}},
            "ContentType": transform.content_type,
            "CompressionType": "None",
            "SplitType": "None",
        },
        "TransformOutput": {
            "S3OutputPath": f"{account.root}/{hosted.name}/transform",
            "Accept": transform.accept,
            "AssembleWith": "None",
            **given(KmsKeyId=account.kms_key),
        },
        "TransformResources": {
            "InstanceType": machine.instance,
            "InstanceCount": machine.count,
            **given(VolumeKmsKeyId=volume_key(account, machine.instance)),
        },
        "BatchStrategy": "SingleRecord",
        "MaxPayloadInMB": transform.payload_mb,
        **given(MaxConcurrentTransforms=transform.concurrent or None, Tags=tags(account)),
        "ModelClientConfig": {
            "InvocationsTimeoutInSeconds": transform.timeout,
            "InvocationsMaxRetries": transform.retries,
        },
    }


def endpoint_config_request(hosted: Hosted, endpoint: Endpoint) -> Request:
    """CreateEndpointConfig, one variant."""
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
    found: Request = {
        "EndpointConfigName": hosted.name,
        "ProductionVariants": [variant],
        **given(Tags=tags(account)),
    }
    if endpoint.kind != "serverless":
        found |= given(KmsKeyId=volume_key(account, machine.instance))
    if endpoint.kind == "async":
        folder = f"{account.root}/{hosted.name}/async"
        found["AsyncInferenceConfig"] = {
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": endpoint.at_once},
            "OutputConfig": {
                "S3OutputPath": folder,
                "S3FailurePath": f"{folder}-failed",
                **given(KmsKeyId=account.kms_key),
            },
        }
    return found


def endpoint_request(hosted: Hosted) -> Request:
    """CreateEndpoint."""
    return {"EndpointName": hosted.name, "EndpointConfigName": hosted.name, **given(Tags=tags(hosted.account))}


def group_request(group: str, account: Account) -> Request:
    """CreateModelPackageGroup."""
    return {"ModelPackageGroupName": group, **given(Tags=tags(account))}


def package_request(
    hosted: Hosted, group: str, evaluation: str | None, approval: str, scores: Mapping[str, Any] | None = None
) -> Request:
    """CreateModelPackage: the model as a new version in a group. evaluation: s3://.../evaluation.json, the metrics that
    the registry shows; scores: its content, of which the main ones become properties that can be searched."""
    machine = hosted.machine
    metrics = {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": evaluation}}}
    return {
        "ModelPackageGroupName": group,
        "ModelPackageDescription": f"Rarebird, {hosted.name}",
        "ModelApprovalStatus": approval,
        "InferenceSpecification": {
            "Containers": [container(hosted)],
            "SupportedContentTypes": list(CONTENT_TYPES),
            "SupportedResponseMIMETypes": list(ACCEPTS),
            "SupportedTransformInstanceTypes": [machine.instance],
            "SupportedRealtimeInferenceInstanceTypes": [machine.instance],
        },
        **given(
            ModelMetrics=metrics if evaluation else None,
            CustomerMetadataProperties=properties(scores) if scores else None,
        ),
    }


def properties(evaluation: Mapping[str, Any]) -> dict[str, str]:
    """The main scores of an evaluation.json, each with its interval."""
    found = {}
    for name in ("accuracy", "macro_f1"):
        score = evaluation["rarebird"][name]
        found[name] = f"{score['value']:.4f}"
        if score["low"] is not None:
            found |= {f"{name}_low": f"{score['low']:.4f}", f"{name}_high": f"{score['high']:.4f}"}
    return found
