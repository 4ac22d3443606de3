"""Stop a job on SageMaker, or delete an endpoint.

    python -m jobs stop JOB
    python -m jobs stop ENDPOINT
    python -m jobs stop ENDPOINT --yes    # do not ask

A training saves a checkpoint and its best model before it stops. An endpoint is deleted together with the configuration
and model that deploy created for it; this requires its full name.
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
        raise InputError("expected the job to stop: python -m jobs stop JOB")
    job = find_job(flags)
    if job.kind is None:
        raise InputError(f"{job.name} runs on this machine: stop it with Ctrl-C in its terminal")
    if job.kind is ENDPOINT:
        return delete_endpoint(job, flags.job[0], flags.yes)
    stop(job, job.kind)
    print(f"stopping {job.name}; follow it with: python -m jobs logs {job.name}")
    return ExitCode.DONE


def delete_endpoint(job: FoundJob, name: str, yes: bool) -> int:
    """Deletes an endpoint with its configuration and model, and marks its record as stopped.

    Args:
        job: The endpoint.
        name: The name on the command line, which must be the endpoint's full name.
        yes: Whether to delete without asking.

    Returns:
        The exit code.
    """
    if name != job.name:
        raise InputError(
            f"{name}: {job.name} is an endpoint; to delete it, type its full name: python -m jobs stop {job.name}"
        )
    if not yes and not confirmed(f"delete the endpoint {job.name}, its configuration and its model?"):
        print(f"{job.name} is not deleted")
        return ExitCode.FAULT
    try:
        endpoint = live_endpoint(job.clients, job.name)
    except InputError as error:
        record, advice = read_record(job.results.path), ""
        if record is not None and not record.stopped:
            advice = f"; if it was deleted elsewhere, remove {record.folder} to free the name"
        raise InputError(f"{error}{advice}") from error
    stop(job, ENDPOINT)
    deleted, not_deleted = delete_parts(job.clients, endpoint)
    if endpoint.kind != SERVERLESS:
        not_deleted += end_scaling(job.clients, job.name, [variant["VariantName"] for variant in endpoint.variants])
    record = read_record(job.results.path)
    if record is not None:
        replace(record, stopped=True).save()
    resources = ["endpoint", *(resource.removesuffix(f" {job.name}") for resource in deleted)]
    print(f"{job.name} is deleted: {', '.join(resources)}")
    for line in not_deleted:
        print(f"not deleted: {line}")
    return ExitCode.DONE


def stop(job: FoundJob, kind: JobKind) -> None:
    """Stops a job on SageMaker; an endpoint is deleted."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        call(getattr(job.clients.sagemaker, kind.stop_method), **job.request)
    except (ClientError, BotoCoreError) as error:
        raise user_error(error, f"stop {job.name}") from error
