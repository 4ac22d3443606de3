"""--on sagemaker: checks a job's request, uploads its inputs and starts it; --wait follows and fetches it."""

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

REPLACEABLE = (PIPELINE, ENDPOINT)  # kinds that are changed under their name, which a new record then has
IS_DONE = {  # by method, what AWS says where an earlier attempt has succeeded; of all methods the code ResourceInUse
    "create_model": "already existing",
    "create_endpoint_config": "already existing",
    "create_endpoint": "already existing",
    "update_endpoint": "in-progress",
}
CAPACITY_STARTS = 4  # of a job that is waited for and gets no machines
CAPACITY_PAUSE = 60.0  # seconds before the second start, doubled each time


def run(job: Job, results: Path, clients: Clients, wait: bool, delete: bool, print_line: PrintLine) -> int:
    """Starts a job and, with wait, follows it to its end; returns the exit code.

    A job that gets no machines is started again under a new name after a growing pause.

    Args:
        results: Folder of all jobs' results.
        wait, delete: The flags of these names.
    """
    # before local data is read: the prefixes in the account alone are not known yet
    prefixes = {each.name: f"{job.account.root}/data/" for each in job.inputs if not each.is_remote}
    checked = [job_request(job.with_s3_inputs(prefixes))]
    check_requests(checked)
    print_spending(checked, print_line)
    job, uploads = place_inputs(job, clients)
    upload_inputs(job, uploads, clients, delete, print_line)
    pause = CAPACITY_PAUSE
    earlier: JobRecord | None = None
    for attempt in range(1, CAPACITY_STARTS + 1):
        record = start(job, results, clients, print_line)
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


def start(job: Job, results: Path, clients: Clients, print_line: PrintLine) -> JobRecord:
    """Starts a job whose inputs are in S3, and writes its record."""
    method, request = job_request(job)
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


def place_inputs(job: Job, clients: Clients | None = None) -> tuple[Job, list[PlannedUpload]]:
    """The job with its inputs in S3, and the uploads that bring them there.

    Args:
        clients: Of AWS, for the sizes of what is in S3 already; None asks nobody.

    Raises:
        InputError: The inputs are larger than the machine's disk.
        Failure: A local file cannot be read.
    """
    check_sizes(job, clients)
    uploads = plan_uploads(job.inputs, job.account)
    return job.with_s3_inputs({upload.name: upload.uri for upload in uploads}), uploads


def print_spending(requests: Requests, print_line: PrintLine = print) -> None:
    """Prints what these requests can cost, before anything is uploaded or created."""
    for line in spending_lines(requests):
        print_line(line)


def upload_inputs(
    job: Job, uploads: Sequence[PlannedUpload], clients: Clients, delete: bool, print_line: PrintLine
) -> None:
    """Uploads a job's local inputs, and prints what and how much. delete: the flag of that name."""
    for upload in uploads:
        upload.send(clients.s3, job.account.kms_key, delete, print_line)


def create(clients: Clients, method: str, request: Mapping[str, Any], print_line: PrintLine) -> Any:
    """Calls a method of boto3's SageMaker client that creates something; returns its answer.

    An attempt may succeed and its answer be lost. The next attempt is then refused, which is no error: {} is returned.

    Raises:
        InputError, Failure: With what to do about AWS's error.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    may_be_done = False

    def print_retry(line: str) -> None:
        nonlocal may_be_done
        may_be_done = may_be_done or line.partition(":")[0] not in (*THROTTLED, *CAPACITY)  # nothing was done then
        print_line(line)

    try:
        return call(getattr(clients.sagemaker, method), print_line=print_retry, **request)
    except (ClientError, BotoCoreError) as error:
        is_refused = error_code(error) == "ResourceInUse" or (method in IS_DONE and IS_DONE[method] in str(error))
        if may_be_done and is_refused:
            return {}
        raise user_error(error, method) from error


def require_free_name(results: Path, name: str, replaces: JobKind | None = None) -> None:
    """Raises InputError where RESULTS/NAME exists: its record and results are another job's. The record of an endpoint
    that is deleted may be replaced.

    Args:
        replaces: Kind of job whose own record of that name is replaced: a pipeline or an endpoint is changed under its
            name. Any other kind has one job of a name.
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
    owner = ""
    if record is not None:
        is_endpoint = record.kind == ENDPOINT.name
        owner = f"; it is of {record.command} {record.name}{', which deploy --update changes' if is_endpoint else ''}"
    raise InputError(f"{folder} is there already; another --job_name{owner}")


def require_folder(results: Path) -> None:
    """Raises InputError where no record can be written below this folder: the job would be paid for and not be found
    again."""
    nearest = next(folder for folder in (results, *results.absolute().parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        reason = "cannot be written to" if nearest.is_dir() else "is no folder"
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
        kind: SageMaker's kind of job.
        command: Subcommand that started it.
        folder: RESULTS/JOB.
        request: What started it.
        outputs: S3 URIs of what it will leave, or the ARN of a pipeline's run.

    Raises:
        Failure: There is a record that this one may not replace, or it cannot be written, which require_free_name finds
            before the start.
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
            f"{kind.name} {folder.name} is started and has no record: {error}; python -m jobs stop {folder.name} with "
            "another --results stops it"
        ) from error
    return record


def how_to_come_back(name: str) -> str:
    return f"python -m jobs logs {name}, status, stop or fetch come back to it"


def has_model(kind: JobKind, description: Mapping[str, Any]) -> bool:
    """Whether a job that was no success left a model: a stopped training, a search with a best training."""
    was_stopped = kind is TRAINING and kind.status(description) == "Stopped"
    return was_stopped or (kind is TUNING and bool(description.get("BestTrainingJob")))


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
    code, lines = follower.outcome(description)
    for line in lines:
        follower.print_line(line)
    if code == 0 or has_model(follower.kind, description):
        try:
            fetch(follower.clients, follower.kind, description, results, follower.print_line)
        except InputError as error:
            if code == 0:
                raise
            follower.print_line(f"nothing was fetched: {error}")
    return code, description
