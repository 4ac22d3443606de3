"""Groups of the launcher's flags: account, network, machine and run.

The flags of a subcommand (jobs.spec.flags) are a dataclass that inherits only the groups it uses. A group that
describes a part of the job also builds that part: `account()`, `machine()`, `limits()`.
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
        default, help, more: Passed to model.settings.fields.setting.
        on: Values of --on with which the flag has an effect; with others it is an error.
    """
    field = setting(default, help, **more)
    field.metadata = MappingProxyType({**field.metadata, "on": tuple(on)})
    return field


def backends_of(field: dataclasses.Field[Any]) -> tuple[str, ...]:
    """Returns the values of --on with which a flag has an effect."""
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
        """Returns the flags that have no effect with these values, with the reason. Setting one of them is an error."""
        return {}


# Account


@dataclass(frozen=True)
class RegionFlags(Flags):
    """Region and credentials of AWS."""

    region: str = flag("", "AWS region to use", unset="AWS_REGION or AWS_DEFAULT_REGION", section=ACCOUNT)
    profile: str = flag("", "Profile of ~/.aws with the credentials", unset="AWS_PROFILE")


@dataclass(frozen=True)
class RoleFlags(Flags):
    role: str = flag(
        "", "ARN of the role that the job assumes", unset="SAGEMAKER_ROLE", on=[SAGEMAKER], section=ACCOUNT
    )


@dataclass(frozen=True)
class BucketFlags(Flags):
    bucket: str = flag(
        "",
        "S3 bucket of data, models and predictions",
        unset="SAGEMAKER_BUCKET",
        on=[SAGEMAKER],
        section=ACCOUNT,
    )


@dataclass(frozen=True)
class StorageFlags(BucketFlags):
    """The location of data, models and predictions in S3."""

    prefix: str = flag(
        "",
        "Prefix of all keys in the bucket",
        unset=f"SAGEMAKER_PREFIX or {DEFAULT_PREFIX}",
        on=[SAGEMAKER],
        section=ACCOUNT,
    )

    def account(self) -> Account:
        """Returns the account; fields for which the subcommand has no flag have their defaults."""
        names = [field.name for field in dataclasses.fields(Account) if hasattr(self, field.name)]
        values = {name: getattr(self, name) for name in names}
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        values["prefix"] = self.prefix or DEFAULT_PREFIX
        values["tags"] = {key: str(value) for key, value in values.get("tags", {}).items()}
        return Account(**values)


@dataclass(frozen=True)
class ImageUriFlags(Flags):
    image: str = flag(
        "", "URI of the container image", unset="SAGEMAKER_IMAGE", on=[DOCKER, SAGEMAKER], section=ACCOUNT
    )


# Network and encryption


@dataclass(frozen=True)
class EncryptionFlags(Flags):
    kms_key: str | None = flag(
        None, "KMS key to encrypt uploads, outputs and volumes with", on=[SAGEMAKER], section=NETWORK
    )


@dataclass(frozen=True)
class VpcFlags(Flags):
    """The network of a container."""

    subnets: list[str] = flag([], "Subnets of the VPC that the job runs in", on=[SAGEMAKER], section=NETWORK)
    security_groups: list[str] = flag([], "Security groups of the VPC that the job runs in", on=[SAGEMAKER])
    isolated: bool = flag(False, "Run the container without network access", on=[DOCKER, SAGEMAKER])


@dataclass(frozen=True)
class JobNetworkFlags(VpcFlags):
    """The network of a job on one or more machines."""

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
    """The machines of a job, and its time limit."""

    volume_gb: int = flag(
        30,
        "Disk size of each machine; 0: the instance type's own disk",
        on=[SAGEMAKER],
        unit="GB",
        low=0,
        section=MACHINE,
    )
    max_run: int = flag(86_400, "Longest time that the job may run", on=[SAGEMAKER], unit="s", low=1)

    def machine(self) -> Machine:
        return replace(super().machine(), volume_gb=self.volume_gb or None)

    def limits(self) -> Limits:
        return Limits(self.max_run)


@dataclass(frozen=True)
class SpotFlags(JobMachineFlags):
    """The machines of a training."""

    spot: bool = flag(
        False,
        "Use cheaper spot capacity; an interrupted training resumes from its checkpoints in S3",
        on=[SAGEMAKER],
        section=MACHINE,
    )
    max_wait: int = flag(
        0,
        "Longest time that a job on spot capacity waits and runs in total; 0: twice max_run",
        on=[SAGEMAKER],
        unit="s",
        low=0,
    )
    attempts: int = flag(
        0,
        "Number of restarts after internal errors of SageMaker; the training resumes from its checkpoint",
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
        "Time that machines are kept running for the next job (a warm pool)",
        on=[SAGEMAKER],
        unit="s",
        low=0,
        section=MACHINE,
    )

    def machine(self) -> Machine:
        return replace(super().machine(), keep_alive=self.keep_alive)


@dataclass(frozen=True)
class ContainerFlags(Flags):
    """Options of the containers of --on docker."""

    shm_size: str = flag("2g", "Size of /dev/shm in each container", on=[DOCKER], section=MACHINE)
    gpus: str = flag("auto", "Value of docker's --gpus; auto: all GPUs of this machine, none: no GPU", on=[DOCKER])


# Run


@dataclass(frozen=True)
class ResultsFlags(Flags):
    results: str = flag("results", "Local folder with one subfolder of results per job", section=RUN)


@dataclass(frozen=True)
class RunFlags(ResultsFlags):
    """Name, environment variables and tags of a job, and --dry_run."""

    job_name: str = flag("", "Name of the job or resource", unset="a unique name", section=RUN)
    dry_run: bool = flag(False, "Print the requests to SageMaker as JSON and send nothing")
    environment: dict[str, Any] = flag({}, "Environment variables of the container: {NAME: value}")
    tags: dict[str, Any] = flag({}, "Tags of all AWS resources that are created: {team: vision}", on=[SAGEMAKER])


@dataclass(frozen=True)
class BackendFlags(RunFlags):
    """The choice of the backend."""

    on: str = flag(
        HERE,
        "Where the job runs; here: as processes of this machine, docker: in containers, sagemaker: on SageMaker",
        choices=BACKENDS,
        section=RUN,
    )

    def ignored(self) -> Mapping[str, str]:
        """The flags of other backends. A dry run also uses SageMaker's, since it prints SageMaker's request."""
        reasons = {}
        for field in dataclasses.fields(self):
            used = backends_of(field)
            if self.on not in used and not (self.dry_run and SAGEMAKER in used):
                reasons[field.name] = f"not used with --on {self.on}, only with --on {' or '.join(used)}"
        return {**super().ignored(), **reasons}


@dataclass(frozen=True)
class SageMakerFlags(Flags):
    """The backend of subcommands that only SageMaker supports."""

    on: str = flag(SAGEMAKER, "Where it runs: always on sagemaker", choices=(SAGEMAKER,), section=RUN)


@dataclass(frozen=True)
class WaitFlags(Flags):
    wait: bool = flag(
        False,
        "Follow the job on SageMaker to its end and download its results, or wait until an endpoint is in service",
        section=RUN,
    )


@dataclass(frozen=True)
class DeleteFlags(Flags):
    delete: bool = flag(
        False, "Delete objects in S3 that are not in the uploaded local folder", on=[SAGEMAKER], section=RUN
    )


@dataclass(frozen=True)
class RequestFlags(RunFlags, EncryptionFlags, ImageUriFlags, StorageFlags, RegionFlags):
    """Flags of every subcommand that creates a resource on SageMaker."""
