"""Looks up the results in S3 of a job that was started on another machine, by the job's name on SageMaker."""

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
UNUSABLE = "so its results cannot be used"


def find_output(name: str, input_name: str, flags: Any) -> str | None:
    """Returns the S3 URI of the result of a SageMaker job that fits an input.

    Args:
        name: The job's full name.
        input_name: Name of the input, one in JobType.feeds: model or predictions.
        flags: The launcher's flags, with `region`, `profile` and `on`.

    Returns:
        The URI of a training's model, of a tuning job's best model, or of a processing job's output. None if there is
        no such job, or if SageMaker cannot be reached: without region or credentials, and with --on here or docker
        after any error.

    Raises:
        InputError: The job has not ended, failed, or has no results.
        Failure: SageMaker cannot be reached.
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
            raise InputError(f"{input_name}: tuning {name}: no training has reported the objective")
        return find_output(best, input_name, flags)
    return None if description is None else _model(description, name)


def describe(clients: Clients, kind: JobKind, name: str) -> dict[str, Any] | None:
    """Returns a job's description, None if there is no such job. Raises InputError or Failure for errors of AWS."""
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
        raise InputError(f"training {name}: the job wrote no model")
    return str(uri)


def _processing_output(description: Mapping[str, Any], name: str, output: str) -> str:
    _require_usable(PROCESSING, description, name)
    outputs = description.get("ProcessingOutputConfig", {}).get("Outputs", [])
    uri = next((each["S3Output"]["S3Uri"] for each in outputs if each["OutputName"] == output), None)
    if uri is None:
        raise InputError(f"processing {name}: the job has no output {output}")
    return f"{uri.rstrip('/')}/"


def _require_usable(kind: JobKind, description: Mapping[str, Any], name: str) -> None:
    status = kind.status(description)
    if status not in USABLE[kind]:
        is_running = status in ("InProgress", "Stopping")
        problem = f"has not ended: {status}" if is_running else f"{status.lower()}, {UNUSABLE}"
        raise InputError(f"{kind.name} {name} {problem}")
