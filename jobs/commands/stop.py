"""Stop a job on SageMaker; a training first saves a checkpoint and its best model. An endpoint is deleted, with the
configuration and the model that deploy created for it.

    python -m jobs stop JOB
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobs.aws.calls import NOT_FOUND, call, error_code, user_error
from jobs.aws.job_kinds import ENDPOINT, JobKind
from jobs.commands.find_job import FoundJob, find_job
from jobs.spec.command_line import read_flags
from model.errors import ExitCode, InputError


def main(argv: Sequence[str]) -> int:
    flags, _ = read_flags("stop", argv, __doc__ or "")
    if not flags.job:
        raise InputError("name the job that is to be stopped")
    job = find_job(flags)
    if job.kind is None:
        raise InputError(f"{job.name} runs on this machine: Ctrl-C stops it")
    stop(job, job.kind)
    if job.kind is ENDPOINT:
        deleted = ["endpoint", *delete_config_and_model(job.clients.sagemaker, job.name)]
        print(f"{job.name} is deleted: {', '.join(deleted)}")
        return ExitCode.DONE
    print(f"{job.name} is being stopped; python -m jobs logs {job.name} follows it")
    return ExitCode.DONE


def stop(job: FoundJob, kind: JobKind) -> None:
    """Stops a job on SageMaker; for an endpoint this deletes it."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        call(getattr(job.clients.sagemaker, kind.stop_method), **job.request)
    except (ClientError, BotoCoreError) as error:
        raise user_error(error, f"stop {job.name}") from error


def delete_config_and_model(sagemaker: Any, endpoint: str) -> list[str]:
    """Deletes the configuration and the model that have an endpoint's name, as deploy creates them.

    An endpoint created elsewhere has them under other names: they stay.

    Returns:
        What was deleted, in words.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    deleted = []
    for noun, method, name_field in (
        ("configuration", sagemaker.delete_endpoint_config, "EndpointConfigName"),
        ("model", sagemaker.delete_model, "ModelName"),
    ):
        try:
            request: dict[str, Any] = {name_field: endpoint}
            call(method, **request)
            deleted.append(noun)
        except (ClientError, BotoCoreError) as error:
            if error_code(error) not in NOT_FOUND:
                raise user_error(error, f"the endpoint {endpoint} is deleted; its {noun}") from error
    return deleted
