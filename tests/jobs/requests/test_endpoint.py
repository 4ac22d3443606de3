"""Requests of endpoints."""

from __future__ import annotations

import dataclasses

from jobs.requests.endpoint import Endpoint, endpoint_config_request
from jobs.requests.hosted_model import HostedModel
from jobs.spec.job import Machine
from tests.jobs.examples import ACCOUNTED


def test_a_serverless_endpoint_passes_the_check(valid_requests):
    flags = "--model_dir s3://b/m/model.tar.gz --kind serverless --memory_mb 6144 --concurrency 10"
    config = valid_requests("deploy", flags)["create_endpoint_config"]
    assert config["ProductionVariants"][0]["ServerlessConfig"] == {"MemorySizeInMB": 6144, "MaxConcurrency": 10}


def test_answers_of_an_asynchronous_endpoint_are_under_the_key():
    account = dataclasses.replace(ACCOUNTED, kms_key="alias/k")
    hosted = HostedModel("e", "s3://b/m/model.tar.gz", account, Machine("ml.g5.xlarge"))
    config = endpoint_config_request(hosted, Endpoint("async"))
    output = config["AsyncInferenceConfig"]["OutputConfig"]
    assert output["S3OutputPath"] == f"{account.root}/e/async" and output["KmsKeyId"] == "alias/k"
    assert "KmsKeyId" not in config  # the machine's disk is local
