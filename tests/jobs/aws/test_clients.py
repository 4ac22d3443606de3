"""boto3 clients: profiles and credentials."""

from __future__ import annotations

import pytest

from jobs.aws.clients import Clients
from jobs.backends.sagemaker import create
from jobs.commands.doctor import CHECKS
from model.errors import InputError
from tests.jobs.conftest import run_jobs


def test_a_missing_profile_is_an_error(tmp_path, capsys, monkeypatch):
    assert run_jobs("list", "--all", "--profile", "nobody", "--region", "eu-west-1") == 2
    assert "AWS_PROFILE nobody: no such profile" in capsys.readouterr().err
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.delitem(CHECKS, "engine")
    assert run_jobs("doctor") == 1
    assert capsys.readouterr().out.count("AWS_PROFILE nobody") >= 2


def test_missing_credentials_are_an_error(aws, monkeypatch):
    clients = Clients("eu-west-1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(InputError, match="no AWS credentials"):
        create(clients, "list_training_jobs", {}, print)
