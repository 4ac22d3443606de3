"""An endpoint as it is on SageMaker: its configuration, models and machines, found by its name."""

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
MOST_NAMES = 100  # newest endpoints among which the nearest name is looked for


@dataclass(frozen=True)
class LiveEndpoint:
    """What SageMaker says of an endpoint.

    Attributes:
        name, status: "InService" where it answers.
        config: Name of its configuration.
        variants: ProductionVariants of the configuration.
        output: AsyncInferenceConfig's OutputConfig, {} where it is not asynchronous.
    """

    name: str
    status: str
    config: str
    variants: tuple[Mapping[str, Any], ...]
    output: Mapping[str, Any]

    @property
    def models(self) -> list[str]:
        """Names of its models."""
        return [variant["ModelName"] for variant in self.variants if variant.get("ModelName")]

    @property
    def kind(self) -> str:
        """One of ENDPOINT_KINDS; an endpoint of several models is real-time, too."""
        if self.output:
            return ASYNC
        return SERVERLESS if any(variant.get("ServerlessConfig") for variant in self.variants) else REALTIME

    def is_own(self, part: str) -> bool:
        """Whether a configuration or model is the endpoint's own by its name, as deploy names both: NAME at first,
        NAME-DATE-TIME-HEX after an update. What was created elsewhere may serve other endpoints."""
        tail = re.search(UNIQUE_TAIL, part)
        return part == self.name or (tail is not None and part == unique_name_with(self.name, tail[0]))


def unique_name_with(stem: str, tail: str) -> str:
    """The name that unique_name makes of a stem where the tail is this one."""
    return re.sub(UNIQUE_TAIL, tail, unique_name(stem))


def live_endpoint(clients: Clients, name: str) -> LiveEndpoint:
    """The endpoint of this name. Raises InputError with the nearest name where there is none."""
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
        raise InputError(f"there is no endpoint {name}{did_you_mean(name, names)}") from None
    return LiveEndpoint(
        name=name,
        status=endpoint["EndpointStatus"],
        config=endpoint["EndpointConfigName"],
        variants=tuple(config.get("ProductionVariants", ())),
        output=config.get("AsyncInferenceConfig", {}).get("OutputConfig", {}),
    )


def delete_parts(clients: Clients, endpoint: LiveEndpoint) -> tuple[list[str], list[str]]:
    """Deletes the endpoint's own configuration and models.

    Returns:
        What is deleted, and what is not: with the reason, or because it was created elsewhere.
    """
    parts = [("create_endpoint_config", {"EndpointConfigName": endpoint.config})]
    parts += [("create_model", {"ModelName": model}) for model in endpoint.models]
    deleted: list[str] = []
    left: list[str] = []
    for method, request in parts:
        (name,) = request.values()
        if not endpoint.is_own(name):
            left.append(f"{name}, which deploy did not create")
            continue
        words, is_deleted = delete(clients, method, request)
        (deleted if is_deleted else left).append(words)
    return deleted, left
