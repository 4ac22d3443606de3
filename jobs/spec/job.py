"""The description of a job (type, settings, inputs, machine, limits, account), which every backend takes."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from container.job_types import TRAIN, JobType
from jobs.spec.inputs import Input

DEFAULT_PREFIX = "rarebird"  # in the bucket
NAME_LENGTH = 63  # characters of a job's name (boto3, create_training_job, TrainingJobName)
PARTS = "parts"  # output of an inference with its finished parts, and the input of the one that resumes it
UNIQUE_TAIL = r"-\d{8}-\d{6}-[0-9a-f]{4}$"  # of unique_name


@dataclass(frozen=True)
class Machine:
    """The machines of a job.

    Attributes:
        instance: SageMaker's instance type.
        count: Number of machines.
        volume_gb: Disk of each, None where the instance type brings its own.
        spot: Spot capacity.
        keep_alive: Seconds that the machines are kept for a next job (a warm pool).
    """

    instance: str = "ml.m5.xlarge"
    count: int = 1
    volume_gb: int | None = 30
    spot: bool = False
    keep_alive: int = 0


@dataclass(frozen=True)
class Limits:
    """Limits of a job.

    Attributes:
        max_run: Seconds that it may run.
        max_wait: Seconds that it may wait for spot capacity and run, together.
        attempts: Starts after internal errors of SageMaker.
    """

    max_run: int = 86_400
    max_wait: int | None = None
    attempts: int = 0


@dataclass(frozen=True)
class Account:
    """What a job uses of an AWS account.

    Attributes:
        role: ARN of the role that the job gets.
        image: URI of the image in ECR.
        bucket, prefix: Where data, models and answers are kept: s3://BUCKET/PREFIX.
        tags: On everything that is created.
        subnets, security_groups: Of the VPC.
        kms_key: Encrypts outputs and volumes.
        isolated: No network in the container.
        encrypt_traffic: Encrypt the traffic between machines.
    """

    role: str = ""
    image: str = ""
    bucket: str = ""
    prefix: str = DEFAULT_PREFIX
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

    @property
    def account_id(self) -> str:
        """The number of the AWS account, which the role's ARN has; "" without a role."""
        arn = re.match(r"arn:[^:]*:iam::(\d{12}):", self.role)
        return arn[1] if arn else ""

    def content_uri(self, digest: str, folder: str = "data") -> str:
        """The S3 URI to upload a local folder or file to: s3://BUCKET/PREFIX/data/ACCOUNT/DIGEST/.

        Args:
            digest: Of the content.
            folder: Below s3://BUCKET/PREFIX.
        """
        return "/".join(part for part in (self.root, folder, self.account_id, digest) if part) + "/"


@dataclass(frozen=True)
class Job:
    """A job as every backend takes it.

    Attributes:
        type: train, inference, inference_TTA or evaluation.
        name: Unique, of the characters that AWS allows.
        settings: Those that differ from their defaults, as text.
        inputs, machine, limits, account: See their classes.
        checkpoints: Where training keeps them: an S3 prefix, a folder, or None.
        compress: Whether SageMaker packs the model as model.tar.gz; else it leaves the files below a prefix.
        environment: Further variables of the container.
        entry: Hyperparameters for AWS's own containers in script mode.
        live_curves: Whether TensorBoard's files are copied to S3 while a training runs.
    """

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
    live_curves: bool = False

    @property
    def is_training(self) -> bool:
        return self.type is TRAIN

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs of a processing job, folders in RESULTS/JOB and below /opt/ml/processing."""
        return [self.type.output, *([PARTS] if PARTS in self.type.feeds else [])]

    @property
    def s3_folder(self) -> str:
        """The job's own folder in S3: s3://BUCKET/PREFIX/JOB."""
        return f"{self.account.root}/{self.name}"

    @property
    def default_checkpoints(self) -> str:
        """Where a training keeps its checkpoints in S3 if no flag says otherwise."""
        return f"{self.s3_folder}/checkpoints/"

    def with_s3_inputs(self, uris: Mapping[str, str]) -> Job:
        """The job with all inputs in S3, as it is once the uploads are done. uris: of the local inputs, by name."""
        inputs = (
            replace(each, source=uris[each.name], content=None) if each.name in uris else each for each in self.inputs
        )
        return replace(self, inputs=tuple(inputs))


def unique_name(stem: str, now: float | None = None) -> str:
    """STEM-20261121-093000-1a2b: a name that AWS takes, sorted by time, of no other job.

    Args:
        stem: Any text; characters that AWS does not take become dashes.
        now: Seconds since the epoch, the current time where None.
    """
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    tail = f"-{moment}-{secrets.token_hex(2)}"
    return name_stem(stem)[: NAME_LENGTH - len(tail)].strip("-") + tail


def name_stem(text: str) -> str:
    """The letters, digits and single dashes of a text; `job` where nothing is left."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", text).strip("-") or "job"
