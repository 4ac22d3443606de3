"""Requests of processing jobs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.requests.processing import container_arguments
from jobs.spec.record import JobRecord
from tests.jobs.examples import EVALUATION_JOB

FLAGS = {
    "inference": ("inference", "--data s3://b/eval --model_dir s3://b/m/model.tar.gz --num_tta 4"),
    "inference on hosts": ("inference", "--data s3://b/eval --model_dir s3://b/m/ --instances 8 --isolated"),
    "inference of shares": (
        "inference",
        "--data s3://b/eval --model_dir s3://b/m/ --instances 8 --distribution sharded --resume_from s3://b/parts/",
    ),
    "inference_TTA": ("inference_TTA", "--eval_dir s3://b/eval --model_dir s3://b/m/ --num_tta 8"),
    "evaluation": (
        "evaluation",
        "--ground_truth_dir s3://b/gt --output_data_dir s3://b/a --pictures s3://b/eval --kms_key alias/k "
        "--subnets s-1 --security_groups sg-1 --tags '{a: b}' --gmean_classes '[\"none/male\"]'",
    ),
}


@pytest.mark.parametrize("named", FLAGS)
def test_requests_are_valid(named, valid_requests):
    command, flags = FLAGS[named]
    request = valid_requests(command, flags, "create_processing_job")["create_processing_job"]
    assert request["AppSpecification"]["ContainerArguments"][0] == command


def distributions(request: str) -> dict[str, str]:
    entries = json.loads(request)["ProcessingInputs"]
    return {entry["InputName"]: entry["S3Input"]["S3DataDistributionType"] for entry in entries}


def test_images_are_divided_among_machines_unless_a_table_names_them(dry_run, pictures):
    flags = ("inference", "--data", str(pictures), "--model_dir", "s3://b/m/", "--instances", "8")
    code, out, _ = dry_run(*flags)
    assert code == 0 and distributions(out) == {"eval": "ShardedByS3Key", "model": "FullyReplicated"}
    code, out, _ = dry_run(*flags[:-1], "1")
    assert code == 0 and set(distributions(out).values()) == {"FullyReplicated"}
    (pictures / "info.csv").write_text("ImageID,ans\n")
    code, out, _ = dry_run(*flags)
    assert code == 0 and set(distributions(out).values()) == {"FullyReplicated"}
    code, _, err = dry_run(*flags, "--distribution", "sharded")
    assert code == 2 and "info.csv names images that would be on other machines" in err


def test_images_in_s3_are_divided_in_a_dry_run_only_with_the_flag(dry_run):
    flags = ("inference", "--data", "s3://b/eval", "--model_dir", "s3://b/m/", "--instances", "8")
    code, out, err = dry_run(*flags)
    assert code == 0 and set(distributions(out).values()) == {"FullyReplicated"} and "does not list s3://b/eval" in err
    code, out, _ = dry_run(*flags, "--distribution", "sharded")
    assert code == 0 and distributions(out) == {"eval": "ShardedByS3Key", "model": "FullyReplicated"}


def test_finished_parts_are_uploaded_while_an_inference_runs(dry_run):
    def outputs(*flags: str) -> dict[str, tuple[str, str]]:
        code, out, _ = dry_run(*flags, "--job_name", "j-1")
        assert code == 0
        each = [
            (entry["OutputName"], entry["S3Output"]) for entry in json.loads(out)["ProcessingOutputConfig"]["Outputs"]
        ]
        assert all(output["S3Uri"] == f"s3://rarebird-test/rarebird/j-1/{name}" for name, output in each)
        return {name: (output["LocalPath"], output["S3UploadMode"]) for name, output in each}

    assert outputs("inference_TTA", "--data", "s3://b/eval", "--model_dir", "s3://b/m/") == {
        "output": ("/opt/ml/processing/output", "EndOfJob"),
        "parts": ("/opt/ml/processing/parts", "Continuous"),
    }
    evaluation = outputs("evaluation", "--ground_truth_dir", "s3://b/gt", "--output_data_dir", "s3://b/a")
    assert evaluation == {"evaluation": ("/opt/ml/processing/evaluation", "EndOfJob")}


def test_a_resumed_job_gets_the_parts_of_the_earlier_one(dry_run, tmp_path):
    record = JobRecord("i-1", "inference", "processing", "sagemaker", "2026", Path("results/i-1"), code=1)
    replace(record, outputs={"output": "s3://b/i-1/output/", "parts": "s3://b/i-1/parts/"}).save()
    flags = ("inference", "--data", "s3://b/eval", "--model_dir", "s3://b/m/", "--instances", "8")
    code, out, _ = dry_run(*flags, "--resume_from", "i-1")
    (parts,) = [entry for entry in json.loads(out)["ProcessingInputs"] if entry["InputName"] == "parts"]
    assert code == 0 and parts["S3Input"]["S3Uri"] == "s3://b/i-1/parts/"
    assert parts["S3Input"]["LocalPath"] == "/opt/ml/processing/input/parts"
    assert parts["S3Input"]["S3DataDistributionType"] == "FullyReplicated"
    assert "--resume_from" not in json.loads(out)["AppSpecification"]["ContainerArguments"]


def test_settings_are_container_arguments():
    job = replace(EVALUATION_JOB, settings={"compare": "/opt/ml/a b", "seed": "3"})
    assert container_arguments(job) == ["evaluation", "--compare", "/opt/ml/a b", "--seed", "3"]
