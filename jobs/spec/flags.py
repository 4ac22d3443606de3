"""The launcher's flags: a dataclass for each subcommand that starts a job, endpoint or search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from jobs.spec.job import DEFAULT_PREFIX, Account, Limits, Machine
from model.settings.fields import setting

HERE, DOCKER, SAGEMAKER = "here", "docker", "sagemaker"  # values of --on: the backends
LOCAL_IMAGE = "rarebird"  # the image's name in the engine of this machine


@dataclass(frozen=True)
class AccountFlags:
    """Flags of every subcommand that uses AWS."""

    role: str = setting("", "ARN of the role that the job has; else SAGEMAKER_ROLE", section="Account")
    bucket: str = setting("", "for data, models and answers; else SAGEMAKER_BUCKET")
    prefix: str = setting("", "in the bucket, below it lies everything; else SAGEMAKER_PREFIX, else rarebird")
    image: str = setting("", "the image; else SAGEMAKER_IMAGE; on docker else rarebird")
    region: str = setting("", "else AWS_REGION or AWS_DEFAULT_REGION")
    profile: str = setting("", "of ~/.aws; else AWS_PROFILE")
    results: str = setting("results", "folder in which each job has one, with what came back")


@dataclass(frozen=True)
class LaunchFlags(AccountFlags):
    """Flags of every subcommand that starts a job or an endpoint."""

    on: str = setting(
        HERE, "where the job runs: here, in the image, on SageMaker", choices=(HERE, DOCKER, SAGEMAKER), section="Place"
    )
    dry_run: bool = setting(False, "print the request to SageMaker as JSON and nothing else; sends nothing")
    wait: bool = setting(False, "on SageMaker: follow the job to its end and fetch what it made")
    job_name: str = setting("", "else the run's name with the time")
    instance: str = setting("ml.m5.xlarge", "type of the machines", section="Machine")
    instances: int = setting(1, "machines; here so many processes, on docker so many containers", low=1)
    volume_gb: int = setting(30, "disk of a machine; 0: the instance's own", unit="GB", low=0)
    max_run: int = setting(86_400, "time after which the job is stopped", unit="s", low=1)
    tags: dict[str, Any] = setting({}, "of everything made, {team: vision}", section="Security")
    subnets: list[str] = setting([], "of the VPC")
    security_groups: list[str] = setting([], "of the VPC")
    kms_key: str | None = setting(None, "key of outputs and volumes")
    isolated: bool = setting(False, "no network in the container")
    encrypt_traffic: bool = setting(False, "between machines")
    environment: dict[str, Any] = setting({}, "further variables of the container, {NAME: value}")
    delete: bool = setting(False, "remove from S3 what is no longer in a folder that is sent", section="Data")
    shm_size: str = setting("2g", "on docker: size of /dev/shm")
    gpus: str = setting("auto", "on docker: what --gpus is given; auto: all where there are some; none")

    def machine(self) -> Machine:
        return Machine(self.instance, self.instances, self.volume_gb or None)

    def limits(self) -> Limits:
        return Limits(self.max_run)

    def account(self) -> Account:
        return Account(
            role=self.role,
            image=self.image,
            bucket=self.bucket,
            prefix=self.prefix or DEFAULT_PREFIX,
            tags={key: str(value) for key, value in self.tags.items()},
            subnets=tuple(self.subnets),
            security_groups=tuple(self.security_groups),
            kms_key=self.kms_key,
            isolated=self.isolated,
            encrypt_traffic=self.encrypt_traffic,
        )


@dataclass(frozen=True)
class TrainFlags(LaunchFlags):
    """Flags of train."""

    data: str = setting("", "folder or s3:// prefix to learn from, as train_dir", section="Training")
    mode: str = setting(
        "File", "File: copied before the start; FastFile: read as it is needed", choices=("File", "FastFile")
    )
    spot: bool = setting(False, "spot capacity, with checkpoints")
    max_wait: int = setting(0, "on spot: running and waiting together; 0: twice max_run", unit="s", low=0)
    keep_alive: int = setting(0, "time that the machines are kept for a next job", unit="s", low=0)
    attempts: int = setting(0, "starts after internal errors of SageMaker", low=0)
    checkpoints: str | None = setting(
        None, "s3:// prefix (here and on docker a folder) of checkpoints to go on from; else the job's own"
    )
    compress: bool = setting(True, "the model as model.tar.gz; false: as it lies, below a prefix")
    script_mode: bool = setting(False, "image is one of AWS's PyTorch containers; this folder is sent as source_dir")

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if self.script_mode and self.isolated:
            yield "script_mode and isolated: AWS's container installs from the network what the scripts need"

    def machine(self) -> Machine:
        return replace(super().machine(), spot=self.spot, keep_alive=self.keep_alive)

    def limits(self) -> Limits:
        wait = (self.max_wait or 2 * self.max_run) if self.spot else self.max_wait or None
        return Limits(self.max_run, wait, self.attempts)


@dataclass(frozen=True)
class ProcessFlags(LaunchFlags):
    """Flags of inference and inference_TTA."""

    data: str = setting("", "folder or s3:// prefix of the pictures, as eval_dir", section="Input")


@dataclass(frozen=True)
class EvaluationFlags(LaunchFlags):
    """Flags of evaluation."""


@dataclass(frozen=True)
class TuneFlags(TrainFlags):
    """Flags of tune."""

    on: str = setting(SAGEMAKER, "a search runs on SageMaker", choices=(SAGEMAKER,), section="Place")
    ranges: dict[str, Any] = setting(
        {}, "what is varied: {lr: [0.0001, 0.01], loss: [focal, cross_entropy]}", section="Tuning"
    )
    objective: str = setting("val_f1", "metric of training that is to be best")
    trainings: int = setting(20, "trainings in all", low=1)
    at_once: int = setting(2, "trainings at the same time", low=1)
    strategy: str = setting("Bayesian", "how values are chosen", choices=("Bayesian", "Random", "Hyperband", "Grid"))
    spot: bool = setting(False, "spot capacity; a training that loses its machine begins anew")
    stop_early: bool = setting(False, "end trainings that will not be the best")

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        yield from super().contradictions()
        if self.strategy == "Hyperband" and self.stop_early:
            yield "stop_early and strategy Hyperband: Hyperband ends trainings itself"
        if self.checkpoints:
            yield "checkpoints: the trainings of a search would share them, each going on from another's"


@dataclass(frozen=True)
class ModelFlags(LaunchFlags):
    """Flags of transform, deploy and register."""

    on: str = setting(SAGEMAKER, "hosted models are SageMaker's", choices=(SAGEMAKER,), section="Place")
    model_dir: str = setting(
        "", "the model: s3://.../model.tar.gz or a prefix, a saved model's folder, or a job's name", section="Model"
    )


@dataclass(frozen=True)
class TransformFlags(ModelFlags):
    """Flags of transform."""

    data: str = setting("", "folder or s3:// prefix of the pictures", section="Transform")
    accept: str = setting("application/json", "form of the answers")
    content_type: str = setting("application/x-image", "of the pictures")
    max_payload_mb: int = setting(6, "largest picture", unit="MB", low=0, high=100)
    concurrent: int = setting(0, "requests at once to a machine; 0: as the server says", low=0)


@dataclass(frozen=True)
class DeployFlags(ModelFlags):
    """Flags of deploy: the settings of an endpoint."""

    kind: str = setting("realtime", "of endpoint", choices=("realtime", "serverless", "async"), section="Endpoint")
    memory_mb: int = setting(4096, "of a serverless endpoint, a multiple of 1024", unit="MB")
    concurrency: int = setting(5, "requests at once to a serverless endpoint", low=1)
    startup: int = setting(600, "time until it must answer /ping", unit="s")

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if self.memory_mb % 1024:
            yield f"memory_mb is a multiple of 1024, not {self.memory_mb}"
        if self.kind == "serverless" and (self.subnets or self.security_groups):
            yield "kind serverless with subnets or security_groups: a serverless endpoint cannot be in a VPC"
        if self.kind == "serverless" and self.isolated:
            yield "kind serverless and isolated: a serverless endpoint has no network isolation"


@dataclass(frozen=True)
class RegisterFlags(ModelFlags):
    """Flags of register."""

    group: str = setting("rarebird", "group of the model's versions, made where it is missing", section="Registry")
    evaluation: str = setting("", "evaluation.json with the model's scores: a file or s3://")
    approval: str = setting(
        "PendingManualApproval", "status", choices=("PendingManualApproval", "Approved", "Rejected")
    )
