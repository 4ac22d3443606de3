"""Clients of AWS, calls that are tried again, and its errors in words for a person."""

from __future__ import annotations

import functools
import os
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from container.environment import Environment
from model.errors import Failure, InputError

THROTTLED = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "LimitExceededException",
)
PASSING = ("InternalFailure", "InternalServerException", "InternalServerError", "ServiceUnavailable", "503", "500")
CAPACITY = ("InsufficientCapacity", "InsufficientCapacityException", "CapacityError")
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
UNKNOWN = ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch")
ABSENT = (
    "ValidationException",
    "ResourceNotFound",
    "ResourceNotFoundException",
)  # a name unknown to SageMaker
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")
TRIES = 8
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds

Sleep = Callable[[float], None]


@dataclass
class Clients:
    """boto3's clients, each made when it is first asked for. A test or AWS's local mode puts its own in their place."""

    region: str = ""
    profile: str = ""

    @cached_property
    def session(self) -> Any:
        import boto3
        import botocore.session
        from botocore.exceptions import ProfileNotFound

        has_keys = "AWS_ACCESS_KEY_ID" in os.environ
        for name, value in Environment().variables.items():
            if name.startswith("AWS_") and not (name == "AWS_PROFILE" and has_keys):
                os.environ.setdefault(name, value)  # .env may hold an endpoint, too
        try:
            core = botocore.session.Session(profile=self.profile or None)
            core.get_scoped_config()  # raises where there is no such profile
            core.register_component("data_loader", models())  # the service's model is large: read once
            return boto3.Session(botocore_session=core, region_name=self.region or None)
        except ProfileNotFound as error:
            named = error.kwargs["profile"]
            raise InputError(f"--profile or AWS_PROFILE {named}: there is no such profile in ~/.aws") from None

    def client(self, name: str, tries: int = 5) -> Any:
        from botocore.config import Config
        from botocore.exceptions import NoRegionError

        config = Config(retries={"mode": "standard", "total_max_attempts": tries}, max_pool_connections=64)
        try:
            return self.session.client(name, config=config)
        except NoRegionError:
            raise InputError("no region: --region, or AWS_REGION in the environment or .env") from None

    @cached_property
    def sagemaker(self) -> Any:
        return self.client("sagemaker", 1)  # `call` tries again, and says so

    @cached_property
    def logs(self) -> Any:
        return self.client("logs", 1)

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")


@functools.cache
def models() -> Any:
    """The loader of botocore's service models."""
    from botocore.loaders import create_loader

    return create_loader()


def code_of(error: BaseException | None) -> str:
    """AWS's word for an error, "" where it is none of AWS's."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def call(
    method: Callable[..., Any],
    *,
    sleep: Sleep = time.sleep,
    tell: Callable[[str], None] = lambda _: None,
    tries: int = TRIES,
    **request: Any,
) -> Any:
    """method(**request). Throttling, want of capacity, passing faults of the service and broken connections are tried
    again after a growing, random pause; any other error is raised as it came."""
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

    broken = (HTTPClientError, ConnectionError)
    for attempt in range(1, tries + 1):
        try:
            return method(**request)
        except (ClientError, BotoCoreError) as error:
            again = isinstance(error, broken) or code_of(error) in (*THROTTLED, *PASSING, *CAPACITY)
            if not again or attempt == tries:
                raise
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)) * random.uniform(0.5, 1)
            tell(f"{code_of(error) or type(error).__name__}: tried again in {pause:.0f} s ({attempt} of {tries - 1})")
            sleep(pause)
    raise AssertionError("unreachable")


def explained(error: Exception, what: str) -> Exception:
    """An error of AWS as a Failure or InputError that says what to do; what: what was tried."""
    code, text = code_of(error), str(getattr(error, "response", {}).get("Error", {}).get("Message", "")) or str(error)
    name = type(error).__name__
    if name in ("NoCredentialsError", "PartialCredentialsError"):
        return InputError(f"{what}: no credentials: set --profile or AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret")
    if code in EXPIRED or name in ("SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError"):
        return InputError(f"{what}: the credentials have expired: get new ones (aws sso login)")
    if code in UNKNOWN:
        return InputError(f"{what}: AWS does not know these credentials: {text}")
    if code in DENIED:
        return InputError(f"{what}: not allowed: {text}; docs/sagemaker.md has the policy that is needed")
    if code == "ResourceLimitExceeded":
        quota = re.search(r"service limit '([^']+)' is ([\d,.]+)", text)
        named = f"the quota {quota[1]!r} is {quota[2]}" if quota else text
        return InputError(
            f"{what}: {named}; ask for more in Service Quotas (Amazon SageMaker), or use another --instance"
        )
    if code in CAPACITY:
        return Failure(f"{what}: no such machines are free now: {text}; another --instance, or later")
    if code in THROTTLED:
        return Failure(f"{what}: AWS still throttles after {TRIES} tries: {text}")
    if code == "ResourceInUse":
        return InputError(f"{what}: the name is taken: {text}; another --job_name")
    if code in ("ValidationException", "ValidationError"):
        return InputError(f"{what}: {text}")
    return Failure(f"{what}: {f'{code}: ' if code else ''}{text}")


Tell = Callable[[str], None]
