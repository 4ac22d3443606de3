"""boto3 clients of one region and profile, each created on first use."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from container.environment import Environment
from model.errors import InputError


@dataclass
class Clients:
    """The boto3 clients of a command. Tests replace them by setting attributes.

    Attributes:
        region, profile: If empty, those of the environment, .env or ~/.aws.
    """

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
                os.environ.setdefault(name, value)  # .env may also set AWS_ENDPOINT_URL
        try:
            session = botocore.session.Session(profile=self.profile or None)
            session.get_scoped_config()  # raises ProfileNotFound
            session.register_component("data_loader", service_model_loader())  # reads SageMaker's large model only once
            return boto3.Session(botocore_session=session, region_name=self.region or None)
        except ProfileNotFound as error:
            profile = error.kwargs["profile"]
            raise InputError(f"--profile or AWS_PROFILE {profile}: no such profile in ~/.aws") from None

    def client(self, service: str, attempts: int = 5) -> Any:
        """Creates a client of an AWS service.

        Args:
            service: boto3's name of the service.
            attempts: Largest number of botocore's attempts, including the first.

        Raises:
            InputError: No region is set.
        """
        from botocore.config import Config
        from botocore.exceptions import NoRegionError

        config = Config(retries={"mode": "standard", "total_max_attempts": attempts}, max_pool_connections=64)
        try:
            return self.session.client(service, config=config)
        except NoRegionError:
            raise InputError("no AWS region: set --region, or AWS_REGION in the environment or .env") from None

    @cached_property
    def sagemaker(self) -> Any:
        return self.client("sagemaker", 1)  # jobs.aws.calls.call retries instead, and prints a line

    @cached_property
    def runtime(self) -> Any:
        return self.client("sagemaker-runtime", 1)

    @cached_property
    def autoscaling(self) -> Any:
        return self.client("application-autoscaling", 1)

    @cached_property
    def cloudwatch(self) -> Any:
        return self.client("cloudwatch", 1)

    @cached_property
    def logs(self) -> Any:
        return self.client("logs", 1)

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")


@functools.cache
def service_model_loader() -> Any:
    """Returns the loader of botocore's service models, shared by clients and jobs.requests.validation."""
    from botocore.loaders import create_loader

    return create_loader()
