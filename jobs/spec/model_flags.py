"""The flags of the subcommands that take or ask a saved model: transform, deploy, register and invoke."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jobs.spec.flag_groups import (
    APPROVALS,
    MACHINE,
    DeleteFlags,
    InstanceFlags,
    MachineFlags,
    RegionFlags,
    RequestFlags,
    RoleFlags,
    SageMakerFlags,
    VpcFlags,
    WaitFlags,
    flag,
)

MOST_MACHINES = 1000  # of --max_instances; AWS's quotas are lower
SCALING = ("min_instances", "scale_target")  # flags that --max_instances needs
UPDATING = ("rollback_alarms", "bake")  # flags that --update needs


@dataclass(frozen=True)
class ModelFlags(RequestFlags, InstanceFlags, SageMakerFlags):
    """Flags of every subcommand that takes a saved model."""

    model_dir: str = flag(
        "", "Saved model: a folder, s3://.../model.tar.gz, an s3:// prefix, or the name of a training", section="Model"
    )
    instance: str = flag("ml.m5.xlarge", "Instance type that serves the model", section=MACHINE)


@dataclass(frozen=True)
class HostingFlags(ModelFlags, MachineFlags, VpcFlags, WaitFlags, RoleFlags):
    """Flags of every subcommand that serves a model."""

    ami_version: str = flag(
        "auto",
        "AMI of the machines, which has their GPU driver: its name, auto for one that CUDA 13 needs on instance types "
        "with GPUs, or none for SageMaker's own",
        section=MACHINE,
    )


@dataclass(frozen=True)
class TransformFlags(HostingFlags, DeleteFlags):
    """Flags of transform."""

    data: str = flag("", "Folder or s3:// prefix of the images", section="Transform")
    accept: str = flag("application/json", "MIME type of the predictions")
    content_type: str = flag("application/x-image", "MIME type of the images")
    max_payload_mb: int = flag(6, "Size of the largest image", unit="MB", low=0, high=100)
    concurrent: int = flag(0, "Number of simultaneous requests to a machine; 0 for what the server asks for", low=0)


@dataclass(frozen=True)
class DeployFlags(HostingFlags):
    """Flags of deploy: the settings of an endpoint."""

    kind: str = flag(
        "realtime",
        "Kind of endpoint; multi_model serves every archive below the s3:// prefix of model_dir",
        choices=("realtime", "serverless", "async", "multi_model"),
        section="Endpoint",
    )
    memory_mb: int = flag(4096, "Memory of a serverless endpoint, a multiple of 1024", unit="MB")
    concurrency: int = flag(5, "Number of simultaneous requests to a serverless endpoint", low=1)
    startup: int = flag(600, "Time within which the server must answer /ping; not of a serverless endpoint", unit="s")
    update: bool = flag(
        False, "Put the model behind the running endpoint job_name, which answers all the while; waits until it is done"
    )
    rollback_alarms: list[str] = flag(
        [], "CloudWatch alarms that bring the former model back while an update is watched"
    )
    bake: int = flag(
        600, "Time for which an update is watched with all requests on the new machines", unit="s", low=0, high=3600
    )
    capture: int = flag(
        0, "Percentage of requests and answers kept in the bucket; real-time endpoints", unit="%", low=0, high=100
    )
    max_instances: int = flag(
        0,
        "Scale with the load, up to this number of machines; 0 for no scaling; waits until the endpoint is in service",
        low=0,
        high=MOST_MACHINES,
    )
    min_instances: int = flag(1, "Smallest number of machines; 0, with kind async, while nothing is asked", low=0)
    scale_target: float = flag(
        0.0,
        "Load of each machine that scaling aims at: requests per minute, or for kind async requests that wait; 0 for "
        "120 or 5",
        low=0,
    )

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if self.memory_mb % 1024:
            yield f"memory_mb is a multiple of 1024, not {self.memory_mb}"
        if self.kind == "serverless" and (self.subnets or self.security_groups):
            yield "kind serverless with subnets or security_groups: a serverless endpoint cannot be in a VPC"
        if self.kind == "serverless" and self.isolated:
            yield "kind serverless and isolated: a serverless endpoint has no network isolation"
        if self.update and not self.job_name:
            yield "update: job_name names the endpoint"
        if self.kind == "async" and self.capture:
            yield "kind async and capture: requests and answers of an asynchronous endpoint are in the bucket already"
        if self.kind == "multi_model" and self.model_dir and not is_prefix(self.model_dir):
            yield f"kind multi_model: model_dir is the s3:// prefix of the archives, not {self.model_dir}"
        if self.max_instances:
            yield from self._scaling_contradictions()

    def _scaling_contradictions(self) -> Iterator[str]:
        low, high = self.min_instances, self.max_instances
        if low == 0 and self.kind != "async":
            yield f"min_instances 0 and kind {self.kind}: only an endpoint of kind async can have no machine"
        if low > high:
            yield f"min_instances {low} is more than max_instances {high}"
        elif not low <= self.instances <= high and self.instances > 1:
            yield f"instances {self.instances}, with which it begins, is not between {low} and {high}"

    def ignored(self) -> Mapping[str, str]:
        """The flags of other kinds of endpoints, of scaling and of updates."""
        machines = ("instance", "instances", "startup", "ami_version", "capture", "max_instances", *SCALING)
        others = machines if self.kind == "serverless" else ("memory_mb", "concurrency")
        reasons = dict.fromkeys(others, f"--kind {self.kind} does not use it")
        if not self.update:
            reasons |= dict.fromkeys(UPDATING, "only --update uses it")
        elif not self.rollback_alarms:
            reasons["bake"] = "only --rollback_alarms are watched"
        if not self.max_instances:
            reasons = {**dict.fromkeys(SCALING, "only --max_instances uses it"), **reasons}
        return {**super().ignored(), **reasons}


def is_prefix(source: str) -> bool:
    """Whether this is the URI of a folder in S3."""
    return source.startswith("s3://") and not source.endswith(".tar.gz")


@dataclass(frozen=True)
class RegisterFlags(ModelFlags):
    """Flags of register."""

    group: str = flag("rarebird", "Model package group, created if it does not exist", section="Registry")
    evaluation: str = flag("", "File or s3:// URI of the evaluation.json with the model's scores")
    approval: str = flag("PendingManualApproval", "Approval status of the version", choices=APPROVALS)


@dataclass(frozen=True)
class InvokeFlags(RegionFlags):
    """Flags of invoke."""

    names: list[str] = flag([], "Name of the endpoint, then image files", section="Endpoint", positional=True)
    json: bool = flag(False, "Print the endpoint's answers as lines of JSON instead of a table")
    target_model: str = flag("", "Archive below the prefix of an endpoint of kind multi_model, as faces.tar.gz")
    timeout: int = flag(
        900,
        "Time to wait for the answers of an asynchronous endpoint; 0 only prints where in S3 they will be",
        unit="s",
        low=0,
    )
