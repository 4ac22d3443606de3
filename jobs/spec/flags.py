"""The flags of the launcher, and which words of a command are its own and which the job's."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from container.environment import Environment
from container.job_types import JobType
from jobs.spec.job import Account, Limits, Machine
from model.errors import InputError, did_you_mean
from model.settings.aliases import aliases_of
from model.settings.cli import from_flags, help_text
from model.settings.fields import canonical, setting

S = TypeVar("S")

HERE, DOCKER, SAGEMAKER = "here", "docker", "sagemaker"
VARIABLES = {  # of the environment or .env, where no flag says it
    "role": ("SAGEMAKER_ROLE",),
    "bucket": ("SAGEMAKER_BUCKET",),
    "prefix": ("SAGEMAKER_PREFIX",),
    "image": ("SAGEMAKER_IMAGE",),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "profile": ("AWS_PROFILE",),
}
LOCAL_IMAGE = "rarebird"


@dataclass(frozen=True)
class AccountFlags:
    """What every verb takes."""

    role: str = setting("", "ARN of the role that the job has; else SAGEMAKER_ROLE", section="Account")
    bucket: str = setting("", "for data, models and answers; else SAGEMAKER_BUCKET")
    prefix: str = setting("", "in the bucket, below it lies everything; else SAGEMAKER_PREFIX, else rarebird")
    image: str = setting("", "the image; else SAGEMAKER_IMAGE; on docker else rarebird")
    region: str = setting("", "else AWS_REGION or AWS_DEFAULT_REGION")
    profile: str = setting("", "of ~/.aws; else AWS_PROFILE")
    results: str = setting("results", "folder in which each job has one, with what came back")


@dataclass(frozen=True)
class LaunchFlags(AccountFlags):
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
            prefix=self.prefix or "rarebird",
            tags={key: str(value) for key, value in self.tags.items()},
            subnets=tuple(self.subnets),
            security_groups=tuple(self.security_groups),
            kms_key=self.kms_key,
            isolated=self.isolated,
            encrypt_traffic=self.encrypt_traffic,
        )


@dataclass(frozen=True)
class TrainFlags(LaunchFlags):
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
    data: str = setting("", "folder or s3:// prefix of the pictures, as eval_dir", section="Input")


@dataclass(frozen=True)
class EvaluationFlags(LaunchFlags):
    pass


@dataclass(frozen=True)
class TuneFlags(TrainFlags):
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
    on: str = setting(SAGEMAKER, "hosted models are SageMaker's", choices=(SAGEMAKER,), section="Place")
    model_dir: str = setting(
        "", "the model: s3://.../model.tar.gz or a prefix, a saved model's folder, or a job's name", section="Model"
    )


@dataclass(frozen=True)
class TransformFlags(ModelFlags):
    data: str = setting("", "folder or s3:// prefix of the pictures", section="Transform")
    accept: str = setting("application/json", "form of the answers")
    content_type: str = setting("application/x-image", "of the pictures")
    max_payload_mb: int = setting(6, "largest picture", unit="MB", low=0, high=100)
    concurrent: int = setting(0, "requests at once to a machine; 0: as the server says", low=0)


@dataclass(frozen=True)
class DeployFlags(ModelFlags):
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
    group: str = setting("rarebird", "group of the model's versions, made where it is missing", section="Registry")
    evaluation: str = setting("", "evaluation.json with the model's scores: a file or s3://")
    approval: str = setting(
        "PendingManualApproval", "status", choices=("PendingManualApproval", "Approved", "Rejected")
    )


def split_flags(cls: type, argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a command that are flags of cls with their values, and the others."""
    names = {field.name for field in dataclasses.fields(cls)}
    ours: list[str] = []
    others: list[str] = []
    to = ours if any(field.metadata["positional"] for field in dataclasses.fields(cls)) else others
    for token in argv:
        if token.startswith("--") and len(token) > 2:
            to = ours if _name(token) in names else others
        elif token == "-h":
            to = ours
        to.append(token)
    return ours, others


def read_flags(
    cls: type[S], argv: Sequence[str], usage: str, job_type: JobType[Any] | None = None
) -> tuple[S, list[str]]:
    """The launcher's flags, filled from the environment and .env where they are not given, and the words that are left
    to the job. --help prints and ends. job_type: without one, words that are left are an InputError."""
    ours, others = split_flags(cls, argv)
    if "-h" in ours or "--help" in others:
        text = help_text(cls, usage)
        if job_type is not None:
            text += "\nFlags of the job itself are taken too:\n\n" + help_text(job_type.settings, "").lstrip("\n")
        print(text)
        raise SystemExit(0)
    known = {field.name for field in dataclasses.fields(cast(Any, cls))}
    if job_type is not None:
        known |= {field.name for field in dataclasses.fields(job_type.settings)}
        known |= set(aliases_of(job_type.alias_script))
    unknown = [word for word in others if word.startswith("--") and _name(word) not in known]
    if others and job_type is None:
        unknown = unknown or others
    if unknown:
        lines = [f"  {word}: there is no such flag{did_you_mean(_name(word), known)}" for word in unknown]
        raise InputError("flags:\n" + "\n".join(lines))
    return filled(from_flags(cls, ours, usage)), others


def _name(flag: str) -> str:
    return canonical(flag.lstrip("-").partition("=")[0])


def filled(flags: S) -> S:
    """Flags that are empty take what the environment or .env says; on docker not the image, which is SageMaker's."""
    variables = dict(Environment().variables)
    if "AWS_ACCESS_KEY_ID" in os.environ and "AWS_PROFILE" not in os.environ:
        variables.pop("AWS_PROFILE", None)  # .env's would win over keys of the environment, which win over .env
    found: dict[str, Any] = {}
    in_engine = getattr(flags, "on", "") == DOCKER and not getattr(flags, "dry_run", False)
    for name, keys in VARIABLES.items():
        if name == "image" and in_engine:
            continue
        if getattr(flags, name, None) == "":
            found[name] = next((variables[key] for key in keys if variables.get(key)), "")
    return replace(flags, **found)  # type: ignore[type-var]


def require(flags: Any, *names: str) -> None:
    """InputError tells all of these that neither a flag nor the environment names."""
    missing = [name for name in names if not getattr(flags, name)]
    if missing:
        lines = [f"  --{name}: not given; or {VARIABLES[name][0]} in the environment or .env" for name in missing]
        raise InputError("for SageMaker:\n" + "\n".join(lines))
