"""Requests of training jobs."""

from __future__ import annotations

import dataclasses

import pytest

from jobs.requests.training import training_request
from jobs.spec.job import Limits, Machine
from tests.jobs.conftest import ACCOUNT
from tests.jobs.examples import TRAINING_JOB

FLAGS = {
    "the least": "--data s3://b/train",
    "all of training": "--data s3://b/train --validation_dir s3://b/val --instance ml.g5.12xlarge --instances 4 "
    "--volume_gb 200 --spot --max_run 3600 --max_wait 7200 --attempts 3 --tags '{team: Bildverständnis, cost: a=b}' "
    "--subnets subnet-1a2b --security_groups sg-1 sg-2 --kms_key alias/mine --isolated --encrypt_traffic "
    "--pretrained false --mode FastFile --compress false --checkpoints s3://b/kept --job_name exp-1 "
    "--environment '{WANDB_MODE: offline}' --epochs 3 --lr 0.01 --input_size 128 96 --augmentation none "
    "--loss cross_entropy --attributes '{kind: {column: 종류, values: [착용샷]}}'",
    "a warm pool": "--data s3://b/train --keep_alive 3600",
    "an experiment": "--data s3://b/train --config {configs}/mask-resnet18.yaml",
    "another experiment": "--data s3://b/train --config {configs}/tagging-airush.yaml",
    "weights in S3": "--data s3://b/train --weights s3://b/w/mobilenet.safetensors",
}


@pytest.mark.parametrize("named", FLAGS)
def test_requests_are_valid(named, valid_requests):
    assert valid_requests("train", FLAGS[named], "create_training_job")


def test_stopping_condition_of_spot_training():
    job = dataclasses.replace(TRAINING_JOB, machine=Machine(spot=True), limits=Limits(max_run=60))
    assert training_request(job)["StoppingCondition"] == {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}
    assert ACCOUNT[1] == training_request(job)["RoleArn"]


def test_live_curves_sets_the_tensorboard_output(valid_requests):
    request = valid_requests("train", "--data s3://b/train --live_curves", "create_training_job")
    config = request["create_training_job"]["TensorBoardOutputConfig"]
    assert config == {"LocalPath": "/opt/tensorboard", "S3OutputPath": "s3://rarebird-test/rarebird"}
    reserved = ("/opt/ml", "/tmp", "/usr/local/nvidia")  # amazon-sagemaker-examples, issue 3620
    assert not config["LocalPath"].startswith(reserved)
    assert "TensorBoardOutputConfig" not in training_request(TRAINING_JOB)
