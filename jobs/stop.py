"""Stops a job on SageMaker: training writes a checkpoint and its best model first. An endpoint is deleted.

python -m jobs stop JOB
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.aws import call, explained
from jobs.flags import read_flags
from jobs.named import NamedFlags, find_job
from model.settings import InputError


def main(argv: Sequence[str]) -> int:
    from botocore.exceptions import BotoCoreError, ClientError

    flags, _ = read_flags(NamedFlags, argv, __doc__ or "")
    if not flags.job:
        raise InputError("name the job that is to be stopped")
    job = find_job(flags)
    if job.kind is None:
        raise InputError(f"{job.name} runs on this machine: Ctrl-C stops it")
    try:
        call(getattr(job.clients.sagemaker, job.kind.stop), **job.request)
    except (ClientError, BotoCoreError) as error:
        raise explained(error, f"stop {job.name}") from error
    print(f"{job.name} is being stopped; python -m jobs logs {job.name} follows it")
    return 0
