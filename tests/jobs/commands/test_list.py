"""Lists of jobs."""

from __future__ import annotations

import shutil
from pathlib import Path

from jobs.spec.record import JobRecord
from tests.jobs.conftest import ACCOUNT, BUCKET, run_jobs


def test_local_records_are_listed_oldest_first(capsys):
    for number in range(3):
        folder = Path("results", f"here-{number}")
        JobRecord(folder.name, "train", "training", "here", f"2026-0{number + 1}", folder, code=number).save()
    folder = Path("results/far-1")
    JobRecord("far-1", "train", "training", "sagemaker", "2026-09", folder, restarted_as="far-2").save()
    assert run_jobs("list", "--most", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["what", "job", "on", "status", "started"]
    assert [line.split()[1] for line in lines[2:]] == ["here-1", "here-2", "far-1"]
    assert "failed with exit code 1" in lines[2] and "restarted as far-2" in lines[4]


def test_a_deleted_endpoint_is_listed_as_deleted(capsys):
    for name in ("a", "b"):
        JobRecord(name, "deploy", "endpoint", "sagemaker", "2026", Path("results", name), stopped=name == "b").save()
    assert run_jobs("list") == 0
    assert ["deleted" in line for line in capsys.readouterr().out.splitlines()[2:]] == [False, True]


def test_jobs_of_the_account_are_listed_with_their_status(aws, capsys):
    assert run_jobs("train", *ACCOUNT, "--on", "sagemaker", "--data", f"s3://{BUCKET}/x", "--job_name", "exp-1") == 0
    capsys.readouterr()
    shutil.rmtree("results")
    assert run_jobs("list", "--all", "--most", "5") == 0
    rows = [line.split()[:3] for line in capsys.readouterr().out.splitlines()[2:]]
    assert rows == [["training", "exp-1", "Completed"]]
