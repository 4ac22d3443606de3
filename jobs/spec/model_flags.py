"""The flags of the subcommands that use a saved model: transform, deploy, register and invoke."""

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

MOST_MACHINES = 1000  # upper bound of --max_instances; AWS's quotas are lower
SCALING = ("min_instances", "scale_target")  # flags that only apply with --max_instances
UPDATING = ("rollback_alarms", "bake")  # flags that only apply with --update


@dataclass(frozen=True)
class ModelFlags(RequestFlags, InstanceFlags, SageMakerFlags):
    """Flags of every subcommand that takes a saved model."""

    model_dir: str = flag(
        "", "Saved model: name of a training job, folder, s3://.../model.tar.gz or s3:// prefix", section="Model"
    )
    instance: str = flag("ml.m5.xlarge", "Instance type that serves the model", section=MACHINE)


@dataclass(frozen=True)
class HostingFlags(ModelFlags, MachineFlags, VpcFlags, WaitFlags, RoleFlags):
    """Flags of every subcommand that serves a model."""

    ami_version: str = flag(
        "auto",
        "Name of the AMI of the machines; auto: on GPU instances, an AMI with a driver for CUDA 13, none: "
        "the default of SageMaker",
        section=MACHINE,
    )


@dataclass(frozen=True)
class TransformFlags(HostingFlags, DeleteFlags):
    """Flags of transform."""

    data: str = flag("", "Folder or s3:// prefix of the images", section="Transform")
    accept: str = flag("application/json", "MIME type of the predictions")
    content_type: str = flag("application/x-image", "MIME type of the images")
    max_payload_mb: int = flag(6, "Maximum size of an image", unit="MB", low=0, high=100)
    concurrent: int = flag(0, "Number of simultaneous requests to a machine; 0: the server decides", low=0)


@dataclass(frozen=True)
class DeployFlags(HostingFlags):
    """Flags of deploy: the settings of an endpoint."""

    kind: str = flag(
        "realtime",
        "Kind of endpoint: realtime, serverless, async, or multi_model, which serves all archives below the "
        "s3:// prefix in model_dir",
        choices=("realtime", "serverless", "async", "multi_model"),
        section="Endpoint",
    )
    memory_mb: int = flag(4096, "Memory of a serverless endpoint, a multiple of 1024", unit="MB")
    concurrency: int = flag(5, "Number of simultaneous requests to a serverless endpoint", low=1)
    startup: int = flag(600, "Maximum time until the server answers /ping; not for serverless endpoints", unit="s")
    update: bool = flag(
        False, "Replace the model of the running endpoint job_name without downtime, and wait for the end of the update"
    )
    rollback_alarms: list[str] = flag([], "CloudWatch alarms that roll an update back to the old model")
    bake: int = flag(
        600,
        "How long alarms are watched after all requests go to the new machines; an alarm rolls the update back",
        unit="s",
        low=0,
        high=3600,
    )
    capture: int = flag(
        0,
        "Percentage of requests and answers to store in the bucket; only for real-time endpoints",
        unit="%",
        low=0,
        high=100,
    )
    max_instances: int = flag(
        0,
        "Maximum number of machines when the endpoint scales with its load; scaling starts once the endpoint "
        "is in service. 0: no scaling",
        low=0,
        high=MOST_MACHINES,
    )
    min_instances: int = flag(
        1,
        "Minimum number of machines when scaling; with --kind async it can be 0, so that no machine runs "
        "while there are no requests",
        low=0,
    )
    scale_target: float = flag(
        0.0,
        "Target load per machine when scaling: requests per minute, or waiting requests with --kind async. "
        "0: 120 requests per minute, or 5 waiting requests",
        low=0,
    )

    def contradictions(self) -> Iterator[str]:
        """Yields a message for each pair of settings that contradict each other."""
        if self.memory_mb % 1024:
            yield f"memory_mb {self.memory_mb}: expected a multiple of 1024"
        if self.kind == "serverless" and (self.subnets or self.security_groups):
            yield "kind serverless excludes subnets and security_groups: a serverless endpoint cannot be in a VPC"
        if self.kind == "serverless" and self.isolated:
            yield "kind serverless and isolated: a serverless endpoint has no network isolation"
        if self.update and not self.job_name:
            yield "update: set job_name to the name of the endpoint"
        if self.kind == "async" and self.capture:
            yield "kind async and capture: an asynchronous endpoint always stores requests and answers in the bucket"
        if self.kind == "multi_model" and self.model_dir and not is_prefix(self.model_dir):
            yield f"kind multi_model: model_dir must be the s3:// prefix of the archives, not {self.model_dir}"
        if self.max_instances:
            yield from self._scaling_contradictions()

    def _scaling_contradictions(self) -> Iterator[str]:
        low, high = self.min_instances, self.max_instances
        if low == 0 and self.kind != "async":
            yield f"min_instances 0 and kind {self.kind}: only an endpoint of kind async can scale down to 0 machines"
        if low > high:
            yield f"min_instances {low} is greater than max_instances {high}"
        elif not low <= self.instances <= high and self.instances > 1:
            yield f"instances {self.instances}: the number to start with must be between {low} and {high}"

    def ignored(self) -> Mapping[str, str]:
        """The flags of other kinds of endpoints; those of scaling and of updates without them."""
        machines = ("instance", "instances", "startup", "ami_version", "capture", "max_instances", *SCALING)
        others = machines if self.kind == "serverless" else ("memory_mb", "concurrency")
        reasons = dict.fromkeys(others, f"not used with --kind {self.kind}")
        if not self.update:
            reasons |= dict.fromkeys(UPDATING, "only used with --update")
        elif not self.rollback_alarms:
            reasons["bake"] = "only used with --rollback_alarms"
        if not self.max_instances:
            reasons = {**dict.fromkeys(SCALING, "only used with --max_instances"), **reasons}
        return {**super().ignored(), **reasons}


def is_prefix(source: str) -> bool:
    """Whether a source is the URI of a folder in S3."""
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

    names: list[str] = flag([], "Name of the endpoint, followed by image files", section="Endpoint", positional=True)
    json: bool = flag(False, "Print the endpoint's answers as one line of JSON per image, instead of a table")
    target_model: str = flag("", "For a multi_model endpoint: the archive of the model to use, such as faces.tar.gz")
    timeout: int = flag(
        900,
        "Time to wait for the answers of an asynchronous endpoint; 0: only print their S3 URIs",
        unit="s",
        low=0,
    )
