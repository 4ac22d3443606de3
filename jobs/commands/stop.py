"""Stop a job on SageMaker; a training first saves a checkpoint and its best model. An endpoint is deleted, with the
configuration and the model that deploy created for it: only by its full name, and on a terminal after a question.

    python -m jobs stop JOB
    python -m jobs stop ENDPOINT --yes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jobs.aws.calls import call, user_error
from jobs.aws.job_kinds import ENDPOINT, JobKind
from jobs.commands.find_job import FoundJob, find_job
from jobs.commands.live_endpoint import delete_parts, live_endpoint
from jobs.commands.scaling import end_scaling
from jobs.requests.endpoint import SERVERLESS
from jobs.spec.command_line import read_flags
from jobs.spec.console import confirmed
from jobs.spec.record import read_record
from model.errors import ExitCode, InputError


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags("stop", argv, __doc__ or "")
    if not flags.job:
        raise InputError("name the job that is to be stopped")
    job = find_job(flags)
    if job.kind is None:
        raise InputError(f"{job.name} runs on this machine: Ctrl-C stops it")
    if job.kind is ENDPOINT:
        return delete_endpoint(job, flags.job[0], flags.yes)
    stop(job, job.kind)
    print(f"{job.name} is being stopped; python -m jobs logs {job.name} follows it")
    return ExitCode.DONE


def delete_endpoint(job: FoundJob, given: str, yes: bool) -> int:
    """Deletes an endpoint with its configuration and model; its record says so.

    Args:
        given: The name of the command line, which must be the endpoint's whole name.
        yes: Delete without a question.

    Returns:
        The exit code.
    """
    if given != job.name:
        raise InputError(f"{given}: {job.name} is an endpoint, which only its full name deletes: stop {job.name}")
    if not yes and not confirmed(f"delete the endpoint {job.name}, its configuration and its model?"):
        print(f"{job.name} is not deleted")
        return ExitCode.FAULT
    try:
        endpoint = live_endpoint(job.clients, job.name)
    except InputError as error:
        record, advice = read_record(job.results.path), ""
        if record is not None and not record.stopped:
            advice = f"; if it was deleted elsewhere, remove {record.folder}, and the name is free"
        raise InputError(f"{error}{advice}") from error
    stop(job, ENDPOINT)
    deleted, left = delete_parts(job.clients, endpoint)
    if endpoint.kind != SERVERLESS:
        left += end_scaling(job.clients, job.name, [variant["VariantName"] for variant in endpoint.variants])
    record = read_record(job.results.path)
    if record is not None:
        replace(record, stopped=True).save()
    words = ["endpoint", *(each.removesuffix(f" {job.name}") for each in deleted)]
    print(f"{job.name} is deleted: {', '.join(words)}")
    for line in left:
        print(f"not deleted: {line}")
    return ExitCode.DONE


def stop(job: FoundJob, kind: JobKind) -> None:
    """Stops a job on SageMaker; for an endpoint this deletes it."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        call(getattr(job.clients.sagemaker, kind.stop_method), **job.request)
    except (ClientError, BotoCoreError) as error:
        raise user_error(error, f"stop {job.name}") from error
