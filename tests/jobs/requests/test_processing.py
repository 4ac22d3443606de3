"""Requests of processing jobs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from jobs.requests.processing import container_arguments
from tests.jobs.examples import EVALUATION_JOB

FLAGS = {
    "inference": ("inference", "--data s3://b/eval --model_dir s3://b/m/model.tar.gz --num_tta 4"),
    "inference on hosts": ("inference", "--data s3://b/eval --model_dir s3://b/m/ --instances 8 --isolated"),
    "inference_TTA": ("inference_TTA", "--eval_dir s3://b/eval --model_dir s3://b/m/ --num_tta 8"),
    "evaluation": (
        "evaluation",
        "--ground_truth_dir s3://b/gt --output_data_dir s3://b/a --pictures s3://b/eval --kms_key alias/k "
        "--subnets s-1 --security_groups sg-1 --tags '{a: b}' --gmean_classes '[\"none/male\"]'",
    ),
}


@pytest.mark.parametrize("named", FLAGS)
def test_requests_pass_botocores_own_check_and_ours(named, valid_requests):
    command, flags = FLAGS[named]
    request = valid_requests(command, flags, "create_processing_job")["create_processing_job"]
    assert request["AppSpecification"]["ContainerArguments"][0] == command


def test_every_machine_is_sent_all_and_hosts_divide_the_rows_themselves(dry_run):
    flags = ("inference", "--data", "s3://b/eval", "--model_dir", "s3://b/m/", "--instances", "8")
    code, out, _ = dry_run(*flags)
    distribution = [entry["S3Input"]["S3DataDistributionType"] for entry in json.loads(out)["ProcessingInputs"]]
    assert code == 0 and distribution == ["FullyReplicated"] * 2
    code, _, err = dry_run(*flags, "--sharded")
    assert code == 2 and "--sharded: there is no such flag" in err


def test_settings_are_the_containers_arguments():
    job = replace(EVALUATION_JOB, settings={"compare": "/opt/ml/a b", "seed": "3"})
    assert container_arguments(job) == ["evaluation", "--compare", "/opt/ml/a b", "--seed", "3"]
