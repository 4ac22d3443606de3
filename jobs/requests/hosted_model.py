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
        name: Of the SageMaker model, and of the job or the endpoint's configuration that uses it.
        model: S3 URI of model.tar.gz, or of a prefix that holds a saved model; with is_multi_model of a prefix of
            archives, each of which a request may name.
        account, machine: As of a job.
        environment: Variables that the server reads.
    """

    name: str
    model: str
    account: Account
    machine: Machine
    environment: Mapping[str, str] = field(default_factory=dict)
    is_multi_model: bool = False


def container_definition(hosted: HostedModel) -> Request:
    """ContainerDefinition. SageMaker unpacks an archive and takes a prefix as it is."""
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
    """CreateModel."""
    account = hosted.account
    return {
        "ModelName": hosted.name,
        "PrimaryContainer": container_definition(hosted),
        "ExecutionRoleArn": account.role,
        **vpc(account),
        **without_empty(EnableNetworkIsolation=account.isolated, Tags=tags(account)),
    }
