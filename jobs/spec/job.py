"""One description of a job: type, inputs, settings, machine, limits, account. The three places take the same."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from container.job_types import TRAIN, JobType

NAME_LENGTH = 63  # of job names, BC TrainingJobName
UNIQUE_TAIL = r"-\d{8}-\d{6}-[0-9a-f]{4}$"  # of unique_name
TUNE = "tune"  # what records call a search: many trainings, of which the best is fetched


@dataclass(frozen=True)
class Input:
    """A folder that a job reads. name: its channel; source: s3://BUCKET/PREFIX or a path; mode: File or FastFile."""

    name: str
    source: str
    mode: str = "File"
    content_type: str | None = None

    @property
    def is_remote(self) -> bool:
        return self.source.startswith("s3://")


@dataclass(frozen=True)
class Machine:
    """keep_alive: seconds that a warm pool is kept after the job; volume_gb: None where the instance has a disk."""

    instance: str = "ml.m5.xlarge"
    count: int = 1
    volume_gb: int | None = 30
    spot: bool = False
    keep_alive: int = 0


@dataclass(frozen=True)
class Limits:
    """In seconds; max_wait: running and waiting for spot capacity together; attempts: starts after internal errors."""

    max_run: int = 86_400
    max_wait: int | None = None
    attempts: int = 0


@dataclass(frozen=True)
class Account:
    """What of an AWS account a job uses. prefix: in the bucket, below it lies everything of ours; kms_key: of outputs
    and volumes; isolated: no network in the container; encrypt_traffic: between hosts."""

    role: str = ""
    image: str = ""
    bucket: str = ""
    prefix: str = "rarebird"
    tags: Mapping[str, str] = field(default_factory=dict)
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    kms_key: str | None = None
    isolated: bool = False
    encrypt_traffic: bool = False

    @property
    def root(self) -> str:
        """s3://BUCKET/PREFIX."""
        return "/".join(part for part in (f"s3://{self.bucket}", self.prefix.strip("/")) if part)


@dataclass(frozen=True)
class Job:
    """type: which job it is; name: unique, as AWS asks for names; settings: those that differ from their
    defaults, as text; checkpoints: an S3 prefix or a folder, None for none; compress: model.tar.gz, else a plain
    prefix; environment: further variables; entry: hyperparameters of AWS's own containers in script mode."""

    type: JobType[Any]
    name: str
    settings: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    machine: Machine = field(default_factory=Machine)
    limits: Limits = field(default_factory=Limits)
    account: Account = field(default_factory=Account)
    checkpoints: str | None = None
    compress: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    entry: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_training(self) -> bool:
        return self.type is TRAIN

    @property
    def folder(self) -> str:
        """What of this job lies in S3: s3://BUCKET/PREFIX/JOB."""
        return f"{self.account.root}/{self.name}"


def own_checkpoints(job: Job) -> str:
    """Where a training keeps its checkpoints in S3 where no other place is named."""
    return f"{job.folder}/checkpoints"


def unique_name(stem: str, now: float | None = None) -> str:
    """STEM-20261121-093000-1a2b: a name that AWS takes, sorted by time, of no other job."""
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    tail = f"-{moment}-{secrets.token_hex(2)}"
    return name_stem(stem)[: NAME_LENGTH - len(tail)].strip("-") + tail


def name_stem(text: str) -> str:
    """Letters, digits and single dashes of a text; `job` where nothing is left."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", text).strip("-") or "job"
