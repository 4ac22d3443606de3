"""The flags of the subcommands that take a saved model: transform, deploy and register."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jobs.spec.flag_groups import (
    APPROVALS,
    MACHINE,
    DeleteFlags,
    InstanceFlags,
    MachineFlags,
    RequestFlags,
    RoleFlags,
    SageMakerFlags,
    VpcFlags,
    WaitFlags,
    flag,
)


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

    kind: str = flag("realtime", "Kind of endpoint", choices=("realtime", "serverless", "async"), section="Endpoint")
    memory_mb: int = flag(4096, "Memory of a serverless endpoint, a multiple of 1024", unit="MB")
    concurrency: int = flag(5, "Number of simultaneous requests to a serverless endpoint", low=1)
    startup: int = flag(600, "Time within which the server must answer /ping; not of a serverless endpoint", unit="s")

    def contradictions(self) -> Iterator[str]:
        """Sentences about settings that contradict each other."""
        if self.memory_mb % 1024:
            yield f"memory_mb is a multiple of 1024, not {self.memory_mb}"
        if self.kind == "serverless" and (self.subnets or self.security_groups):
            yield "kind serverless with subnets or security_groups: a serverless endpoint cannot be in a VPC"
        if self.kind == "serverless" and self.isolated:
            yield "kind serverless and isolated: a serverless endpoint has no network isolation"

    def ignored(self) -> Mapping[str, str]:
        """The flags of other kinds of endpoints."""
        others = ("instance", "instances", "startup") if self.kind == "serverless" else ("memory_mb", "concurrency")
        reason = f"--kind {self.kind} does not use it"
        return {**super().ignored(), **dict.fromkeys(others, reason)}


@dataclass(frozen=True)
class RegisterFlags(ModelFlags):
    """Flags of register."""

    group: str = flag("rarebird", "Model package group, created if it does not exist", section="Registry")
    evaluation: str = flag("", "File or s3:// URI of the evaluation.json with the model's scores")
    approval: str = flag("PendingManualApproval", "Approval status of the version", choices=APPROVALS)
