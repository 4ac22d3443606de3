"""--on sagemaker: checks a job's request, uploads its inputs and starts it; --wait follows and fetches it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.aws.calls import call, error_code, user_error
from jobs.aws.clients import Clients
from jobs.aws.follower import Follower, lacked_capacity, outcome
from jobs.aws.job_kinds import PROCESSING, TRAINING, JobKind
from jobs.requests.common import Request, Requests
from jobs.requests.processing import processing_request
from jobs.requests.training import training_request
from jobs.results.fetch import fetch
from jobs.spec.console import PrintLine
from jobs.spec.flag_groups import SAGEMAKER
from jobs.spec.job import UNIQUE_TAIL, Job, unique_name
from jobs.spec.record import JobRecord, utc_now
from jobs.spec.results_folder import OUTPUT_ARCHIVE, ResultsFolder
from jobs.storage.s3 import S3Uri
from jobs.storage.upload import upload_folder
from model.artifacts.archive import MODEL_ARCHIVE
from model.errors import ExitCode, InputError

CAPACITY_STARTS = 4  # of a job that is waited for and gets no machines
CAPACITY_PAUSE = 60.0  # seconds before the second start, doubled each time


def run(job: Job, results: Path, clients: Clients, wait: bool, delete: bool, print_line: PrintLine) -> int:
    """Starts a job and, with wait, follows it to its end; returns the exit code.

    A job that gets no machines is started again under a new name after a growing pause.

    Args:
        results: Folder of all jobs' results.
        wait, delete: The flags of these names.
    """
    pause = CAPACITY_PAUSE
    earlier: JobRecord | None = None
    for attempt in range(1, CAPACITY_STARTS + 1):
        record = start(job, results, clients, delete, print_line)
        if earlier is not None:
            replace(earlier, restarted_as=job.name).save()
        earlier = record
        print_line(f"started {record.kind} {job.name}; {how_to_come_back(job.name)}")
        if not wait:
            return ExitCode.DONE
        follower = Follower(clients, job_kind(job), job.name, print_line)
        code, description = follow_and_fetch(follower, ResultsFolder(record.folder))
        if not lacked_capacity(description) or attempt == CAPACITY_STARTS:
            return code
        print_line(f"no {job.machine.instance} was free; started again in {pause:.0f} s")
        follower.sleep(pause)
        pause *= 2
        job = replace(job, name=unique_name(re.sub(UNIQUE_TAIL, "", job.name)))
    return code


def start(job: Job, results: Path, clients: Clients, delete: bool, print_line: PrintLine) -> JobRecord:
    """Checks a job's request, uploads its inputs, starts it and writes its record."""
    method, request = job_request(job.with_s3_inputs())
    check_requests([(method, request)])
    upload_inputs(job, clients, delete, print_line)
    create(clients, method, request, print_line)
    return save_record(clients, job_kind(job), job.type.name, results / job.name, request, output_uris(job))


def job_kind(job: Job) -> JobKind:
    return TRAINING if job.is_training else PROCESSING


def job_request(job: Job) -> tuple[str, Request]:
    """boto3's method and its arguments. job: with its inputs in S3."""
    if job.is_training:
        return "create_training_job", training_request(job)
    return "create_processing_job", processing_request(job)


def output_uris(job: Job) -> dict[str, str]:
    """The S3 URIs of what the job will leave: its model, output or evaluation."""
    if job.is_training:
        output = f"{job.s3_folder}/output"
        packed = {"model": f"{output}/{MODEL_ARCHIVE}", "output": f"{output}/{OUTPUT_ARCHIVE}"}
        return packed if job.compress else {"model": f"{output}/model/", "output": f"{output}/data/"}
    return {name: f"{job.s3_folder}/{name}/" for name in job.outputs}


def check_requests(requests: Requests) -> None:
    """Prints warnings to stderr. Raises InputError with the errors of all requests."""
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


def upload_inputs(job: Job, clients: Clients, delete: bool, print_line: PrintLine) -> None:
    """Uploads a job's local inputs, and prints what and how much. delete: the flag of that name."""
    for each, uri in job.uploads:
        print_line(f"{each.name}: {each.source} to {uri}")
        summary = upload_folder(
            clients.s3,
            Path(each.source),
            S3Uri.parse(uri),
            delete=delete,
            kms_key=job.account.kms_key,
            print_line=print_line,
        )
        print_line(f"{each.name}: {summary}")


def create(clients: Clients, method: str, request: Mapping[str, Any], print_line: PrintLine) -> Any:
    """Calls a method of boto3's SageMaker client that creates something; returns its answer.

    Raises:
        InputError, Failure: With what to do about AWS's error.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    retries: list[str] = []

    def print_retry(line: str) -> None:
        retries.append(line)
        print_line(line)

    try:
        return call(getattr(clients.sagemaker, method), print_line=print_retry, **request)
    except (ClientError, BotoCoreError) as error:
        if retries and error_code(error) == "ResourceInUse":  # an earlier attempt succeeded, its answer was lost
            return {}
        raise user_error(error, method) from error


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
        kind: SageMaker's kind of job.
        command: Subcommand that started it.
        folder: RESULTS/JOB.
        request: What started it.
        outputs: S3 URIs of what it will leave, or the ARN of a pipeline's run.
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
    record.save()
    return record


def how_to_come_back(name: str) -> str:
    return f"python -m jobs logs {name}, status, stop or fetch come back to it"


def follow_and_fetch(follower: Follower, results: ResultsFolder) -> tuple[int, Mapping[str, Any]]:
    """Follows a job to its end, prints how it ended and fetches what it left. Ctrl-C leaves the job running.

    Returns:
        The exit code and the job's description, {} after Ctrl-C.
    """
    try:
        description = follower.follow()
    except KeyboardInterrupt:
        follower.print_line(f"{follower.name} goes on; {how_to_come_back(follower.name)}")
        return ExitCode.INTERRUPTED, {}
    code, lines = outcome(follower.kind, follower.name, description, follower.last_lines)
    for line in lines:
        follower.print_line(line)
    was_stopped = follower.kind is TRAINING and follower.kind.status(description) == "Stopped"
    if code == 0 or was_stopped:  # SageMaker keeps the model of a stopped training
        try:
            fetch(follower.clients, follower.kind, description, results, follower.print_line)
        except InputError as error:
            if code == 0:
                raise
            follower.print_line(f"nothing was fetched: {error}")
    return code, description
