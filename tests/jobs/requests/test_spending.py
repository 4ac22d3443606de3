"""Machine hours that requests can cost."""

from __future__ import annotations

import shlex

import pytest

from jobs.requests.spending import spending_lines
from tests.jobs.conftest import ACCOUNT, BUCKET, run_jobs

MODEL = "--model_dir s3://b/m/model.tar.gz"
TUNE = "tune --data s3://b/t --ranges '{lr: [0.0001, 0.01]}'"
GRID = "tune --data s3://b/t --strategy Grid --ranges '{loss: [focal, cross_entropy], lr: [0.1, 0.2, 0.3]}'"


@pytest.mark.parametrize(
    ("command", "method", "line"),
    [
        ("train --data s3://b/t", "create_training_job", "1 x ml.m5.xlarge for at most 24 h"),
        (
            "train --data s3://b/t --instances 2 --max_run 5400 --keep_alive 1800",
            "create_training_job",
            "2 x ml.m5.xlarge for at most 1.5 h, 3 h of machine time; then 0.5 h in a warm pool (--keep_alive)",
        ),
        (
            "train --data s3://b/t --spot --max_run 3600 --max_wait 7200",
            "create_training_job",
            "1 x ml.m5.xlarge for at most 1 h, on spot capacity, stopped at most 2 h after its start",
        ),
        (
            "inference --data s3://b/e --model_dir s3://b/m --instance ml.g5.xlarge --max_run 60",
            "create_processing_job",
            "1 x ml.g5.xlarge for at most 0.02 h",
        ),
        (
            f"{TUNE} --trainings 20 --at_once 3 --max_run 3600 --instances 2",
            "create_hyper_parameter_tuning_job",
            "20 trainings of at most 1 h each on 2 x ml.m5.xlarge, 3 at the same time: "
            "at most 40 h of machine time, finished within 7 h",
        ),
        (
            f"{GRID} --at_once 2 --max_run 3600",
            "create_hyper_parameter_tuning_job",
            "6 trainings of at most 1 h each on 1 x ml.m5.xlarge, 2 at the same time: "
            "at most 6 h of machine time, finished within 3 h",
        ),
        (
            f"transform --data s3://b/e {MODEL} --instances 2 --job_name t-1",
            "",
            "2 x ml.m5.xlarge until all images are predicted, without a time limit; stop it with: "
            "python -m jobs stop t-1",
        ),
        (
            f"deploy {MODEL} --job_name e-1 --instances 2",
            "",
            "2 x ml.m5.xlarge until it is deleted with: python -m jobs stop e-1",
        ),
        (
            f"deploy {MODEL} --job_name e-1 --update",
            "",
            "1 x ml.m5.xlarge until it is deleted with: python -m jobs stop e-1",
        ),
        (
            f"deploy {MODEL} --job_name e-1 --max_instances 4 --min_instances 2",
            "",
            "2 to 4 x ml.m5.xlarge, depending on load, until it is deleted with: python -m jobs stop e-1",
        ),
        (
            f"deploy {MODEL} --kind serverless --memory_mb 2048",
            "",
            "the time of each request with 2,048 MB, at most 5 at the same time; no charge without requests",
        ),
        ("register --model_dir s3://b/m", "", None),
    ],
)
def test_lines_of_machines_and_hours(command, method, line, valid_requests):
    name, *flags = shlex.split(command)
    requests = valid_requests(name, shlex.join(flags), method)
    assert spending_lines(list(requests.items())) == ([] if line is None else [f"AWS charges for: {line}"])


def test_the_time_limit_of_a_search_limits_its_hours(valid_requests):
    request = valid_requests("tune", TUNE.removeprefix("tune "), "create_hyper_parameter_tuning_job")
    limits = request["create_hyper_parameter_tuning_job"]["HyperParameterTuningJobConfig"]["ResourceLimits"]
    limits["MaxRuntimeInSeconds"] = 2 * 3600
    (line,) = spending_lines(list(request.items()))
    assert line.endswith("2 at the same time: at most 4 h of machine time, finished within 2 h")


def test_a_pipeline_is_the_sum_of_its_steps(aws, capsys):
    inputs = ("--data", f"s3://{BUCKET}/t", "--eval_data", f"s3://{BUCKET}/e", "--truth", f"s3://{BUCKET}/g")
    flags = ("--instances", "2", "--max_run", "3600", "--job_name", "p-9")
    assert run_jobs("pipeline", *ACCOUNT, "--on", "sagemaker", *inputs, *flags) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("AWS charges for: ")]
    assert lines == [
        "AWS charges for: 2 x ml.m5.xlarge for at most 1 h, 2 h of machine time",
        "AWS charges for: 1 x ml.m5.xlarge for at most 1 h",
        "AWS charges for: 1 x ml.m5.xlarge for at most 1 h",
        "AWS charges for: in total at most 4 h of machine time",
    ]
