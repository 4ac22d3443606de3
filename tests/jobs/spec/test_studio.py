"""Defaults of a Studio space."""

from __future__ import annotations

import json

import pytest

from jobs.spec.command_line import read_flags
from jobs.spec.studio import studio_defaults

ROLE = "arn:aws:iam::123456789012:role/Studio"
SPACE = "arn:aws:sagemaker:eu-west-1:123456789012:space/d-1/me"


@pytest.fixture
def studio(tmp_path, monkeypatch):
    """Returns a function that writes the metadata file."""
    monkeypatch.setattr("jobs.spec.studio.METADATA", tmp_path / "resource-metadata.json")

    def write(**content: str) -> None:
        (tmp_path / "resource-metadata.json").write_text(json.dumps(content))

    return write


def test_defaults_of_a_space_have_the_lowest_precedence(studio, monkeypatch):
    studio(ExecutionRoleArn=ROLE, ResourceArn=SPACE, AppType="JupyterLab")
    flags = read_flags("train", ["--on", "sagemaker"], "")[0]
    assert (flags.role, flags.region, flags.bucket) == (ROLE, "eu-west-1", "sagemaker-eu-west-1-123456789012")
    assert flags.image == "" and flags.profile == ""
    monkeypatch.setenv("SAGEMAKER_ROLE", "arn:aws:iam::123456789012:role/variable")
    flags = read_flags("train", ["--on", "sagemaker", "--bucket", "mine"], "")[0]
    assert (flags.role.rsplit("/", 1)[-1], flags.bucket, flags.region) == ("variable", "mine", "eu-west-1")


def test_a_notebook_instance_without_a_role_and_other_machines(studio, tmp_path):
    studio(ResourceArn="arn:aws:sagemaker:eu-west-1:123456789012:notebook-instance/n", ResourceName="n")
    assert studio_defaults() == {"region": "eu-west-1", "bucket": "sagemaker-eu-west-1-123456789012"}
    assert studio_defaults(tmp_path / "nowhere") == {}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"ResourceArn": 7}', '{"ResourceArn": "arn:aws:ec2:a:b:c"}'])
def test_invalid_metadata_is_ignored(text, tmp_path):
    (tmp_path / "x.json").write_text(text)
    assert studio_defaults(tmp_path / "x.json") == {}
