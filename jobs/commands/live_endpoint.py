"""Reads an endpoint from SageMaker by name: its configuration, models and machines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobs.aws.calls import NOT_FOUND, call, error_code, user_error
from jobs.aws.clients import Clients
from jobs.aws.job_kinds import ENDPOINT
from jobs.commands.creation import delete
from jobs.commands.find_job import newest_jobs
from jobs.requests.endpoint import ASYNC, REALTIME, SERVERLESS
from jobs.spec.job import UNIQUE_TAIL, unique_name
from model.errors import InputError, did_you_mean

IN_SERVICE = "InService"
MOST_NAMES = 100  # newest endpoints that are searched for the nearest name


@dataclass(frozen=True)
class LiveEndpoint:
    """An endpoint as SageMaker describes it.

    Attributes:
        name: Name of the endpoint.
        status: "InService" if it serves requests.
        config: Name of its configuration.
        variants: ProductionVariants of the configuration.
        output: OutputConfig of AsyncInferenceConfig, {} if the endpoint is not asynchronous.
    """

    name: str
    status: str
    config: str
    variants: tuple[Mapping[str, Any], ...]
    output: Mapping[str, Any]

    @property
    def models(self) -> list[str]:
        """The names of its models."""
        return [variant["ModelName"] for variant in self.variants if variant.get("ModelName")]

    @property
    def kind(self) -> str:
        """One of ENDPOINT_KINDS; a multi-model endpoint counts as real-time."""
        if self.output:
            return ASYNC
        return SERVERLESS if any(variant.get("ServerlessConfig") for variant in self.variants) else REALTIME

    def is_own(self, part: str) -> bool:
        """Whether `deploy` created a configuration or model for this endpoint, by its name: NAME, or after an update
        NAME-DATE-TIME-HEX. Others may belong to other endpoints."""
        tail = re.search(UNIQUE_TAIL, part)
        return part == self.name or (tail is not None and part == unique_name_with(self.name, tail[0]))


def unique_name_with(stem: str, tail: str) -> str:
    """Returns the name that unique_name creates from a stem, with this tail instead of a new one."""
    return re.sub(UNIQUE_TAIL, tail, unique_name(stem))


def live_endpoint(clients: Clients, name: str) -> LiveEndpoint:
    """Reads the endpoint of this name. If there is none, raises InputError with the nearest name."""
    from botocore.exceptions import BotoCoreError, ClientError

    config: Mapping[str, Any] = {}
    try:
        endpoint = call(clients.sagemaker.describe_endpoint, EndpointName=name)
        try:
            config = call(clients.sagemaker.describe_endpoint_config, EndpointConfigName=endpoint["EndpointConfigName"])
        except ClientError as error:
            if error_code(error) not in NOT_FOUND:
                raise
    except (ClientError, BotoCoreError) as error:
        if error_code(error) not in NOT_FOUND:
            raise user_error(error, f"endpoint {name}") from error
        names = [job["name"] for job in newest_jobs(clients, [ENDPOINT], MOST_NAMES)]
        raise InputError(f"no endpoint {name}{did_you_mean(name, names)}") from None
    return LiveEndpoint(
        name=name,
        status=endpoint["EndpointStatus"],
        config=endpoint["EndpointConfigName"],
        variants=tuple(config.get("ProductionVariants", ())),
        output=config.get("AsyncInferenceConfig", {}).get("OutputConfig", {}),
    )


def delete_parts(clients: Clients, endpoint: LiveEndpoint) -> tuple[list[str], list[str]]:
    """Deletes the configuration and models that `deploy` created for an endpoint.

    Returns:
        The resources that are deleted, and those that are not, with the reason.
    """
    parts = [("create_endpoint_config", {"EndpointConfigName": endpoint.config})]
    parts += [("create_model", {"ModelName": model}) for model in endpoint.models]
    deleted: list[str] = []
    not_deleted: list[str] = []
    for method, request in parts:
        (name,) = request.values()
        if not endpoint.is_own(name):
            not_deleted.append(f"{name}: deploy did not create it, and other endpoints may use it")
            continue
        resource, is_deleted = delete(clients, method, request)
        (deleted if is_deleted else not_deleted).append(resource)
    return deleted, not_deleted
