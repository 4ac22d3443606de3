"""Fields that several requests share."""

from __future__ import annotations

import dataclasses
import json

import pytest

from jobs.requests.common import requests_json, without_empty
from jobs.requests.processing import processing_request
from jobs.requests.training import training_request
from jobs.requests.validation import check_request
from tests.jobs.examples import ACCOUNTED, EVALUATION_JOB, TRAINING_JOB

FULL = dataclasses.replace(
    ACCOUNTED,
    tags={"team": "Bildverständnis", "kosten stelle": "a=b+c@d"},
    subnets=("subnet-1a2b3c4d",),
    security_groups=("sg-1a2b3c4d",),
    kms_key="arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    isolated=True,
    encrypt_traffic=True,
)


def test_all_account_fields_are_in_training_and_processing_requests():
    for job, method, make in [
        (TRAINING_JOB, "create_training_job", training_request),
        (EVALUATION_JOB, "create_processing_job", processing_request),
    ]:
        request = make(dataclasses.replace(job, account=FULL))
        assert check_request(method, request) == []
        text = json.dumps(request, ensure_ascii=False)
        for part in ("subnet-1a2b3c4d", "Bildverständnis", "1234abcd", "EnableNetworkIsolation"):
            assert part in text


def test_requests_json_is_input_for_the_aws_cli():
    one = [("create_model", {"ModelName": "착용"})]
    assert json.loads(requests_json(one)) == {"ModelName": "착용"} and "착용" in requests_json(one)
    two = [*one, ("create_endpoint", {"EndpointName": "e"})]
    assert list(json.loads(requests_json(two))) == ["create-model", "create-endpoint"]


def test_empty_fields_are_removed():
    assert without_empty(a=None, b="", c=False, d={}, e=[], f=0, g="x", h=[1], i=True) == {
        "g": "x",
        "h": [1],
        "i": True,
    }


@pytest.mark.parametrize(("instance", "keys"), [("ml.m5.xlarge", 1), ("ml.g5.xlarge", 0), ("ml.p4d.24xlarge", 0)])
def test_a_local_disk_has_no_kms_key(instance, keys, dry_run):
    """AWS refuses VolumeKmsKeyId (endpoints: KmsKeyId) for machines with local disks; outputs are still encrypted."""
    flags = ("--kms_key", "alias/k", "--instance", instance)
    model = ("--model_dir", "s3://b/m/model.tar.gz")
    outputs = {
        "train": (1, "--data", "s3://b/t"),
        "inference": (1, "--data", "s3://b/e", *model),
        "tune": (1, "--data", "s3://b/t", "--ranges", "{lr: [0.0001, 0.01]}"),
        "transform": (1, "--data", "s3://b/e", *model),
        "deploy": (0, *model),
    }
    for command, (own, *own_flags) in outputs.items():
        code, out, err = dry_run(command, *flags, *own_flags)
        assert code == 0, err
        assert out.count("alias/k") == own + keys, command
