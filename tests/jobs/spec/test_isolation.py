"""Jobs without network access."""

from __future__ import annotations

import shlex

import pytest

from jobs.spec.isolation import isolation_problem
from jobs.spec.job_from_flags import read_job
from model.errors import InputError
from model.settings.train import TrainSettings


@pytest.mark.parametrize(
    ("settings", "is_refused"),
    [
        (TrainSettings(), True),
        (TrainSettings(pretrained=False), False),
        (TrainSettings(weights="w.safetensors"), False),
        (TrainSettings(pretrained=False, target="separate", separate={"age": {"pretrained": True}}), True),
        (TrainSettings(weights="w", target="separate", separate={"age": {"weights": None}}), True),
        (TrainSettings(weights="w", target="separate", separate={"age": {"epochs": 3}}), False),
    ],
)
def test_weights_that_would_be_downloaded_are_a_problem(settings, is_refused):
    assert (isolation_problem(settings) is not None) is is_refused


@pytest.mark.parametrize(("command", "on"), [("train", "sagemaker"), ("train", "docker"), ("pipeline", "sagemaker")])
def test_an_isolated_training_without_weights_is_an_error_before_anything_is_sent(command, on, dry_run):
    more = " --eval_data s3://b/e --truth s3://b/g" if command == "pipeline" else ""
    arguments = shlex.split(f"--data s3://b/t --isolated true{more} --on {on}")
    code, out, err = dry_run(command, *arguments)
    assert (code, out) == (
        2,
        "",
    ) and "isolated and pretrained true: a training without network access cannot download" in err
    for flags in ("--pretrained false", "--weights s3://b/w.safetensors"):
        assert dry_run(command, *arguments, *flags.split())[0] == 0


def test_without_isolation_weights_may_be_downloaded():
    assert read_job("train", ["--data", "s3://b/t"], "").settings.pretrained
    with pytest.raises(InputError, match="set --weights FILE"):
        read_job("train", ["--data", "s3://b/t", "--on", "docker", "--isolated"], "")
