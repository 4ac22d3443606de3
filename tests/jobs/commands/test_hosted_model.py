"""The model of transform, deploy and register: a folder, URI or job; a local model is uploaded."""

from __future__ import annotations

import tarfile

import boto3
import pytest

from jobs.aws.clients import Clients
from jobs.commands.hosted_model import read_model
from jobs.spec.model_flags import DeployFlags
from jobs.spec.record import JobRecord
from model.errors import Failure, InputError
from tests.jobs.conftest import ACCOUNT, BUCKET, IMAGE, ROLE, keys, run_jobs, saved_model

FLAGS = {"role": ROLE, "bucket": BUCKET, "image": IMAGE, "job_name": "m-1"}


def test_a_model_in_s3_is_used_directly(tmp_path):
    model = read_model(DeployFlags(**FLAGS, model_dir="s3://b/m/model.tar.gz", environment={"num_tta": 4}), "endpoint")
    assert (model.hosted.name, model.hosted.model, model.local) == ("m-1", "s3://b/m/model.tar.gz", None)
    assert model.hosted.environment == {"num_tta": "4"}
    outputs = {"model": "s3://b/j/model.tar.gz"}
    JobRecord("j", "train", "training", "sagemaker", "2026", tmp_path / "j", outputs).save()
    assert read_model(DeployFlags(**FLAGS, results=str(tmp_path), model_dir="j"), "x").hosted.model == outputs["model"]


def test_a_local_model_is_packed_and_uploaded_below_the_name_once(aws, tmp_path):
    folder = saved_model(tmp_path / "model")
    model = read_model(DeployFlags(**FLAGS, model_dir=str(folder)), "endpoint")
    assert model.hosted.model == f"s3://{BUCKET}/rarebird/m-1/model/model.tar.gz" and model.local == folder
    model.upload(Clients("eu-west-1"))
    assert keys() == ["rarebird/m-1/model/model.tar.gz"]
    boto3.client("s3").download_file(BUCKET, keys()[0], str(tmp_path / "down.tar.gz"))
    with tarfile.open(tmp_path / "down.tar.gz") as archive:
        assert sorted(archive.getnames()) == sorted(path.name for path in folder.iterdir())
    with pytest.raises(InputError, match="already exists; use another --job_name"):
        model.upload(Clients("eu-west-1"))


def test_an_invalid_model_is_not_uploaded(aws, tmp_path):
    folder = saved_model(tmp_path / "model")
    model = read_model(DeployFlags(**FLAGS, model_dir=str(folder)), "endpoint")
    (folder / "labels.json").unlink()
    with pytest.raises(Failure, match=r"labels\.json"):
        model.upload(Clients("eu-west-1"))
    assert keys() == []


def test_a_missing_model_or_account_is_an_error(capsys):
    assert run_jobs("deploy", *ACCOUNT) == 2 and "--model_dir is missing" in capsys.readouterr().err
    assert run_jobs("deploy", "--model_dir", "s3://b/m") == 2 and "--role: set it" in capsys.readouterr().err
