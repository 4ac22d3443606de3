"""What a job that was started on another machine left in S3, by the job's name, as SageMaker describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from container.job_types import JOB_TYPES, TRAIN
from jobs.aws.calls import NOT_FOUND, call, error_code, user_error
from jobs.aws.clients import Clients
from jobs.aws.job_kinds import PROCESSING, TRAINING, TUNING, JobKind
from jobs.spec.flag_groups import SAGEMAKER
from model.errors import Failure, InputError

USABLE = {TRAINING: ("Completed", "Stopped"), PROCESSING: ("Completed",)}  # a stopped training saves its model
NOTHING = "nothing is taken from it"


def find_output(name: str, input_name: str, flags: Any) -> str | None:
    """The S3 URI of what a job on SageMaker left for an input.

    Args:
        name: The job's name, whole.
        input_name: The input of JobType.feeds that it is for: model or predictions.
        flags: The launcher's, with `region`, `profile` and `on`.

    Returns:
        A training's model, the best training's model of a tuning job, or a processing job's output; None where there is
        no such job, or SageMaker cannot be asked: without region or credentials, and with --on here or docker whatever
        the error is.

    Raises:
        InputError: The job has not ended, failed, or left nothing.
        Failure: SageMaker does not answer.
    """
    clients = Clients(flags.region, flags.profile)
    if not clients.session.region_name or not clients.session.get_credentials():
        return None
    feeding = next(job_type for job_type in JOB_TYPES.values() if input_name in job_type.feeds)
    try:
        if feeding is not TRAIN:
            description = describe(clients, PROCESSING, name)
            return None if description is None else _processing_output(description, name, feeding.feeds[input_name])
        tuning = None
        description = describe(clients, TRAINING, name)
        if description is None:
            tuning = describe(clients, TUNING, name)
    except (InputError, Failure):
        if flags.on == SAGEMAKER:
            raise
        return None
    if tuning is not None:
        best = tuning.get("BestTrainingJob", {}).get("TrainingJobName")
        if not best:
            raise InputError(f"{input_name}: tuning {name}: no training has reached its objective")
        return find_output(best, input_name, flags)
    return None if description is None else _model(description, name)


def describe(clients: Clients, kind: JobKind, name: str) -> dict[str, Any] | None:
    """A job's description, None where there is no job of that name. Raises InputError or Failure for AWS's errors."""
    from botocore.exceptions import BotoCoreError, ClientError

    request: dict[str, Any] = {kind.name_field: name}
    try:
        return dict(call(getattr(clients.sagemaker, kind.describe_method), **request))
    except (ClientError, BotoCoreError) as error:
        if error_code(error) in NOT_FOUND:
            return None
        raise user_error(error, f"{kind.name} {name}") from error


def _model(description: Mapping[str, Any], name: str) -> str:
    _require_usable(TRAINING, description, name)
    uri = description.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    if not uri:
        raise InputError(f"training {name}: it left no model")
    return str(uri)


def _processing_output(description: Mapping[str, Any], name: str, output: str) -> str:
    _require_usable(PROCESSING, description, name)
    outputs = description.get("ProcessingOutputConfig", {}).get("Outputs", [])
    uri = next((each["S3Output"]["S3Uri"] for each in outputs if each["OutputName"] == output), None)
    if uri is None:
        raise InputError(f"processing {name}: it has no output {output}")
    return f"{uri.rstrip('/')}/"


def _require_usable(kind: JobKind, description: Mapping[str, Any], name: str) -> None:
    status = kind.status(description)
    if status not in USABLE[kind]:
        problem = f"has not ended: {status}" if status in ("InProgress", "Stopping") else f"{status.lower()}; {NOTHING}"
        raise InputError(f"{kind.name} {name} {problem}")
