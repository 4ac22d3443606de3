"""Checks of docker and the AWS account."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest

from jobs.aws.clients import Clients
from jobs.commands.doctor import CHECKS, ECR_IMAGE, diagnose
from jobs.commands.image import repository_uri
from jobs.spec.account_flags import DoctorFlags
from tests.jobs.conftest import BUCKET, MANIFEST

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rarebird:abc"
REPOSITORY = ("team/rarebird", "abc1234", None)


def test_the_doctor_lists_every_failed_check(aws, capsys, monkeypatch):
    monkeypatch.delitem(CHECKS, "engine")
    assert diagnose(Clients("eu-west-1"), DoctorFlags()) == 3
    output = capsys.readouterr().out
    assert all(name in output for name in ("SAGEMAKER_ROLE", "SAGEMAKER_BUCKET", "SAGEMAKER_IMAGE", "ok       region"))

    trust = {"Statement": [{"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    aws("iam").create_role(RoleName="SageMaker", AssumeRolePolicyDocument=json.dumps(trust))
    aws("iam").create_role(RoleName="Other", AssumeRolePolicyDocument="{}")
    ecr = aws("ecr")
    uri = repository_uri(ecr, "rarebird")
    ecr.put_image(repositoryName="rarebird", imageManifest=MANIFEST, imageTag="abc")
    role = "arn:aws:iam::123456789012:role/{}"
    good = DoctorFlags(role=role.format("SageMaker"), bucket=BUCKET, image=f"{uri}:abc")
    assert diagnose(Clients("eu-west-1"), good) == 0
    bad = DoctorFlags(role=role.format("Other"), bucket="another-bucket", image=f"{uri}:abd")
    assert diagnose(Clients("eu-west-1"), bad) == 3
    output = capsys.readouterr().out
    assert "trust policy" in output and "another-bucket" in output and "abd" in output


def test_checks_that_need_the_region_do_not_repeat_its_advice(capsys, monkeypatch):
    monkeypatch.delitem(CHECKS, "engine")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    clients = SimpleNamespace(session=SimpleNamespace(region_name=None))
    flags = DoctorFlags(role="arn:aws:iam::123456789012:role/R", bucket=BUCKET, image=IMAGE)
    assert diagnose(clients, flags) == len(CHECKS)
    region, *others = capsys.readouterr().out.splitlines()[:-1]
    assert region == "missing  region: set --region, or AWS_REGION in the environment or .env"
    assert [line.partition(": ")[2] for line in others] == ["not checked, because the region is missing"] * 4


@pytest.mark.parametrize(
    "host",
    [
        "dkr.ecr.eu-west-1.amazonaws.com",
        "dkr.ecr.cn-north-1.amazonaws.com.cn",
        "dkr.ecr.eusc-de-east-1.amazonaws.eu",
        "dkr-ecr.eu-west-1.on.aws",
        "dkr.ecr-fips.us-gov-west-1.amazonaws.com",
    ],
)
def test_image_uris_of_all_aws_partitions_are_accepted(host):
    match = re.fullmatch(ECR_IMAGE, f"123456789012.{host}/team/rarebird:abc1234")
    assert match and match.groups() == ("123456789012", host.split(".")[-4 if host.endswith("cn") else -3], *REPOSITORY)


@pytest.mark.parametrize("image", ["rarebird", "docker.io/a/b:c", "123456789012.dkr.ecr.eu-west-1.example.com/a:b"])
def test_uris_of_other_registries_are_not_ecr_images(image):
    assert not re.fullmatch(ECR_IMAGE, image)
