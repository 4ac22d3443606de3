"""The launcher's flags from a command line, the environment and .env."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.aws.clients import Clients
from jobs.spec.account_flags import DoctorFlags
from jobs.spec.command_line import read_flags, split_flags, with_variables
from jobs.spec.flags import TrainFlags
from model.errors import InputError
from tests.jobs.conftest import IMAGE, ROLE, run_jobs


def test_a_dry_run_needs_no_region_and_lists_all_missing_flags(capsys):
    assert run_jobs("train", "--data", "s3://b/t", "--dry-run") == 2
    err = capsys.readouterr().err
    assert "--role" in err and "--bucket" in err and "--image" in err and "SAGEMAKER_ROLE" in err


def test_dotenv_sets_the_account_and_flags_take_precedence(capsys):
    Path(".env").write_text(f"SAGEMAKER_ROLE={ROLE}\nSAGEMAKER_BUCKET=from-file\nSAGEMAKER_IMAGE={IMAGE}\n")
    flags = ["--data", "s3://b/t", "--dry-run", "--bucket", "from-flag", "--prefix", "a/b"]
    assert run_jobs("train", *flags) == 0
    request = json.loads(capsys.readouterr().out)
    assert request["RoleArn"] == ROLE
    assert request["OutputDataConfig"]["S3OutputPath"] == "s3://from-flag/a/b"


def test_keys_in_the_environment_take_precedence_over_a_profile_in_dotenv(monkeypatch):
    Path(".env").write_text("AWS_PROFILE=from-file\n")
    assert with_variables(DoctorFlags()).profile == "from-file"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    flags = with_variables(DoctorFlags())
    assert flags.profile == ""
    assert Clients("eu-west-1", flags.profile).session.get_credentials().access_key == "of-the-environment"
    monkeypatch.setenv("AWS_PROFILE", "of-the-environment")
    assert with_variables(DoctorFlags()).profile == "of-the-environment"


def test_docker_ignores_the_image_of_the_environment(monkeypatch):
    monkeypatch.setenv("SAGEMAKER_IMAGE", "uri")
    images = {on: read_flags("train", ["--on", on], "")[0].image for on in ("docker", "sagemaker")}
    assert images == {"docker": "", "sagemaker": "uri"}
    assert read_flags("train", ["--on", "docker", "--image", "mine"], "")[0].image == "mine"


def test_flags_are_split_between_the_launcher_and_the_job():
    argv = ["--data", "d", "--epochs", "3", "--input-size", "32", "24", "--job-name=x", "--spot"]
    own, others = split_flags(TrainFlags, argv)
    assert own == ["--data", "d", "--job-name=x", "--spot"]
    assert others == ["--epochs", "3", "--input-size", "32", "24"]


def test_an_unknown_flag_is_an_error_with_the_nearest_name():
    with pytest.raises(InputError, match="--epoks: no such flag; nearest: epochs"):
        read_flags("train", ["--epoks", "3"], "")
    with pytest.raises(InputError, match="more: no such flag"):
        read_flags("doctor", ["more"], "")
