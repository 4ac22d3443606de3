"""What tests of the launcher share: an account that does not exist, and descriptions of jobs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROLE = "arn:aws:iam::123456789012:role/service-role/SageMaker-Execution"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rarebird:abc1234"
ACCOUNT = ("--role", ROLE, "--bucket", "rarebird-test", "--image", IMAGE)


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials, region, profile or instance metadata of this machine reach a test."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))


@pytest.fixture
def dry_run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`python -m jobs SUBCOMMAND FLAGS --dry_run` on SageMaker: exit code, stdout and stderr."""
    from jobs.__main__ import SUBCOMMANDS
    from model.subcommands import run_subcommand

    def run(verb: str, *flags: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_subcommand("jobs", SUBCOMMANDS, [verb, *ACCOUNT, "--on", "sagemaker", "--dry_run", *flags])
        out, err = capsys.readouterr()
        return code, out, err

    return run
