"""The request that creates a batch transform job, which sends one request per image to the model's server."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.requests.ami import AUTO, transform_ami
from jobs.requests.common import Request, tags, volume_key, without_empty
from jobs.requests.hosted_model import HostedModel
from jobs.spec.inputs import Input


@dataclass(frozen=True)
class Transform:
    """The images of a transform job, and its requests to the model's server.

    Attributes:
        images: The images, in S3.
        accept: MIME type of the answers.
        content_type: MIME type of the images.
        payload_mb: Size of the largest image, MB.
        concurrent: Number of simultaneous requests to a machine; 0 lets the server decide.
        timeout: Longest time of a request, s.
        retries: Retries of a request.
        ami_version: auto, none or the name of an AMI.
    """

    images: Input
    accept: str = "application/json"
    content_type: str = "application/x-image"
    payload_mb: int = 6
    concurrent: int = 0
    timeout: int = 60
    retries: int = 1
    ami_version: str = AUTO


def transform_request(hosted: HostedModel, transform: Transform) -> Request:
    """Returns the CreateTransformJob request. Each object is an image; its answer is written to OBJECT.out."""
    account, machine = hosted.account, hosted.machine
    return {
        "TransformJobName": hosted.name,
        "ModelName": hosted.name,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": transform.images.s3_prefix}},
            "ContentType": transform.content_type,
            "CompressionType": "None",
            "SplitType": "None",
        },
        "TransformOutput": {
            "S3OutputPath": f"{account.root}/{hosted.name}/transform",
            "Accept": transform.accept,
            "AssembleWith": "None",
            **without_empty(KmsKeyId=account.kms_key),
        },
        "TransformResources": {
            "InstanceType": machine.instance,
            "InstanceCount": machine.count,
            **without_empty(
                VolumeKmsKeyId=volume_key(account, machine.instance),
                TransformAmiVersion=transform_ami(machine.instance, transform.ami_version),
            ),
        },
        "BatchStrategy": "SingleRecord",
        "MaxPayloadInMB": transform.payload_mb,
        **without_empty(MaxConcurrentTransforms=transform.concurrent or None, Tags=tags(account)),
        "ModelClientConfig": {
            "InvocationsTimeoutInSeconds": transform.timeout,
            "InvocationsMaxRetries": transform.retries,
        },
    }
