"""Endpoints."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.jobs.conftest import ACCOUNT, run_jobs, saved_model


@pytest.mark.parametrize("kind", ["realtime", "serverless", "async"])
def test_a_model_is_put_behind_an_endpoint(kind, aws, tmp_path, capsys):
    flags = (*ACCOUNT, "--model_dir", str(saved_model(tmp_path / "model")), "--kind", kind, "--job_name", "e-1")
    assert run_jobs("deploy", *flags, "--wait") == 0
    assert aws("sagemaker").describe_endpoint(EndpointName="e-1")["EndpointStatus"] == "InService"
    assert "endpoint e-1: InService" in capsys.readouterr().out
    assert json.loads(Path("results/e-1/job.json").read_text())["what"] == "deploy"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--kind serverless --memory_mb 5000", "memory_mb is a multiple of 1024"),
        ("--kind serverless --memory_mb 7168", "MemorySizeInMB (--memory_mb): 7168 is above 6144"),
        ("--kind serverless --concurrency 500", "MaxConcurrency"),
        ("--kind serverless --subnets s-1 --security_groups g-1", "cannot be in a VPC"),
        ("--kind serverless --isolated", "no network isolation"),
        ("--kind serverless --model_dir s3://b/m", "takes model.tar.gz, no prefix"),
        ("--on here", "expected one of sagemaker"),
        ("--startup 10", "ContainerStartupHealthCheckTimeoutInSeconds"),
    ],
)
def test_wrong_endpoints_are_refused(flags, message, dry_run):
    code, out, err = dry_run("deploy", "--model_dir", "s3://b/m/model.tar.gz", *shlex.split(flags))
    assert (code, out) == (2, "")
    assert message in err
