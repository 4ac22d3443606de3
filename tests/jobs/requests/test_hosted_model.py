"""Requests of models for transforms, endpoints and the registry."""

from __future__ import annotations

import pytest

from jobs.requests.hosted_model import HostedModel, model_request
from jobs.spec.job import Machine
from tests.jobs.examples import ACCOUNTED

FLAGS = {
    "transform": (
        "transform",
        "--data s3://b/e --accept 'application/json;verbose' --concurrent 4 --max_payload_mb 9",
    ),
    "real-time": ("deploy", "--instance ml.m5.xlarge --instances 2 --kms_key alias/k --environment '{num_tta: 4}'"),
    "async": ("deploy", "--kind async --isolated --subnets s-1 --security_groups g-1"),
    "registry": ("register", "--evaluation s3://b/evaluation.json --group faces --approval Approved --tags '{a: b}'"),
}


@pytest.mark.parametrize("model", ["s3://b/m/model.tar.gz", "s3://b/m"])
@pytest.mark.parametrize("named", FLAGS)
def test_requests_of_hosted_models_are_valid(named, model, valid_requests):
    command, flags = FLAGS[named]
    assert len(valid_requests(command, f"--model_dir {model} {flags}")) > 1


def test_model_requests_of_archives_and_prefixes():
    hosted = HostedModel("m", "s3://b/m/model.tar.gz", ACCOUNTED, Machine(), {"SERVE_NUM_TTA": "4"})
    packed = model_request(hosted)["PrimaryContainer"]
    assert packed["ModelDataUrl"] == "s3://b/m/model.tar.gz" and packed["Environment"] == {"SERVE_NUM_TTA": "4"}
    plain = model_request(HostedModel("m", "s3://b/m", ACCOUNTED, Machine()))["PrimaryContainer"]
    assert plain["ModelDataSource"]["S3DataSource"]["S3Uri"] == "s3://b/m/" and "Environment" not in plain
