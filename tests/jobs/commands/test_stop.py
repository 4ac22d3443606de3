"""Jobs stopped and endpoints deleted."""

from __future__ import annotations

import json
from pathlib import Path

from jobs.backends.local_run import start_record
from jobs.commands.stop import delete_config_and_model
from tests.jobs.conftest import ACCOUNT, run_jobs, saved_model
from tests.jobs.examples import LOCAL_JOB


def test_an_endpoint_is_deleted_with_its_configuration_and_model(aws, tmp_path, capsys):
    flags = (*ACCOUNT, "--model_dir", str(saved_model(tmp_path / "model")))
    for name in ("e-async", "e-2"):
        assert run_jobs("deploy", *flags, "--kind", "async", "--job_name", name) == 0
    capsys.readouterr()
    assert run_jobs("stop", "e-async") == 0
    assert "e-async is deleted: endpoint, configuration, model" in capsys.readouterr().out
    sagemaker = aws("sagemaker")
    parts = sagemaker.list_models()["Models"], sagemaker.list_endpoint_configs()["EndpointConfigs"]
    assert not any("e-async" in json.dumps(part, default=str) for part in parts)
    assert all("e-2" in json.dumps(part, default=str) for part in parts)


def test_a_configuration_and_model_under_other_names_stay(aws):
    assert delete_config_and_model(aws("sagemaker"), "made-elsewhere") == []


def test_a_job_must_be_named_and_one_here_is_not_stopped(capsys):
    assert run_jobs("stop") == 2 and "name the job that is to be stopped" in capsys.readouterr().err
    start_record(LOCAL_JOB, Path("results"), "here")
    assert run_jobs("stop", "exp-1") == 2 and "exp-1 runs on this machine: Ctrl-C stops it" in capsys.readouterr().err
