"""Reading a command line to a job; errors name the field."""

from __future__ import annotations

import json
import shlex

import pytest

from jobs.spec.job_from_flags import read_job
from tests.jobs.conftest import ACCOUNT


def test_tracking_variables_are_sent_but_not_the_api_key(dry_run, monkeypatch):
    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_API_KEY", "WANDB_DIR"):
        monkeypatch.setenv(name, name.lower())
    flags = ("--data", "s3://b/t", "--environment", "{WANDB_PROJECT: named, A: 1}")
    environment = json.loads(dry_run("train", *flags)[1])["Environment"]
    assert environment == {"WANDB_MODE": "wandb_mode", "WANDB_PROJECT": "named", "A": "1"}
    assert "Environment" not in json.loads(
        dry_run("evaluation", "--ground_truth_dir", "s3://b/gt", "--output_data_dir", "s3://b/a")[1]
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--job_name under_score", "--job_name"),
        (f"--job_name {'a' * 64}", "--job_name"),
        ("--role nobody", "RoleArn (--role)"),
        ("--instance m5", "ResourceConfig.InstanceType (--instance)"),
        ("--spot --max_run 100 --max_wait 50", "StoppingCondition.MaxWaitTimeInSeconds (--max_wait)"),
        ("--max_wait 50", "is only allowed for spot training"),
        ("--spot --keep_alive 60", "a warm pool is not possible with spot capacity"),
        ("--keep_alive 21601", "ResourceConfig.KeepAlivePeriodInSeconds (--keep_alive): 21601 is above 21600"),
        ("--attempts 31", "RetryStrategy.MaximumRetryAttempts (--attempts): 31 is above 30"),
        ("--tags '{\"a#b\": c}'", "Tags[0].Key (--tags)"),
        ("--kms_key 'a b'", "OutputDataConfig.KmsKeyId (--kms_key)"),
        ("--subnets s-1", "VpcConfig.SecurityGroupIds (--security_groups)"),
        ("--environment '{1A: b}'", "Environment.1A"),
        (f"--image {'x' * 256}", "AlgorithmSpecification.TrainingImage (--image)"),
        ("--validation_dir nowhere", "validation: nowhere: no such file or folder"),
        ("--epochs many", "--epochs = 'many': expected a whole number"),
        ("--epoks 3", "nearest: epochs"),
        ("--train_dir s3://b/c", "both set the channel train"),
        ("--checkpoints folder", "CheckpointConfig.S3Uri"),
        ("--script_mode --isolated", "needs the network to install"),
    ],
)
def test_invalid_flags_are_errors_that_name_the_field(flags, message, dry_run):
    code, out, err = dry_run("train", "--data", "s3://b/t", *shlex.split(flags))
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(
    ("flags", "checkpoints"),
    [
        ("", "s3://rarebird-test/rarebird/j/checkpoints/"),
        ("--attempts 3", "s3://rarebird-test/rarebird/j/checkpoints/"),
        ("--spot", "s3://rarebird-test/rarebird/j/checkpoints/"),
        ("--checkpoints s3://b/exp/ASHA-1", "s3://b/exp/ASHA-1/"),
        ("--spot --checkpoints s3://b/c/", "s3://b/c/"),
    ],
)
def test_every_training_has_its_own_checkpoint_prefix(flags, checkpoints, dry_run):
    """The prefix s3://b/exp/ASHA-1 also matches s3://b/exp/ASHA-10/, which SageMaker would restore and remove."""
    out = dry_run("train", "--data", "s3://b/t", "--job_name", "j", *shlex.split(flags))[1]
    assert json.loads(out)["CheckpointConfig"] == {"S3Uri": checkpoints, "LocalPath": "/opt/ml/checkpoints"}


def test_a_local_training_has_no_checkpoint_prefix():
    assert read_job("train", ["--data", "s3://b/t"], "").job.checkpoints is None


def test_the_job_name_and_input_mode_are_set_from_flags():
    argv = ["--data", "s3://b/t", "--validation_dir", "s3://b/v", "--weights", "s3://b/w.pth", "--mode", "FastFile"]
    command = read_job("train", [*ACCOUNT, "--on", "sagemaker", *argv, "--name", "My run", "--epochs", "2"], "")
    assert command.job.name.startswith("My-run-2") and command.settings.epochs == 2
    modes = {each.name: each.mode for each in command.job.inputs}
    assert modes == {"train": "FastFile", "validation": "FastFile", "weights": "File"}
