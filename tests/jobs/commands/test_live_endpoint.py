"""Reading endpoints from SageMaker."""

from __future__ import annotations

import pytest

from jobs.aws.clients import Clients
from jobs.commands.live_endpoint import LiveEndpoint, delete_parts, live_endpoint
from model.errors import InputError
from tests.jobs.conftest import ACCOUNT, BUCKET, run_jobs

TAIL = "-20261121-093000-1a2b"
MODEL = (*ACCOUNT, "--model_dir", f"s3://{BUCKET}/m/model.tar.gz")


@pytest.mark.parametrize("kind", ["realtime", "serverless", "async"])
def test_an_endpoint_is_read_with_its_configuration_and_models(kind, aws):
    assert run_jobs("deploy", *MODEL, "--job_name", "prod", "--kind", kind) == 0
    endpoint = live_endpoint(Clients("eu-west-1"), "prod")
    assert (endpoint.status, endpoint.kind, endpoint.config) == ("InService", kind, "prod")
    assert endpoint.models == ["prod"] and endpoint.variants[0]["VariantName"] == "all"
    assert endpoint.output.get("S3OutputPath", "") == (f"s3://{BUCKET}/rarebird/prod/async" if kind == "async" else "")


def test_a_missing_endpoint_is_an_error_with_the_nearest_name(aws):
    assert run_jobs("deploy", *MODEL, "--job_name", "production") == 0
    with pytest.raises(InputError, match="no endpoint producton; nearest: production"):
        live_endpoint(Clients("eu-west-1"), "producton")


def test_an_endpoint_without_its_configuration_can_be_read(aws):
    assert run_jobs("deploy", *MODEL, "--job_name", "prod") == 0
    aws("sagemaker").delete_endpoint_config(EndpointConfigName="prod")
    endpoint = live_endpoint(Clients("eu-west-1"), "prod")
    assert (endpoint.config, endpoint.variants, endpoint.kind) == ("prod", (), "realtime")


@pytest.mark.parametrize(
    ("endpoint", "part", "is_own"),
    [
        ("prod", "prod", True),
        ("prod", f"prod{TAIL}", True),
        ("prod", "prod-2", False),
        ("prod", f"prod-2{TAIL}", False),
        ("prod", f"pro{TAIL}", False),
        ("prod-2", f"prod{TAIL}", False),
        (f"endpoint{TAIL}", f"endpoint{TAIL}", True),
        ("a" * 63, f"{'a' * 42}{TAIL}", True),  # shortened to the longest allowed name
        ("a" * 63, f"{'a' * 41}{TAIL}", False),
    ],
)
def test_own_configurations_and_models_are_recognised_by_name(endpoint, part, is_own):
    assert LiveEndpoint(endpoint, "InService", part, (), {}).is_own(part) is is_own


def test_configurations_and_models_created_elsewhere_are_not_deleted(aws):
    sagemaker = aws("sagemaker")
    assert run_jobs("deploy", *MODEL, "--job_name", "shared") == 0
    sagemaker.create_endpoint(EndpointName="prod", EndpointConfigName="shared")
    deleted, not_deleted = delete_parts(Clients("eu-west-1"), live_endpoint(Clients("eu-west-1"), "prod"))
    assert deleted == [] and not_deleted == ["shared: deploy did not create it, and other endpoints may use it"] * 2
    assert sagemaker.describe_model(ModelName="shared") and sagemaker.describe_endpoint(EndpointName="shared")
