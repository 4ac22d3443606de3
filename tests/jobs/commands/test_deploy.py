"""Endpoints."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.jobs.conftest import ACCOUNT, run_jobs, saved_model


@pytest.mark.parametrize("kind", ["realtime", "serverless", "async"])
def test_a_model_is_deployed(kind, aws, tmp_path, capsys):
    flags = (*ACCOUNT, "--model_dir", str(saved_model(tmp_path / "model")), "--kind", kind, "--job_name", "e-1")
    assert run_jobs("deploy", *flags, "--wait") == 0
    assert aws("sagemaker").describe_endpoint(EndpointName="e-1")["EndpointStatus"] == "InService"
    assert "endpoint e-1: InService" in capsys.readouterr().out
    assert json.loads(Path("results/e-1/job.json").read_text())["what"] == "deploy"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--kind serverless --memory_mb 5000", "memory_mb 5000: expected a multiple of 1024"),
        ("--kind serverless --memory_mb 7168", "MemorySizeInMB (--memory_mb): 7168 is above 6144"),
        ("--kind serverless --concurrency 500", "MaxConcurrency"),
        ("--kind serverless --subnets s-1 --security_groups g-1", "cannot be in a VPC"),
        ("--kind serverless --isolated", "no network isolation"),
        ("--kind serverless --model_dir s3://b/m", "requires a model.tar.gz, not an s3:// prefix"),
        ("--on here", "expected one of sagemaker"),
        ("--startup 10", "ContainerStartupHealthCheckTimeoutInSeconds"),
        ("--update", "update: set job_name to the name of the endpoint"),
        ("--rollback_alarms errors", "--rollback_alarms: only used with --update"),
        ("--update --job_name e-1 --bake 60", "--bake: only used with --rollback_alarms"),
        ("--min_instances 2", "--min_instances: only used with --max_instances"),
        ("--max_instances 3 --min_instances 0", "min_instances 0 and kind realtime: only an endpoint of kind async"),
        ("--max_instances 3 --min_instances 4", "min_instances 4 is greater than max_instances 3"),
        ("--max_instances 3 --instances 4", "instances 4: the number to start with must be between 1 and 3"),
        ("--kind serverless --max_instances 3", "--max_instances: not used with --kind serverless"),
        ("--kind serverless --ami_version none", "--ami_version: not used with --kind serverless"),
        ("--kind serverless --capture 5", "--capture: not used with --kind serverless"),
        ("--kind async --capture 5", "an asynchronous endpoint always stores requests and answers in the bucket"),
        ("--kind multi_model", "model_dir must be the s3:// prefix of the archives, not s3://b/m/model.tar.gz"),
    ],
)
def test_invalid_endpoint_flags_are_errors(flags, message, dry_run):
    code, out, err = dry_run("deploy", "--model_dir", "s3://b/m/model.tar.gz", *shlex.split(flags))
    assert (code, out) == (2, "")
    assert message in err
