"""Tuning jobs."""

from __future__ import annotations

import json
import shlex

import pytest

from jobs.commands.tune import short_unique_name
from jobs.storage.s3 import S3Uri
from tests.jobs.conftest import ACCOUNT, keys, run_jobs

TUNE = "--data s3://b/t --ranges '{lr: [0.0001, 0.01], loss: [focal, cross_entropy]}'"


def test_names_of_tuning_jobs_are_short():
    assert len(short_unique_name("a-very-long-name-of-an-experiment")) <= 32
    assert short_unique_name("exp").startswith("exp-")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--strategy Grid", "--strategy Grid: --ranges must be lists of values"),
        ("--strategy Hyperband --stop_early", "Hyperband already stops trainings early"),
        ("--on docker", "expected one of sagemaker"),
        ("--script_mode --isolated", "needs the network to install"),
    ],
)
def test_contradicting_tune_flags_are_errors(flags, message, dry_run):
    code, out, err = dry_run("tune", *shlex.split(f"{TUNE} {flags}"))
    assert (code, out) == (2, "")
    assert message in err


def test_a_search_in_script_mode_uploads_its_source(aws, pictures, capsys):
    flags = ("--data", str(pictures), "--ranges", "{lr: [0.0001, 0.01]}", "--script_mode", "--job_name", "s-2")
    assert run_jobs("tune", *ACCOUNT, *flags) == 0
    assert "the container installs these packages" in capsys.readouterr().out
    job = aws("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="s-2")
    static = job["TrainingJobDefinition"]["StaticHyperParameters"]
    uri = S3Uri.parse(json.loads(static["sagemaker_submit_directory"]))
    assert keys(uri.key) == ["rarebird/s-2/source/sourcedir.tar.gz"]


def test_a_search(aws, pictures):
    flags = ("--data", str(pictures), "--ranges", "{lr: [0.0001, 0.01], loss: [focal, cross_entropy]}")
    assert run_jobs("tune", *ACCOUNT, *flags, "--job_name", "s-1") == 0
    job = aws("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="s-1")
    assert job["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["MetricName"] == "val_f1"
