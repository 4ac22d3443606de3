"""--on sagemaker: a job checked, its inputs sent, started; and where it is asked for followed and fetched."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.aws.clients import Clients, Tell, call, code_of, explained
from jobs.aws.follow import Follower, ending, is_capacity
from jobs.aws.job_kinds import PROCESSING, TRAINING, Kind
from jobs.requests.train_and_process import Request, processing_request, training_request
from jobs.requests.validation import check_request
from jobs.results.fetch import fetch
from jobs.spec.flags import SAGEMAKER
from jobs.spec.inputs import local_inputs, with_s3_inputs
from jobs.spec.job import UNIQUE_TAIL, Job, unique_name
from jobs.spec.record import Record, now
from jobs.storage.s3 import parse
from jobs.storage.upload import send_folder
from model.artifacts.archive import MODEL_ARCHIVE
from model.errors import ExitCode, InputError

CAPACITY_STARTS = 4  # of a job that is waited for and finds no machines
CAPACITY_PAUSE = 60.0  # seconds, doubled each time


def request_of(job: Job) -> tuple[str, Request]:
    """boto3's method and what it is given. job: with its inputs in S3."""
    if job.is_training:
        return "create_training_job", training_request(job)
    return "create_processing_job", processing_request(job)


def checked(requests: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """InputError with every fault of all requests; warnings go to stderr."""
    faults = []
    for method, request in requests:
        try:
            warnings = check_request(method, request)
        except InputError as error:
            faults.append(str(error))
            continue
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr)
    if faults:
        raise InputError("\n".join(faults))


def places(job: Job) -> dict[str, str]:
    """Where what the job makes will lie, by what it is."""
    if job.is_training:
        output = f"{job.folder}/output"
        packed = {"model": f"{output}/{MODEL_ARCHIVE}", "output": f"{output}/output.tar.gz"}
        return packed if job.compress else {"model": f"{output}/model/", "output": f"{output}/data/"}
    return {job.type.output: f"{job.folder}/{job.type.output}/"}


def send_inputs(job: Job, clients: Clients, delete: bool, tell: Tell) -> None:
    for given, place in local_inputs(job):
        tell(f"{given.name}: {given.source} to {place}")
        sent = send_folder(
            clients.s3, Path(given.source), parse(place), delete=delete, kms_key=job.account.kms_key, tell=tell
        )
        tell(f"{given.name}: {sent}")


def start(job: Job, results: Path, clients: Clients, delete: bool, tell: Tell) -> Record:
    """Sends the inputs and starts the job. The request is checked before anything is sent."""
    placed = with_s3_inputs(job)
    method, request = request_of(placed)
    checked([(method, request)])
    send_inputs(job, clients, delete, tell)
    send(clients, method, request, tell)
    kind = TRAINING if job.is_training else PROCESSING
    return remember(clients, kind, job.type.name, job.name, results, request, places(job))


def send(clients: Clients, method: str, request: Mapping[str, Any], tell: Tell) -> Any:
    """One call that makes something; its errors in words."""
    from botocore.exceptions import BotoCoreError, ClientError

    tried: list[str] = []

    def told(line: str) -> None:
        tried.append(line)
        tell(line)

    try:
        return call(getattr(clients.sagemaker, method), tell=told, **request)
    except (ClientError, BotoCoreError) as error:
        if tried and code_of(error) == "ResourceInUse":  # the call before was answered too late, but it was heard
            return {}
        raise explained(error, method) from error


def remember(
    clients: Clients,
    kind: Kind,
    what: str,
    name: str,
    results: Path,
    request: Mapping[str, Any],
    made: Mapping[str, str],
) -> Record:
    folder = results / name
    region = clients.region or str(getattr(getattr(clients.sagemaker, "meta", None), "region_name", "") or "")
    record = Record(name, what, kind.word, SAGEMAKER, now(), folder, made, request, region, clients.profile)
    record.save()
    return record


def how_to_come_back(name: str) -> str:
    return f"python -m jobs logs {name}, status, stop or fetch come back to it"


def run(job: Job, results: Path, clients: Clients, wait: bool, delete: bool, tell: Tell) -> int:
    """Starts a job; where it is waited for, its exit code. A job that finds no machines is started again under a new
    name after a growing pause."""
    pause = CAPACITY_PAUSE
    before: Record | None = None
    for attempt in range(1, CAPACITY_STARTS + 1):
        record = start(job, results, clients, delete, tell)
        if before is not None:
            replace(before, restarted_as=job.name).save()
        before = record
        tell(f"started {record.kind} {job.name}; {how_to_come_back(job.name)}")
        if not wait:
            return 0
        kind = TRAINING if job.is_training else PROCESSING
        follower = Follower(clients, kind, job.name, tell)
        code, description = wait_for(follower, record.folder)
        if not is_capacity(description) or attempt == CAPACITY_STARTS:
            return code
        tell(f"no {job.machine.instance} was free; started again in {pause:.0f} s")
        follower.sleep(pause)
        pause *= 2
        job = replace(job, name=unique_name(re.sub(UNIQUE_TAIL, "", job.name)))
    return code


def wait_for(follower: Follower, folder: Path) -> tuple[int, Mapping[str, Any]]:
    """Follows a job to its end, tells it and fetches what it made. Ctrl-C leaves the job running."""
    try:
        description = follower.to_the_end()
    except KeyboardInterrupt:
        follower.tell(f"{follower.name} goes on; {how_to_come_back(follower.name)}")
        return ExitCode.INTERRUPTED, {}
    code, lines = ending(follower.kind, follower.name, description, follower.last)
    for line in lines:
        follower.tell(line)
    left_something = code == 0 or (follower.kind is TRAINING and follower.kind.state(description) == "Stopped")
    if left_something:
        try:
            fetch(follower.clients, follower.kind, description, folder, follower.tell)
        except InputError as error:
            if code == 0:
                raise
            follower.tell(f"nothing was fetched: {error}")
    return code, description
