"""Stops a job on SageMaker: training writes a checkpoint and its best model first. An endpoint is deleted, and with it
the configuration and the model that deploy made for it.

python -m jobs stop JOB
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobs.aws.clients import ABSENT, call, code_of, explained
from jobs.aws.job_kinds import ENDPOINT
from jobs.commands.find_job import NamedFlags, find_job
from jobs.spec.flags import read_flags
from model.errors import InputError


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
    if job.kind is ENDPOINT:
        removed = ["endpoint", *remove_made_with(job.clients.sagemaker, job.name)]
        print(f"{job.name} is deleted: {', '.join(removed)}")
        return 0
    print(f"{job.name} is being stopped; python -m jobs logs {job.name} follows it")
    return 0


def remove_made_with(sagemaker: Any, endpoint: str) -> list[str]:
    """Deletes the configuration and the model of an endpoint's name, which deploy makes with it; what was deleted. An
    endpoint made elsewhere has them under other names: they stay."""
    from botocore.exceptions import BotoCoreError, ClientError

    removed = []
    for word, method, name in (
        ("configuration", sagemaker.delete_endpoint_config, "EndpointConfigName"),
        ("model", sagemaker.delete_model, "ModelName"),
    ):
        try:
            named: dict[str, Any] = {name: endpoint}
            call(method, **named)
            removed.append(word)
        except (ClientError, BotoCoreError) as error:
            if code_of(error) not in ABSENT:
                raise explained(error, f"the endpoint {endpoint} is deleted; its {word}") from error
    return removed
