"""Requests of endpoints."""

from __future__ import annotations

import dataclasses
import re

import pytest

from jobs.requests.endpoint import ASYNC_VARIABLES, Endpoint, endpoint_config_request, server_variables, update_request
from jobs.requests.hosted_model import HostedModel
from jobs.requests.validation import check_request
from jobs.spec.job import Machine
from model.settings.fields import Layer, build
from model.settings.serve import ServeSettings
from tests.jobs.examples import ACCOUNTED

HOSTED = HostedModel("e-1-20261121-093000-1a2b", "s3://b/m/model.tar.gz", ACCOUNTED, Machine("ml.g5.xlarge"))


def test_the_request_of_a_serverless_endpoint_is_valid(valid_requests):
    flags = "--model_dir s3://b/m/model.tar.gz --kind serverless --memory_mb 6144 --concurrency 10"
    config = valid_requests("deploy", flags)["create_endpoint_config"]
    assert config["ProductionVariants"][0]["ServerlessConfig"] == {"MemorySizeInMB": 6144, "MaxConcurrency": 10}


def test_answers_of_an_asynchronous_endpoint_are_encrypted():
    account = dataclasses.replace(ACCOUNTED, kms_key="alias/k")
    hosted = dataclasses.replace(HOSTED, account=account)
    config = endpoint_config_request(hosted, Endpoint("e", "async"))
    output = config["AsyncInferenceConfig"]["OutputConfig"]
    assert output["S3OutputPath"] == f"{account.root}/e/async" and output["KmsKeyId"] == "alias/k"
    assert "KmsKeyId" not in config  # the machine has a local disk


def test_the_server_of_an_asynchronous_endpoint_has_awss_limits(valid_requests):
    """1 GB and one hour. The server reads the variables as its settings; the user's variables take precedence."""
    assert all(re.match(r"SERVE_", name) for name in ASYNC_VARIABLES)
    values = {name.removeprefix("SERVE_").lower(): value for name, value in ASYNC_VARIABLES.items()}
    settings = build(ServeSettings, [Layer("variables", values)])
    assert (settings.max_payload_mb, settings.timeout) == (1024, 3600)
    flags = "--model_dir s3://b/m --environment '{SERVE_TIMEOUT: 99, A: b}' --kind"
    container = valid_requests("deploy", f"{flags} async")["create_model"]["PrimaryContainer"]
    assert container["Environment"] == {**ASYNC_VARIABLES, "SERVE_TIMEOUT": "99", "A": "b"}
    container = valid_requests("deploy", f"{flags} realtime")["create_model"]["PrimaryContainer"]
    assert container["Environment"] == {"SERVE_TIMEOUT": "99", "A": "b"} and server_variables("realtime") == {}


def test_data_capture_is_written_to_the_bucket_encrypted(valid_requests):
    flags = "--model_dir s3://b/m --job_name e-1 --kms_key alias/k"
    capture = valid_requests("deploy", f"{flags} --capture 20")["create_endpoint_config"]["DataCaptureConfig"]
    assert (capture["EnableCapture"], capture["InitialSamplingPercentage"]) == (True, 20)
    assert capture["DestinationS3Uri"] == "s3://rarebird-test/rarebird/e-1/capture"
    assert capture["KmsKeyId"] == "alias/k" and len(capture["CaptureOptions"]) == 2
    assert "DataCaptureConfig" not in valid_requests("deploy", flags)["create_endpoint_config"]


def test_only_an_update_with_alarms_is_watched():
    endpoint = Endpoint("e-1")
    plain = update_request(HOSTED, endpoint, [], 600, keep_count=False)
    assert plain == {"EndpointName": "e-1", "EndpointConfigName": HOSTED.name}
    watched = update_request(HOSTED, endpoint, ["errors", "latency"], 120, keep_count=True)
    assert check_request("update_endpoint", watched) == [] == check_request("update_endpoint", plain)
    deployment = watched["DeploymentConfig"]
    assert deployment["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "errors"}, {"AlarmName": "latency"}]}
    policy = deployment["BlueGreenUpdatePolicy"]
    assert policy["TerminationWaitInSeconds"] == 120 < policy["MaximumExecutionTimeoutInSeconds"]
    assert watched["RetainAllVariantProperties"] is True


def test_an_update_creates_a_new_model_and_configuration(valid_requests):
    flags = "--model_dir s3://b/m --job_name prod --update --rollback_alarms errors"
    requests = valid_requests("deploy", flags)
    name = requests["create_model"]["ModelName"]
    assert re.fullmatch(r"prod-\d{8}-\d{6}-[0-9a-f]{4}", name)
    assert requests["create_endpoint_config"]["ProductionVariants"][0]["ModelName"] == name
    update = requests["update_endpoint"]
    assert (update["EndpointName"], update["EndpointConfigName"]) == ("prod", name)
    assert requests["create_endpoint_config"]["EndpointConfigName"] == name and "create_endpoint" not in requests


@pytest.mark.parametrize("flags", ["", "--update"])
def test_a_multi_model_endpoint_has_a_prefix_of_archives(flags, valid_requests):
    requests = valid_requests("deploy", f"--model_dir s3://b/models --kind multi_model --job_name e-1 {flags}")
    container = requests["create_model"]["PrimaryContainer"]
    assert (container["Mode"], container["ModelDataUrl"]) == ("MultiModel", "s3://b/models/")
