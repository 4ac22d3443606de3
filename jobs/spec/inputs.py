"""what a job reads: folders, places in S3, names of earlier jobs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from container.job_types import JOB_TYPES, TRAIN, JobType
from container.opt_ml import OptMl
from jobs.spec.flags import SAGEMAKER, LaunchFlags
from jobs.spec.job import TUNE, Account, Input, Job
from jobs.spec.record import find_record, records, refuse_several
from model.errors import InputError


def channel_name(setting: str) -> str:
    """Of the input that brings a setting's file."""
    return setting.replace("_", "-")


def channel_place(tree: OptMl, job_type: JobType[Any], setting: str) -> Path:
    name = channel_name(setting)
    return tree.channel(name) if job_type is TRAIN else tree.processing_input(name)


def is_file(source: str) -> bool:
    """Whether a setting names one file, not a folder: on the disk as it is, in S3 by a suffix."""
    if source.startswith("s3://"):
        return bool(Path(source).suffix) and not source.endswith("/")
    return Path(source).is_file()


def check_inputs(inputs: Sequence[Input], needed: Mapping[str, str]) -> None:
    """InputError tells every input that is missing and every local one that does not exist. needed: input: its flag."""
    named = {given.name for given in inputs}
    faults = [
        f"{name}: name its folder or s3:// prefix by {flag}" for name, flag in needed.items() if name not in named
    ]
    for given in inputs:
        if not given.is_remote and not Path(given.source).exists():
            faults.append(f"{given.name}: {given.source}: there is no such file or folder")
    if faults:
        raise InputError("inputs:\n" + "\n".join(f"  {fault}" for fault in faults))


def _named_inputs(job_type: JobType[Any], flags: LaunchFlags, inputs: Sequence[Input]) -> list[Input]:
    """Inputs with what the launcher's own flags say of them, and with jobs' names followed to what they made."""
    found = {given.name: given for given in inputs}
    data = getattr(flags, "data", "")
    if data:
        channel = job_type.data
        if channel in found:
            raise InputError(f"--data and --{channel}_dir both name the channel {channel}; give one of them")
        found = {channel: Input(channel, data), **found}
    mode = getattr(flags, "mode", "File")
    return [
        replace(
            given,
            source=produced(given.source, given.name, flags),
            mode=mode if given.name in ("train", "validation") else "File",
        )
        for given in found.values()
    ]


def produced(source: str, wanted: str, flags: Any) -> str:
    """source, or where a job of that name left its model, answers or evaluation (wanted: the input that asks): on this
    machine where its results are, else in S3. Of a search it is its best training's, once that is fetched. InputError
    where that job failed, or several begin so."""
    if source.startswith("s3://") or not source or Path(source).exists() or "/" in source:
        return source
    results, made_by = Path(flags.results), producers(wanted)
    record = find_record(results, source, made_by)
    if record is None:
        if made_by:
            refuse_several(results, source, records(results, made_by))
        return source
    if record.failed:
        raise InputError(f"{wanted}: {record.what} {record.name} {record.state}; nothing is taken from it")
    folder = next((job_type.feeds[wanted] for job_type in JOB_TYPES.values() if wanted in job_type.feeds), "output")
    here = record.folder / folder
    if here.is_dir() and (flags.on != SAGEMAKER or record.on != SAGEMAKER):
        return str(here)
    if record.what == TUNE and not here.is_dir():
        raise InputError(f"{wanted}: python -m jobs fetch {record.name} brings the best model of the search first")
    return record.places.get(folder, str(here))


def producers(wanted: str) -> tuple[str, ...] | None:
    """What records call the jobs whose `latest` an input means; None: any job."""
    names = [job_type.name for job_type in JOB_TYPES.values() if wanted in job_type.feeds]
    return (*names, TUNE) if TRAIN.name in names else tuple(names) or None


def s3_place(account: Account, source: str, below: str = "data") -> str:
    """Where a local folder or file goes in S3: the same place for the same path, so that only changes are sent. Two
    machines with the same path share it."""
    path = Path(source).resolve()
    mark = hashlib.blake2b(str(path).encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.name).strip("-") or "data"
    return f"{account.root}/{below}/{stem}-{mark}/"


def with_s3_inputs(job: Job) -> Job:
    """The same job with the places in S3 that its local inputs have there once they are sent."""
    placed = [
        given if given.is_remote else replace(given, source=s3_place(job.account, given.source)) for given in job.inputs
    ]
    return replace(job, inputs=tuple(placed))


def local_inputs(job: Job) -> list[tuple[Input, str]]:
    """The inputs that have to be sent, each with its place in S3."""
    return [(given, s3_place(job.account, given.source)) for given in job.inputs if not given.is_remote]
