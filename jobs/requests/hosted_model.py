"""The request that creates a SageMaker model, for a transform, an endpoint or the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.requests.common import Request, tags, vpc, without_empty
from jobs.spec.job import Account, Machine


@dataclass(frozen=True)
class HostedModel:
    """A saved model that SageMaker serves.

    Attributes:
        name: Name of the SageMaker model, and of the job or endpoint configuration that uses it.
        model: S3 URI of model.tar.gz, or of a prefix with the files of a saved model.
        account, machine: Account and machines of the job or endpoint.
        environment: Environment variables of the server.
        is_multi_model: Whether `model` is a prefix of several archives, of which each request names one.
    """

    name: str
    model: str
    account: Account
    machine: Machine
    environment: Mapping[str, str] = field(default_factory=dict)
    is_multi_model: bool = False


def container_definition(hosted: HostedModel) -> Request:
    """Returns the ContainerDefinition. SageMaker unpacks an archive; the files below a prefix are copied unchanged."""
    definition: Request = {"Image": hosted.account.image}
    if hosted.is_multi_model:
        definition |= {"Mode": "MultiModel", "ModelDataUrl": hosted.model.rstrip("/") + "/"}
    elif hosted.model.endswith(".tar.gz"):
        definition["ModelDataUrl"] = hosted.model
    else:
        source = {"S3Uri": hosted.model.rstrip("/") + "/", "S3DataType": "S3Prefix", "CompressionType": "None"}
        definition["ModelDataSource"] = {"S3DataSource": source}
    return {**definition, **without_empty(Environment=dict(hosted.environment))}


def model_request(hosted: HostedModel) -> Request:
    """Returns the CreateModel request."""
    account = hosted.account
    return {
        "ModelName": hosted.name,
        "PrimaryContainer": container_definition(hosted),
        "ExecutionRoleArn": account.role,
        **vpc(account),
        **without_empty(EnableNetworkIsolation=account.isolated, Tags=tags(account)),
    }
