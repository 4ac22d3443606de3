"""Results of jobs of other machines, looked up on SageMaker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.aws.earlier_outputs import find_output
from jobs.spec.command_line import read_flags
from model.errors import InputError
from tests.jobs.conftest import ACCOUNT, BUCKET, REGISTRY_ACCOUNT, run_jobs
from tests.jobs.stubs import NAME, described

MODEL = f"s3://{BUCKET}/rarebird/faces/output/model.tar.gz"
ELSEWHERE = ("--results", "another-checkout")


@pytest.fixture
def faces(aws) -> Any:
    """A training that was started on another machine."""
    assert run_jobs("train", *ACCOUNT, "--on", "sagemaker", "--data", "s3://b/t", "--job_name", "faces") == 0
    return aws


@pytest.mark.parametrize("command", ["deploy", "transform", "register"])
def test_the_model_of_a_job_of_another_machine_can_be_hosted(command, faces, pictures):
    account = REGISTRY_ACCOUNT if command == "register" else ACCOUNT
    more = ("--data", "s3://b/e") if command == "transform" else ()
    assert run_jobs(command, *account, *ELSEWHERE, "--model_dir", "faces", *more, "--job_name", "m-1") == 0
    sagemaker = faces("sagemaker")
    if command == "register":
        (package,) = sagemaker.list_model_packages(ModelPackageGroupName="rarebird")["ModelPackageSummaryList"]
        description = sagemaker.describe_model_package(ModelPackageName=package["ModelPackageArn"])
        container = description["InferenceSpecification"]["Containers"][0]
    else:
        container = sagemaker.describe_model(ModelName="m-1")["PrimaryContainer"]
    assert container["ModelDataUrl"] == MODEL


def test_model_and_predictions_of_jobs_of_another_machine_can_be_inputs(faces):
    flags = (*ACCOUNT, "--on", "sagemaker", *ELSEWHERE)
    assert run_jobs("inference", *flags, "--data", "s3://b/e", "--model_dir", "faces", "--job_name", "a-1") == 0
    assert run_jobs("inference", *flags, "--data", "s3://b/e", "--models", "faces", "faces:2", "--job_name", "a-2") == 0
    third = ("--results", "third-checkout")
    scores = ("--ground_truth_dir", "s3://b/g", "--output_data_dir", "a-1", "--job_name", "e-1")
    assert run_jobs("evaluation", *flags, *third, *scores) == 0
    sources = {}
    for name, results in (("a-1", ELSEWHERE[1]), ("a-2", ELSEWHERE[1]), ("e-1", third[1])):
        request = json.loads((Path(results) / name / "job.json").read_text())["request"]
        sources[name] = {each["InputName"]: each["S3Input"]["S3Uri"] for each in request["ProcessingInputs"]}
    assert sources["a-1"]["model"] == MODEL
    assert (sources["a-2"]["models-1"], sources["a-2"]["models-2"]) == (MODEL, MODEL)
    assert sources["e-1"]["predictions"] == f"s3://{BUCKET}/rarebird/a-1/output/"


def test_an_unknown_name_is_an_error_and_a_dry_run_does_not_call_aws(faces, capsys):
    flags = (*ACCOUNT, "--on", "sagemaker", *ELSEWHERE, "--data", "s3://b/e")
    assert run_jobs("inference", *flags, "--model_dir", "faced") == 2
    assert "faced: no such file or folder" in capsys.readouterr().err
    assert run_jobs("inference", *flags, "--model_dir", "faces", "--dry_run") == 2
    assert "faces: no such file or folder" in capsys.readouterr().err


def look_up(stubbed: Any, monkeypatch: pytest.MonkeyPatch, on: str = "sagemaker", input_name: str = "model") -> Any:
    """Looks up the result of the job NAME."""
    clients, *_ = stubbed
    monkeypatch.setattr("jobs.aws.earlier_outputs.Clients", lambda *_: clients)
    monkeypatch.setattr("jobs.aws.calls.FIRST_PAUSE", 0.0)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    clients.region = "eu-west-1"
    return find_output(NAME, input_name, read_flags("train", ["--on", on], "")[0])


def test_the_model_of_a_tuning_job_is_that_of_the_best_training(stubbed, monkeypatch):
    sagemaker = stubbed[1]
    sagemaker.add_client_error("describe_training_job", "ValidationException", "Requested resource not found.")
    tuning = {
        "HyperParameterTuningJobName": NAME,
        "HyperParameterTuningJobArn": f"arn:aws:sagemaker:eu-west-1:123456789012:hyper-parameter-tuning-job/{NAME}",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "ResourceLimits": {"MaxParallelTrainingJobs": 1},
        },
        "HyperParameterTuningJobStatus": "Completed",
        "CreationTime": described("Completed", "Completed")["CreationTime"],
        "TrainingJobStatusCounters": {},
        "ObjectiveStatusCounters": {},
    }
    best = {
        "TrainingJobName": "best",
        "TrainingJobArn": "arn:aws:sagemaker:eu-west-1:123456789012:training-job/best",
        "CreationTime": tuning["CreationTime"],
        "TrainingJobStatus": "Completed",
        "TunedHyperParameters": {},
    }
    sagemaker.add_response("describe_hyper_parameter_tuning_job", {**tuning, "BestTrainingJob": best})
    sagemaker.add_response("describe_training_job", described("Completed", "Completed"), {"TrainingJobName": "best"})
    assert look_up(stubbed, monkeypatch) == "s3://b/model.tar.gz"
    sagemaker.add_client_error("describe_training_job", "ValidationException", "Requested resource not found.")
    sagemaker.add_response("describe_hyper_parameter_tuning_job", tuning)
    with pytest.raises(InputError, match="no training has reported the objective"):
        look_up(stubbed, monkeypatch)


@pytest.mark.parametrize(
    ("status", "message"),
    [("Failed", "failed, so its results cannot be used"), ("InProgress", "has not ended: InProgress")],
)
def test_failed_and_running_jobs_are_errors(status, message, stubbed, monkeypatch):
    stubbed[1].add_response("describe_training_job", described(status, status))
    with pytest.raises(InputError, match=f"training {NAME} {message}"):
        look_up(stubbed, monkeypatch)


def test_a_stopped_training_can_be_used_but_not_a_stopped_inference(stubbed, monkeypatch):
    stubbed[1].add_response("describe_training_job", described("Stopped", "Stopped"))
    assert look_up(stubbed, monkeypatch) == "s3://b/model.tar.gz"
    stopped = {
        "ProcessingJobName": NAME,
        "ProcessingJobArn": f"arn:aws:sagemaker:eu-west-1:123456789012:processing-job/{NAME}",
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
        },
        "AppSpecification": {"ImageUri": "x"},
        "ProcessingJobStatus": "Stopped",
        "CreationTime": described("Stopped", "Stopped")["CreationTime"],
    }
    stubbed[1].add_response("describe_processing_job", stopped)
    with pytest.raises(InputError, match=f"processing {NAME} stopped, so its results cannot be used"):
        look_up(stubbed, monkeypatch, input_name="predictions")


@pytest.mark.parametrize("on", ["sagemaker", "here"])
def test_denied_access_is_an_error_only_with_on_sagemaker(on, stubbed, monkeypatch):
    stubbed[1].add_client_error("describe_training_job", "AccessDeniedException", "sagemaker:DescribeTrainingJob")
    if on == "here":
        assert look_up(stubbed, monkeypatch, on) is None
        return
    with pytest.raises(InputError, match="access denied: sagemaker:DescribeTrainingJob"):
        look_up(stubbed, monkeypatch, on)


def test_without_region_or_credentials_aws_is_not_called(monkeypatch):
    flags = read_flags("train", [], "")[0]
    assert find_output("exp-1", "model", flags) is None
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert find_output("exp-1", "model", flags) is None
