"""boto3 clients of one region and profile, each created at its first use."""

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
    """The boto3 clients of a command; tests set their own as attributes.

    region, profile: empty for what the environment, .env or ~/.aws names.
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
                os.environ.setdefault(name, value)  # .env may name an endpoint, too
        try:
            session = botocore.session.Session(profile=self.profile or None)
            session.get_scoped_config()  # raises ProfileNotFound
            session.register_component("data_loader", service_model_loader())  # SageMaker's model is large: read once
            return boto3.Session(botocore_session=session, region_name=self.region or None)
        except ProfileNotFound as error:
            profile = error.kwargs["profile"]
            raise InputError(f"--profile or AWS_PROFILE {profile}: there is no such profile in ~/.aws") from None

    def client(self, service: str, attempts: int = 5) -> Any:
        """A client of an AWS service. attempts: botocore's, the first included. InputError without a region."""
        from botocore.config import Config
        from botocore.exceptions import NoRegionError

        config = Config(retries={"mode": "standard", "total_max_attempts": attempts}, max_pool_connections=64)
        try:
            return self.session.client(service, config=config)
        except NoRegionError:
            raise InputError("no region: --region, or AWS_REGION in the environment or .env") from None

    @cached_property
    def sagemaker(self) -> Any:
        return self.client("sagemaker", 1)  # jobs.aws.calls.call retries and prints that it does

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
    """The loader of botocore's service models, shared by clients and jobs.requests.validation."""
    from botocore.loaders import create_loader

    return create_loader()
