"""Download the results of a job on SageMaker to RESULTS/JOB and verify its model.

    python -m jobs fetch            # the newest job
    python -m jobs fetch JOB

A job with --on here or docker needs no download: its results are already in RESULTS/JOB.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.aws.job_kinds import ENDED, PIPELINE, TRANSFORM
from jobs.commands.find_job import read_job_name
from jobs.commands.transform import delete_model
from jobs.results.fetch import fetch
from jobs.results.pipeline_run import fetch_pipeline
from model.errors import ExitCode, InputError


def main(argv: Sequence[str]) -> int:
    job = read_job_name("fetch", argv, __doc__ or "")
    if job.kind is None:
        print(f"{job.name} ran on this machine; its results are in {job.results.path}")
        return ExitCode.DONE
    description = job.follower().describe()
    status = job.kind.status(description)
    if status not in ENDED:
        raise InputError(f"{job.name} has not ended: {status}; follow it with: python -m jobs logs {job.name}")
    if job.kind is PIPELINE:
        fetch_pipeline(job.clients, description, job.results.path, print)
    else:
        fetch(job.clients, job.kind, description, job.results, print)
        if job.kind is TRANSFORM:
            delete_model(job.clients, description)
    return ExitCode.DONE
