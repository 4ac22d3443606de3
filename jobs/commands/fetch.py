"""Brings down what a job on SageMaker made, and checks its model.

python -m jobs fetch             the newest
python -m jobs fetch JOB
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.aws.job_kinds import ENDED, PIPELINE
from jobs.commands.find_job import NamedFlags, find_job
from jobs.results.fetch import fetch
from jobs.results.pipeline_run import fetch_run
from jobs.spec.flags import read_flags
from model.errors import InputError


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags(NamedFlags, argv, __doc__ or "")
    job = find_job(flags)
    if job.kind is None:
        print(f"{job.name} ran on this machine; what it made is in {job.folder}")
        return 0
    description = job.follower().describe()
    state = job.kind.state(description)
    if state not in ENDED:
        raise InputError(f"{job.name} has not ended: {state}; python -m jobs logs {job.name} follows it")
    if job.kind is PIPELINE:
        fetch_run(job.clients, description, job.folder, print)
        return 0
    fetch(job.clients, job.kind, description, job.folder, print)
    return 0
