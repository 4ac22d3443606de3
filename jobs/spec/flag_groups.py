"""Groups of the launcher's flags by what they are for: account, network, machine and run.

A subcommand's flags (jobs.spec.flags) are a dataclass that inherits the groups whose flags it uses, and no others. A
group that describes a part of the job also builds that part: `account()`, `machine()`, `limits()`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar

from jobs.spec.job import DEFAULT_PREFIX, Account, Limits, Machine
from model.settings.fields import setting

HERE, DOCKER, SAGEMAKER = "here", "docker", "sagemaker"  # values of --on: the backends
BACKENDS = (HERE, DOCKER, SAGEMAKER)

RUN, MACHINE, NETWORK, ACCOUNT = "Run", "Machine", "Network and encryption", "Account"  # sections of --help
APPROVALS = ("PendingManualApproval", "Approved", "Rejected")  # ModelApprovalStatus of a version in the registry


def flag(default: Any, help: str, *, on: Sequence[str] = BACKENDS, **more: Any) -> Any:
    """Declares a flag: a setting, with the backends that use it.

    Args:
        default, help, more: As model.settings.fields.setting.
        on: Values of --on with which it has an effect; with the others it is refused.
    """
    field = setting(default, help, **more)
    field.metadata = MappingProxyType({**field.metadata, "on": tuple(on)})
    return field


def backends_of(field: dataclasses.Field[Any]) -> tuple[str, ...]:
    """The values of --on with which a flag has an effect."""
    return tuple(field.metadata.get("on", BACKENDS))


@dataclass(frozen=True)
class Flags:
    """The launcher's flags of a subcommand. SECTIONS: the order of the sections in --help."""

    SECTIONS: ClassVar[tuple[str, ...]] = (
        *("Training", "Tuning", "Pipeline", "Input", "Model", "Transform", "Endpoint", "Registry"),
        *("Job", "List", "Upload", "Shards", "Image"),
        *(RUN, MACHINE, NETWORK, ACCOUNT),
    )

    def ignored(self) -> Mapping[str, str]:
        """Flags that have no effect with these values, each with the reason; one that is given is an error."""
        return {}


# Account


@dataclass(frozen=True)
class RegionFlags(Flags):
    """How AWS is reached."""

    region: str = flag("", "AWS region; if empty, AWS_REGION or AWS_DEFAULT_REGION", section=ACCOUNT)
    profile: str = flag("", "Profile of ~/.aws with the credentials; if empty, AWS_PROFILE")


@dataclass(frozen=True)
class RoleFlags(Flags):
    role: str = flag(
        "", "ARN of the role that the job assumes; if empty, SAGEMAKER_ROLE", on=[SAGEMAKER], section=ACCOUNT
    )


@dataclass(frozen=True)
class BucketFlags(Flags):
    bucket: str = flag(
        "",
        "S3 bucket of data, models and predictions; if empty, SAGEMAKER_BUCKET",
        on=[SAGEMAKER],
        section=ACCOUNT,
    )


@dataclass(frozen=True)
class StorageFlags(BucketFlags):
    """Where data, models and predictions are in S3."""

    prefix: str = flag(
        "",
        f"Prefix of all keys in the bucket; if empty, SAGEMAKER_PREFIX or {DEFAULT_PREFIX}",
        on=[SAGEMAKER],
        section=ACCOUNT,
    )

    def account(self) -> Account:
        """The account as far as the subcommand has flags for it; the rest has Account's defaults."""
        names = [field.name for field in dataclasses.fields(Account) if hasattr(self, field.name)]
        values = {name: getattr(self, name) for name in names}
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        values["prefix"] = self.prefix or DEFAULT_PREFIX
        values["tags"] = {key: str(value) for key, value in values.get("tags", {}).items()}
        return Account(**values)


@dataclass(frozen=True)
class ImageUriFlags(Flags):
    image: str = flag(
        "", "URI of the container image; if empty, SAGEMAKER_IMAGE", on=[DOCKER, SAGEMAKER], section=ACCOUNT
    )


# Network and encryption


@dataclass(frozen=True)
class EncryptionFlags(Flags):
    kms_key: str | None = flag(
        None, "KMS key that encrypts uploads, outputs and volumes", on=[SAGEMAKER], section=NETWORK
    )


@dataclass(frozen=True)
class VpcFlags(Flags):
    """The network of a container."""

    subnets: list[str] = flag([], "Subnets of the VPC that the job runs in", on=[SAGEMAKER], section=NETWORK)
    security_groups: list[str] = flag([], "Security groups of the VPC that the job runs in", on=[SAGEMAKER])
    isolated: bool = flag(False, "Run the container without network access", on=[DOCKER, SAGEMAKER])


@dataclass(frozen=True)
class JobNetworkFlags(VpcFlags):
    """The network of a job that may have several machines."""

    encrypt_traffic: bool = flag(
        False, "Encrypt the traffic between the machines of a job", on=[SAGEMAKER], section=NETWORK
    )


# Machine


@dataclass(frozen=True)
class InstanceFlags(Flags):
    instance: str = flag("ml.m5.xlarge", "Instance type of each machine", section=MACHINE)

    def machine(self) -> Machine:
        return Machine(self.instance)


@dataclass(frozen=True)
class MachineFlags(InstanceFlags):
    instances: int = flag(1, "Number of machines", low=1, section=MACHINE)

    def machine(self) -> Machine:
        return replace(super().machine(), count=self.instances)


@dataclass(frozen=True)
class JobMachineFlags(MachineFlags):
    """The machines of a job, and how long it may use them."""

    volume_gb: int = flag(
        30,
        "Disk of each machine; 0 for the disk that the instance type has",
        on=[SAGEMAKER],
        unit="GB",
        low=0,
        section=MACHINE,
    )
    max_run: int = flag(86_400, "Time after which SageMaker stops the job", on=[SAGEMAKER], unit="s", low=1)

    def machine(self) -> Machine:
        return replace(super().machine(), volume_gb=self.volume_gb or None)

    def limits(self) -> Limits:
        return Limits(self.max_run)


@dataclass(frozen=True)
class SpotFlags(JobMachineFlags):
    """The machines of a training."""

    spot: bool = flag(
        False,
        "Use spot capacity; an interrupted training resumes from its checkpoints in S3",
        on=[SAGEMAKER],
        section=MACHINE,
    )
    max_wait: int = flag(
        0,
        "Longest time that a job on spot capacity waits and runs, together; 0 for twice max_run",
        on=[SAGEMAKER],
        unit="s",
        low=0,
    )
    attempts: int = flag(
        0,
        "Number of times that SageMaker restarts the job after an internal error; it resumes from its checkpoint",
        on=[SAGEMAKER],
        low=0,
    )

    def machine(self) -> Machine:
        return replace(super().machine(), spot=self.spot)

    def limits(self) -> Limits:
        wait = (self.max_wait or 2 * self.max_run) if self.spot else self.max_wait or None
        return Limits(self.max_run, wait, self.attempts)


@dataclass(frozen=True)
class WarmPoolFlags(MachineFlags):
    keep_alive: int = flag(
        0,
        "Time that the machines are kept for a next job (a warm pool); 0 for none",
        on=[SAGEMAKER],
        unit="s",
        low=0,
        section=MACHINE,
    )

    def machine(self) -> Machine:
        return replace(super().machine(), keep_alive=self.keep_alive)


@dataclass(frozen=True)
class ContainerFlags(Flags):
    """The containers of --on docker."""

    shm_size: str = flag("2g", "Size of /dev/shm in each container", on=[DOCKER], section=MACHINE)
    gpus: str = flag(
        "auto", "Value of docker's --gpus; auto for all GPUs of this machine, none for no GPU", on=[DOCKER]
    )


# Run


@dataclass(frozen=True)
class ResultsFlags(Flags):
    results: str = flag("results", "Folder on this machine with a subfolder of results for each job", section=RUN)


@dataclass(frozen=True)
class RunFlags(ResultsFlags):
    """What is created: its name, its variables, its tags, and whether it is only printed."""

    job_name: str = flag("", "Name of the job or resource; if empty, a unique name", section=RUN)
    dry_run: bool = flag(False, "Print the requests to SageMaker as JSON and send nothing")
    environment: dict[str, Any] = flag({}, "Environment variables of the container, {NAME: value}")
    tags: dict[str, Any] = flag({}, "Tags of everything that is created, {team: vision}", on=[SAGEMAKER])


@dataclass(frozen=True)
class BackendFlags(RunFlags):
    """The backend, where there is a choice."""

    on: str = flag(
        HERE,
        "Where the job runs: here as a process, in a Docker container, or on SageMaker",
        choices=BACKENDS,
        section=RUN,
    )

    def ignored(self) -> Mapping[str, str]:
        """The flags of other backends. A dry run prints SageMaker's request with any --on."""
        reasons = {}
        for field in dataclasses.fields(self):
            used = backends_of(field)
            if self.on not in used and not (self.dry_run and SAGEMAKER in used):
                reasons[field.name] = f"--on {self.on} does not use it, only --on {' or '.join(used)}"
        return {**super().ignored(), **reasons}


@dataclass(frozen=True)
class SageMakerFlags(Flags):
    """The backend of what only SageMaker has."""

    on: str = flag(SAGEMAKER, "Where it runs: only SageMaker has this", choices=(SAGEMAKER,), section=RUN)


@dataclass(frozen=True)
class WaitFlags(Flags):
    wait: bool = flag(
        False,
        "Wait until the job on SageMaker has ended, or the endpoint is in service, and fetch its results",
        section=RUN,
    )


@dataclass(frozen=True)
class DeleteFlags(Flags):
    delete: bool = flag(
        False, "Delete objects in S3 that the uploaded local folder does not have", on=[SAGEMAKER], section=RUN
    )


@dataclass(frozen=True)
class RequestFlags(RunFlags, EncryptionFlags, ImageUriFlags, StorageFlags, RegionFlags):
    """Flags of every subcommand that creates something on SageMaker."""
