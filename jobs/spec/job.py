"""The description of a job, which every backend takes: type, settings, inputs, machine, limits, account."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from container.job_types import TRAIN, JobType
from jobs.spec.inputs import Input

DEFAULT_PREFIX = "rarebird"  # of keys in the bucket
NAME_LENGTH = 63  # most characters of a job's name (boto3, create_training_job, TrainingJobName)
PARTS = "parts"  # output of an inference with its finished parts, and input of the inference that resumes it
UNIQUE_TAIL = r"-\d{8}-\d{6}-[0-9a-f]{4}$"  # end of a name from unique_name


@dataclass(frozen=True)
class Machine:
    """The machines of a job.

    Attributes:
        instance: SageMaker's instance type.
        count: Number of machines.
        volume_gb: Disk size of each machine, None for the instance type's own disk.
        spot: Whether to use spot capacity.
        keep_alive: Seconds that the machines are kept running for the next job (a warm pool).
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
        max_run: Longest running time, s.
        max_wait: Longest time of waiting for spot capacity and running in total, s.
        attempts: Restarts after internal errors of SageMaker.
    """

    max_run: int = 86_400
    max_wait: int | None = None
    attempts: int = 0


@dataclass(frozen=True)
class Account:
    """The AWS account of a job: role, image, storage and network.

    Attributes:
        role: ARN of the role that the job assumes.
        image: URI of the image in ECR.
        bucket, prefix: Data, models and predictions are stored below s3://BUCKET/PREFIX.
        tags: Tags of all resources that are created.
        subnets, security_groups: Of the VPC that the job runs in.
        kms_key: KMS key that encrypts outputs and volumes.
        isolated: Whether the container has no network access.
        encrypt_traffic: Whether traffic between machines is encrypted.
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
        """The number of the AWS account, read from the role's ARN; "" without a role."""
        arn = re.match(r"arn:[^:]*:iam::(\d{12}):", self.role)
        return arn[1] if arn else ""

    def content_uri(self, digest: str, folder: str = "data") -> str:
        """Returns the S3 URI to upload a local folder or file to: s3://BUCKET/PREFIX/data/ACCOUNT/DIGEST/.

        Args:
            digest: Digest of the content.
            folder: Folder below s3://BUCKET/PREFIX.
        """
        return "/".join(part for part in (self.root, folder, self.account_id, digest) if part) + "/"


@dataclass(frozen=True)
class Job:
    """A job as every backend takes it.

    Attributes:
        type: train, inference, inference_TTA or evaluation.
        name: Unique name, of the characters that AWS allows.
        settings: Settings that differ from their defaults, as text.
        inputs, machine, limits, account: See their classes.
        checkpoints: S3 prefix or folder of a training's checkpoints, None for none.
        compress: Whether SageMaker packs the model as model.tar.gz, instead of writing its files below a prefix.
        environment: Additional environment variables of the container.
        entry: Hyperparameters for AWS's own containers in script mode.
        live_curves: Whether TensorBoard files are copied to S3 while a training runs.
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
        """The outputs of a processing job: names of folders in RESULTS/JOB and in /opt/ml/processing."""
        return [self.type.output, *([PARTS] if PARTS in self.type.feeds else [])]

    @property
    def s3_folder(self) -> str:
        """The job's own folder in S3: s3://BUCKET/PREFIX/JOB."""
        return f"{self.account.root}/{self.name}"

    @property
    def default_checkpoints(self) -> str:
        """The S3 prefix of a training's checkpoints without --checkpoints."""
        return f"{self.s3_folder}/checkpoints/"

    def with_s3_inputs(self, uris: Mapping[str, str]) -> Job:
        """Returns the job with S3 URIs instead of local inputs. uris: the S3 URI of each local input by name."""
        inputs = (
            replace(each, source=uris[each.name], content=None) if each.name in uris else each for each in self.inputs
        )
        return replace(self, inputs=tuple(inputs))


def unique_name(stem: str, now: float | None = None) -> str:
    """Returns STEM-20261121-093000-1a2b: a unique name that AWS accepts and that sorts by time.

    Args:
        stem: Any text; characters that AWS does not accept become dashes.
        now: Seconds since the epoch, None for the current time.
    """
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    tail = f"-{moment}-{secrets.token_hex(2)}"
    return name_stem(stem)[: NAME_LENGTH - len(tail)].strip("-") + tail


def name_stem(text: str) -> str:
    """Returns a text with all other characters than letters and digits replaced by dashes; `job` if none is left."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", text).strip("-") or "job"
