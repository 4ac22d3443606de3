"""--on sagemaker: validates a job's request, uploads its inputs and starts it; with --wait follows and fetches it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.aws.calls import CAPACITY, THROTTLED, call, error_code, user_error
from jobs.aws.clients import Clients
from jobs.aws.follower import Follower, lacked_capacity
from jobs.aws.job_kinds import ENDPOINT, PIPELINE, PROCESSING, TRAINING, TUNING, JobKind
from jobs.backends.input_sizes import check_sizes
from jobs.requests.common import Request, Requests
from jobs.requests.processing import processing_request
from jobs.requests.spending import spending_lines
from jobs.requests.training import training_request
from jobs.results.fetch import fetch
from jobs.spec.console import PrintLine
from jobs.spec.flag_groups import SAGEMAKER
from jobs.spec.job import UNIQUE_TAIL, Job, unique_name
from jobs.spec.record import JobRecord, read_record, utc_now
from jobs.spec.results_folder import OUTPUT_ARCHIVE, ResultsFolder
from jobs.storage.planned_uploads import PlannedUpload, plan_uploads
from model.artifacts.archive import MODEL_ARCHIVE
from model.errors import ExitCode, Failure, InputError

REPLACEABLE = (PIPELINE, ENDPOINT)  # kinds that can be updated: a new record of the same name replaces the old one
# by method: part of AWS's error message if an earlier attempt succeeded (any method may also return ResourceInUse)
IS_DONE = {
    "create_model": "already existing",
    "create_endpoint_config": "already existing",
    "create_endpoint": "already existing",
    "update_endpoint": "in-progress",
}
CAPACITY_STARTS = 4  # attempts to start a job, with --wait, while no machines are free
CAPACITY_PAUSE = 60.0  # seconds before the second start, doubled each time


def run(job: Job, results: Path, clients: Clients, wait: bool, delete: bool, print_line: PrintLine) -> int:
    """Starts a job and, with wait, follows it to its end; returns the exit code.

    If no machines are free, the job is started again under a new name after a growing pause.

    Args:
        job: The job.
        results: Folder with the results of all jobs.
        clients: Clients of the AWS account.
        wait, delete: The flags --wait and --delete.
        print_line: Prints a line of output.
    """
    # validate before local data is read: only the prefixes of the uploads are not known yet
    prefixes = {each.name: f"{job.account.root}/data/" for each in job.inputs if not each.is_remote}
    checked = [job_request(job.with_s3_inputs(prefixes))]
    check_requests(checked)
    print_spending(checked, print_line)
    job, uploads = plan_inputs(job, clients)
    upload_inputs(job, uploads, clients, delete, print_line)
    pause = CAPACITY_PAUSE
    earlier: JobRecord | None = None
    for attempt in range(1, CAPACITY_STARTS + 1):
        # start the job; its record replaces that of the attempt before
        record = start(job, results, clients, print_line)
        if earlier is not None:
            replace(earlier, restarted_as=job.name).save()
        earlier = record
        print_line(f"started {record.kind} {job.name}; {follow_command(job.name)}")
        if not wait:
            return ExitCode.DONE
        # follow it; only a lack of machines leads to another attempt
        follower = Follower(clients, job_kind(job), job.name, print_line)
        code, description = follow_and_fetch(follower, ResultsFolder(record.folder))
        if not lacked_capacity(description) or attempt == CAPACITY_STARTS:
            return code
        print_line(f"no {job.machine.instance} is free; trying again in {pause:.0f} s")
        follower.sleep(pause)
        pause *= 2
        job = replace(job, name=unique_name(re.sub(UNIQUE_TAIL, "", job.name)))
    return code


def start(job: Job, results: Path, clients: Clients, print_line: PrintLine) -> JobRecord:
    """Starts a job whose inputs are in S3, and writes its record.

    Args:
        job: The job.
        results: Folder with the results of all jobs.
        clients: Clients of the AWS account.
        print_line: Prints a line for each retry.
    """
    method, request = job_request(job)
    create(clients, method, request, print_line)
    return save_record(clients, job_kind(job), job.type.name, results / job.name, request, output_uris(job))


def job_kind(job: Job) -> JobKind:
    """Returns SageMaker's kind of a job: training or processing."""
    return TRAINING if job.is_training else PROCESSING


def job_request(job: Job) -> tuple[str, Request]:
    """Returns boto3's method and its arguments for a job whose inputs are in S3."""
    if job.is_training:
        return "create_training_job", training_request(job)
    return "create_processing_job", processing_request(job)


def output_uris(job: Job) -> dict[str, str]:
    """Returns the S3 URIs of the job's results: model, output or evaluation."""
    if job.is_training:
        output = f"{job.s3_folder}/output"
        packed = {"model": f"{output}/{MODEL_ARCHIVE}", "output": f"{output}/{OUTPUT_ARCHIVE}"}
        return packed if job.compress else {"model": f"{output}/model/", "output": f"{output}/data/"}
    return {name: f"{job.s3_folder}/{name}/" for name in job.outputs}


def check_requests(requests: Requests) -> None:
    """Validates requests and prints warnings to stderr. Raises InputError that lists the errors of all requests."""
    from jobs.requests.validation import check_request  # imports botocore, which --help must not wait for

    errors = []
    for method, request in requests:
        try:
            warnings = check_request(method, request)
        except InputError as error:
            errors.append(str(error))
            continue
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr)
    if errors:
        raise InputError("\n".join(errors))


def plan_inputs(job: Job, clients: Clients | None = None) -> tuple[Job, list[PlannedUpload]]:
    """Returns the job with all inputs in S3, and the uploads of its local inputs, which are not started yet.

    Args:
        job: The job.
        clients: Clients that read the sizes of inputs in S3; None skips them.

    Raises:
        InputError: The inputs are larger than the machine's disk.
        Failure: A local file cannot be read.
    """
    check_sizes(job, clients)
    uploads = plan_uploads(job.inputs, job.account)
    return job.with_s3_inputs({upload.name: upload.uri for upload in uploads}), uploads


def print_spending(requests: Requests, print_line: PrintLine = print) -> None:
    """Prints the machine hours that these requests can cost, before anything is uploaded or created."""
    for line in spending_lines(requests):
        print_line(line)


def upload_inputs(
    job: Job, uploads: Sequence[PlannedUpload], clients: Clients, delete: bool, print_line: PrintLine
) -> None:
    """Uploads a job's local inputs, and prints their number and size.

    Args:
        job: The job.
        uploads: Its uploads, from plan_inputs.
        clients: Clients of the AWS account.
        delete: The flag --delete.
        print_line: Prints a line of output.
    """
    for upload in uploads:
        upload.send(clients.s3, job.account.kms_key, delete, print_line)


def create(clients: Clients, method: str, request: Mapping[str, Any], print_line: PrintLine) -> Any:
    """Calls a method of boto3's SageMaker client that creates a resource; returns AWS's answer.

    If an attempt succeeded but its answer was lost, the next attempt is refused. That is not an error: {} is returned.

    Args:
        clients: Clients of the AWS account.
        method: Name of the method.
        request: Its arguments.
        print_line: Prints a line for each retry.

    Raises:
        InputError, Failure: AWS refused the request.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    may_be_done = False

    def print_retry(line: str) -> None:
        nonlocal may_be_done
        # a request that was throttled, or found no capacity, created nothing
        may_be_done = may_be_done or line.partition(":")[0] not in (*THROTTLED, *CAPACITY)
        print_line(line)

    try:
        return call(getattr(clients.sagemaker, method), print_line=print_retry, **request)
    except (ClientError, BotoCoreError) as error:
        is_refused = error_code(error) == "ResourceInUse" or (method in IS_DONE and IS_DONE[method] in str(error))
        if may_be_done and is_refused:
            return {}
        raise user_error(error, method) from error


def require_free_name(results: Path, name: str, replaces: JobKind | None = None) -> None:
    """Raises InputError if RESULTS/NAME exists, since its record and results belong to another job. The record of a
    deleted endpoint may be replaced.

    Args:
        results: Folder with the results of all jobs.
        name: Name of the new job.
        replaces: Kind of job whose record of the same name may be replaced: a pipeline or an endpoint that is updated.
    """
    require_folder(results)
    folder = results / name
    if not folder.exists():
        return
    record = read_record(folder)
    if record is not None:
        is_changed = replaces in REPLACEABLE and record.kind == replaces.name
        is_deleted = record.kind == ENDPOINT.name and record.stopped
        if is_changed or is_deleted:
            return
    owner, advice = "", ""
    if record is not None:
        advice = ", or deploy --update to change the endpoint" if record.kind == ENDPOINT.name else ""
        owner = f" (it belongs to {record.command} {record.name})"
    raise InputError(f"{folder} already exists{owner}; use another --job_name{advice}")


def require_folder(results: Path) -> None:
    """Raises InputError if no record can be written to this folder: without one a paid job could not be found again."""
    nearest = next(folder for folder in (results, *results.absolute().parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        reason = "is not writable" if nearest.is_dir() else "is not a folder"
        raise InputError(f"--results {results}: {nearest} {reason}")


def save_record(
    clients: Clients,
    kind: JobKind,
    command: str,
    folder: Path,
    request: Mapping[str, Any],
    outputs: Mapping[str, str],
) -> JobRecord:
    """Writes the record of a started job.

    Args:
        clients: Clients of the AWS account.
        kind: SageMaker's kind of job.
        command: Subcommand that started it.
        folder: RESULTS/JOB.
        request: The request that started it.
        outputs: S3 URIs of its results, or the ARN of a pipeline execution.

    Raises:
        Failure: The record cannot be written, or there is one that it may not replace. require_free_name normally
            detects both before the job is started.
    """
    region = clients.region or str(getattr(getattr(clients.sagemaker, "meta", None), "region_name", "") or "")
    record = JobRecord(
        name=folder.name,
        command=command,
        kind=kind.name,
        on=SAGEMAKER,
        started=utc_now(),
        folder=folder,
        outputs=outputs,
        request=request,
        region=region,
        profile=clients.profile,
    )
    try:
        require_free_name(folder.parent, folder.name, kind)
        record.save()
    except (InputError, OSError) as error:
        raise Failure(
            f"{kind.name} {folder.name} was started, but its record cannot be written: {error}; stop it with python -m "
            f"jobs stop {folder.name} and another --results"
        ) from error
    return record


def follow_command(name: str) -> str:
    """Returns the end of a message: how to follow a job."""
    return f"follow it with: python -m jobs logs {name} (also: status, stop, fetch)"


def has_model(kind: JobKind, description: Mapping[str, Any]) -> bool:
    """Whether a job that did not complete left a model: a stopped training, or a tuning job with a best training."""
    was_stopped = kind is TRAINING and kind.status(description) == "Stopped"
    return was_stopped or (kind is TUNING and bool(description.get("BestTrainingJob")))


def follow_and_fetch(follower: Follower, results: ResultsFolder) -> tuple[int, Mapping[str, Any]]:
    """Follows a job to its end, prints how it ended and downloads its results. Ctrl-C leaves the job running.

    Returns:
        The exit code, and the job's description ({} after Ctrl-C).
    """
    try:
        description = follower.follow()
    except KeyboardInterrupt:
        follower.print_line(f"{follower.name} keeps running; {follow_command(follower.name)}")
        return ExitCode.INTERRUPTED, {}
    code, lines = follower.outcome(description)
    for line in lines:
        follower.print_line(line)
    if code == 0 or has_model(follower.kind, description):
        try:
            fetch(follower.clients, follower.kind, description, results, follower.print_line)
        except InputError as error:
            if code == 0:
                raise
            follower.print_line(f"no results were downloaded: {error}")
    return code, description
